"""Which role is moved to prove that roles move: the one that was named, else a small virtual machine that can live-migrate."""

from __future__ import annotations

from dataclasses import dataclass

from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import get_operating_system
from include.hci.cluster.nodes import ClusterGroup, ClusterNode
from include.hci.cluster.values import GroupState
from include.hci.cluster.virtual_machines import VirtualMachine, get_dvd_drives, get_virtual_machines
from include.hci.steps.base import Members
from include.hci.steps.feature_move_actions import VIRTUAL_MACHINE

#: What a machine needs free on the other node, beside its own memory.
_SPARE = 512 * 1024**2


@dataclass(frozen=True, slots=True)
class Choice:
    """``role`` and the node that it is moved to; ``why`` nothing is moved, where there is a reason. ``said``: what was chosen."""

    role: ClusterGroup | None = None
    target: str = ""
    why: str = ""
    said: str = ""

    @property
    def is_vm(self) -> bool:
        """Whether it is a virtual machine, which moves live."""
        return self.role is not None and self.role.kind == VIRTUAL_MACHINE


def choose_role(cluster: Cluster, members: Members, wanted: str | None) -> Choice:
    """Return what is moved, and where to."""
    up = tuple(node for node in members.nodes if node.is_up)
    if len(up) < 2:
        return Choice(why="only one node is Up")
    named = [group for group in members.groups if wanted is not None and group.name.lower() == wanted.lower()]
    if wanted is not None and not named:
        return Choice(why=f"the cluster has no role {wanted}")
    if named and (why := _unfit(named[0])):
        return Choice(named[0], why=why)
    if named and named[0].kind != VIRTUAL_MACHINE:
        target = next(node.name for node in up if node.name.lower() != named[0].owner.lower())
        return Choice(named[0], target, said=f"{named[0].name}, which this run was told to move")
    return _machine(cluster, members, up, named)


def _machine(cluster: Cluster, members: Members, up: tuple[ClusterNode, ...], named: list[ClusterGroup]) -> Choice:
    """Return the machine that was named, else the smallest that runs, is tied to no node, and is not being backed up."""
    found: dict[tuple[str, str], VirtualMachine] = {}
    tied: set[str] = set()
    for node in up:
        shell = cluster.on(node.name)
        found |= {(node.name.lower(), vm.name.lower()): vm for vm in get_virtual_machines(shell, node.name)}
        tied |= {drive.vm.lower() for drive in get_dvd_drives(shell) if drive.ties_to_node}
    free = {node.name: get_operating_system(cluster.on(node.name)).free_memory or 0 for node in up}
    reasons: list[str] = []
    fit: list[tuple[int, str, ClusterGroup, str]] = []
    for group in named or [group for group in members.groups if group.kind == VIRTUAL_MACHINE]:
        vm = found.get((group.owner.lower(), group.name.lower()))
        why = _unfit(group) or _unfit_machine(group, vm, tied)
        target = max(
            (name for name in free if name.lower() != group.owner.lower()), key=lambda name: (free[name], name)
        )
        if not why and vm is not None and free[target] < vm.memory + _SPARE:
            why = f"no other node has {vm.memory // 1024**2} MiB free for {group.name}"
        if why or vm is None:
            reasons.append(why)
            continue
        fit.append((vm.memory, group.name.lower(), group, target))
    if not fit:
        return Choice(named[0] if named else None, why=reasons[0] if reasons else "the cluster has no virtual machine")
    memory, _, role, target = min(fit, key=lambda each: each[:2])
    chosen = "which this run was told to move" if named else "the smallest machine that runs"
    return Choice(role, target, said=f"{role.name} with {memory / 1024**3:.1f} GiB, {chosen}")


def _unfit(group: ClusterGroup) -> str:
    if group.state is not GroupState.ONLINE:
        return f"{group.name} is {group.state}"
    return f"{group.name} is locked from moving" if group.locked else ""


def _unfit_machine(group: ClusterGroup, vm: VirtualMachine | None, tied: set[str]) -> str:
    if vm is None:
        return f"no virtual machine on {group.owner} is called {group.name}"
    if vm.state != "Running":
        return f"{group.name} is {vm.state}"
    if vm.is_backed_up:
        return f"{group.name} is being backed up"
    return f"{group.name} holds something that only its node has" if group.name.lower() in tied else ""
