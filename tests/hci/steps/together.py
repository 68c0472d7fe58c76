"""Lets several steps of one simulated run go on at the same time, each in its own thread, on the one virtual clock.

Only one of the threads runs at a time: it hands the baton on where time has to pass, and time passes when all of them wait. So the
outcome does not depend on how the machine schedules threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any

from include.simulator.stepping import Stepper
from tests.hci.steps.simulated import Simulation
from tests.hci.steps.simulated_wire import Wire


class ParallelSimulation(Simulation):
    """A simulation whose commands may come from several threads."""

    _lock: threading.Condition | None = None

    def together(self, works: Sequence[Callable[[], None]]) -> None:
        """Do all of ``works`` at the same time; raises what the first of them that failed raised."""
        if not works:
            return
        self._lock = threading.Condition()
        self._wakes: dict[int, datetime] = {number: self.now() for number in range(len(works))}
        self._turn: int | None = None
        failures: list[BaseException] = []
        self._own = threading.local()

        def run(number: int, work: Callable[[], None]) -> None:
            self._own.number = number
            try:
                self._until(self.now())
                work()
            except BaseException as error:
                failures.append(error)
            finally:
                self._leave(number)

        threads = [threading.Thread(target=run, args=each, daemon=True) for each in enumerate(works)]
        self._begun = 0
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._lock = None
        if failures:
            raise failures[0]

    def sleep(self, duration: timedelta) -> None:
        if self._lock is None or not hasattr(self._own, "number"):
            super().sleep(duration)
            return
        self._until(self.now() + duration)
        self.cluster.world.advance()

    def finish(self, work: Coroutine[Any, Any, None], wire: Wire, until: datetime) -> str:
        if self._lock is None:
            return super().finish(work, wire, until)
        clock, world = self.clock, self.cluster.world
        stepper, resets, cut = Stepper(work), wire.resets, wire.longest(clock.now())
        while not stepper.step(clock.now()):
            now = clock.now()
            if wire.resets != resets or (cut is not None and now >= cut) or now >= until:
                stepper.stop()
                return "late" if wire.resets == resets and now >= until else "reset"
            due = [until, *filter(None, (stepper.pause and stepper.pause.until, world.next_event(), cut))]
            self._until(max(min(due), now))
            world.advance()
        return "done"

    def _until(self, moment: datetime) -> None:
        """Wait for the moment, and for the baton."""
        assert self._lock is not None
        number = self._own.number
        with self._lock:
            self._wakes[number] = moment
            if self._turn == number:
                self._turn = None
            else:
                self._begun += 1
            self._pass_on()
            self._lock.wait_for(lambda: self._turn == number)

    def _leave(self, number: int) -> None:
        assert self._lock is not None
        with self._lock:
            del self._wakes[number]
            self._turn = None
            self._pass_on()

    def _pass_on(self) -> None:
        assert self._lock is not None
        if self._turn is None and self._wakes and self._begun >= len(self._wakes):
            number = min(self._wakes, key=lambda each: (self._wakes[each], each))
            if self._wakes[number] > self.clock.now():
                self.clock.advance(self._wakes[number])
                self.cluster.world.advance()
            self._turn = number
            self._lock.notify_all()
