"""The changes that a fast offline update makes, and those that take them back. Each one is on record before it is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from include.hci.cluster.cluster_power import (
    start_cluster_group,
    start_cluster_resource,
    stop_cluster,
    stop_cluster_resource,
)
from include.hci.cluster.services import CLUSTER_SERVICE, set_start_type, start_service
from include.hci.cluster.vm_power import ClusteredVm, save_vm, shut_down_vm
from include.hci.powershell.errors import CommandFailed
from include.hci.report import events as ev
from include.hci.steps.decisions import Scene

#: A guest that has not shut down by then is looked at again later: the machines behind it must not wait for it.
ONE_CALL = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class StopVm:
    """Shut the guest of ``vm`` down, or save it with ``how`` save, on the node that owns it."""

    vm: ClusteredVm
    how: str
    patience: timedelta
    step: ev.StepName = "stop_vms"

    def describe(self) -> str:
        """Return the command."""
        return f"{'Save-VM' if self.how == 'save' else 'Stop-VM'} {self.vm.name} on {self.vm.node}"

    def perform(self, scene: Scene) -> None:
        """Order it and wait a while for it."""
        after = "Saved" if self.how == "save" else "Off"
        event = ev.Changing(step=self.step, change="vm-stopped", subject=self.vm.name, before="Running", after=after)
        scene.record.add(event, scene.clock())
        shell = scene.cluster.on(self.vm.node)
        if self.how == "save":
            save_vm(shell, self.vm.name)
        else:
            shut_down_vm(shell, self.vm.name, min(self.patience, ONE_CALL))


@dataclass(frozen=True, slots=True)
class TakeDiskOffline:
    """Take the virtual disk with the cluster resource ``name`` offline; ``shared``: it is that of a shared volume."""

    name: str
    shared: bool = False

    def describe(self) -> str:
        """Return the command."""
        return _command("Stop-ClusterResource", self.name, shared=self.shared)

    def perform(self, scene: Scene) -> None:
        """Order it."""
        event = ev.Changing(
            step="stop_cluster", change="virtual-disk-offline", subject=self.name, before="Online", after="Offline"
        )
        scene.record.add(event, scene.clock())
        stop_cluster_resource(scene.cluster.any(), self.name, shared=self.shared)


@dataclass(frozen=True, slots=True)
class StopWholeCluster:
    """Stop the cluster service of every node in ``nodes``."""

    nodes: tuple[str, ...]

    def describe(self) -> str:
        """Return the command."""
        return f"Stop-Cluster ({', '.join(self.nodes)})"

    def perform(self, scene: Scene) -> None:
        """Order it; the services themselves tell what came of it."""
        for node in self.nodes:
            event = ev.Changing(
                step="stop_cluster",
                node=node,
                change="cluster-stopped",
                subject=CLUSTER_SERVICE,
                before="Running",
                after="Stopped",
            )
            scene.record.add(event, scene.clock())
        stop_cluster(scene.cluster.any())


@dataclass(frozen=True, slots=True)
class DisableService:
    """Keep the cluster service of ``node`` from starting with the server; it starts ``before`` now."""

    node: str
    before: str

    def describe(self) -> str:
        """Return the command."""
        return f"Set-Service {CLUSTER_SERVICE} -StartupType Disabled on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Order it."""
        event = ev.Changing(
            step="stop_cluster",
            node=self.node,
            change="service-start-type",
            subject=CLUSTER_SERVICE,
            before=self.before,
            after="Disabled",
        )
        scene.record.add(event, scene.clock())
        set_start_type(scene.cluster.on(self.node), CLUSTER_SERVICE, "Disabled")


@dataclass(frozen=True, slots=True)
class SetStartType:
    """Let ``service`` of ``node`` start as it was found."""

    node: str
    service: str
    start_type: str

    def describe(self) -> str:
        """Return the command."""
        return f"Set-Service {self.service} -StartupType {self.start_type} on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Order it."""
        set_start_type(scene.cluster.on(self.node), self.service, self.start_type)


@dataclass(frozen=True, slots=True)
class StartClusterService:
    """Start the cluster service of ``node``: by itself, since Start-Cluster asks for credentials that go on to other nodes."""

    node: str

    def describe(self) -> str:
        """Return the command."""
        return f"Start-Service {CLUSTER_SERVICE} on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Order it."""
        start_service(scene.cluster.on(self.node), CLUSTER_SERVICE)


@dataclass(frozen=True, slots=True)
class BringDiskOnline:
    """Bring the virtual disk with the cluster resource ``name`` online; ``shared``: it is that of a shared volume."""

    name: str
    shared: bool = False

    def describe(self) -> str:
        """Return the command."""
        return _command("Start-ClusterResource", self.name, shared=self.shared)

    def perform(self, scene: Scene) -> None:
        """Order it."""
        start_cluster_resource(scene.cluster.any(), self.name, shared=self.shared)


@dataclass(frozen=True, slots=True)
class StartVms:
    """Start the virtual machines ``names``, all at once; their configurations, failed with the disks, come with the role."""

    names: tuple[str, ...]

    def describe(self) -> str:
        """Return the command."""
        return f"Start-ClusterGroup {', '.join(self.names)}"

    def perform(self, scene: Scene) -> None:
        """Order every one of them; raises the first refusal after that."""
        refusals: list[CommandFailed] = []
        for name in self.names:
            try:
                start_cluster_group(scene.cluster.any(), name)
            except CommandFailed as error:
                refusals.append(error)
        if refusals:
            raise refusals[0]


def _command(verb: str, name: str, *, shared: bool) -> str:
    return f"Get-ClusterSharedVolume -Name '{name}' | {verb}" if shared else f"{verb} -Name '{name}'"
