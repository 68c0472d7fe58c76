"""Draining a node and bringing roles back to it.

A node is Paused as soon as the drain starts and stays so, whatever becomes of the drain (MSLab, "AzSHCI and Dell Servers Update";
PauseClusterNode). Virtual machines live-migrate one after another, a few at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from include.simulator.world.groups import Group, GroupState
from include.simulator.world.levels import version_of
from include.simulator.world.machines import DrainStatus, Node
from include.simulator.world.moves import HOST_NODE_NOT_AVAILABLE, RESOURCE_LOCKED
from include.simulator.world.storage import LastCopyError

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.world import World

#: Win32 error code (win32, system error codes).
SPACE_DEGRADED = 5987


@dataclass(slots=True, eq=False)
class Movement:
    """Roles that leave one node, or come home to it, a few at a time."""

    waiting: list[Group]
    how: str
    finished: Callable[[list[Group]], None]
    destination: Node | None = None
    source: Node | None = None
    running: dict[str, Timer | None] = field(default_factory=dict)
    stuck: list[Group] = field(default_factory=list)
    over: bool = False


class Drains:
    """All drains and failbacks under way."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._movements: dict[str, Movement] = {}

    def running(self, node: Node) -> bool:
        """Tell whether a drain or failback of ``node`` is under way."""
        return node.name in self._movements

    def start(self, node: Node, target: Node | None = None, *, force: bool = False) -> None:
        """Pause ``node`` and move its roles away, to ``target`` where one is named."""
        self.abort(node)
        for group in self._world.groups.on(node):
            self._world.moves.cancel(group)
        node.paused, node.drain_error = True, 0
        node.drain_target = target.id if target else 0xFFFFFFFF
        self._world.membership.set_drain(node, DrainStatus.InProgress)
        kept = self._world.rig.take("drain-keeps-role", node.name)
        roles = sorted(self._world.groups.on(node), key=lambda group: (group.vm is not None, group.name))
        if kept:
            roles = self._without_one(roles)

        def finished(stuck: list[Group]) -> None:
            if force:
                stuck = self._take_down(stuck)
            self._drained(node, stuck)

        self._run(node, Movement(roles, "drain", finished, destination=target, source=node))

    def evacuate(self, node: Node, finished: Callable[[list[Group]], None]) -> None:
        """Move the roles of ``node`` away because it shuts down (DrainOnShutdown)."""
        self.abort(node)
        self._run(node, Movement(self._world.groups.on(node), "drain on shutdown", finished, source=node))

    def fail_back(self, node: Node) -> None:
        """Bring the roles that a drain took from ``node`` back to it."""
        roles = [group for group in self._world.groups.all if group.home is node and group.owner is not node]
        self._run(node, Movement(roles, "failback", lambda _: None, destination=node))

    def forget_home(self, node: Node) -> None:
        """Leave the roles that a drain took from ``node`` where they are."""
        for group in self._world.groups.all:
            if group.home is node:
                group.home = None

    def abort(self, node: Node) -> None:
        """Stop moving roles from or to ``node``."""
        for key, movement in list(self._movements.items()):
            if movement.source is node or movement.destination is node or key == node.name:
                self._cancel(movement, key)
        if node.drain_status is DrainStatus.InProgress:
            node.drain_status = DrainStatus.Failed

    def go_on(self, node: Node) -> None:
        """Begin the movements of ``node`` again that hang."""
        movement = self._movements.get(node.name)
        if movement is None:
            return
        hanging = [name for name, timer in movement.running.items() if timer is None]
        for group in [each for each in self._world.groups.all if each.name in hanging]:
            del movement.running[group.name]
            movement.waiting.insert(0, group)
        self._pump(node, movement)

    def _cancel(self, movement: Movement, key: str) -> None:
        movement.over = True
        for timer in movement.running.values():
            if timer:
                timer.cancel()
        for group in self._world.groups.all:
            if group.name in movement.running:
                group.moving_to = None
        self._movements.pop(key, None)

    def _run(self, node: Node, movement: Movement) -> None:
        self._movements[node.name] = movement
        self._pump(node, movement)

    def _pump(self, node: Node, movement: Movement) -> None:
        limit = self._world.spec.parallel_migrations
        while movement.waiting and len(movement.running) < limit and not movement.over:
            self._begin(node, movement, movement.waiting.pop(0))
        if not movement.waiting and not movement.running and not movement.over:
            movement.over = True
            if self._movements.get(node.name) is movement:
                del self._movements[node.name]
            movement.finished(movement.stuck)

    def _begin(self, node: Node, movement: Movement, group: Group) -> None:
        groups, world = self._world.groups, self._world
        source = group.owner
        target = movement.destination or groups.destination(group, source)
        takes = groups.migration_time(group)
        if movement.how != "failback" and world.rig.find("migration-hangs", node.name) and group.vm:
            movement.running[group.name] = None
            group.moving_to = target
            return

        def done() -> None:
            movement.running.pop(group.name, None)
            if group.owner is not source:
                pass
            elif target is None or not self._can_take(target, group) or (group.vm and group.vm.blocked):
                movement.stuck.append(group)
                group.moving_to = None
                reason = "the role is locked (5960)" if group.locked else "no node can take it (5005)"
                if group.vm and group.vm.blocked:
                    reason = group.vm.blocked
                groups.set_state(group, group.state, f"could not move: {reason}")
            else:
                self._place(movement, group, source, target)
            self._pump(node, movement)

        group.moving_to = target
        movement.running[group.name] = world.after(takes, done)

    def _can_take(self, target: Node, group: Group) -> bool:
        return target.can_host and not group.locked and self._world.groups.accepts(target, group)

    def _place(self, movement: Movement, group: Group, source: Node, target: Node) -> None:
        if movement.how == "failback":
            group.home = None
        elif movement.how == "drain" and group.home is None and not group.is_core:
            group.home = source
        live = group.vm is not None and group.vm.state == "Running"
        self._world.groups.move(group, target, f"{movement.how}, live migration" if live else movement.how)
        if live and movement.how == "failback" and self._world.rig.take("vm-fails-after-failback", target.name):
            group.wanted = False
            self._world.groups.stop(group, "the virtual machine stopped after it had come home")

    def _take_down(self, stuck: list[Group]) -> list[Group]:
        for group in stuck:
            self._world.groups.stop(group, "forced drain")
        self._world.groups.place_orphans()
        return []

    def _drained(self, node: Node, stuck: list[Group]) -> None:
        if stuck:
            node.drain_error = RESOURCE_LOCKED if all(group.locked for group in stuck) else HOST_NODE_NOT_AVAILABLE
            self._world.membership.set_drain(node, DrainStatus.Failed)
            return
        self._world.storage.hand_over(node)
        if version_of(node).auto_maintenance and not self._world.rig.take("drain-without-maintenance", node.name):
            try:
                self._world.storage.enter_maintenance(node, "drain")
            except LastCopyError:
                node.drain_error = SPACE_DEGRADED
                self._world.membership.set_drain(node, DrainStatus.Failed)
                return
        self._world.membership.set_drain(node, DrainStatus.Completed)

    @staticmethod
    def _without_one(roles: list[Group]) -> list[Group]:
        kept = next((group for group in reversed(roles) if group.state is GroupState.Online), None)
        return [group for group in roles if group is not kept]
