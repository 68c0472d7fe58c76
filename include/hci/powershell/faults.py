"""Deciding what an exception from pypsrp means: which error it is, and whether the pipeline may be given again."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol
from xml.etree.ElementTree import ParseError

from pypsrp.exceptions import (
    AuthenticationError,
    FragmentError,
    InvalidPSRPOperation,
    SerializationError,
    WinRMError,
    WinRMTransportError,
    WSManFaultError,
)
from requests_credssp.exceptions import AuthenticationException, InvalidConfigurationException, NTStatusException
from spnego.exceptions import SpnegoError

from include.hci.powershell.catalogue import format_code, known_code, plain_code
from include.hci.powershell.errors import (
    AnswerNotUnderstood,
    AuthenticationRefused,
    CertificateRefused,
    ChangeDeadlineExceeded,
    ConnectionLost,
    DeadlineExceeded,
    EndpointRefused,
    NodeUnreachable,
    OutcomeUnknown,
    RemotingError,
)
from include.hci.powershell.login_steps import NO_CONTROLLER
from include.hci.powershell.transport import OPERATION_TIMED_OUT, LinkBroken, TimeIsUp

#: The shell is not there any more: 995 for a request that was waiting, 2150858843 for a later one.
_ABORTED: Final = 995
SHELL_GONE: Final = frozenset({_ABORTED, 2150858843})

#: The shell has run as many commands as it may: as good as gone (wsmerror.h, ..._MAX_COMMANDS_PER_SHELL_PPQ).
SHELL_USED_UP: Final = 2150859241

#: Faults that say that a request was not even begun: no rights, nothing of that name, a limit (wsmerror.h; the limits also in
#: PowerShell's CimChildJobBase). Any other answer to an order, of a host process that died say, leaves open whether it ran.
_TURNED_DOWN: Final = frozenset(
    {
        *(5, 87, 0x80338000, 0x80338001, 0x80338002, 0x8033803B),
        *(0x8033803F, 0x803381A5, 0x803381A6, 0x803381A7, 0x803381A8, 0x803381AB, 0x803381AC),
        *range(0x803381E4, 0x803381EB),
    }
)

_LOGIN = (
    AuthenticationError,
    AuthenticationException,
    NTStatusException,
    SpnegoError,
    InvalidConfigurationException,
    ImportError,
)
_GARBLED = (
    SerializationError,
    FragmentError,
    ParseError,
    struct.error,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


class Garbled(Exception):
    """What the node sent could not be decoded."""


class PipelineStopped(Exception):
    """The node stopped the pipeline of its own accord."""

    def __init__(self) -> None:
        super().__init__("the node stopped the pipeline")


@contextmanager
def decoding() -> Iterator[None]:
    """Turn whatever pypsrp trips over in an answer into Garbled, so that other code's errors are not taken for it."""
    try:
        yield
    except _GARBLED as error:
        raise Garbled(f"{type(error).__name__}: {error}") from error


