"""The threads that remoting blocks in, apart from everybody else's.

pypsrp is synchronous. An event loop hands its calls to these threads: the loop's default executor has a handful on a small
machine and is shared with everything else, and a single shared thread would make all nodes wait for the slowest.

A step holds one of them while it looks or acts: for seconds as a rule, for hours where Windows installs, and a cluster that is
scanned holds one for each of its nodes. What is short and must not wait for such as these (keeping a lock alive, reading a file)
has a few threads of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final, Generic, ParamSpec, TypeVar

from include.hci.powershell.errors import DeadlineExceeded

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

SIZE_VARIABLE: Final = "HCI_REMOTING_THREADS"
DEFAULT_SIZE: Final = 32
#: For what is short: one lock is touched in seconds, and each only every few minutes (hci.airflow.triggers).
SHORT_SIZE: Final = 8


class CallOverdue(DeadlineExceeded):
    """A call did not return within its limit; ``begun`` says whether it had begun, and so may still be running."""

    title = "Call overdue"
    default_meaning = "the call did not return in time; where it had begun it runs on to its own deadline"
    default_next_action = "Read the node's state before going on; if calls queue up, allow more threads."

    def __init__(self, detail: str, *, begun: bool = True, **known: object) -> None:
        known.setdefault("retry_safe", not begun)
        super().__init__(detail, **known)  # type: ignore[arg-type]  # passed on as they came
        self.begun = begun

    def _arguments(self) -> dict[str, Any]:
        return super()._arguments() | {"begun": self.begun}


class BoundedCall(Generic[T]):
    """One call in a thread, with a time limit that counts waiting for a free thread as well.

    When the limit passes, or the waiting task is cancelled, a call that has not begun never will; one that has runs on to its
    own end, since a thread cannot be stopped, and its result is dropped.
    """

    __slots__ = ("_future", "_name")

    def __init__(self, future: Future[T], name: str) -> None:
        self._future = future
        self._name = name

    async def wait(self, limit: timedelta | None) -> T:
        """Return what the call returns, or raise what it raises; CallOverdue after ``limit``."""
        waiting = asyncio.wrap_future(self._future)
        try:
            return await asyncio.wait_for(asyncio.shield(waiting), limit.total_seconds() if limit else None)
        except TimeoutError:
            if waiting.done() and not waiting.cancelled():
                return waiting.result()
            begun = not self._give_up()
            state = "is still running" if begun else "found no free thread"
            raise CallOverdue(
                f"{self._name} {state} after {limit.total_seconds():g} s" if limit else self._name, begun=begun
            ) from None
        except asyncio.CancelledError:
            self._give_up()
            raise

    def _give_up(self) -> bool:
        """Drop the call; return whether that kept it from ever beginning."""
        if self._future.cancel():
            return True
        self._future.add_done_callback(self._log_late)
        return False

    def _log_late(self, future: Future[T]) -> None:
        error = future.exception()
        logger.info("%s ended after its caller had left: %s", self._name, error or "it worked")


class RemotingThreads:
    """A pool of threads for blocking remoting calls."""

    def __init__(self, size: int = DEFAULT_SIZE, name: str = "hci-remoting") -> None:
        if size < 1:
            raise ValueError(f"Remoting needs at least one thread, not {size}.")
        self.size = size
        self._executor = ThreadPoolExecutor(size, thread_name_prefix=name)

    async def run(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``func`` returns in one of the threads."""
        return await self.run_within(None, func, *args, **kwargs)

    async def run_within(self, limit: timedelta | None, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``func`` returns in one of the threads; raises CallOverdue after ``limit``."""
        context = contextvars.copy_context()
        future = self._executor.submit(context.run, functools.partial(func, *args, **kwargs))
        call = BoundedCall(future, getattr(func, "__qualname__", repr(func)))
        return await call.wait(limit)

    def close(self) -> None:
        """Take no more calls and drop those that have not begun."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def size_from(environment: Mapping[str, str]) -> int:
    """Return the number of threads ``HCI_REMOTING_THREADS`` asks for; raises ValueError for anything but 1 to 1000."""
    text = environment.get(SIZE_VARIABLE, "").strip()
    if not text:
        return DEFAULT_SIZE
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise ValueError(f"{SIZE_VARIABLE} must be a number from 1 to 1000, not {text!r}.")
    return int(text)


_lock = threading.Lock()
_threads: RemotingThreads | None = None
_short: RemotingThreads | None = None


def remoting_threads() -> RemotingThreads:
    """Return the threads of this process for steps, made with the first call."""
    global _threads
    with _lock:
        if _threads is None:
            _threads = RemotingThreads(size_from(os.environ))
        return _threads


def short_threads() -> RemotingThreads:
    """Return the threads of this process for what is short, made with the first call."""
    global _short
    with _lock:
        if _short is None:
            _short = RemotingThreads(SHORT_SIZE, "hci-short")
        return _short


def _forget() -> None:
    # Threads do not survive a fork; a pool that believes in them would wait for ever.
    global _threads, _short, _lock
    _lock = threading.Lock()
    _threads = _short = None


os.register_at_fork(after_in_child=_forget)
