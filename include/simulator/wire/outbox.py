"""What a shell or a command has to say, kept until the client has received it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from include.simulator.wire import faults, quota_faults

#: A client may ask for a smaller envelope, but no recorded answer of Windows carries more than this.
MAX_ANSWER_BYTES = 350_000


@dataclass(frozen=True, slots=True)
class Batch:
    """What one Receive takes away; ``exit_code`` is set on the last one of a command."""

    items: tuple[tuple[str, bytes], ...]
    exit_code: int | None


class Outbox:
    """The outgoing stream data of one target: a runspace pool, a pipeline or a cmd command."""

    def __init__(self) -> None:
        self.exit_code: int | None = None
        self._items: deque[tuple[str, bytes]] = deque()
        self._closed: faults.WsmanFault | None = None
        self._interruption: faults.WsmanFault | None = None
        self._changed = asyncio.Event()
        self._last: tuple[str, str] | None = None
        self._ended = False

    def push(self, stream: str, data: bytes) -> None:
        """Add one piece of ``stream``."""
        self._items.append((stream, data))
        self._changed.set()

    def finish(self, exit_code: int = 0) -> None:
        """Nothing will follow."""
        self.exit_code = exit_code
        self._changed.set()

    def close(self, fault: faults.WsmanFault) -> None:
        """Answer the waiting and every later Receive with ``fault``."""
        self._closed = fault
        self._changed.set()

    def interrupt(self, fault: faults.WsmanFault) -> None:
        """Answer the waiting Receive with ``fault`` and keep everything for a later one."""
        self._interruption = fault
        self._changed.set()

    def discard(self) -> None:
        """Drop what nobody has taken."""
        self._items.clear()

    def repeated(self, message_id: str) -> str | None:
        """Return the last answer when ``message_id`` asks for it again: clients repeat a Receive they gave up on."""
        return self._last[1] if self._last and self._last[0] == message_id else None

    def remember(self, message_id: str, answer: str) -> None:
        """Keep ``answer`` for a client that repeats its question."""
        self._last = (message_id, answer)

    def forget_answer(self) -> None:
        """Keep the last answer for nobody."""
        self._last = None

    def put_back(self, batch: Batch) -> None:
        """Return a batch whose answer could not be written to the connection."""
        self._items.extendleft(reversed(batch.items))
        self._last = None
        self._ended = False
        self._changed.set()

    async def take(
        self,
        seconds: float,
        client_gone: Callable[[], bool],
        *,
        limit: int | None = None,
        size: int = MAX_ANSWER_BYTES,
    ) -> Batch:
        """Return what is ready, waiting up to ``seconds`` for it; ``limit`` caps the number of pieces, ``size`` their bytes.

        Raises a WsmanFault when there is nothing in time, the target is closed or its end has been taken, and
        ConnectionResetError when the client went away meanwhile: then nothing is taken.
        """
        if self._ended:
            raise faults.unknown_command()
        self._interruption = None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not self._items and self.exit_code is None and self._closed is None:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), max(0.0, deadline - loop.time()))
            except TimeoutError:
                raise faults.timed_out() from None
            if client_gone():
                # Another Receive for the same data may be waiting.
                self._changed.set()
                raise ConnectionResetError
            if self._interruption is not None:
                raise self._interruption
        if self._closed is not None:
            raise self._closed
        return self._pop(limit, min(size, MAX_ANSWER_BYTES))

    def _pop(self, limit: int | None, size: int) -> Batch:
        if self._items and len(self._items[0][1]) > size:
            raise quota_faults.envelope_exceeded()
        taken: list[tuple[str, bytes]] = []
        while self._items and len(self._items[0][1]) <= size and (limit is None or len(taken) < limit):
            taken.append(self._items.popleft())
            size -= len(taken[-1][1])
        exit_code = None if self._items else self.exit_code
        self._ended = exit_code is not None
        return Batch(tuple(taken), exit_code)
