"""The one clock of a simulated world: simulated time, either driven by the real one or moved by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells simulated time and lets a simulated command take some of it."""

    def now(self) -> datetime:
        """Return the simulated time, aware and in UTC."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Return once ``duration`` of simulated time has passed."""
        ...


class RealTimeClock:
    """Simulated time that runs ``speed`` times as fast as the real one, from ``start`` (aware, UTC)."""

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        if start.tzinfo is None:
            raise ValueError("The start of a simulated clock needs a time zone.")
        if speed <= 0:
            raise ValueError(f"The speed of a simulated clock must be above 0, not {speed}.")
        self.start = start
        self.speed = speed
        self._origin = time.monotonic()

    def now(self) -> datetime:
        """Return the simulated time."""
        return self.start + timedelta(seconds=(time.monotonic() - self._origin) * self.speed)

    async def sleep(self, duration: timedelta) -> None:
        """Sleep for ``duration`` divided by the speed."""
        await asyncio.sleep(max(0.0, duration.total_seconds()) / self.speed)


class VirtualClock:
    """Simulated time that stands still until ``advance`` moves it, for thousands of runs a minute."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("The start of a simulated clock needs a time zone.")
        self._now = start
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._now

    async def sleep(self, duration: timedelta) -> None:
        """Wait until ``advance`` has moved the clock by ``duration``."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + max(duration, timedelta(0)), next(self._order), future))
        await future

    def next_wake(self) -> datetime | None:
        """Return when the earliest sleeper wakes, or None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def advance(self, to: datetime) -> None:
        """Move the clock to ``to`` and wake every sleeper whose time has come; going back raises ValueError."""
        if to < self._now:
            raise ValueError(f"Simulated time cannot go back from {self._now.isoformat()} to {to.isoformat()}.")
        self._now = to
        while self._sleepers and self._sleepers[0][0] <= to:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)
