"""Faults that a test orders on the wire of one machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: Leave nothing to linger: closing the socket then sends a reset instead of an orderly end.
_RESET = struct.pack("ii", 1, 0)


class FaultKind(StrEnum):
    """What goes wrong."""

    #: New TCP connections are refused until the fault is cleared.
    REFUSED = "refused"
    #: The request is carried out, half of the answer is sent, then the connection is reset.
    RESET = "reset"
    #: The connection is reset before the request is carried out.
    RESET_BEFORE = "reset-before"
    #: The request is read and never answered, nor carried out.
    SILENCE = "silence"
    #: The request is carried out, half of the answer is sent and nothing more.
    HALF_ANSWER = "half-answer"
    #: The request is carried out and its answer comes ``seconds`` late.
    SLOW = "slow"
    #: Every shell of the machine is gone when the request arrives.
    KILL_SHELLS = "kill-shells"


@dataclass(slots=True)
class WireFault:
    """One ordered fault.

    It strikes requests whose WS-Management action ends in ``action`` (any request, log-in legs too, when None), after
    letting ``skip`` of them pass, ``count`` times (None: until cleared). ``seconds`` is the delay of SLOW.
    """

    kind: FaultKind
    action: str | None = None
    count: int | None = 1
    skip: int = 0
    seconds: float = 0.0
    struck: int = field(default=0, init=False)
    ended: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False, compare=False)

    @classmethod
    def from_mapping(cls, order: Mapping[str, object]) -> WireFault:
        """Return the fault that a control call or a scenario file orders; raises ValueError that names what is wrong."""
        unknown = sorted(set(order) - {"kind", "action", "count", "skip", "seconds"})
        if unknown:
            raise ValueError(f"A wire fault has no {', '.join(unknown)}; it has kind, action, count, skip and seconds.")
        kinds = ", ".join(FaultKind)
        if order.get("kind") not in tuple(FaultKind):
            raise ValueError(f"There is no wire fault of kind {order.get('kind')!r}; choose one of {kinds}.")
        action = order.get("action")
        if not isinstance(action, str | None):
            raise ValueError(f"The action of a wire fault is the name of a WS-Management action, not {action!r}.")
        forever = "count" in order and order["count"] is None
        return cls(
            FaultKind(str(order["kind"])),
            action,
            None if forever else int(_number(order, "count", 1)),
            int(_number(order, "skip", 0)),
            _number(order, "seconds", 0.0),
        )


def _number(order: Mapping[str, object], name: str, default: float) -> float:
    value = order.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"The {name} of a wire fault is a number from 0, not {value!r}.")
    return value


class FaultList:
    """The faults of one machine."""

    def __init__(self) -> None:
        self._faults: list[WireFault] = []

    def add(self, fault: WireFault) -> None:
        """Order a fault."""
        self._faults.append(fault)

    def clear(self) -> None:
        """End every fault; connections that were held in silence are then closed."""
        for fault in self._faults:
            fault.ended.set()
        self._faults.clear()

    @property
    def refusing(self) -> bool:
        """Whether connections are to be refused."""
        return any(fault.kind is FaultKind.REFUSED for fault in self._faults)

    def strike(self, action: str | None) -> WireFault | None:
        """Return the fault that hits a request; ``action`` is None before the request is decrypted."""
        for fault in self._faults:
            if fault.kind is FaultKind.REFUSED or (fault.action or "").lower() != (action or "").lower():
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.struck += 1
            if fault.count is not None:
                fault.count -= 1
                if fault.count <= 0:
                    self._faults.remove(fault)
            return fault
        return None


def reset(writer: asyncio.StreamWriter) -> None:
    """Reset the TCP connection, whatever is still to be sent on it."""
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None:
        # The peer may have closed it already.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
