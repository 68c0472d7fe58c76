"""Effects on the CAU provider's locks and on CAU itself: other coordinators, lost locks, schedules nobody set."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.faults.registry import CannotStrike, Details, Undo, effect, member, number, targets, together
from include.simulator.world.cau_coordinator import RunRefusedError
from include.simulator.world.locks import CLASSES, RUN
from include.simulator.world.machines import Node
from include.simulator.world.spec import CauRoleSpec

if TYPE_CHECKING:
    from include.simulator.world.world import World


@effect("lock", "class", "guid", "replace")
def lock(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let another orchestrator hold an instance of a lock class; with ``replace`` it takes the place of whoever held it."""
    cls = str(details.get("class", RUN))
    guid = str(details.get("guid") or uuid.UUID(int=world.faults.random.getrandbits(128), version=4))
    undone: list[Undo] = []
    for target in targets(world, node):
        if details.get("replace"):
            world.locks.expire(target, cls)
        if cls not in target.locks:
            world.locks.create(target, cls, guid)
            undone.append(_release(world, target, cls, guid))
    return together(undone)


def _release(world: World, node: Node, cls: str, guid: str) -> Undo:
    def undo() -> None:
        held = node.locks.get(cls)
        if held is not None and held.guid == guid:
            world.locks.remove(node, cls, guid)

    return undo


@effect("expire-locks", "class", stands=False)
def expire_locks(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let the provider drop the locks as if their hour were over."""
    classes = (str(details["class"]),) if "class" in details else CLASSES
    for target in targets(world, node):
        for cls in classes:
            world.locks.expire(target, cls)
    return None


@effect("cau-run", "minutes")
def cau_run(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let Cluster-Aware Updating begin a self-updating run of its own, which stops after ``minutes``; healing cancels it."""
    owner = member(world, node)
    try:
        world.cau.start_run(timedelta(minutes=number(details, "minutes", 120)), owner.name)
    except RunRefusedError as reason:
        raise CannotStrike(f"CAU does not begin a run: {reason}") from None
    run = world.cau.run

    def undo() -> None:
        if run is not None and world.cau.run is run:
            world.cau.cancel()

    return undo


@effect("cau-coordinator-lost", "minutes", stands=False)
def cau_coordinator_lost(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let the coordinator of CAU's run vanish after some minutes; what it held and paused stays as it is."""
    world.after(timedelta(minutes=number(details, "minutes", 5)), world.cau.lose_coordinator)
    return None


@effect("cau-role", "days_of_week", "weeks_of_month", "enabled")
def cau_role(world: World, node: Node | None, details: Details) -> Undo | None:
    """Install the CAU role with a schedule, or set another schedule where the role is there."""
    weeks = details.get("weeks_of_month", (3,))
    spec = CauRoleSpec(
        str(details.get("days_of_week", "Tuesday")),
        tuple(int(each) for each in weeks) if isinstance(weeks, list | tuple) else (int(str(weeks)),),
        bool(details.get("enabled", True)),
    )
    was_there, owner = world.cau.role is not None, member(world, node)
    world.cau.add_role(spec)
    group = world.cau.role_group
    if group is not None and not group.owner.member:
        world.groups.move(group, owner, "placed")
    made = world.cau.role

    def undo() -> None:
        if not was_there and world.cau.role is made and world.cau.run is None:
            world.cau.roles.remove()

    return undo
