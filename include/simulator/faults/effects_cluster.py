"""Effects on nodes as members of the cluster: power, pausing, quorum, who belongs to it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from include.simulator.faults.registry import CannotStrike, Details, Undo, effect, number, targets, together
from include.simulator.world.machines import Maintenance, Node, Power
from include.simulator.world.power import ShutdownInProgressError
from include.simulator.world.spec import NodeSpec

if TYPE_CHECKING:
    from include.simulator.world.world import World


@effect("power-off")
def power_off(world: World, node: Node | None, details: Details) -> Undo | None:
    """Take the power away for good; healing switches it on."""
    undone: list[Undo] = []
    for target in targets(world, node):
        world.power.crash(target, stay_down=True)
        undone.append(lambda target=target: world.power.start(target))  # type: ignore[misc]
    return together(undone)


@effect("crash", stands=False)
def crash(world: World, node: Node | None, details: Details) -> Undo | None:
    """Take the power away; the server comes back by itself."""
    for target in targets(world, node):
        world.power.crash(target)
    return None


@effect("restart", "by", stands=False)
def restart(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let something that is no coordinator restart the server."""
    for target in targets(world, node):
        try:
            world.power.restart(target, str(details.get("by", "NT AUTHORITY\\SYSTEM")))
        except ShutdownInProgressError as reason:
            if node is not None:
                raise CannotStrike(str(reason)) from None
    return None


@effect("pause")
def pause(world: World, node: Node | None, details: Details) -> Undo | None:
    """Pause the node as a person would, without a drain."""
    undone: list[Undo] = []
    for target in targets(world, node):
        if not target.paused:
            world.membership.pause(target)
            undone.append(lambda target=target: world.membership.unpause(target) if target.paused else None)  # type: ignore[misc]
    return together(undone)


@effect("unpause", stands=False)
def unpause(world: World, node: Node | None, details: Details) -> Undo | None:
    """Resume the node as a person would, behind the coordinator's back."""
    for target in targets(world, node):
        if target.paused and target.member:
            world.drains.abort(target)
            world.membership.unpause(target)
            if target.maintenance is Maintenance.IN:
                world.storage.leave_maintenance(target, "an operator")
    return None


@effect("quarantine", "minutes")
def quarantine(world: World, node: Node | None, details: Details) -> Undo | None:
    """Take the node out of the cluster and keep it out (Quarantined)."""
    minutes = number(details, "minutes", world.spec.quarantine_duration.total_seconds() / 60)
    undone: list[Undo] = []
    for target in targets(world, node):
        if target.member:
            world.membership.leave(target, clean=False, reason=f"node {target.name} lost contact too often")
        world.membership.quarantine(target, timedelta(minutes=minutes))
        undone.append(lambda target=target: world.membership.clear_quarantine(target))  # type: ignore[misc]
    return together(undone)


@effect("witness-lost")
def witness_lost(world: World, node: Node | None, details: Details) -> Undo | None:
    """Take the quorum witness out of reach."""
    if not world.spec.witness:
        raise CannotStrike(f"{world.spec.cluster} has no witness that could be lost.")

    def undo() -> None:
        world.quorum.set_witness(online=True)
        for each in world.nodes:
            if each.joining:
                world.membership.start_joining(each)

    world.quorum.set_witness(online=False)
    return undo


def _count_votes(world: World) -> None:
    """Count the votes anew; where no node takes part they stay what they were, so that the cluster can form again."""
    if any(each.member for each in world.nodes):
        world.quorum.member_joined()


