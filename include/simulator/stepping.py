"""Carrying coroutines of a simulated world on by hand, without an event loop: thousands of commands a second in one thread.

Nothing in a world waits for anything but its time. On a ``SteppedClock`` a sleeping coroutine hands out what it waits for, and
whoever drives it moves the clock there: most commands never wait at all and are over after the first step.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine, Generator
from datetime import datetime, timedelta
from typing import Any


class Pause:
    """What a coroutine waits for: a time, or that somebody calls it off."""

    __slots__ = ("over", "until")

    def __init__(self, until: datetime) -> None:
        self.until = until
        self.over = False

    def __await__(self) -> Generator[Pause, None, None]:
        """Hand itself to whoever drives the coroutine."""
        yield self


class SteppedClock:
    """Simulated time that stands still until ``advance`` moves it; its sleepers belong to a ``Stepper``, not to an event loop."""

    __slots__ = ("_now",)

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("The start of a simulated clock needs a time zone.")
        self._now = start

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._now

    async def sleep(self, duration: timedelta) -> None:
        """Wait until the clock stands ``duration`` later than now."""
        await Pause(self._now + max(duration, timedelta(0)))

    def advance(self, to: datetime) -> None:
        """Move the clock to ``to``; going back raises ValueError."""
        if to < self._now:
            raise ValueError(f"Simulated time cannot go back from {self._now.isoformat()} to {to.isoformat()}.")
        self._now = to


class Stepper:
    """One coroutine and how far it has come; ``done`` once it has ended, whose error ``step`` raises."""

    __slots__ = ("_work", "done", "pause")

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work
        self.pause: Pause | None = None
        self.done = False

    def step(self, now: datetime) -> bool:
        """Carry the coroutine on as far as it comes by ``now``; return whether it has ended."""
        while not self.done and self._may_go_on(now):
            try:
                waiting = self._work.send(None)
            except StopIteration:
                self.done = True
            except BaseException:
                self.done = True
                raise
            else:
                self.pause = waiting if isinstance(waiting, Pause) else None
        return self.done

    def stop(self) -> None:
        """Cancel the coroutine, as a client's stop signal does."""
        if self.done:
            return
        self.done = True
        try:
            self._work.throw(asyncio.CancelledError())
        except (StopIteration, asyncio.CancelledError):
            return
        self._work.close()

    def _may_go_on(self, now: datetime) -> bool:
        return self.pause is None or self.pause.over or self.pause.until <= now


class Interruptible:
    """A coroutine that another one awaits and that ``cancel`` ends early, whatever it waits for; then ``cancelled`` is True."""

    __slots__ = ("_task", "_waiting", "_work", "cancelled")

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work
        self._waiting: object = None
        self._task: asyncio.Task[None] | None = None
        self.cancelled = False

    def begin(self) -> bool:
        """Carry the coroutine on to where it first waits; return whether it has ended without waiting at all."""
        try:
            self._waiting = self._work.send(None)
        except StopIteration:
            return True
        return False

    def cancel(self) -> None:
        """End the coroutine the next time it is carried on, which is now."""
        self.cancelled = True
        if isinstance(self._waiting, Pause):
            self._waiting.over = True
        if self._task is not None:
            self._task.cancel()

    async def in_event_loop(self) -> None:
        """Go on as a task of the running event loop until the coroutine has ended or was cancelled."""
        self._task = task = asyncio.ensure_future(self._rest())
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        if not task.cancelled():
            task.result()

    async def _rest(self) -> None:
        await self

    def __await__(self) -> Generator[object, None, None]:
        """Pass on what the coroutine waits for until it has ended or was cancelled; raises what it raises."""
        while True:
            try:
                yield self._waiting
            except GeneratorExit:
                # Nobody waits any more: both are thrown away together, the inner one perhaps before.
                self._work.close()
                raise
            except BaseException as error:
                with contextlib.suppress(StopIteration):
                    self._work.throw(error)
                raise
            try:
                if self.cancelled:
                    self._work.throw(asyncio.CancelledError())
                self._waiting = self._work.send(None)
            except StopIteration:
                return
            except asyncio.CancelledError:
                if self.cancelled:
                    return
                raise
