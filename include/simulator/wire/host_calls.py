"""Calls of a running pipeline to the host of its client (MS-PSRP 2.2.2.27 and 2.2.2.28)."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Callable
from typing import Final

from psrpcore.types import HostMethodIdentifier, PSRPMessageType

from include.simulator.objects import Int64, SimEnum, SimObject
from include.simulator.wire.clixml import FULL_DEPTH, Typed

#: The call id of methods that answer nothing.
_NO_ANSWER: Final = -100
_METHOD_TYPE: Final = "System.Management.Automation.Remoting.RemoteHostMethodId"
_ARRAY_LIST: Final = ("System.Collections.ArrayList", "System.Object")

Emit = Callable[..., None]


class HostCalls:
    """The calls of one session; their ids run on over its pipelines."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[object]] = {}

    def tell(self, pipeline_id: uuid.UUID, method: str, *arguments: object) -> None:
        """Call a method that answers nothing."""
        self._send(pipeline_id, _NO_ANSWER, method, arguments)

    async def ask(self, pipeline_id: uuid.UUID, method: str, *arguments: object) -> object:
        """Call a method and wait for the client's answer."""
        number = next(self._ids)
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._send(pipeline_id, number, method, arguments)
            return await answer
        finally:
            del self._waiting[number]

    def answered(self, number: int, value: object) -> None:
        """Hand the answer of the client to who waits for it."""
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(value)

    def _send(self, pipeline_id: uuid.UUID, number: int, method: str, arguments: tuple[object, ...]) -> None:
        kind = SimEnum(_METHOD_TYPE, int(HostMethodIdentifier[method]), method)
        listed = [Typed(_ARRAY_LIST, each) if isinstance(each, list | tuple) else each for each in arguments]
        notes: dict[str, object] = {"ci": Int64(number), "mi": kind, "mp": Typed(_ARRAY_LIST, listed)}
        self._emit(PSRPMessageType.PipelineHostCall, SimObject((), {}, notes), pipeline_id, depth=FULL_DEPTH)


class ClientHost:
    """The client's host as one pipeline sees it."""

    def __init__(self, calls: HostCalls, pipeline_id: uuid.UUID) -> None:
        self._calls = calls
        self._pipeline_id = pipeline_id

    async def ask(self, method: str, *arguments: object) -> object:
        """Call a method and return the client's answer."""
        return await self._calls.ask(self._pipeline_id, method, *arguments)

    def tell(self, method: str, *arguments: object) -> None:
        """Call a method that answers nothing."""
        self._calls.tell(self._pipeline_id, method, *arguments)
