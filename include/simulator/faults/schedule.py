"""When, how often and for how long a fault strikes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from include.simulator.faults.triggers import Trigger, phase, trigger

#: What may be said about time beside the details of a fault's effects.
KEYS = ("at", "after", "on", "phase", "delay", "probability", "per_hour", "lasts", "strikes")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a fault strikes.

    ``at`` a time, ``on`` an event, ``per_hour`` so often on average, or at once. ``probability`` is that of every occasion (of
    the one time, of every event). ``lasts`` is how long its standing effects stay. ``strikes`` is how often it may strike at
    most, None for any number.
    """

    at: datetime | None = None
    on: Trigger | None = None
    per_hour: float | None = None
    probability: float = 1.0
    lasts: timedelta | None = None
    strikes: int | None = 1


def schedule(given: dict[str, object], now: datetime, default: Trigger | None, lasts: timedelta | None) -> Schedule:
    """Take what concerns time out of ``given`` and return it; ValueError names what cannot be meant.

    ``default`` and ``lasts`` are the catalogue's. ``after`` and ``lasts`` are timedeltas or minutes, ``delay`` seconds, ``at`` a
    datetime or its ISO text. Keys such as ``where.state`` narrow the event down.
    """
    narrowed = {key.removeprefix("where."): given.pop(key) for key in list(given) if key.startswith("where.")}
    said = {key: given.pop(key) for key in KEYS if given.get(key) is not None}
    for key in KEYS:
        given.pop(key, None)
    if len(ways := [key for key in ("at", "after", "on", "phase", "per_hour") if key in said]) > 1:
        raise ValueError(f"A fault strikes in one way, not by {' and '.join(ways)}.")
    on = _event(said, default if not ways else None, narrowed)
    rate = _number("per_hour", said["per_hour"]) if "per_hour" in said else None
    if rate is not None and rate <= 0:
        raise ValueError(f"per_hour is {rate}; a fault that strikes so rarely never strikes.")
    probability = _number("probability", said.get("probability", 1.0))
    if not 0 < probability <= 1:
        raise ValueError(f"probability is {probability}; it is above 0 and at most 1.")
    repeats = rate is not None or (on is not None and "probability" in said)
    strikes = None if repeats else 1
    if "strikes" in said:
        strikes = int(_number("strikes", said["strikes"]))
    if "lasts" in said:
        lasts = _span("lasts", said["lasts"])
    return Schedule(_time(said, now), on, rate, probability, lasts, strikes)


def _event(said: dict[str, object], default: Trigger | None, narrowed: dict[str, object]) -> Trigger | None:
    on = default
    if "on" in said:
        on = trigger(said["on"])
    elif "phase" in said:
        on = phase(str(said["phase"]))
    if on is None:
        if narrowed or "delay" in said:
            raise ValueError("delay and where belong to an event or a phase; none is given.")
        return None
    if "delay" in said:
        on = replace(on, delay_seconds=_number("delay", said["delay"]))
    return replace(on, where={**on.where, **narrowed}) if narrowed else on


def _time(said: dict[str, object], now: datetime) -> datetime | None:
    if "after" in said:
        return now + _span("after", said["after"])
    at = said.get("at")
    if at is None:
        return None
    moment = at if isinstance(at, datetime) else datetime.fromisoformat(str(at))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _span(name: str, value: object) -> timedelta:
    span = value if isinstance(value, timedelta) else timedelta(minutes=_number(name, value))
    if span < timedelta(0):
        raise ValueError(f"{name} is {value}; time runs forwards.")
    return span


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{name} is {value!r}, which is no number.")
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{name} is {value!r}, which is no number.") from None
