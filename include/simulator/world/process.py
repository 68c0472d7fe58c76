"""Something that takes time and has several stages, written as a generator and driven by the world's agenda."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.world import World

#: How often a process that waits for something looks again.
LOOK = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Until:
    """Wait until ``condition`` holds, at most for ``limit``; the generator is told whether it came true."""

    condition: Callable[[], bool]
    limit: timedelta | None = None


Pause = timedelta | Until


def _always() -> bool:
    return True


class Process:
    """Runs ``work``, which yields a duration to sleep or an Until; it stands still while ``may_go`` says no."""

    def __init__(self, world: World, work: Generator[Pause, bool, None], may_go: Callable[[], bool] = _always) -> None:
        self._world = world
        self._work = work
        self._may_go = may_go
        self._timer: Timer | None = None
        self.over = False

    def start(self) -> None:
        """Begin with the first stage at once."""
        try:
            self._wait(next(self._work))
        except StopIteration:
            self.over = True

    def stop(self) -> None:
        """End it where it stands; nothing of what it did is undone."""
        self.over = True
        if self._timer:
            self._timer.cancel()

    def _go(self, answer: bool) -> None:
        try:
            self._wait(self._work.send(answer))
        except StopIteration:
            self.over = True

    def _wait(self, pause: Pause) -> None:
        if isinstance(pause, timedelta):
            self._timer = self._world.after(pause, self._slept)
            return
        limit = None if pause.limit is None else self._world.now + pause.limit
        self._look(pause, limit)

    def _slept(self) -> None:
        if self.over:
            return
        if self._may_go():
            self._go(True)
        else:
            self._timer = self._world.after(LOOK, self._slept)

    def _look(self, pause: Until, limit: datetime | None) -> None:
        if self.over:
            return
        now = self._world.now
        if self._may_go():
            if pause.condition():
                # Never from inside the generator that has just yielded.
                self._timer = self._world.after(timedelta(0), lambda: self._go_unless_over(True))
                return
            if limit is not None and now >= limit:
                self._timer = self._world.after(timedelta(0), lambda: self._go_unless_over(False))
                return
        wait = LOOK if limit is None or now >= limit else min(LOOK, limit - now)
        self._timer = self._world.after(wait, lambda: self._look(pause, limit))

    def _go_unless_over(self, answer: bool) -> None:
        if not self.over:
            self._go(answer)
