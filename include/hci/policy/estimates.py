"""How long things take: seeded with practitioners' numbers, corrected by what this cluster was seen to need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

#: What a node takes when nothing is known about the cluster yet.
FIRST_GUESS: Mapping[str, timedelta] = {
    "drain": timedelta(minutes=5),
    "install": timedelta(minutes=25),
    "restart": timedelta(minutes=12),
    "resume": timedelta(minutes=3),
    "resync": timedelta(minutes=15),
}
#: How many of the last durations of a step are looked at.
_REMEMBERED = 10


def estimate_step(step: str, seen: Sequence[timedelta] = ()) -> timedelta:
    """Return how long ``step`` of one node takes: the longer half of what was ``seen`` (oldest first), else a first guess.

    The upper quartile and not the mean, because a window that closes too early costs more than one that stays open too long.
    """
    recent = sorted(seen[-_REMEMBERED:])
    if not recent:
        return FIRST_GUESS.get(step, timedelta(0))
    return recent[(3 * (len(recent) - 1) + 3) // 4]


def estimate_node(seen: Mapping[str, Sequence[timedelta]] | None = None) -> timedelta:
    """Return how long one node takes from its drain to the end of the resync."""
    known = seen or {}
    return sum((estimate_step(step, known.get(step, ())) for step in FIRST_GUESS), timedelta(0))


def estimate_run(nodes: int, seen: Mapping[str, Sequence[timedelta]] | None = None) -> timedelta:
    """Return how long ``nodes`` nodes take one after the other."""
    return nodes * estimate_node(seen)


def time_left(done: float, total: float, per_second: float | None) -> timedelta | None:
    """Return the time to go from ``done`` to ``total`` at ``per_second``, or None when it does not move."""
    if not per_second or per_second <= 0:
        return None
    return timedelta(seconds=max(0.0, total - done) / per_second)
