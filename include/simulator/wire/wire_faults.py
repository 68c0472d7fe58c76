"""Faults that a test orders on the wire of one machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

_MEMBERS: Final = ("kind", "action", "count", "skip", "seconds", "account", "password", "quota")

#: Leave nothing to linger: closing the socket then sends a reset instead of an orderly end.
_RESET = struct.pack("ii", 1, 0)


class FaultKind(StrEnum):
    """What goes wrong."""

    #: New TCP connections are refused until the fault is cleared.
    REFUSE = "refuse"
    #: The request is carried out, half of the answer is sent, then the connection is reset.
    RESET = "reset"
    #: The request is carried out, then the connection is reset and its answer is gone for good: Windows keeps an answer only for
    #: clients that name an OperationID (MS-WSMV 3.1.4.1.39).
    LOSE = "lose"
    #: The connection is reset before the request is carried out.
    RESET_BEFORE = "reset-before"
    #: The request is read and never answered, nor carried out.
    SILENCE = "silence"
    #: The request is carried out, half of the answer is sent and nothing more.
    HALF_ANSWER = "half-answer"
    #: The request is carried out and its answer comes ``seconds`` late.
    SLOW = "slow"
    #: Every session of the machine that is at least ``seconds`` old is gone when the request arrives; with ``count`` None
    #: also without a request, which is a session that never outlives so many seconds.
    KILL_SESSIONS = "kill-sessions"
    #: The password of ``account`` becomes ``password``: the old one is refused at the next log-in, open ones stay until then.
    #: The account is the domain's, so this concerns every machine of the server. Clearing the fault restores the old one.
    ROTATE_CREDENTIALS = "rotate-credentials"
    #: The request is answered with the fault for the used up ``quota``: shells, commands or operations.
    QUOTA = "quota"


#: The WS-Management action that each quota limits.
QUOTA_ACTIONS: Final[Mapping[str, str | None]] = {"shells": "Create", "commands": "Command", "operations": None}


@dataclass(slots=True)
class WireFault:
    """One ordered fault.

    It strikes requests whose WS-Management action ends in ``action`` (any request, log-in legs too, when None), after
    letting ``skip`` of them pass, ``count`` times (None: until cleared). ``seconds`` is the delay of SLOW and the age of
    KILL_SESSIONS. ROTATE_CREDENTIALS takes effect ``seconds`` after it is ordered and strikes no request.
    """

    kind: FaultKind
    action: str | None = None
    count: int | None = 1
    skip: int = 0
    seconds: float = 0.0
    account: str = ""
    password: str = field(default="", repr=False)
    quota: str = "shells"
    struck: int = field(default=0, init=False)
    ended: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False, compare=False)

    @classmethod
    def from_mapping(cls, order: Mapping[str, object]) -> WireFault:
        """Return the fault that a control call or a scenario file orders; raises ValueError that names what is wrong."""
        unknown = sorted(set(order) - set(_MEMBERS))
        if unknown:
            raise ValueError(f"A wire fault has no {', '.join(unknown)}; it has {', '.join(_MEMBERS)}.")
        kinds = ", ".join(FaultKind)
        if order.get("kind") not in tuple(FaultKind):
            raise ValueError(f"There is no wire fault of kind {order.get('kind')!r}; choose one of {kinds}.")
        action = order.get("action")
        if not isinstance(action, str | None):
            raise ValueError(f"The action of a wire fault is the name of a WS-Management action, not {action!r}.")
        kind = FaultKind(str(order["kind"]))
        quota = str(order.get("quota", "shells"))
        if quota not in QUOTA_ACTIONS:
            raise ValueError(f"There is no quota of {quota!r}; choose one of {', '.join(QUOTA_ACTIONS)}.")
        if kind is FaultKind.ROTATE_CREDENTIALS and not (order.get("account") and order.get("password")):
            raise ValueError("Rotating credentials needs the account and its new password.")
        if kind is FaultKind.QUOTA and action is None:
            action = QUOTA_ACTIONS[quota]
        forever = "count" in order and order["count"] is None
        return cls(
            kind,
            action,
            None if forever else int(_number(order, "count", 1)),
            int(_number(order, "skip", 0)),
            _number(order, "seconds", 0.0),
            str(order.get("account", "")),
            str(order.get("password", "")),
            quota,
        )


def _number(order: Mapping[str, object], name: str, default: float) -> float:
    value = order.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"The {name} of a wire fault is a number from 0, not {value!r}.")
    return value


_NO_REQUEST: Final = frozenset({FaultKind.REFUSE, FaultKind.ROTATE_CREDENTIALS})


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
        return any(fault.kind is FaultKind.REFUSE for fault in self._faults)

    @property
    def session_seconds(self) -> float | None:
        """How old a session may get, None when no standing fault limits that."""
        return min(
            (each.seconds for each in self._faults if each.kind is FaultKind.KILL_SESSIONS and each.count is None),
            default=None,
        )

    def strike(self, action: str | None) -> WireFault | None:
        """Return the fault that hits a request; ``action`` is None before the request is decrypted."""
        for fault in self._faults:
            if fault.kind in _NO_REQUEST or (fault.action or "").lower() != (action or "").lower():
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
