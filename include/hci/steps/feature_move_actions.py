"""Moving one role away and home again, and taking that back where the run ends in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import get_cluster_groups
from include.hci.cluster.role_moves import cancel_migration, live_migrate, move_cluster_group
from include.hci.cluster.witness import read_from_witness
from include.hci.policy.gates import find_node
from include.hci.powershell.errors import AuthenticationRefused, CommandFailed, NodeUnreachable
from include.hci.powershell.quoting import quoted
from include.hci.report import events as ev
from include.hci.report.facts import Change
from include.hci.report.record import RunRecord
from include.hci.steps.cau_run_access import NoCoordinator, delegating_shell
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Scene
from include.hci.steps.undo import Standing

VIRTUAL_MACHINE = "VirtualMachine"
#: How long one move may take; a live migration copies the memory of the machine.
MOVE_PATIENCE = timedelta(minutes=15)
#: With these nothing was sent, or nothing was done.
_NOT_DONE = (CommandFailed, NoCoordinator, AuthenticationRefused, NodeUnreachable)


@dataclass(frozen=True, slots=True)
class MoveOrder:
    """A move that was ordered and has not been seen to end."""

    at: datetime
    source: str
    target: str


def open_move(record: RunRecord, role: str) -> MoveOrder | None:
    """Return the move of ``role`` that is under way by this run's order."""
    found: MoveOrder | None = None
    for entry in record.events():
        match entry.event:
            case ev.RoleMoving() as event if event.role == role:
                found = MoveOrder(entry.at, event.source, event.target)
            case ev.RoleMoved() | ev.RoleMoveEnded() as event if event.role == role:
                found = None
    return found


@dataclass(frozen=True, slots=True)
class MoveRole:
    """Move ``role`` from ``source`` to ``target``: a virtual machine live. ``announce``: it has to come home, come what may."""

    role: str
    source: str
    target: str
    is_vm: bool
    announce: bool = False

    def describe(self) -> str:
        """Return the command."""
        return f"{self.how} to {self.target}"

    @property
    def how(self) -> str:
        """The cmdlet, and what it moves."""
        name = "Move-ClusterVirtualMachineRole -MigrationType Live" if self.is_vm else "Move-ClusterGroup"
        return f"{name} {self.role}"

    def perform(self, scene: Scene) -> None:
        """Order it; it goes on by itself."""
        if self.announce:
            change = ev.Changing(
                step="move_role", change="vm-moved", subject=self.role, before=self.source, after=self.target
            )
            scene.record.add(change, scene.clock())
        moving = ev.RoleMoving(step="move_role", role=self.role, source=self.source, target=self.target, how=self.how)
        scene.record.add(moving, scene.clock())
        try:
            if self.is_vm:
                live_migrate(delegating_shell(scene.cluster), scene.cluster.name, self.role, self.target)
            else:
                move_cluster_group(scene.cluster.any(), self.role, self.target)
        except _NOT_DONE as error:
            ended = ev.RoleMoveEnded(step="move_role", role=self.role, why=error.detail)
            scene.record.add(ended, scene.clock())
            raise


@dataclass(frozen=True, slots=True)
class CancelMove:
    """Break off the migration of ``role``, which has not come to its end in time."""

    role: str
    why: str
    is_vm: bool = True

    def describe(self) -> str:
        """Return the command."""
        return f"Move-ClusterVirtualMachineRole {self.role} -Cancel" if self.is_vm else f"give up moving {self.role}"

    def perform(self, scene: Scene) -> None:
        """Order it; a migration that has ended by itself meanwhile is none that can be broken off."""
        try:
            if self.is_vm:
                cancel_migration(delegating_shell(scene.cluster), scene.cluster.name, self.role)
        finally:
            ended = ev.RoleMoveEnded(step="move_role", role=self.role, why=self.why)
            scene.record.add(ended, scene.clock())


class MovedRole:
    """A role that was moved to another node for the proof."""

    def describe(self, change: Change) -> tuple[str, str]:
        """Return what the change is and the command that undoes it."""
        what = f"{change.subject}, moved from {change.before} to {change.after} by this run"
        return (
            what,
            f"Move-ClusterVirtualMachineRole -Name {quoted(change.subject)} -Node {change.before} -MigrationType Live",
        )

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return where the role is; a move under way is waited for, and broken off when it does not end."""
        what = self.describe(change)
        shell, nodes = read_from_witness(cluster)
        role = next((group for group in get_cluster_groups(shell) if group.name == change.subject), None)
        if role is None:
            return Standing(change, *what, wait="the cluster has no such role any more", holds_up=False)
        is_vm, order = role.kind == VIRTUAL_MACHINE, open_move(context.record, change.subject)
        if order is not None and role.owner != order.target:
            why = f"it did not arrive at {order.target} in time"
            wait = f"it moves from {order.source} to {order.target}"
            cancel = CancelMove(change.subject, why, is_vm)
            return Standing(change, *what, cancel, wait=wait, until=order.at + MOVE_PATIENCE, stage=order.target)
        if role.owner == change.before:
            return Standing(change, *what)
        back = MoveRole(change.subject, role.owner, change.before, is_vm)
        home = find_node(nodes, change.before)
        if home is None or not home.is_up:
            said = f"{change.before} is {home.state if home is not None else 'no node any more'}"
            return Standing(change, *what, wait=said, holds_up=False)
        return Standing(change, *what, back)
