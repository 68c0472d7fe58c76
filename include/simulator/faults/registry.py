"""What an effect of the fault catalogue is, and where the effects are registered by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.world import World

#: Modules whose import registers effects.
MODULES = (
    "effects_cluster",
    "effects_conditions",
    "effects_feature",
    "effects_locks",
    "effects_roles",
    "effects_software",
    "effects_storage",
    "effects_tasks",
    "effects_wire",
)

Details = Mapping[str, object]
Undo = Callable[[], None]
Function = Callable[["World", Node | None, Details], Undo | None]


class CannotStrike(ValueError):
    """The world has nothing that the fault could strike at the moment; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One kind of effect: ``parameters`` are the details that it takes, ``apply`` returns how to undo what it makes stand.

    ``stands`` tells whether it makes anything stand that healing ends.
    """

    name: str
    parameters: frozenset[str]
    apply: Function
    stands: bool = True

    @property
    def what(self) -> str:
        """What it does, in a sentence."""
        return (self.apply.__doc__ or "").split("\n", 1)[0]


_EFFECTS: dict[str, Effect] = {}


def effect(name: str, *parameters: str, stands: bool = True) -> Callable[[Function], Function]:
    """Register the decorated function as the effect ``name``; a second registration raises ValueError."""

    def register(function: Function) -> Function:
        if name in _EFFECTS:
            raise ValueError(f"The effect {name} is registered twice.")
        _EFFECTS[name] = Effect(name, frozenset(parameters), function, stands)
        return function

    return register


def effects() -> Mapping[str, Effect]:
    """Return every effect by name."""
    for module in MODULES:
        importlib.import_module(f"include.simulator.faults.{module}")
    return _EFFECTS


def heals(details: Details) -> bool:
    """Tell whether healing ends everything that this effect of a row does."""
    name = str(details["effect"])
    if name == "wire":
        from include.simulator.faults.effects_wire import stands

        return stands(details)
    return effects()[name].stands and "times" not in details


def parameters(details: Details) -> set[str]:
    """Return the details of an effect that may be replaced; ValueError where the effect is unknown."""
    name = str(details.get("effect"))
    if name not in effects():
        raise ValueError(f"There is no effect {name!r}; there are {', '.join(sorted(effects()))}.")
    found = set(effects()[name].parameters)
    if name == "condition":
        from include.simulator.faults.effects_conditions import CONDITIONS

        kind = str(details.get("kind"))
        if kind not in CONDITIONS:
            raise ValueError(f"There is no condition {kind!r}; there are {', '.join(sorted(CONDITIONS))}.")
        found |= CONDITIONS[kind].parameters
    return found


def number(details: Details, name: str, default: float) -> float:
    """Return one of an effect's details as a number; ValueError where it is none."""
    value = details.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{name} is {value!r}, which is no number.")
    return float(value)


def targets(world: World, node: Node | None) -> list[Node]:
    """Return the node, or all of them where none is meant."""
    return [node] if node else list(world.nodes)


def member(world: World, node: Node | None) -> Node:
    """Return the node, or the first one that takes part in the cluster where none is meant; CannotStrike where none does."""
    found = next((each for each in ([node] if node else world.nodes) if each.member), None)
    if found is None:
        raise CannotStrike(
            f"{node.name} is no member of the cluster." if node else "No node takes part in the cluster."
        )
    return found


def together(undone: list[Undo]) -> Undo | None:
    """Return one function that undoes everything, the last first; None where there is nothing to undo."""

    def undo() -> None:
        for each in reversed(undone):
            each()

    return undo if undone else None
