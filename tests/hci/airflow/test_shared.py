from __future__ import annotations

import asyncio

import pytest

from include.hci.airflow.shared import Answers, Keepers


class Counted:
    """Counts how often it was called, and raises where it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.error = error

    async def __call__(self) -> int:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return self.calls


async def waiting(keepers: Keepers, key: str, touch: Counted, seconds: float) -> None:
    with keepers.keeping(key, touch, 0.01):
        await asyncio.sleep(seconds)


async def test_many_who_wait_have_one_keeper_between_them():
    keepers, touches = Keepers(), [Counted() for _ in range(16)]
    await asyncio.gather(*(waiting(keepers, "run", touch, 0.1) for touch in touches))
    assert [touch.calls > 0 for touch in touches] == [True] + [False] * 15
    assert 3 <= touches[0].calls <= 11


async def test_the_keeper_goes_on_after_whoever_brought_it_has_left_and_ends_with_the_last():
    keepers, first, second = Keepers(), Counted(), Counted()
    one = asyncio.create_task(waiting(keepers, "run", first, 0.02))
    two = asyncio.create_task(waiting(keepers, "run", second, 0.1))
    await one
    before = first.calls
    await two
    after = first.calls
    assert after > before
    await asyncio.sleep(0.05)
    assert (first.calls, second.calls) == (after, 0)


async def test_every_run_has_its_own_keeper():
    keepers, touches = Keepers(), {"run": Counted(), "other": Counted()}
    await asyncio.gather(*(waiting(keepers, key, touch, 0.05) for key, touch in touches.items()))
    assert all(touch.calls for touch in touches.values())


async def test_a_touch_that_fails_is_tried_again_and_disturbs_nobody():
    keepers, touch = Keepers(), Counted(OSError("no route"))
    await waiting(keepers, "run", touch, 0.1)
    assert touch.calls > 1


async def test_a_keeper_that_was_ended_is_begun_again():
    keepers, first, second = Keepers(), Counted(), Counted()
    with keepers.keeping("run", first, 0.01):
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)
        await waiting(keepers, "run", second, 0.05)
    assert second.calls


async def test_an_answer_holds_for_others_until_it_is_too_old():
    answers, ask = Answers(), Counted()
    assert await answers.ask("run", ask, 0.05) == (1, True)
    assert await answers.ask("run", ask, 0.05) == (1, False)
    assert await answers.ask("other", ask, 0.05) == (2, True)
    await asyncio.sleep(0.06)
    assert await answers.ask("run", ask, 0.05) == (3, True)


async def test_who_must_know_now_asks_always():
    answers, ask = Answers(), Counted()
    for expected in (1, 2):
        assert await answers.ask("run", ask, 0.0) == (expected, True)


async def test_an_error_is_nobodys_answer():
    answers = Answers()
    with pytest.raises(OSError, match="away"):
        await answers.ask("run", Counted(OSError("away")), 60)
    assert await answers.ask("run", Counted(), 60) == (1, True)


class Slow(Counted):
    """Takes its time to answer."""

    async def __call__(self) -> int:
        await asyncio.sleep(0.02)
        return await super().__call__()


async def test_who_asks_while_another_does_waits_for_that_answer():
    answers, ask = Answers(), Slow()
    found = await asyncio.gather(*(answers.ask("run", ask, 0.001) for _ in range(16)))
    assert sorted(found) == [(1, False)] * 15 + [(1, True)]


@pytest.mark.parametrize("end", ["an error", "given up"])
async def test_who_waits_for_anothers_question_asks_itself_when_that_comes_to_nothing(end):
    answers = Answers()
    first = asyncio.create_task(answers.ask("run", Slow(OSError("away")), 0.001))
    await asyncio.sleep(0)
    second = asyncio.create_task(answers.ask("run", Slow(), 0.001))
    await asyncio.sleep(0)
    if end == "given up":
        first.cancel()
    assert await second == (1, True)
    with pytest.raises((OSError, asyncio.CancelledError)):
        await first
