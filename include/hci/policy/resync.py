"""How far a storage resync is, and whether it still moves: judged by bytes, because a stuck job calls itself running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.hci.cluster.storage import StorageJob
from include.hci.policy.progress import Progress


@dataclass(frozen=True, slots=True)
class Movement:
    """What is known about a resync over time.

    ``lowest`` is, per job name, the fewest bytes that were ever left: a job that starts over again does not move on.
    ``moved_at`` is when any of them last went down. ``rate`` is in bytes per second, smoothed;
    ``copied`` counts the bytes that were seen to be moved.
    """

    at: datetime
    moved_at: datetime
    lowest: Mapping[str, int] = field(default_factory=dict)
    remaining: Mapping[str, int] = field(default_factory=dict)
    rate: float | None = None
    copied: int = 0


def follow(before: Movement | None, jobs: Sequence[StorageJob], now: datetime) -> Movement:
    """Return the movement after reading ``jobs`` (those not over) at ``now``.

    The first reading starts the clock. Later on it counts as movement when a job has fewer bytes left than ever, when a job
    appears, or when one that had bytes left is gone for the first time.
    """
    remaining = {job.name: 0 for job in jobs}
    for job in jobs:
        remaining[job.name] += job.remaining
    if before is None:
        return Movement(now, now, dict(remaining), remaining)
    lowest = dict(before.lowest)
    moved = False
    for name, left in remaining.items():
        if name not in lowest or left < lowest[name]:
            lowest[name], moved = left, True
    for name in before.remaining.keys() - remaining.keys():
        if lowest.get(name, 0) > 0:
            lowest[name], moved = 0, True
    copied = _copied(before, remaining)
    rate = _rate(before, copied, now)
    return Movement(now, now if moved else before.moved_at, lowest, remaining, rate, before.copied + copied)


def is_stuck(movement: Movement, limit: timedelta, now: datetime) -> bool:
    """Return whether nothing has moved for ``limit``."""
    return now - movement.moved_at >= limit


def resync_progress(jobs: Sequence[StorageJob], movement: Movement | None = None) -> Progress | None:
    """Return how far ``jobs`` are together, with the time left at the present rate; None when there is no job."""
    if not jobs:
        return None
    names = sorted({job.name for job in jobs})
    total = sum(job.total for job in jobs)
    done = sum(min(job.processed, job.total) for job in jobs)
    rate = movement.rate or None if movement else None
    left = timedelta(seconds=(total - done) / rate) if rate and total else None
    subject = f"resync of {_list(names)}"
    return Progress(subject, float(done), float(total), "bytes", rate, left) if total else Progress(subject)


def _copied(before: Movement, remaining: Mapping[str, int]) -> int:
    # Only jobs seen both times tell: one that has just appeared brings its bytes with it.
    return sum(max(0, before.remaining[name] - left) for name, left in remaining.items() if name in before.remaining)


def _rate(before: Movement, copied: int, now: datetime) -> float | None:
    seconds = (now - before.at).total_seconds()
    if seconds <= 0:
        return before.rate
    rate = copied / seconds
    return rate if before.rate is None else 0.5 * before.rate + 0.5 * rate


def _list(names: Sequence[str]) -> str:
    shown = [name.removesuffix("-Repair") for name in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
