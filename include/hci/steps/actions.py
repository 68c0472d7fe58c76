"""The changes that steps make to a cluster. Each one puts its intent on record before it changes anything."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from include.hci.cluster.lock import RunLock
from include.hci.cluster.machine import restart_computer
from include.hci.cluster.nodes import get_cluster_nodes, resume_cluster_node, suspend_cluster_node
from include.hci.cluster.storage import (
    disable_storage_maintenance_mode,
    enable_storage_maintenance_mode,
    release_drives,
    repair_virtual_disk,
)
from include.hci.powershell.catalogue import format_code, plain_code
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.report import events as ev
from include.hci.report.values import RoleSeen
from include.hci.steps.decisions import Scene

#: ERROR_CLUSTER_NODE_PAUSED, ERROR_CLUSTER_NODE_DRAIN_IN_PROGRESS (win32, system error codes; MS-CMRP, ApiPauseNodeEx).
PAUSED_ALREADY = (5070, 5962)


@dataclass(frozen=True, slots=True)
class Note:
    """Nothing is changed on the cluster: what was seen goes on record, because later steps go by it."""

    said: str
    events: tuple[ev.RunEvent, ...]

    def describe(self) -> str:
        """Return what is noted."""
        return f"note that {self.said}"

    def perform(self, scene: Scene) -> None:
        """Write the events."""
        for event in self.events:
            scene.record.add(event, scene.clock())


@dataclass(frozen=True, slots=True)
class TakeRunLock:
    """Take the run lock on ``nodes``, all or none."""

    guid: UUID
    nodes: tuple[str, ...]
    step: ev.StepName = "take_lock"

    def describe(self) -> str:
        """Return it as one line."""
        return f"take the run lock on {', '.join(self.nodes)}"

    def perform(self, scene: Scene) -> None:
        """Create our MSFT_CAURun; raises LockHeld when another coordinator was faster."""
        guid = str(self.guid)
        scene.record.add(ev.LockTaking(step=self.step, guid=guid, nodes=self.nodes), scene.clock())
        RunLock(scene.cluster, self.guid).take(self.nodes)
        scene.record.add(ev.LockTaken(step=self.step, guid=guid, nodes=self.nodes), scene.clock())


@dataclass(frozen=True, slots=True)
class SuspendNode:
    """Pause ``node`` and drain its ``roles``; ``seen``: the roles as they were read right before."""

    node: str
    roles: tuple[str, ...]
    state: str
    seen: tuple[RoleSeen, ...] = ()

    def describe(self) -> str:
        """Return the command."""
        return f"Suspend-ClusterNode -Name {self.node} -Drain"

    def perform(self, scene: Scene) -> None:
        """Order the pause; the drain runs on by itself."""
        first = self.node not in scene.record.facts.paused
        event = ev.Pausing(node=self.node, state_before=self.state, roles=self.roles, seen=self.seen)
        scene.record.add(event, scene.clock())
        shell = scene.cluster.any(avoid=(self.node,))
        try:
            suspend_cluster_node(shell, self.node)
        except CommandFailed as error:
            # A pause that this run's first order comes too late for is somebody else's; else only the node's own state tells that
            # nothing has come of it.
            late = first and any(error.has_code(code) for code in PAUSED_ALREADY)
            if late or any(node.name.lower() == self.node.lower() and node.is_up for node in get_cluster_nodes(shell)):
                code = None if error.code is None else format_code(plain_code(error.code))
                refused = ev.PauseRefused(node=self.node, why=error.detail, code=code)
                scene.record.add(refused, scene.clock())
            raise
        scene.record.add(ev.Paused(node=self.node), scene.clock())


@dataclass(frozen=True, slots=True)
class ResumeNode:
    """Resume ``node``."""

    node: str
    failback: str
    step: ev.StepName = "resume"

    def describe(self) -> str:
        """Return the command."""
        return f"Resume-ClusterNode -Name {self.node} -Failback {self.failback}"

    def perform(self, scene: Scene) -> None:
        """Order it."""
        scene.record.add(ev.Resuming(step=self.step, node=self.node, failback_mode=self.failback), scene.clock())
        resume_cluster_node(scene.cluster.any(avoid=(self.node,)), self.node, self.failback)


@dataclass(frozen=True, slots=True)
class EnterMaintenance:
    """Put the disks of ``node`` into storage maintenance mode by hand."""

    node: str

    def describe(self) -> str:
        """Return the command."""
        return f"Enable-StorageMaintenanceMode for the disks of {self.node}"

    def perform(self, scene: Scene) -> None:
        """Order it; the storage refuses when that would take the last copy of a virtual disk away."""
        scene.record.add(ev.MaintenanceEntering(node=self.node), scene.clock())
        shell = scene.cluster.any(avoid=(self.node,))
        try:
            enable_storage_maintenance_mode(shell, self.node)
        except CommandFailed:
            # It takes one drive after the other, and keeps those that it has when it breaks off: they would hold every virtual
            # disk degraded, and nobody could pause a server any more.
            with suppress(RemotingError):
                release_drives(shell, self.node)
            raise
        scene.record.add(ev.MaintenanceEntered(node=self.node), scene.clock())


@dataclass(frozen=True, slots=True)
class LeaveMaintenance:
    """Take the disks of ``node`` out of the storage maintenance mode that this run put them into."""

    node: str

    def describe(self) -> str:
        """Return the command."""
        return f"Disable-StorageMaintenanceMode for the disks of {self.node}"

    def perform(self, scene: Scene) -> None:
        """Order it."""
        disable_storage_maintenance_mode(scene.cluster.any(avoid=(self.node,)), self.node)


@dataclass(frozen=True, slots=True)
class RestartNode:
    """Tell ``node`` to restart; only a boot time later than ``boot_time`` proves that it did.

    ``local_time`` is what its own clock showed together with that.
    """

    node: str
    boot_time: datetime
    why: str
    step: ev.StepName = "restart"
    local_time: datetime | None = None

    def describe(self) -> str:
        """Return the command."""
        return f"Restart-Computer -Force on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Order it in the node's own session."""
        event = ev.RestartOrdered(
            step=self.step,
            node=self.node,
            boot_time_before=self.boot_time,
            local_time_before=self.local_time,
            why=self.why,
        )
        scene.record.add(event, scene.clock())
        restart_computer(scene.cluster.on(self.node))


@dataclass(frozen=True, slots=True)
class RepairDisk:
    """Start the repair of a virtual disk whose repair jobs are merely suspended."""

    disk: str
    why: str

    def describe(self) -> str:
        """Return the command."""
        return f"Repair-VirtualDisk -FriendlyName '{self.disk}'"

    def perform(self, scene: Scene) -> None:
        """Order it."""
        scene.record.add(ev.RepairOrdered(virtual_disk=self.disk, why=self.why), scene.clock())
        repair_virtual_disk(scene.cluster.any(), self.disk)


@dataclass(frozen=True, slots=True)
class ReleaseRunLock:
    """Give our run lock on ``nodes`` back."""

    guid: UUID
    nodes: tuple[str, ...]

    def describe(self) -> str:
        """Return it as one line."""
        return f"release the run lock on {', '.join(self.nodes)}"

    def perform(self, scene: Scene) -> None:
        """Remove our MSFT_CAURun where it can be; the next reading tells where it still stands."""
        release = RunLock(scene.cluster, self.guid).release(self.nodes)
        if release.released:
            scene.record.add(ev.LockReleased(guid=str(self.guid), nodes=release.released), scene.clock())
