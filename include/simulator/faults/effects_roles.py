"""Effects on clustered roles: what cannot move, what comes back, what nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.simulator.faults.registry import CannotStrike, Details, Undo, effect, member, targets, together
from include.simulator.world.groups import Group, GroupState
from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.world import World


def _running(world: World, node: Node) -> list[Group]:
    return [each for each in world.groups.on(node) if each.vm and each.vm.state == "Running"]


@effect("block-vm", "reason")
def block_vm(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let one running virtual machine of the node be unable to live-migrate."""
    undone: list[Undo] = []
    for target in targets(world, node):
        group = next(iter(_running(world, target)), None)
        if group is None:
            if node is not None:
                raise CannotStrike(f"Node {target.name} runs no virtual machine that could be blocked.")
            continue
        undone.append(_hold(world, group, "blocked", str(details["reason"])))
    return together(undone)


@effect("insert-disc", "path")
def insert_disc(world: World, node: Node | None, details: Details) -> Undo | None:
    """Attach an image to one running virtual machine of the node, the one that ``block-vm`` takes."""
    undone: list[Undo] = []
    for target in targets(world, node):
        group = next(iter(_running(world, target)), None)
        if group is None:
            if node is not None:
                raise CannotStrike(f"Node {target.name} runs no virtual machine that could hold a disc.")
            continue
        undone.append(_hold(world, group, "disc", str(details["path"])))
    return together(undone)


def _hold(world: World, group: Group, what: str, value: object) -> Undo:
    vm = group.vm
    return world.faults.layers.put((group.name, what), getattr(vm, what), value, lambda each: setattr(vm, what, each))


@effect("lock-role")
def lock_role(world: World, node: Node | None, details: Details) -> Undo | None:
    """Lock the node's virtual machines from moving (ClusterGroup.LockedFromMoving)."""
    locked = [
        group
        for target in targets(world, node)
        for group in world.groups.on(target)
        if group.vm is not None and not group.locked
    ]
    for group in locked:
        group.locked = True

    def undo() -> None:
        for group in locked:
            group.locked = False

    return undo if locked else None


@effect("foreign-role", "name")
def foreign_role(world: World, node: Node | None, details: Details) -> Undo | None:
    """Add a role of a type that the coordinator does not know and that does not move by itself."""
    target = member(world, node)
    name = str(details.get("name", "SQL-AG01"))
    if world.groups.find(name) is not None:
        raise CannotStrike(f"There is a role called {name} already.")
    group = world.groups.add_role(name, target, GroupState.Online)
    group.locked = True
    world.groups.set_state(group, GroupState.Online, "created")

    def undo() -> None:
        if group in world.groups.all:
            world.groups.set_state(group, GroupState.Offline, "removed")
            world.groups.all.remove(group)

    return undo


@effect("role-returns", "how", stands=False)
def role_returns(world: World, node: Node | None, details: Details) -> Undo | None:
    """Bring a role back to the node although it is drained, as a person who moves a VM does."""
    for target in targets(world, node):
        if not target.member:
            continue
        group = next((each for each in world.groups.all if each.vm and each.owner is not target), None)
        if group is None:
            raise CannotStrike("There is no virtual machine elsewhere that could come back.")
        world.groups.move(group, target, str(details.get("how", "moved by an operator")))
    return None


@effect("no-room")
def no_room(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let the virtual machines of the node need more memory than any other node has left."""
    undone: list[Undo] = []
    for target in targets(world, node):
        group = next(iter(_running(world, target)), None)
        if group is None or group.vm is None:
            continue
        before = group.vm.memory_gib
        most = max(world.groups.free_memory(each) for each in world.nodes)
        room = world.groups.free_memory(target) + before
        if room <= most:
            # A guest that takes what its host has left never fits elsewhere as long as the others are as full as that host.
            _fill(world, target, undone)
            room = world.groups.free_memory(target) + before
        undone.append(_hold(world, group, "memory_gib", room))
    return together(undone)


def _fill(world: World, node: Node, undone: list[Undo]) -> None:
    for other in world.nodes:
        group = next(iter(_running(world, other)), None)
        if other is node or group is None or group.vm is None:
            continue
        more = max(0.0, world.groups.free_memory(other) - 8.0)
        undone.append(_hold(world, group, "memory_gib", group.vm.memory_gib + more))