@effect("evict")
def evict(world: World, node: Node | None, details: Details) -> Undo | None:
    """Remove a node from the cluster; its disks keep their shares out of reach until it is added again.

    The cluster service of an evicted node is set to Disabled (windows-powershell-docs, Remove-ClusterNode, Clear-ClusterNode).
    """
    if node is None or node not in world.nodes or len(world.nodes) < 2:
        raise CannotStrike("There is no node that could be evicted.")
    place, service = world.nodes.index(node), node.services["ClusSvc"]
    give_back = world.faults.layers.put(
        (node.name, service.name), service.start_type, "Disabled", partial(setattr, service, "start_type")
    )
    world.membership.leave(node, clean=True, reason=f"node {node.name} was evicted")
    world.services.set(node, "ClusSvc", "Stopped")
    world.nodes.remove(node)
    world.emit("node.evicted", node, {"node": node.name})
    _count_votes(world)

    def undo() -> None:
        world.nodes.insert(min(place, len(world.nodes)), node)
        give_back()
        world.emit("node.added", node, {"node": node.name})
        node.paused = False
        if node.up and service.start_type != "Disabled":
            world.services.set(node, "ClusSvc", "Running")
            world.membership.start_joining(node)

    return undo


@effect("add-node", "name", stands=False)
def add_node(world: World, node: Node | None, details: Details) -> Undo | None:
    """Add a server to the cluster; nobody outside knows its address yet."""
    first = world.nodes[0].name.rstrip("0123456789")
    number_ = max(each.id for each in world.nodes) + 1
    name = str(details.get("name") or f"{first}{number_:02d}")
    if name in world.machines:
        raise CannotStrike(f"There is a machine called {name} already.")
    added = world.join_new(number_, NodeSpec(name))
    world.emit("node.added", added, {"node": name})
    world.membership.announce(added)
    return None


@effect("credssp")
def credssp(world: World, node: Node | None, details: Details) -> Undo | None:
    """Leave CredSSP enabled on the server, as a broken workflow does."""
    undone: list[Undo] = []
    for target in targets(world, node):
        if not target.credssp:
            world.credssp.set_server(target, True)
            undone.append(lambda target=target: world.credssp.set_server(target, False))  # type: ignore[misc]
    return together(undone)


@effect("stop-service", "name", "start_type")
def stop_service(world: World, node: Node | None, details: Details) -> Undo | None:
    """Stop a service of the server, ``start_type`` Disabled so that nothing starts it again."""
    name, undone = str(details["name"]), list[Undo]()
    for target in targets(world, node):
        if target.power is not Power.ON:
            continue
        service = target.services[name]
        start_type = str(details.get("start_type", service.start_type))
        key, set_start = (target.name, name), partial(setattr, service, "start_type")
        undone.append(_start_service(world, target, name))
        undone.append(world.faults.layers.put(key, service.start_type, start_type, set_start))
        if name == "ClusSvc" and service.status == "Running":
            world.membership.leave(target, clean=True, reason=f"the cluster service of {target.name} stopped")
        world.services.set(target, name, "Stopped")
    return together(undone)


def _start_service(world: World, node: Node, name: str) -> Undo:
    def undo() -> None:
        if node.power is Power.ON and node.services[name].start_type != "Disabled":
            world.services.set(node, name, "Running")
            if name == "ClusSvc" and node in world.nodes:
                world.membership.start_joining(node)

    return undo


@effect("isolate", "minutes")
def isolate(world: World, node: Node | None, details: Details) -> Undo | None:
    """Cut the node off from the others while it runs on; ``minutes`` until it is heard again, else until it is healed."""
    minutes = number(details, "minutes", 0)
    undone: list[Undo] = []
    for target in targets(world, node):
        world.membership.isolate(target, timedelta(minutes=minutes) if minutes else None)
        undone.append(lambda target=target: world.membership.rejoin(target))  # type: ignore[misc]
    return together(undone)


@effect("isolate-another", "minutes")
def isolate_another(world: World, node: Node | None, details: Details) -> Undo | None:
    """Cut a node off that takes part and is not being restarted, as chance has it."""
    able = [each for each in world.nodes if each.member and each.power is Power.ON and not each.paused]
    if not able:
        raise CannotStrike("There is no node in service that could be cut off.")
    return isolate(world, world.faults.random.choice(able), details)
