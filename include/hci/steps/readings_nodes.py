"""What the readiness step reads on every node by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from include.hci.cluster.cau import LockHolder, get_lock_holders
from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import (
    WindowsVersion,
    get_free_space,
    get_operating_system,
    get_services,
    get_windows_version,
)
from include.hci.cluster.nodes import ClusterGroup
from include.hci.cluster.policies import (
    PendingRestart,
    UpdatePolicy,
    blocks_wmi_processes,
    get_pending_restart,
    get_update_policy,
)
from include.hci.cluster.rollout import ScheduledTask, get_admin_center_tasks
from include.hci.cluster.virtual_machines import DvdDrive, VirtualMachine, get_dvd_drives, get_virtual_machines
from include.hci.policy.readiness import NodeMemory
from include.hci.powershell.errors import CommandNotAvailable, ConnectionLost, RemotingError
from include.hci.powershell.shell import Shell
from include.hci.steps.readings import Readings


@dataclass(slots=True)
class NodeReadings:
    """What the nodes said, by their names; a node that did not answer at all is in ``unreachable`` with the reason."""

    versions: dict[str, WindowsVersion] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    holders: list[LockHolder] = field(default_factory=list)
    restart_keys: dict[str, PendingRestart] = field(default_factory=dict)
    virtual_machines: list[VirtualMachine] = field(default_factory=list)
    media: list[DvdDrive] = field(default_factory=list)
    memory: dict[str, NodeMemory] = field(default_factory=dict)
    free_space: dict[str, int] = field(default_factory=dict)
    update_policies: dict[str, UpdatePolicy] = field(default_factory=dict)
    wmi_blocked: dict[str, bool] = field(default_factory=dict)
    tasks: dict[str, tuple[ScheduledTask, ...]] = field(default_factory=dict)
    servicing: list[str] = field(default_factory=list)

    def forget(self, node: str) -> None:
        """Drop what would be there twice if ``node`` were read again."""
        self.holders = [holder for holder in self.holders if holder.node != node]
        self.servicing = [name for name in self.servicing if name != node]
        self.virtual_machines = [machine for machine in self.virtual_machines if machine.node != node]


def read_nodes(
    cluster: Cluster, names: Collection[str], groups: Collection[ClusterGroup], readings: Readings
) -> NodeReadings:
    """Read every node of ``names``; one that does not answer is not asked any further.

    A connection that only broke is tried once more: a reset between two answers is no reason to refuse a run.
    """
    found = NodeReadings()
    for name in names:
        try:
            try:
                _read_node(cluster.on(name), name, groups, readings, found)
            except ConnectionLost:
                found.forget(name)
                _read_node(cluster.on(name), name, groups, readings, found)
        except RemotingError as error:
            found.unreachable[name] = error.detail
    return found


def _read_node(
    shell: Shell, name: str, groups: Collection[ClusterGroup], readings: Readings, found: NodeReadings
) -> None:
    if (version := readings.node("versions", name, lambda: get_windows_version(shell))) is not None:
        found.versions[name] = version
    found.holders += readings.node("locks", name, lambda: _holders(shell, name)) or ()
    if (memory := readings.node("memory", name, lambda: _memory(shell, name))) is not None:
        found.memory[name] = memory
    if (space := readings.node("free-space", name, lambda: get_free_space(shell))) is not None:
        found.free_space[name] = space
    if (pending := readings.node("restart", name, lambda: get_pending_restart(shell))) is not None:
        found.restart_keys[name] = pending
    if (policy := readings.node("update-policy", name, lambda: get_update_policy(shell))) is not None:
        found.update_policies[name] = policy
    if (blocked := readings.node("defender", name, lambda: blocks_wmi_processes(shell))) is not None:
        found.wmi_blocked[name] = blocked
    if (tasks := readings.node("tasks", name, lambda: get_admin_center_tasks(shell))) is not None:
        found.tasks[name] = tasks
    if readings.node("servicing", name, lambda: _is_servicing(shell)):
        found.servicing.append(name)
    hosts = any(group.kind == "VirtualMachine" for group in groups)
    found.virtual_machines += readings.node("virtual-machines", name, lambda: _machines(shell, name, hosts)) or ()
    found.media += readings.node("media", name, lambda: _drives(shell, hosts)) or ()


def _holders(shell: Shell, name: str) -> tuple[LockHolder, ...]:
    return (*get_lock_holders(shell, name, "MSFT_CAURun"), *get_lock_holders(shell, name, "MSFT_CAUNode"))


def _memory(shell: Shell, name: str) -> NodeMemory | None:
    system = get_operating_system(shell, name)
    if system.free_memory is None or system.total_memory is None:
        return None
    return NodeMemory(system.total_memory, system.free_memory)


def _is_servicing(shell: Shell) -> bool:
    return any(service.is_running for service in get_services(shell, ("TrustedInstaller",)))


def _machines(shell: Shell, name: str, hosts: bool) -> tuple[VirtualMachine, ...]:
    try:
        return get_virtual_machines(shell, name)
    except CommandNotAvailable:
        # A cluster that hosts no virtual machines, of file servers say, need not have Hyper-V.
        if hosts:
            raise
        return ()


def _drives(shell: Shell, hosts: bool) -> tuple[DvdDrive, ...]:
    try:
        return get_dvd_drives(shell)
    except CommandNotAvailable:
        if hosts:
            raise
        return ()
