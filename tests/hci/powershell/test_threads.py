from __future__ import annotations

import asyncio
import contextvars
import os
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from include.hci.powershell import threads as module
from include.hci.powershell.threads import CallOverdue, RemotingThreads, remoting_threads, short_threads, size_from

SHORT = timedelta(seconds=0.1)


@pytest.fixture
def one() -> Iterator[RemotingThreads]:
    threads = RemotingThreads(1)
    yield threads
    threads.close()


async def test_calls_run_in_threads_of_their_own_with_the_callers_context(one: RemotingThreads) -> None:
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set")

    def call(number: int, *, word: str) -> tuple[object, ...]:
        return number, word, variable.get(), threading.current_thread().name.startswith("hci-remoting")

    assert await one.run(call, 1, word="a") == (1, "a", "set", True)


async def test_what_a_call_raises_arrives(one: RemotingThreads) -> None:
    def fail() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await one.run_within(SHORT, fail)

    def late() -> None:
        raise TimeoutError("the call's own")

    with pytest.raises(TimeoutError, match="own"):
        await one.run_within(SHORT, late)


async def test_a_call_that_is_too_slow_runs_on_without_its_caller(one: RemotingThreads) -> None:
    finished = threading.Event()

    def slow() -> None:
        time.sleep(0.3)
        finished.set()

    with pytest.raises(CallOverdue, match=r"slow is still running after 0\.1 s") as caught:
        await one.run_within(SHORT, slow)
    assert caught.value.begun
    assert not caught.value.retry_safe
    assert not finished.is_set()
    assert await one.run(finished.wait, 5)


async def test_a_call_that_found_no_thread_in_time_never_runs(one: RemotingThreads) -> None:
    hold = threading.Event()
    ran: list[int] = []
    first = asyncio.create_task(one.run(hold.wait, 5))
    await asyncio.sleep(0.02)
    with pytest.raises(CallOverdue, match="found no free thread") as caught:
        await one.run_within(SHORT, ran.append, 1)
    assert not caught.value.begun
    assert caught.value.retry_safe
    cancelled = asyncio.create_task(one.run(ran.append, 2))
    await asyncio.sleep(0.02)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    hold.set()
    assert await first
    await one.run(ran.append, 3)
    assert ran == [3]


async def test_as_many_calls_run_at_once_as_there_are_threads() -> None:
    threads = RemotingThreads(4)
    together = threading.Barrier(4)
    await asyncio.gather(*(threads.run(together.wait, 5) for _ in range(4)))
    threads.close()


@pytest.mark.parametrize(
    ("environment", "size"),
    [({}, 32), ({"HCI_REMOTING_THREADS": ""}, 32), ({"HCI_REMOTING_THREADS": " 8 "}, 8)],
)
def test_the_size_comes_from_the_environment(environment: dict[str, str], size: int) -> None:
    assert size_from(environment) == size


@pytest.mark.parametrize("text", ["0", "-1", "many", "1001", "2.5"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HCI_REMOTING_THREADS must be a number from 1 to 1000"):
        size_from({"HCI_REMOTING_THREADS": text})
    with pytest.raises(ValueError, match="at least one"):
        RemotingThreads(0)


async def test_what_is_short_goes_on_while_every_step_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, over = RemotingThreads(1), threading.Event()
    monkeypatch.setattr(module, "_threads", busy)
    step = asyncio.ensure_future(remoting_threads().run(over.wait, 5))
    assert await short_threads().run_within(timedelta(seconds=3), lambda: "touched") == "touched"
    assert not step.done()
    over.set()
    assert await step
    busy.close()


def test_a_process_has_one_set_of_threads_and_a_forked_one_its_own() -> None:
    mine, short = remoting_threads(), short_threads()
    assert (remoting_threads() is mine, short_threads() is short) == (True, True)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, b"1" if module._threads is module._short is None else b"0")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"1"
    os.close(reader)
    os.close(writer)
