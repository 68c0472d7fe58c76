"""Several faults in one run, when each strikes and when it is healed: named scenarios are data, swizzles come from a seed."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from include.simulator.faults.catalogue import FaultRow, catalogue
from include.simulator.faults.registry import heals

if TYPE_CHECKING:
    from include.simulator.faults.engine import Injection
    from include.simulator.world.world import World

_FILE = Path(__file__).with_name("scenarios.yaml")
_KEYS = {"id", "what", "source", "demands", "nodes", "steps"}
_STEP_KEYS = {"fault", "node", "after", "heal", "with"}


@dataclass(frozen=True, slots=True)
class Step:
    """One fault of a scenario: ``after`` (minutes from its start) it is put in, ``heal`` minutes from the start it is ended.

    ``arguments`` go to the engine as they are, a phase or a probability among them.
    """

    fault: str
    node: int | None = None
    after: float = 0.0
    heal: float | None = None
    arguments: Mapping[str, object] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Faults that belong together; ``nodes`` is how many servers it needs at least."""

    id: str
    what: str
    steps: tuple[Step, ...]
    source: str = ""
    demands: tuple[str, ...] = ()
    nodes: int = 1

    @property
    def over_after(self) -> timedelta:
        """How long after its start the last fault of it has struck or has been healed."""
        return timedelta(minutes=max((max(step.after, step.heal or 0.0) for step in self.steps), default=0.0))


@functools.cache
def scenarios() -> Mapping[str, Scenario]:
    """Return every named scenario; a malformed one raises ValueError that names it."""
    return load(_FILE.read_text(encoding="utf-8"))


def load(text: str) -> Mapping[str, Scenario]:
    """Return the scenarios that ``text`` (YAML) describes by id; a malformed one raises ValueError that names it."""
    found: dict[str, Scenario] = {}
    for raw in yaml.safe_load(text) or []:
        if not isinstance(raw, dict) or not {"id", "what", "steps"} <= set(raw) <= _KEYS:
            raise ValueError(f"A scenario has id, what, steps and at most {', '.join(sorted(_KEYS))}: {raw!r}.")
        name = str(raw["id"])
        if name in found:
            raise ValueError(f"The scenario {name} stands there twice.")
        steps = tuple(_step(name, each) for each in raw["steps"])
        demands = tuple(str(each) for each in raw.get("demands") or ())
        nodes = max([int(raw.get("nodes", 1)), *(step.node or 1 for step in steps)])
        found[name] = Scenario(name, str(raw["what"]), steps, str(raw.get("source", "")), demands, nodes)
    return found


def _step(scenario: str, raw: object) -> Step:
    if not isinstance(raw, dict) or "fault" not in raw or not set(raw) <= _STEP_KEYS:
        raise ValueError(
            f"A step of the scenario {scenario} has a fault and at most {', '.join(sorted(_STEP_KEYS))}: {raw!r}."
        )
    if str(raw["fault"]) not in catalogue():
        raise ValueError(f"The scenario {scenario} uses the fault {raw['fault']}, which does not exist.")
    heal = raw.get("heal")
    after = float(raw.get("after", 0))
    if heal is not None and float(heal) <= after:
        raise ValueError(f"The scenario {scenario} heals {raw['fault']} before it strikes.")
    return Step(
        str(raw["fault"]), raw.get("node"), after, None if heal is None else float(heal), dict(raw.get("with") or {})
    )


def healable(row: FaultRow) -> bool:
    """Tell whether the fault strikes at once and everything that it makes stand can be ended."""
    return row.when is None and all(heals(effect) for effect in row.effects)


def swizzle(
    seed: int,
    nodes: int,
    count: int = 4,
    within: timedelta = timedelta(hours=3),
    allow: Callable[[FaultRow], bool] = healable,
) -> Scenario:
    """Return a scenario in which ``count`` things break, one after another, and heal in another order, all ``within`` a while.

    The same seed gives the same scenario for a cluster of so many nodes (FoundationDB: swizzled faults). ``allow`` chooses the
    faults. Raises ValueError where nothing could be broken.
    """
    dice = random.Random(f"swizzle:{seed}:{nodes}:{count}")  # noqa: S311
    # What only a feature update meets says nothing about any other night.
    able = sorted(row.id for row in catalogue().values() if allow(row) and healable(row) and row.theme != "feature")
    if not 1 <= count <= len(able) or nodes < 1:
        raise ValueError(
            f"A swizzle breaks 1 to {len(able)} things in a cluster with nodes, not {count} of {nodes} nodes."
        )
    chosen = dice.sample(able, count)
    # Tenths of minutes, no two alike: what heals at the same moment would heal in no order at all.
    half = int(within.total_seconds() / 6 / 2)
    if half <= count:
        raise ValueError(f"{within} is too short to break and heal {count} things one after another.")
    breaks = [tenth / 10 for tenth in sorted(dice.sample(range(half), count))]
    heal_times = [tenth / 10 for tenth in sorted(dice.sample(range(half + 1, 2 * half + 1), count))]
    order = list(range(count))
    while count > 1 and order == sorted(order):
        dice.shuffle(order)
    places = [dice.randint(1, nodes) if catalogue()[fault].node != "none" else None for fault in chosen]
    steps = tuple(
        Step(fault, places[number], breaks[number], heal_times[order[number]]) for number, fault in enumerate(chosen)
    )
    said = ", ".join(f"{step.fault}{f' on node {step.node}' if step.node else ''}" for step in steps)
    return Scenario(f"swizzle:{seed}", f"Breaks {said} and heals them in another order.", steps, nodes=nodes)


def find(name: str, nodes: int) -> Scenario:
    """Return the scenario called ``name``, or the swizzle that ``swizzle:SEED`` or ``swizzle:SEED:COUNT`` means.

    Raises ValueError where it means nothing.
    """
    kind, _, rest = name.partition(":")
    if kind == "swizzle":
        numbers = rest.split(":")
        if not 1 <= len(numbers) <= 2 or not all(each.isdigit() for each in numbers):
            raise ValueError(f"{name!r} is not swizzle:SEED or swizzle:SEED:COUNT.")
        return swizzle(int(numbers[0]), nodes, int(numbers[1]) if len(numbers) > 1 else 4)
    if name not in scenarios():
        raise ValueError(f"There is no scenario {name!r}; there are {', '.join(sorted(scenarios()))} and swizzle:SEED.")
    return scenarios()[name]


def play(world: World, scenario: Scenario) -> list[Injection]:
    """Put every fault of ``scenario`` into ``world`` and heal it in time; ValueError where the cluster is too small."""
    if len(world.nodes) < scenario.nodes:
        raise ValueError(
            f"The scenario {scenario.id} needs {scenario.nodes} nodes; the cluster has {len(world.nodes)}."
        )
    world.emit("scenario.started", None, {"scenario": scenario.id, "what": scenario.what})
    made: list[Injection] = []
    for step in scenario.steps:
        arguments = dict(step.arguments)
        if step.after or not set(arguments) & {"phase", "on", "at", "per_hour"}:
            arguments["after"] = step.after
        injection = world.faults.inject(step.fault, node=step.node, **arguments)
        made.append(injection)
        if step.heal is not None:
            world.after(timedelta(minutes=step.heal), functools.partial(_end, world, injection.number))
    return made


def _end(world: World, number: int) -> None:
    world.faults.heal(number=number)
