"""Effects on what is installed on the servers and on what they are offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from include.simulator.faults.registry import CannotStrike, Details, Undo, effect, number, targets, together
from include.simulator.world.catalogue import SECURITY, UpdateSpec, update_id
from include.simulator.world.machines import Node, Power
from include.simulator.world.registry import Value

if TYPE_CHECKING:
    from include.simulator.world.world import World


@effect("foreign-install", "minutes", stands=False)
def foreign_install(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let something else than a coordinator keep the installer of the server busy."""
    for target in targets(world, node):
        if target.power is Power.ON:
            world.updates.foreign_install(target, timedelta(minutes=number(details, "minutes", 20)))
    return None


@effect("hand-patch", "kb", stands=False)
def hand_patch(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let somebody install the cumulative update by hand, restart included, as if it had been there all the time."""
    kb = str(details.get("kb") or "")
    update = next(
        (
            each
            for each in world.updates.catalogue.values()
            if each.kb == kb or (not kb and each.ubr and each.long_reboot_hint)
        ),
        None,
    )
    if update is None:
        raise CannotStrike(f"The catalogue has no {kb or 'cumulative update'} that could be installed by hand.")
    for target in targets(world, node):
        _install(world, target, update)
    return None


def _install(world: World, node: Node, update: UpdateSpec) -> None:
    for needed in update.requires:
        if needed not in world.updates.record(node).installed:
            _install(world, node, world.updates.catalogue[needed])
    world.updates.record(node).installed[update.update_id] = True
    detail = {
        "node": node.name,
        "update_id": update.update_id,
        "kb": update.kb,
        "title": update.title,
        "result_code": 2,
        "hresult": "0x00000000",
        "orchestrator": "by hand",
    }
    world.emit("update.installed", node, detail)
    if update.ubr and update.ubr > node.ubr:
        node.ubr = update.ubr
        world.emit("build", node, {"node": node.name, "build": node.build, "ubr": node.ubr})


@effect("up-to-date", stands=False)
def up_to_date(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let everything that is on offer be installed already, the feature update excepted."""
    for target in targets(world, node):
        for update in world.updates.catalogue.values():
            if not update.is_feature_update and update.assigned:
                _install(world, target, update)
    return None


@effect("servicing-stack-first", "kb")
def servicing_stack_first(world: World, node: Node | None, details: Details) -> Undo | None:
    """Offer a servicing stack update without which the cumulative update is not even offered."""
    first = update_id("ssu-first")
    wave = [each for each in world.updates.catalogue.values() if each.long_reboot_hint and not each.is_feature_update]
    if not wave or first in world.updates.catalogue:
        raise CannotStrike("There is no cumulative update that could wait for its servicing stack.")
    kb = str(details.get("kb", "KB5099020"))
    stack = UpdateSpec(
        update_id=first,
        kb=kb,
        title=f"Servicing Stack Update for x64-based Systems ({kb})",
        categories=(SECURITY,),
        download_minutes=0.5,
        install_minutes=1,
    )
    return _offer(world, [stack, *(replace(each, requires=(*each.requires, first)) for each in wave)])


def _cumulative(world: World) -> UpdateSpec | None:
    found = (each for each in world.updates.catalogue.values() if each.long_reboot_hint and not each.is_feature_update)
    return next(found, None)


@effect("superseded", "kb")
def superseded(world: World, node: Node | None, details: Details) -> Undo | None:
    """Publish a newer cumulative update in the middle of everything: the one that was planned is no longer offered."""
    old = _cumulative(world)
    if old is None:
        raise CannotStrike("There is no cumulative update that could be superseded.")
    kb = str(details.get("kb", "KB5099777"))
    newer = replace(
        old,
        update_id=update_id(f"superseding-{kb}"),
        kb=kb,
        title=old.title.replace(old.kb, kb),
        supersedes=(*old.supersedes, old.update_id),
        ubr=(old.ubr or 0) + 25,
    )
    if newer.update_id in world.updates.catalogue:
        raise CannotStrike(f"{kb} is on offer already.")
    return _offer(world, [newer])


@effect("preview-is-assigned")
def preview_is_assigned(world: World, node: Node | None, details: Details) -> Undo | None:
    """Offer the optional preview as if it were an ordinary update; it hides the stable one."""
    preview = next((each for each in world.updates.catalogue.values() if not each.assigned), None)
    stable = next(
        (each for each in world.updates.catalogue.values() if each.long_reboot_hint and not each.is_feature_update),
        None,
    )
    if preview is None or stable is None:
        raise CannotStrike("The catalogue has no preview beside a cumulative update.")
    changed = replace(
        preview,
        assigned=True,
        auto_select=True,
        deployment_action="Installation",
        requires=stable.requires,
        supersedes=(*preview.supersedes, stable.update_id),
    )
    return _offer(world, [changed])


def _offer(world: World, updates: list[UpdateSpec]) -> Undo:
    before = dict(world.updates.catalogue)
    world.updates.catalogue.update({each.update_id: each for each in updates})
    for each in updates:
        world.emit("update.published", None, {"update_id": each.update_id, "kb": each.kb, "title": each.title})

    def undo() -> None:
        for each in updates:
            if each.update_id in before:
                world.updates.catalogue[each.update_id] = before[each.update_id]
            elif not any(each.update_id in world.updates.record(node).installed for node in world.nodes):
                del world.updates.catalogue[each.update_id]

    return undo


@effect("clock-skew", "minutes")
def clock_skew(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let the server's own clock go wrong by some minutes: what it tells of times is wrong by as much."""
    skew = timedelta(minutes=number(details, "minutes", 90))
    chosen = targets(world, node)
    for target in chosen:
        target.clock_skew += skew

    def undo() -> None:
        for target in chosen:
            target.clock_skew -= skew

    return undo


@effect("policy", "name", "value")
def policy(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let group policy set a value of Windows Update on the server; healing restores the one before."""
    return _set_policies(world, targets(world, node), {str(details["name"]): details["value"]})


@effect("automatic-updates", "hour")
def automatic_updates(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let group policy install updates by itself at an hour of the day (the next one unless given), restart included."""
    hour = int(number(details, "hour", (world.now.hour + 1) % 24))
    values: dict[str, object] = {
        "NoAutoUpdate": 0,
        "AUOptions": 4,
        "ScheduledInstallDay": 0,
        "ScheduledInstallTime": hour,
    }
    return _set_policies(world, targets(world, node), values)


def _set_policies(world: World, nodes: list[Node], values: Mapping[str, object]) -> Undo | None:
    undone: list[Undo] = []
    for node in nodes:
        for name, given in values.items():
            now = world.policies.values(node).get(name)
            value: Value | None = given if isinstance(given, int) else str(given)
            undone.append(
                world.faults.layers.put((node.name, name), now, value, partial(world.policies.set, node, name))
            )
    return together(undone)
