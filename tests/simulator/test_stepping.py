from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from include.simulator.stepping import Interruptible, SteppedClock, Stepper

START = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Story:
    """A coroutine that writes down how far it came."""

    def __init__(self, clock: SteppedClock, naps: int = 1) -> None:
        self.clock, self.naps, self.told = clock, naps, list[str]()

    async def tell(self) -> None:
        try:
            for nap in range(self.naps):
                self.told.append(f"nap {nap}")
                await self.clock.sleep(MINUTE)
                await asyncio.sleep(0)
            self.told.append("end")
        except asyncio.CancelledError:
            self.told.append("cancelled")
            raise


def test_a_coroutine_that_waits_for_nothing_is_over_after_one_step():
    story = Story(SteppedClock(START), naps=0)
    assert Stepper(story.tell()).step(START)
    assert story.told == ["end"]


def test_a_sleeper_goes_on_when_its_time_has_come_and_not_before():
    clock = SteppedClock(START)
    story = Story(clock, naps=2)
    stepper = Stepper(story.tell())
    assert not stepper.step(clock.now())
    assert stepper.pause is not None
    assert stepper.pause.until == START + MINUTE
    clock.advance(START + MINUTE / 2)
    assert not stepper.step(clock.now())
    assert story.told == ["nap 0"]
    clock.advance(START + MINUTE)
    assert not stepper.step(clock.now())
    clock.advance(START + 2 * MINUTE)
    assert stepper.step(clock.now())
    assert story.told == ["nap 0", "nap 1", "end"]


def test_what_the_coroutine_raises_reaches_whoever_steps_it():
    async def fail() -> None:
        raise KeyError("lost")

    stepper = Stepper(fail())
    with pytest.raises(KeyError, match="lost"):
        stepper.step(START)
    assert stepper.done


def test_a_stopped_coroutine_hears_of_it_and_is_never_carried_on():
    story = Story(SteppedClock(START))
    stepper = Stepper(story.tell())
    stepper.step(START)
    stepper.stop()
    assert stepper.step(START + MINUTE)
    assert story.told == ["nap 0", "cancelled"]


def test_an_interrupted_coroutine_ends_at_once_whatever_it_waits_for():
    clock = SteppedClock(START)
    story = Story(clock)
    inner = Interruptible(story.tell())

    async def outer() -> None:
        if not inner.begin():
            await inner

    stepper = Stepper(outer())
    assert not stepper.step(START)
    inner.cancel()
    assert stepper.step(START)
    assert inner.cancelled
    assert story.told == ["nap 0", "cancelled"]


@pytest.mark.parametrize("inner_first", [True, False])
def test_what_nobody_waits_for_any_more_is_thrown_away_in_any_order(inner_first):
    story = Story(SteppedClock(START))
    work = story.tell()
    inner = Interruptible(work)

    async def outer() -> None:
        if not inner.begin():
            await inner

    waiting = outer()
    waiting.send(None)
    for each in (work, waiting) if inner_first else (waiting, work):
        each.close()
    assert story.told == ["nap 0"]


async def test_the_same_interruption_works_in_an_event_loop():
    told: list[str] = []

    async def forever() -> None:
        told.append("begun")
        await asyncio.Event().wait()

    inner = Interruptible(forever())
    assert not inner.begin()
    waiting = asyncio.ensure_future(inner.in_event_loop())
    await asyncio.sleep(0)
    inner.cancel()
    await asyncio.wait_for(waiting, 5)
    assert inner.cancelled
    assert told == ["begun"]


@pytest.mark.parametrize(("start", "to"), [(datetime(2026, 1, 1), None), (START, START - MINUTE)])
def test_a_clock_refuses_times_without_a_zone_and_going_back(start, to):
    with pytest.raises(ValueError):
        SteppedClock(start).advance(to)
