"""What the triggers of one run do once for all of them: in a large cluster most of them only wait for their node's turn.

Every trigger of a process runs on the same event loop, so nothing here needs a lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
#: After which time an answer that nobody has asked for again is forgotten.
FORGOTTEN_SECONDS = 3600.0
_log = logging.getLogger(__name__)


@dataclass
class _Kept:
    keeper: asyncio.Task[None]
    users: int = 0


class Keepers:
    """Does something at intervals for as long as anybody asks for it under the same key, once for all who do."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Kept] = {}

    @contextlib.contextmanager
    def keeping(self, key: Hashable, touch: Callable[[], Awaitable[object]], pause_seconds: float) -> Iterator[None]:
        """Call ``touch`` every ``pause_seconds`` while the block lasts, unless another block with ``key`` sees to it already."""
        kept = self._kept.get(key)
        if kept is None or kept.keeper.done():
            kept = self._kept[key] = _Kept(asyncio.create_task(self._keep(touch, pause_seconds)))
        kept.users += 1
        try:
            yield
        finally:
            kept.users -= 1
            if not kept.users:
                kept.keeper.cancel()
                if self._kept.get(key) is kept:
                    del self._kept[key]

    async def _keep(self, touch: Callable[[], Awaitable[object]], pause_seconds: float) -> None:
        while True:
            await asyncio.sleep(pause_seconds)
            try:
                await touch()
            except Exception as error:
                _log.debug("What is kept alive could not be touched: %s", error)


class Answers(Generic[T]):
    """The last answer to each question, and when it was asked."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[float, T]] = {}
        self._asking: dict[Hashable, asyncio.Task[T]] = {}

    async def ask(self, key: Hashable, ask: Callable[[], Awaitable[T]], max_age_seconds: float) -> tuple[T, bool]:
        """Return the answer, younger than ``max_age_seconds``, and whether it was asked for just now.

        Where any age is given somebody who is asking already is waited for.
        """
        asked = asyncio.get_running_loop().time()
        known, asking = self._known.get(key), self._asking.get(key)
        if known is not None and asked - known[0] < max_age_seconds:
            return known[1], False
        if max_age_seconds and asking is not None:
            # What fails or is given up there is nobody else's failure.
            await asyncio.wait({asking})
            if not asking.cancelled() and asking.exception() is None:
                return asking.result(), False
        mine = self._asking[key] = asyncio.ensure_future(self._call(ask))
        try:
            answer = await mine
        finally:
            mine.cancel()
            if self._asking.get(key) is mine:
                del self._asking[key]
        # Runs come and go, the process stays.
        self._known = {other: kept for other, kept in self._known.items() if asked - kept[0] < FORGOTTEN_SECONDS}
        self._known[key] = (asked, answer)
        return answer, True

    async def _call(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await ask()
