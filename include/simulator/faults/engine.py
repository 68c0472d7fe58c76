"""Puts faults from the catalogue into a world: at once, at a time, when something happens, or by chance; and heals them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from include.simulator.faults.catalogue import FaultRow, catalogue, parse_id
from include.simulator.faults.layers import Layers
from include.simulator.faults.schedule import Schedule, schedule
from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.world import World

#: The node that chance chooses, for faults that need one.
ANY = "any"


class Stage(Enum):
    """How far a fault that was put into a world has come."""

    WAITING = "waiting"
    STANDING = "standing"
    OVER = "over"
    HEALED = "healed"


@dataclass(slots=True, eq=False)
class Injection:
    """One fault that was put into a world; ``undo`` ends what it made stand, ``strikes`` counts how often it struck."""

    number: int
    row: FaultRow
    node: Node | None
    any_node: bool
    schedule: Schedule
    overrides: Mapping[str, object]
    stage: Stage = Stage.WAITING
    strikes: int = 0
    undo: list[Callable[[], None]] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    struck: Node | None = None

    @property
    def armed(self) -> bool:
        """Whether it may strike (again)."""
        limit = self.schedule.strikes
        return self.stage is not Stage.HEALED and (limit is None or self.strikes < limit)

    def describe(self) -> dict[str, object]:
        """Return what an operator wants to know of it."""
        node = self.struck or self.node
        return {
            "number": self.number,
            "fault": self.row.id,
            "node": node.name if node else None,
            "stage": self.stage.value,
            "strikes": self.strikes,
        }


class FaultEngine:
    """The faults that were put into one world.

    Every chance is drawn from a stream of its own that begins with the world's seed, so that a fault that does not strike
    leaves the world as it would be without it, and the same seed gives the same run.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.random = random.Random(f"{world.seed}:faults")  # noqa: S311
        self.injections: list[Injection] = []
        #: Faults of the connection that stand, by machine and in the order in which they were made.
        self.wires: dict[str, list[tuple[str, dict[str, object]]]] = {}
        self.layers = Layers()
        self._last: dict[tuple[str, str], Mapping[str, object]] = {
            ("node.state", node.name): {"state": node.state.name, "drain_status": node.drain_status.name}
            for node in world.nodes
        }
        world.on_event(self.notice)

    def inject(self, fault: str, *, node: str | int | None = None, **arguments: object) -> Injection:
        """Put ``fault`` into the world and return it.

        ``fault`` is an id of the catalogue, with ``-on-node-<n>`` behind it or ``node`` (name, number, or "any", which leaves it
        to chance) where one node is meant. It strikes when the catalogue says, or ``at`` a time (a datetime or its ISO text),
        ``after`` a while (a timedelta or minutes), ``on`` an event, at the beginning of a ``phase`` (``delay`` seconds later),
        or ``per_hour`` so often on average; ``probability`` is that of every occasion. ``lasts`` (minutes) heals it,
        ``strikes`` limits how often it comes. Anything else replaces details of the effects, such as ``minutes`` or
        ``hresult``. Raises ValueError where the fault, the node or an argument does not exist.
        """
        row, target, any_node = self._resolve(fault, node, by_chance="per_hour" in arguments)
        overrides = dict(arguments)
        plan = schedule(overrides, self._world.now, row.when, row.lasts)
        self._check(row, overrides)
        injection = Injection(len(self.injections) + 1, row, target, any_node, plan, overrides)
        self.injections.append(injection)
        if plan.per_hour is not None:
            self._chance(injection)
        elif plan.at is not None:
            injection.timers.append(self._world.at(plan.at, lambda: self._occasion(injection, None)))
        elif plan.on is None:
            self._occasion(injection, None)
        return injection

    def heal(
        self, fault: str | None = None, *, node: str | int | None = None, number: int | None = None
    ) -> list[Injection]:
        """End faults, those that still wait included: all, those of an id, on a node, or the one with a number.

        Returns what was ended. Raises ValueError where the fault or the node does not exist.
        """
        target: Node | None = None
        if fault is not None:
            row, numbered = self._row(fault)
            fault, node = row.id, numbered if numbered is not None else node
        if node is not None:
            target = self._node(node)
        found = [
            each
            for each in self.injections
            if each.stage in (Stage.WAITING, Stage.STANDING)
            and fault in (None, each.row.id)
            and (target is None or target in (each.node, each.struck))
            and number in (None, each.number)
        ]
        for injection in found:
            self._heal(injection)
        return found

    def listens(self, op: str) -> bool:
        """Tell whether any fault waits for events of that kind."""
        return any(
            each.schedule.on is not None and each.schedule.on.event == op and each.armed for each in self.injections
        )

    def notice(self, op: str, node: str | None, detail: Mapping[str, object]) -> None:
        """Take note of an event; armed faults that wait for it strike."""
        about = str(detail.get("node") or node or "")
        before = self._last.get((op, about), {})
        self._last[op, about] = dict(detail)
        for injection in self.injections:
            on = injection.schedule.on
            if on is None or on.event != op or not injection.armed or injection.stage is Stage.STANDING:
                continue
            if injection.node is not None and about != injection.node.name:
                continue
            if on.matches(detail, before):
                self._meet(injection, about, on.delay_seconds)

    def _meet(self, injection: Injection, about: str, delay: float) -> None:
        target = injection.node or next((each for each in self._world.nodes if each.name == about), None)
        if injection.row.node == "none":
            target = None
        # Effects never run in the middle of the change that set them off. One occasion is one event: count it now.
        if not self._chosen(injection):
            return
        injection.strikes += 1
        work = self._world.after(timedelta(seconds=delay), lambda: self._strike(injection, target))
        injection.timers.append(work)

    def _occasion(self, injection: Injection, target: Node | None) -> None:
        if injection.armed and self._chosen(injection):
            injection.strikes += 1
            self._strike(injection, target or injection.node)

    def _chosen(self, injection: Injection) -> bool:
        probability = injection.schedule.probability
        return probability >= 1 or self.random.random() < probability

    def _chance(self, injection: Injection) -> None:
        rate = injection.schedule.per_hour
        if rate is None or not injection.armed:
            return
        gap = timedelta(hours=self.random.expovariate(rate))

        def struck() -> None:
            if injection.stage is not Stage.STANDING:
                self._occasion(injection, None)
            self._chance(injection)

        injection.timers.append(self._world.after(gap, struck))

    def _strike(self, injection: Injection, target: Node | None) -> None:
        # The effects import parts of the world, which imports this module.
        from include.simulator.faults.registry import CannotStrike, effects

        if injection.stage is Stage.HEALED:
            return
        row = injection.row
        if target is None and injection.any_node:
            target = self.random.choice(self._world.nodes)
        injection.struck = target
        detail = {"fault": row.id, "node": target.name if target else None, "what": row.what}
        self._world.emit("fault.injected", target, detail)
        try:
            with self._blamed(row.id):
                for effect in row.effects:
                    undo = effects()[str(effect["effect"])].apply(
                        self._world, target, {**effect, **injection.overrides}
                    )
                    injection.undo.extend([undo] if undo else [])
        except CannotStrike as reason:
            if injection.schedule == Schedule():
                raise
            self._world.emit("fault.missed", target, {**detail, "reason": str(reason)})
        if not injection.undo:
            injection.stage = Stage.WAITING if injection.armed else Stage.OVER
            return
        injection.stage = Stage.STANDING
        if injection.schedule.lasts is not None:
            injection.timers.append(self._world.after(injection.schedule.lasts, lambda: self._end(injection)))

    def _end(self, injection: Injection) -> None:
        """End what stands because its time is over; the fault may come back where it may strike more than once."""
        if injection.stage is Stage.STANDING:
            self._undo(injection)
            injection.stage = Stage.WAITING if injection.armed else Stage.OVER

    def _heal(self, injection: Injection) -> None:
        for timer in injection.timers:
            timer.cancel()
        injection.timers.clear()
        injection.stage = Stage.HEALED
        self._undo(injection)

    def _undo(self, injection: Injection) -> None:
        node = injection.struck or injection.node
        self._world.emit("fault.healed", node, {"fault": injection.row.id, "node": node.name if node else None})
        undo, injection.undo = list(reversed(injection.undo)), []
        with self._blamed(injection.row.id):
            for each in undo:
                each()

    @contextmanager
    def _blamed(self, fault: str) -> Iterator[None]:
        """Let the journal name ``fault`` with every event that comes about meanwhile."""
        before, self._world.fault = self._world.fault, fault
        try:
            yield
        finally:
            self._world.fault = before

    def _check(self, row: FaultRow, overrides: Mapping[str, object]) -> None:
        from include.simulator.faults.registry import parameters

        known = set().union(*(parameters(effect) for effect in row.effects))
        if unknown := set(overrides) - known:
            raise ValueError(
                f"The fault {row.id} has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known)) or 'no details'}."
            )

    def _row(self, fault: str) -> tuple[FaultRow, int | None]:
        rows = catalogue()
        name, numbered = (fault, None) if fault in rows else parse_id(fault)
        if name not in rows:
            raise ValueError(f"There is no fault {name!r}; there are {', '.join(sorted(rows))}.")
        return rows[name], numbered

    def _resolve(self, fault: str, node: str | int | None, *, by_chance: bool) -> tuple[FaultRow, Node | None, bool]:
        row, numbered = self._row(fault)
        wanted = numbered if numbered is not None else node
        if wanted == ANY or (wanted is None and by_chance):
            return row, None, row.node != "none"
        if wanted is None:
            if row.node == "required":
                raise ValueError(f"The fault {row.id} needs a node: {row.id}-on-node-<n>.")
            return row, None, False
        if row.node == "none":
            raise ValueError(f"The fault {row.id} concerns the whole cluster, not a node.")
        return row, self._node(wanted), False

    def _node(self, wanted: str | int) -> Node:
        nodes = self._world.nodes
        if isinstance(wanted, int) or wanted.isdigit():
            if not 1 <= int(wanted) <= len(nodes):
                raise ValueError(f"There is no node {wanted}; the cluster has {len(nodes)}.")
            return nodes[int(wanted) - 1]
        try:
            return self._world.node(wanted)
        except KeyError:
            names = ", ".join(each.name for each in nodes)
            raise ValueError(f"There is no node {wanted!r}; there are {names}.") from None
