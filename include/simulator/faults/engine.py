"""Puts faults from the catalogue into a world, at once, at a time, or when something happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from include.simulator.faults.catalogue import FaultRow, Trigger, catalogue, parse_id
from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.world import World


@dataclass(slots=True, eq=False)
class Armed:
    """A fault that waits for its event; ``node`` None takes the node that the event is about."""

    row: FaultRow
    trigger: Trigger
    node: Node | None
    overrides: Mapping[str, object]


class FaultEngine:
    """The faults that were put into one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.armed: list[Armed] = []
        self.injected: list[str] = []
        world.on_event(self._event)

    def inject(
        self,
        fault: str,
        *,
        node: str | int | None = None,
        at: datetime | str | None = None,
        after: timedelta | float | str | None = None,
        on: Trigger | None = None,
        **overrides: object,
    ) -> None:
        """Put ``fault`` into the world.

        ``fault`` is an id of the catalogue, with ``-on-node-<n>`` behind it or ``node`` (name or number) where one node is meant.
        It takes effect when the catalogue says, or ``at`` a time (a datetime or its ISO text), ``after`` a while (a timedelta or
        minutes), or ``on`` an event. ``overrides`` replace details of the effects, such as ``minutes`` or ``hresult``. Raises
        ValueError where the fault or the node does not exist.
        """
        if isinstance(at, str):
            at = datetime.fromisoformat(at)
        if after is not None:
            at = self._world.now + (after if isinstance(after, timedelta) else timedelta(minutes=float(after)))
        row, target = self._resolve(fault, node)
        self.injected.append(fault)
        trigger = on or (row.when if at is None else None)
        if trigger is not None:
            self.armed.append(Armed(row, trigger, target, overrides))
        elif at is not None:
            self._world.at(at, lambda: self._apply(row, target, overrides))
        else:
            self._apply(row, target, overrides)

    def _resolve(self, fault: str, node: str | int | None) -> tuple[FaultRow, Node | None]:
        rows = catalogue()
        name, numbered = (fault, None) if fault in rows else parse_id(fault)
        row = rows.get(name)
        if row is None:
            raise ValueError(f"There is no fault {name!r}; there are {', '.join(sorted(rows))}.")
        wanted = numbered if numbered is not None else node
        if wanted is None:
            if row.node == "required":
                raise ValueError(f"The fault {name} needs a node: {name}-on-node-<n>.")
            return row, None
        if row.node == "none":
            raise ValueError(f"The fault {name} concerns the whole cluster, not a node.")
        return row, self._node(wanted)

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

    def _apply(self, row: FaultRow, node: Node | None, overrides: Mapping[str, object]) -> None:
        # The effects import parts of the world, which imports this module.
        from include.simulator.faults.effects import EFFECTS

        detail = {"fault": row.id, "node": node.name if node else None, "what": row.what}
        self._world.emit("fault.injected", node, detail)
        for effect in row.effects:
            EFFECTS[str(effect["effect"])](self._world, node, {**effect, **overrides})

    def _event(self, op: str, node: str | None, detail: Mapping[str, object]) -> None:
        for armed in [each for each in self.armed if each.trigger.event == op]:
            about = str(detail.get("node") or node or "")
            if armed.node is not None and about != armed.node.name:
                continue
            if any(detail.get(key) != value for key, value in armed.trigger.where.items()):
                continue
            self.armed.remove(armed)
            target = armed.node or next((each for each in self._world.nodes if each.name == about), None)
            self._set_off(armed, target)

    def _set_off(self, armed: Armed, target: Node | None) -> None:
        delay = timedelta(seconds=armed.trigger.delay_seconds)
        self._world.after(delay, lambda: self._apply(armed.row, target, armed.overrides))
