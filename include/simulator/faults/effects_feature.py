"""Effects on feature updates and on what comes after them: levels raised by hand, later versions, media, other managers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.faults.registry import CannotStrike, Details, Undo, effect, number, targets, together
from include.simulator.world.feature_catalogue import later_versions
from include.simulator.world.machines import Node, Service

if TYPE_CHECKING:
    from include.simulator.world.world import World


@effect("raise-functional-level", "minutes", stands=False)
def raise_functional_level(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let a person raise the cluster's functional level some minutes after it can be raised."""

    def try_it() -> bool:
        return world.levels.refusal() is None and world.levels.update()

    _as_soon_as_possible(world, try_it, timedelta(minutes=number(details, "minutes", 5)))
    return None


@effect("update-pool", "minutes", stands=False)
def update_pool(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let a person update the storage pool some minutes after every node supports a newer version."""
    _as_soon_as_possible(world, world.storage.upgrade_pool, timedelta(minutes=number(details, "minutes", 5)))
    return None


def _as_soon_as_possible(world: World, try_it: Callable[[], bool], later: timedelta) -> None:
    """Try now, and again whenever a node came back, until it was done; the journal blames the fault."""
    fault, done = world.fault, [False]

    def act() -> None:
        if done[0]:
            return
        before, world.fault = world.fault, fault
        try:
            done[0] = try_it()
        finally:
            world.fault = before

    def notice(op: str, name: str | None, detail: Mapping[str, object]) -> None:
        if not done[0] and op == "node.state" and detail.get("state") == "Up":
            world.after(later, act)

    world.on_event(notice)
    act()


@effect("publish-later-versions")
def publish_later_versions(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let Windows Update have the versions after the next one, so that an upgraded server is offered one more."""
    offered = world.updates.catalogue
    new = [each for each in later_versions(world.spec.os) if each.update_id not in offered]
    for each in new:
        offered[each.update_id] = each
        world.emit("update.published", None, {"update_id": each.update_id, "kb": each.kb, "title": each.title})

    def undo() -> None:
        for each in new:
            if not any(each.update_id in world.updates.record(node).installed for node in world.nodes):
                offered.pop(each.update_id, None)

    return undo if new else None


@effect("media-unreadable")
def media_unreadable(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let nobody read the setup media any more."""
    lost = world.cau.media.take_all_away()

    def undo() -> None:
        for path, version in lost.items():
            world.cau.media.put(path, version)

    return undo


@effect("add-service", "name", "display_name")
def add_service(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let a service run on the server that Windows does not come with."""
    name, undone = str(details["name"]), list[Undo]()
    for target in targets(world, node):
        if name in target.services:
            continue
        target.services[name] = Service(name, str(details.get("display_name", name)), status="Stopped")
        if target.up:
            world.services.set(target, name, "Running")
        undone.append(lambda target=target: target.services.pop(name, None))  # type: ignore[misc]
    if not undone:
        raise CannotStrike(f"{name} is there already.")
    return together(undone)
