"""How long things take: seeded with practitioners' numbers, corrected by what this cluster was seen to need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from include.hci.policy.progress import show_duration

#: What a node takes when nothing is known about the cluster yet.
FIRST_GUESS: Mapping[str, timedelta] = {
    "drain": timedelta(minutes=5),
    "install": timedelta(minutes=25),
    "restart": timedelta(minutes=12),
    "resume": timedelta(minutes=3),
    "resync": timedelta(minutes=15),
}
#: The same with its range. High ends gate the window, so they are twice the guess and not the worst that was ever seen.
#: Low: a practitioner's night of six nodes in 2 h 31 min; guess: Azure Local's own figure of four hours for four nodes.
FIRST_RANGE: Mapping[str, tuple[timedelta, timedelta]] = {
    "drain": (timedelta(minutes=2), timedelta(minutes=10)),
    "install": (timedelta(minutes=10), timedelta(minutes=50)),
    "restart": (timedelta(minutes=5), timedelta(minutes=25)),
    "resume": (timedelta(minutes=1), timedelta(minutes=5)),
    "resync": (timedelta(minutes=5), timedelta(minutes=30)),
}
#: Fewer durations than this say little about the longest one.
_TRUSTED = 3
#: How many of the last durations of a step are looked at.
_REMEMBERED = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long something takes: hardly less than ``low``, probably ``expected``, hardly more than ``high``."""

    low: timedelta
    expected: timedelta
    high: timedelta
    from_history: bool = True

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(
            self.low + other.low,
            self.expected + other.expected,
            self.high + other.high,
            self.from_history and other.from_history,
        )

    def times(self, count: int) -> Estimate:
        """Return how long ``count`` of them take one after the other."""
        return Estimate(count * self.low, count * self.expected, count * self.high, self.from_history)

    def describe(self) -> str:
        """Return the range as a person says it: ``45 min to 2 h, probably 1 h``."""
        return f"{show_duration(self.low)} to {show_duration(self.high)}, probably {show_duration(self.expected)}"


def estimate_range(step: str, seen: Sequence[timedelta] = ()) -> Estimate:
    """Return how long ``step`` of one node takes, from what was ``seen`` (oldest first), else from documented figures.

    Of history the 10th, 50th and 90th percentile of the last durations; as long as there are fewer than three, the documented
    high end counts where it is higher.
    """
    guess = FIRST_GUESS.get(step, timedelta(0))
    low, high = FIRST_RANGE.get(step, (guess, guess))
    recent = sorted(seen[-_REMEMBERED:])
    if not recent:
        return Estimate(low, guess, high, from_history=False)
    found = Estimate(_percentile(recent, 10), _percentile(recent, 50), _percentile(recent, 90))
    return found if len(recent) >= _TRUSTED else Estimate(found.low, found.expected, max(found.high, high))


def estimate_node_range(seen: Mapping[str, Sequence[timedelta]] | None = None) -> Estimate:
    """Return how long one node takes from its drain to the end of the resync."""
    return total(estimate_range(step, (seen or {}).get(step, ())) for step in FIRST_GUESS)


def total(estimates: Iterable[Estimate]) -> Estimate:
    """Return how long several things take one after the other."""
    return sum(estimates, Estimate(timedelta(0), timedelta(0), timedelta(0)))


def _percentile(ordered: Sequence[timedelta], percent: int) -> timedelta:
    """Return the smallest of ``ordered`` that ``percent`` of them do not exceed (nearest rank)."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
