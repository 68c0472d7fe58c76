"""How far a storage resync is, and whether it still moves: judged by bytes, because a stuck job calls itself running."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.hci.cluster.storage import StorageJob
from include.hci.policy.progress import Progress

#: As long as a resync may be waited for at most (resync_timeout_minutes); one that would take longer does not move any more.
LONGEST_LEFT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Movement:
    """What is known about a resync over time.

    ``lowest`` is, per job, the fewest bytes that were ever left: a job that starts over again does not move on.
    ``moved_at`` is when any of them last went down. ``rate`` is in bytes per second, smoothed; ``copied`` counts the bytes that
    were seen to be moved. ``names`` are those of every job that was seen. A job is known by its identity, or else by its name.
    """

    at: datetime
    moved_at: datetime
    lowest: Mapping[str, int] = field(default_factory=dict)
    remaining: Mapping[str, int] = field(default_factory=dict)
    rate: float | None = None
    copied: int = 0
    names: Mapping[str, str] = field(default_factory=dict)


def follow(before: Movement | None, jobs: Sequence[StorageJob], now: datetime) -> Movement:
    """Return the movement after reading ``jobs`` (those not over) at ``now``.

    The first reading starts the clock. Later on it counts as movement when a job has fewer bytes left than ever, when one of a
    new name appears, or when the first of its name that had bytes left is gone: one that goes round in circles under ever new
    identities moves only while its bytes do.
    """
    names = {_key(job): job.name for job in jobs}
    remaining = dict.fromkeys(names, 0)
    for job in jobs:
        remaining[_key(job)] += job.remaining
    # A job has no size while it waits to begin: that it had "nothing left" then is no mark to be measured by.
    sized = {key: left for key, left in remaining.items() if any(_key(job) == key and job.total for job in jobs)}
    if before is None:
        return Movement(now, now, sized, remaining, names=names)
    names = {**before.names, **names}
    known = {names[key] for key in before.lowest}
    gone = {names[key] for key, left in before.lowest.items() if not left}
    lowest = dict(before.lowest)
    moved = False
    for key, left in sized.items():
        moved |= left < lowest[key] if key in lowest else names[key] not in known
        lowest[key] = min(left, lowest.get(key, left))
    for key in before.remaining.keys() - remaining.keys():
        if lowest.get(key, 0) > 0:
            lowest[key] = 0
            moved |= names[key] not in gone
    copied = _copied(before, remaining)
    rate = _rate(before, copied, now)
    return Movement(now, now if moved else before.moved_at, lowest, remaining, rate, before.copied + copied, names)


def _key(job: StorageJob) -> str:
    return job.identity or job.name


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
    # Smoothed, a rate halves with every reading that finds no movement and never is nothing: what it promises then is no time.
    if rate is not None and total - done > rate * LONGEST_LEFT.total_seconds():
        rate = None
    left = timedelta(seconds=(total - done) / rate) if rate and total else None
    subject = f"resync of {_list(names)}"
    return Progress(subject, float(done), float(total), "bytes", rate, left) if total else Progress(subject)


def _copied(before: Movement, remaining: Mapping[str, int]) -> int:
    # Only jobs seen both times tell: one that has just appeared brings its bytes with it.
    return sum(max(0, before.remaining[key] - left) for key, left in remaining.items() if key in before.remaining)


def _rate(before: Movement, copied: int, now: datetime) -> float | None:
    seconds = (now - before.at).total_seconds()
    if seconds <= 0:
        return before.rate
    rate = copied / seconds
    return rate if before.rate is None else 0.5 * before.rate + 0.5 * rate


def _list(names: Sequence[str]) -> str:
    shown = [name.removesuffix("-Repair") for name in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
