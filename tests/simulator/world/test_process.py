"""A process sleeps, waits, gives up and stands still, all on the world's agenda."""

from collections.abc import Generator
from datetime import timedelta

from include.simulator.world.process import Pause, Process, Until
from tests.simulator.world.driver import START, Lab

MINUTE = timedelta(minutes=1)


def test_it_begins_at_once_and_sleeps_as_long_as_it_says() -> None:
    lab = Lab()
    at = []

    def work() -> Generator[Pause, bool, None]:
        at.append(lab.world.now)
        yield MINUTE
        at.append(lab.world.now)

    process = Process(lab.world, work())
    process.start()
    lab.clock.advance(START + 2 * MINUTE)
    lab.world.advance()
    assert at == [START, START + MINUTE]
    assert process.over


async def test_it_is_told_whether_what_it_waited_for_came_true() -> None:
    lab = Lab()
    answers = []

    def work() -> Generator[Pause, bool, None]:
        answers.append((yield Until(lambda: lab.world.now >= START + MINUTE, 2 * MINUTE)))
        answers.append((yield Until(lambda: False, 2 * MINUTE)))

    Process(lab.world, work()).start()
    await lab.wait(5 * MINUTE)
    assert answers == [True, False]


async def test_it_stands_still_while_it_may_not_go() -> None:
    lab = Lab()
    at = []

    def work() -> Generator[Pause, bool, None]:
        yield MINUTE
        at.append(lab.world.now)

    Process(lab.world, work(), lambda: lab.world.now >= START + 10 * MINUTE).start()
    await lab.wait(20 * MINUTE)
    assert at == [START + 10 * MINUTE]


async def test_a_stopped_one_never_goes_on() -> None:
    lab = Lab()
    at = []

    def work() -> Generator[Pause, bool, None]:
        yield MINUTE
        at.append(lab.world.now)

    process = Process(lab.world, work())
    process.start()
    process.stop()
    await lab.wait(5 * MINUTE)
    assert at == []
