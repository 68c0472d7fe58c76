"""What sets a fault off: an event of the journal, a command, or a named phase of a node's update."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

#: Prefix of a condition on what the same node's last event of that kind said.
WAS = "was."
#: The event that the runtime announces for every command, before it runs; it is not journalled under this name.
COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Trigger:
    """Which event of the journal sets a fault off, and how long after it.

    ``where`` holds what the event's detail must say: a value, or a list of which one must match. ``was.state: Paused`` asks what
    the last event of that kind about the same node said.
    """

    event: str
    where: Mapping[str, object] = field(default_factory=dict)
    delay_seconds: float = 0.0

    def matches(self, detail: Mapping[str, object], before: Mapping[str, object]) -> bool:
        """Tell whether an event with ``detail`` sets it off; ``before`` is the last such event's detail."""
        return all(
            _fits(before.get(key.removeprefix(WAS)) if key.startswith(WAS) else detail.get(key), wanted)
            for key, wanted in self.where.items()
        )


def _fits(value: object, wanted: object) -> bool:
    return value in wanted if isinstance(wanted, list | tuple) else value == wanted


#: The phases of a node's update as its world sees them begin.
PHASES: Mapping[str, Trigger] = {
    "lock": Trigger("lock.taken", {"class": "MSFT_CAURun"}),
    "scan": Trigger(COMMAND, {"command": "Invoke-CimMethod", "MethodName": "ScanUpdates"}),
    "drain": Trigger("node.state", {"drain_status": "InProgress"}),
    "drained": Trigger("node.state", {"drain_status": "Completed", "was.drain_status": "InProgress"}),
    "install": Trigger("install.started"),
    "restart": Trigger("node.restart"),
    "boot": Trigger("node.power", {"up": True}),
    "resume": Trigger("node.state", {"state": "Up", "was.state": "Paused"}),
    "resync": Trigger("repair.state", {"state": "Running"}),
}


def trigger(value: object) -> Trigger:
    """Return the trigger that ``value`` means.

    A Trigger, the name of a phase or of an event, or a mapping with ``event`` or ``phase``, and ``where`` and ``delay_seconds``
    where they are needed. Raises ValueError for anything else.
    """
    if isinstance(value, Trigger):
        return value
    if isinstance(value, str):
        return phase(value) if value in PHASES else Trigger(value)
    if isinstance(value, Mapping):
        return _from_mapping(value)
    raise ValueError(f"{value!r} names no event and no phase; there are the phases {', '.join(PHASES)}.")


def phase(name: str) -> Trigger:
    """Return what begins the phase called ``name``; ValueError where there is none."""
    if name not in PHASES:
        raise ValueError(f"There is no phase {name!r}; there are {', '.join(PHASES)}.")
    return PHASES[name]


def _from_mapping(value: Mapping[object, object]) -> Trigger:
    if unknown := set(value) - {"event", "phase", "where", "delay_seconds"}:
        raise ValueError(f"A trigger has no {', '.join(sorted(map(str, unknown)))}: {dict(value)!r}.")
    if ("event" in value) is ("phase" in value):
        raise ValueError(f"A trigger names either an event or a phase: {dict(value)!r}.")
    first = phase(str(value["phase"])) if "phase" in value else Trigger(str(value["event"]))
    where = value.get("where") or {}
    if not isinstance(where, Mapping):
        raise ValueError(f"where is {where!r}; it says which detail must have which value.")
    delay = value.get("delay_seconds", 0)
    if isinstance(delay, bool) or not isinstance(delay, int | float) or delay < 0:
        raise ValueError(f"delay_seconds is {delay!r}; it is a number from 0.")
    merged = {**first.where, **{str(key): wanted for key, wanted in where.items()}}
    return replace(first, where=merged, delay_seconds=float(delay))
