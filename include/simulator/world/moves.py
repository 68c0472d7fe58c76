"""Moving one role by hand: live, saved, or shut down on the way (windows-powershell-docs, Move-ClusterVirtualMachineRole)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.groups import Group
from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.world import World

#: Win32 error codes (win32, system error codes).
HOST_NODE_NOT_AVAILABLE = 5005
NODE_DOWN = 5050
NODE_PAUSED = 5070
GROUP_MOVING = 5908
RESOURCE_LOCKED = 5960

#: What becomes of the virtual machine on the way, by migration type; None where it runs on.
ON_THE_WAY = {"Live": None, "Quick": "Saved", "TurnOff": "Off", "Shutdown": "Off", "ShutdownForce": "Off"}


class MoveRefusedError(Exception):
    """The cluster does not begin the move; ``code`` is the Win32 error."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(slots=True)
class Move:
    """One move under way; ``problem`` says why it did not come to its end."""

    group: Group
    target: Node
    kind: str
    timer: Timer | None = None
    over: bool = False
    problem: str = ""


class Moves:
    """The moves that somebody ordered one by one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._running: dict[str, Move] = {}

    def start(self, group: Group, target: Node | None, kind: str, *, ignore_locked: bool = False) -> Move:
        """Begin to move ``group`` to ``target``, or to the best node; raises MoveRefusedError."""
        destination = self._destination(group, target, ignore_locked=ignore_locked)
        move = Move(group, destination, kind)
        way = ON_THE_WAY[kind]
        live = group.vm is not None and way is None and group.vm.state == "Running"
        if group.vm and group.vm.state == "Running" and way is not None:
            self._world.groups.set_vm(group, way, f"{kind} migration")
        group.moving_to = destination
        self._running[group.name] = move
        takes = self._world.groups.migration_time(group)
        if not (live and self._world.rig.find("migration-hangs", group.owner.name)):
            source = group.owner
            move.timer = self._world.after(takes, lambda: self._arrive(move, source, live=live))
        return move

    def cancel(self, group: Group) -> bool:
        """Break off the move of ``group``; return whether there was one."""
        move = self._running.pop(group.name, None)
        if move is None:
            return False
        if move.timer:
            move.timer.cancel()
        move.over, move.problem, group.moving_to = True, "The move was cancelled.", None
        self._resume(move)
        return True

    def _destination(self, group: Group, target: Node | None, *, ignore_locked: bool) -> Node:
        if group.moving_to:
            raise MoveRefusedError(GROUP_MOVING, f"The clustered role {group.name} is already moving.")
        if group.locked and not ignore_locked:
            raise MoveRefusedError(RESOURCE_LOCKED, f"The clustered role {group.name} is locked from moving.")
        if target is None:
            target = self._world.groups.destination(group, group.owner)
            if target is None:
                raise MoveRefusedError(HOST_NODE_NOT_AVAILABLE, f"No node can take {group.name}.")
        elif not target.member:
            raise MoveRefusedError(NODE_DOWN, f"The node {target.name} is down.")
        elif target.paused:
            raise MoveRefusedError(NODE_PAUSED, f"The node {target.name} is paused.")
        elif not self._fits(group, target):
            raise MoveRefusedError(HOST_NODE_NOT_AVAILABLE, f"{target.name} cannot take {group.name}.")
        return target

    def _fits(self, group: Group, target: Node) -> bool:
        groups = self._world.groups
        needed = group.vm.memory_gib if group.vm and group.vm.state == "Running" else 0.0
        return target is group.owner or (groups.accepts(target, group) and groups.free_memory(target) >= needed)

    def _arrive(self, move: Move, source: Node, *, live: bool) -> None:
        group, target = move.group, move.target
        self._running.pop(group.name, None)
        move.over, group.moving_to = True, None
        if group.owner is not source or not source.member:
            move.problem = f"{source.name} no longer owns {group.name}."
        elif not target.can_host:
            move.problem = f"{target.name} can no longer take {group.name}."
        elif live and group.vm and group.vm.blocked:
            move.problem = group.vm.blocked
        elif target is not source:
            self._world.groups.move(group, target, "live migration" if live else f"{move.kind.lower()} move")
        self._resume(move)

    def _resume(self, move: Move) -> None:
        vm = move.group.vm
        if vm and move.group.wanted and vm.state == ON_THE_WAY[move.kind] and move.group.owner.member:
            self._world.groups.start(move.group, f"after the {move.kind} migration")
