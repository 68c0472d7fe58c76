"""Effects on the connection to a machine."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.faults.registry import Details, Undo, effect, number, targets, together
from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.world import World

#: What strikes once and leaves nothing standing.
_PASSING = frozenset({"reset", "reset-answer", "reset-before", "half-answer", "kill-sessions", "quota"})


def stands(details: Details) -> bool:
    """Tell whether a fault of the connection stays until it is healed."""
    return str(details["kind"]) not in _PASSING or ("count" in details and details["count"] is None)


@effect("wire", "minutes", "count", "skip", "seconds", "action", "age_minutes", "quota")
def wire(world: World, node: Node | None, details: Details) -> Undo | None:
    """Trouble the connection: ``kind`` as the wire knows it; ``minutes`` heals by itself, ``count`` null stands until healed."""
    arguments = {key: value for key, value in details.items() if key not in ("effect", "kind", "minutes")}
    kind, minutes = str(details["kind"]), number(details, "minutes", 0)
    undone: list[Undo] = []
    for target in targets(world, node):
        name, standing = target.name, stands(details)
        world.wire_fault(name, kind, dict(arguments))
        if not standing:
            continue
        order = (kind, dict(arguments))
        world.faults.wires.setdefault(name, []).append(order)

        def heal(name: str = name, order: tuple[str, dict[str, object]] = order) -> None:
            _heal(world, name, order)

        if minutes:
            world.after(timedelta(minutes=minutes), heal)
        undone.append(heal)
    return together(undone)


def _heal(world: World, name: str, order: tuple[str, dict[str, object]]) -> None:
    """End one fault of a machine's connection; others that stand there go on, for the wire itself only knows how to end all."""
    standing = world.faults.wires.get(name, [])
    mine = next((each for each in standing if each is order), None)
    if mine is None:
        return
    world.faults.wires[name] = left = [each for each in standing if each is not order]
    world.wire_fault(name, "heal", {})
    for kind, arguments in left:
        world.wire_fault(name, kind, dict(arguments))


@effect("credentials", "account", "password")
def credentials(world: World, node: Node | None, details: Details) -> Undo | None:
    """Change the password of the account that logs in; without a name every account of the servers is meant."""
    secret = str(details.get("password") or f"Rotated-{world.faults.random.getrandbits(48):012x}")
    name = world.nodes[0].name
    arguments: dict[str, object] = {"password": secret, "account": str(details.get("account", ""))}
    order = ("rotate-credentials", arguments)
    world.faults.wires.setdefault(name, []).append(order)
    world.wire_fault(name, *order)
    return lambda: _heal(world, name, order)
