"""What will happen in a simulated world, in the order of simulated time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True, order=True)
class Timer:
    """Something that happens at a time unless it is cancelled before."""

    at: datetime
    order: int
    action: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """See to it that the action never runs."""
        self.cancelled = True


class Agenda:
    """A heap of timers; those of the same time run in the order in which they were set."""

    def __init__(self) -> None:
        self._timers: list[Timer] = []
        self._order = itertools.count()

    def add(self, at: datetime, action: Callable[[], None]) -> Timer:
        """Run ``action`` at ``at``."""
        timer = Timer(at, next(self._order), action)
        heapq.heappush(self._timers, timer)
        return timer

    def next_at(self) -> datetime | None:
        """Return when the next action is due, or None where nothing is."""
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0].at if self._timers else None

    def pop_due(self, until: datetime) -> Timer | None:
        """Take the next timer off that is due by ``until``, or return None."""
        at = self.next_at()
        return heapq.heappop(self._timers) if at is not None and at <= until else None
