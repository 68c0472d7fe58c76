"""What the effects of the fault catalogue do to a world."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.world.locks import CLASSES, RUN
from include.simulator.world.machines import Node, Power
from include.simulator.world.rig import Condition
from include.simulator.world.spec import CauRoleSpec
from include.simulator.world.storage import GIB

if TYPE_CHECKING:
    from include.simulator.world.world import World

Details = Mapping[str, object]
Effect = Callable[["World", Node | None, Details], None]

_RESERVED = ("effect", "kind", "times", "details")


def number(details: Details, name: str, default: float) -> float:
    """Return one of an effect's details as a number; ValueError where it is none."""
    value = details.get(name, default)
    if not isinstance(value, int | float | str):
        raise ValueError(f"{name} is {value!r}, which is no number.")
    return float(value)


def _targets(world: World, node: Node | None) -> list[Node]:
    return [node] if node else list(world.nodes)


def _condition(world: World, node: Node | None, details: Details) -> None:
    given = details.get("details")
    more = {key: value for key, value in details.items() if key not in _RESERVED}
    times = int(number(details, "times", 0)) or None
    everything = {**(given if isinstance(given, dict) else {}), **more}
    world.rig.add(Condition(str(details["kind"]), node.name if node else None, times, everything))


def _wire(world: World, node: Node | None, details: Details) -> None:
    arguments = {key: value for key, value in details.items() if key not in ("effect", "kind", "minutes")}
    minutes = number(details, "minutes", 0)
    for target in _targets(world, node):
        name = target.name
        world.wire_fault(name, str(details["kind"]), dict(arguments))
        if minutes:
            world.after(timedelta(minutes=minutes), lambda name=name: world.wire_fault(name, "heal", {}))  # type: ignore[misc]


def _lock(world: World, node: Node | None, details: Details) -> None:
    cls = str(details.get("class", RUN))
    guid = str(details.get("guid") or uuid.UUID(int=world.random.getrandbits(128), version=4))
    for target in _targets(world, node):
        if cls not in target.locks:
            world.locks.create(target, cls, guid)


def _expire_locks(world: World, node: Node | None, details: Details) -> None:
    for target in _targets(world, node):
        for cls in CLASSES:
            world.locks.expire(target, cls)


def _cau_run(world: World, node: Node | None, details: Details) -> None:
    world.cau.start_run(timedelta(minutes=number(details, "minutes", 120)), (node or world.nodes[0]).name)


def _cau_role(world: World, node: Node | None, details: Details) -> None:
    if world.cau.role is None:
        world.cau.add_role(CauRoleSpec())


def _power_off(world: World, node: Node | None, details: Details) -> None:
    for target in _targets(world, node):
        world.power.crash(target, stay_down=True)


def _crash(world: World, node: Node | None, details: Details) -> None:
    for target in _targets(world, node):
        world.power.crash(target)


def _degrade(world: World, node: Node | None, details: Details) -> None:
    disk = world.storage.find(str(details["disk"])) if "disk" in details else world.storage.virtual_disks[0]
    if disk is None:
        raise ValueError(f"There is no virtual disk {details['disk']}.")
    holder = node or next(each for each in reversed(world.nodes) if world.storage.available(each))
    world.repairs.held.add((disk.name, holder.name))
    disk.stale[holder.name] = number(details, "gib", 40) * GIB
    world.storage.judge(disk)


def _block_vm(world: World, node: Node | None, details: Details) -> None:
    for target in _targets(world, node):
        group = next((each for each in world.groups.on(target) if each.vm and each.vm.state == "Running"), None)
        if group is None or group.vm is None:
            raise ValueError(f"Node {target.name} runs no virtual machine that could be blocked.")
        group.vm.blocked = str(details["reason"])


def _lock_role(world: World, node: Node | None, details: Details) -> None:
    for target in _targets(world, node):
        for group in world.groups.on(target):
            group.locked = group.locked or group.vm is not None


def _pause(world: World, node: Node | None, details: Details) -> None:
    for target in _targets(world, node):
        world.membership.pause(target)


def _maintenance(world: World, node: Node | None, details: Details) -> None:
    for target in _targets(world, node):
        world.storage.enter_maintenance(target, str(details.get("by", "an operator")))


def _witness_lost(world: World, node: Node | None, details: Details) -> None:
    world.quorum.witness_online = False
    world.quorum.announce()


def _foreign_install(world: World, node: Node | None, details: Details) -> None:
    for target in _targets(world, node):
        if target.power is Power.ON:
            world.updates.foreign_install(target, timedelta(minutes=number(details, "minutes", 20)))


EFFECTS: Mapping[str, Effect] = {
    "condition": _condition,
    "wire": _wire,
    "lock": _lock,
    "expire-locks": _expire_locks,
    "cau-run": _cau_run,
    "cau-role": _cau_role,
    "power-off": _power_off,
    "crash": _crash,
    "degrade": _degrade,
    "block-vm": _block_vm,
    "lock-role": _lock_role,
    "pause": _pause,
    "maintenance": _maintenance,
    "witness-lost": _witness_lost,
    "foreign-install": _foreign_install,
}