class Phase(Enum):
    """How far a run had come."""

    OPENING = "while the session was opened"
    ORDERING = "while the command was sent"
    RUNNING = "while the command was running"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to make of an exception.

    ``error`` is what the caller gets if nothing helps; ``again`` whether the whole pipeline may be given again after a pause,
    ``at_once`` whether without one; ``silent`` whether the node does not answer, or lets nobody in, so that taking leave of it is
    pointless; ``keep`` whether the session is still good.
    """

    error: RemotingError
    again: bool = False
    at_once: bool = False
    silent: bool = False
    keep: bool = False


class _CutShort(Protocol):
    def __call__(self, detail: str, *, silent: bool = False, at_once: bool = False) -> Verdict: ...


def judge(error: Exception, phase: Phase, *, node: str, command: str, change: bool, given: float) -> Verdict | None:
    """Return what ``error`` means, or None where it is nothing that remoting could explain.

    ``change`` says whether the command may change something, ``given`` how many seconds the run had.
    """
    reached = phase is not Phase.OPENING

    def cut_short(detail: str, *, silent: bool = False, at_once: bool = False) -> Verdict:
        text = f"{detail} {phase.value}"
        if not reached:
            return Verdict(NodeUnreachable(text, node=node, command=command), again=not silent, silent=silent)
        if change:
            return Verdict(OutcomeUnknown(text, node=node, command=command), silent=silent)
        return Verdict(ConnectionLost(text, node=node, command=command), not silent, at_once, silent)

    if change and phase is Phase.RUNNING and lets_nobody_in(error):
        # The command was taken long before: whoever cannot ask about it any more does not know what came of it.
        return cut_short(str(error) or type(error).__name__, silent=True)
    match error:
        case TimeIsUp():
            kind = ChangeDeadlineExceeded if change and reached else DeadlineExceeded
            quiet = "; the node did not answer any more" if error.silent else ""
            detail = f"not finished {given:g} s after it was begun, {phase.value}{quiet}"
            return Verdict(kind(detail, node=node, command=command), silent=error.silent, keep=not error.silent)
        case LinkBroken() if error.untrusted:
            return Verdict(CertificateRefused(str(error), node=node, command=command), silent=True)
        case LinkBroken() if not error.reached and phase is not Phase.RUNNING:
            return Verdict(NodeUnreachable(str(error), node=node, command=command), silent=error.silent)
        case LinkBroken():
            return cut_short(str(error), silent=error.silent)
        case WSManFaultError():
            return _judge_fault(error, phase, cut_short, node=node, command=command, change=change)
        case WinRMTransportError() if error.code == 503:
            return Verdict(NodeUnreachable("WinRM is not running (HTTP 503)", node=node, command=command))
        case WinRMTransportError():
            detail = f"it answered with HTTP {error.code} {phase.value}"
            return cut_short(detail) if reached else Verdict(EndpointRefused(detail, node=node, command=command))
        case _ if isinstance(error, _LOGIN) and NO_CONTROLLER.search(str(error)):
            return Verdict(NodeUnreachable(str(error), node=node, command=command))
        case _ if isinstance(error, _LOGIN):
            # Whatever else was sent now would only be another login with the same password.
            detail = str(error) or type(error).__name__
            return Verdict(AuthenticationRefused(detail, node=node, command=command), silent=True)
        case PipelineStopped():
            return cut_short(str(error))
        case InvalidPSRPOperation() if not reached:
            return Verdict(EndpointRefused(str(error), node=node, command=command))
        case AnswerNotUnderstood() if change and reached:
            # An error record, say, that is none: the command was given.
            return Verdict(OutcomeUnknown(error.detail, node=node, command=command))
        case Garbled() | WinRMError() | OSError():
            detail = f"{error} {phase.value}"
            if change and reached:
                return Verdict(OutcomeUnknown(detail, node=node, command=command))
            return Verdict(AnswerNotUnderstood(detail, node=node, command=command))
    return None


def lets_nobody_in(error: BaseException) -> bool:
    """Return whether ``error`` kept a request from being looked at: it says nothing about a command that runs already."""
    if isinstance(error, LinkBroken):
        return error.untrusted
    return isinstance(error, _LOGIN) or (isinstance(error, WinRMTransportError) and error.code == 503)


def _judge_fault(
    fault: WSManFaultError, phase: Phase, cut_short: _CutShort, *, node: str, command: str, change: bool
) -> Verdict:
    code = fault.code if isinstance(fault.code, int) else 0
    known = known_code(code) if code else None
    reason = " ".join((fault.reason or fault.provider_fault or (known.meaning if known else "")).split())
    detail = f"{reason or 'WSMan fault'} ({format_code(code) if code else fault.code})"
    # A request that was aborted while it waited (995) had been taken: only a change that was turned down is given again.
    turned_down = SHELL_GONE if not change else SHELL_GONE - {_ABORTED}
    if phase is Phase.ORDERING and (code in turned_down or code == SHELL_USED_UP):
        # The node turned the command down, so it certainly did not run: giving it again in a new session is safe for any.
        return Verdict(ConnectionLost(detail, node=node, command=command), again=True, at_once=True)
    if code in SHELL_GONE or (code == OPERATION_TIMED_OUT and phase is not Phase.OPENING):
        return cut_short(detail, at_once=code in SHELL_GONE)
    if phase is Phase.RUNNING or (phase is Phase.ORDERING and not _is_turned_down(code)):
        return cut_short(detail)
    return Verdict(
        EndpointRefused(
            detail,
            node=node,
            command=command,
            meaning=known.meaning if known else None,
            next_action=known.next_action if known else None,
            retry_safe=known.retry_safe if known else None,
        )
    )


def _is_turned_down(code: int) -> bool:
    return code in _TURNED_DOWN or plain_code(code) in _TURNED_DOWN
