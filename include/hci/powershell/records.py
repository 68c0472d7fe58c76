"""What a pipeline says beside its output: errors, progress and messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

_HEX_CODE: Final = re.compile(r"\b0x[0-9a-fA-F]{8}\b")

#: Names that the FailoverClusters module gives its errors. The exception inside one, which holds the number, crosses the wire as
#: text only (dpaulson45/HealthChecker issue 195 and dsccommunity/FailoverClusterDsc issue 148 show whole records).
_CODES_OF_NAMES: Final = MappingProxyType(
    {"clusterendpointnotregistered": 1753, "clusterrpcconnection": 1722, "clusteraccessdenied": 5}
)
#: What Windows says to the codes that are acted on (win32, system error codes): the last line of such an error, in the language
#: of the session, which is English unless the connection says otherwise.
_CODES_OF_TEXTS: Final = MappingProxyType(
    {
        "a system shutdown is in progress": 1115,
        "a system shutdown has already been scheduled": 1190,
        "the cluster node is down": 5050,
        "the cluster node is not paused": 5058,
        "the cluster node is paused": 5070,
        "the cluster node is shutting down": 5073,
        "a node drain is already in progress": 5962,
        "a clustered space is in a degraded condition and the requested action cannot be completed at this time": 5987,
    }
)


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """One error as PowerShell wrote it.

    ``fully_qualified_error_id`` is the error's name and where it came from, joined by commas; ``category`` a name of the
    ErrorCategory enumeration; ``exception_types`` run from the most to the least derived class; ``hresult`` and ``native_code``
    are the numbers the exception carried (``hresult`` unsigned), where there were any; ``command`` is the command that failed.
    """

    message: str
    fully_qualified_error_id: str = ""
    category: str = "NotSpecified"
    reason: str = ""
    target: str = ""
    target_type: str = ""
    exception_types: tuple[str, ...] = ()
    hresult: int | None = None
    native_code: int | None = None
    command: str = ""
    details: str = ""
    recommended_action: str = ""

    @property
    def error_id(self) -> str:
        """The name of the error without the place it came from."""
        return self.fully_qualified_error_id.partition(",")[0]

    def codes(self) -> Iterator[int]:
        """Give every number that may say what went wrong, the most telling first."""
        if self.native_code:
            yield self.native_code
        yield from self._said()
        if self.hresult:
            yield self.hresult
        for found in _HEX_CODE.finditer(f"{self.message} {self.details} {self.fully_qualified_error_id}"):
            yield int(found[0], 16)

    def _said(self) -> Iterator[int]:
        """Give the code that an error without a number tells by its name or by Windows's own words."""
        named = _CODES_OF_NAMES.get(self.error_id.lower())
        if named is not None:
            yield named
        of_cluster = any(name.endswith(".ClusterCmdletException") for name in self.exception_types)
        if of_cluster or self.error_id.lower() == "restartcomputerfailed":
            text = " ".join(self.message.split()).rstrip(" .").lower()
            yield from (code for words, code in _CODES_OF_TEXTS.items() if text.endswith(words))

    def describe(self) -> str:
        """Return the error as one line: the command, what it said, and the name to look it up by."""
        who = f"{self.command}: " if self.command else ""
        name = f" [{self.fully_qualified_error_id}]" if self.fully_qualified_error_id else ""
        return f"{who}{' '.join(self.message.split())}{name}"

    def __str__(self) -> str:
        return self.describe()


@dataclass(frozen=True, slots=True)
class ProgressRecord:
    """How far a command says it is.

    ``percent`` (0 to 100) and ``seconds_remaining`` are None where the command does not know; ``completed`` marks the last
    record of an activity.
    """

    activity: str
    status: str = ""
    percent: int | None = None
    operation: str = ""
    seconds_remaining: int | None = None
    activity_id: int = 0
    completed: bool = False

    def describe(self) -> str:
        """Return the record as one line."""
        parts = [self.activity]
        if self.status:
            parts.append(self.status)
        if self.operation:
            parts.append(self.operation)
        if self.percent is not None:
            parts.append(f"{self.percent}%")
        if self.seconds_remaining is not None:
            parts.append(f"about {self.seconds_remaining} s left")
        return ", ".join(parts)


class Stream(StrEnum):
    """The streams that carry messages."""

    WARNING = "warning"
    VERBOSE = "verbose"
    DEBUG = "debug"
    INFORMATION = "information"


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the warning, verbose, debug or information stream."""

    stream: Stream
    text: str
    command: str = ""
    tags: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        return self.text
