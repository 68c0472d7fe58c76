"""Reading for the readiness checks: what fails becomes a finding, and how long each subject took is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from include.hci.policy.readiness import Subject, Unread
from include.hci.powershell.errors import (
    CommandFailed,
    CommandNotAvailable,
    ConnectionLost,
    NodeUnreachable,
    RemotingError,
)
from include.hci.powershell.shell import Shell
from include.hci.steps.decisions import Clock
from include.hci.steps.failures import is_refused, is_unknown

T = TypeVar("T")

#: ERROR_ACCESS_DENIED, also as the HRESULT that CIM and CAU answer with (win32, system error codes).
_DENIED = (5, 0x80070005)
#: Their commands come with tools that a machine may well be without; that is no question of rights.
_TOOLS: frozenset[Subject] = frozenset({"cau-run", "cau-role", "cau-setup", "validation"})


class Readings:
    """What was asked for, what was not answered, and how many seconds each subject took on ``clock``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._took: dict[Subject, timedelta] = {}
        self.unread: list[Unread] = []
        self.not_asked: dict[Subject, str] = {}

    @property
    def durations(self) -> dict[Subject, float]:
        """The seconds per subject, all nodes together."""
        return {subject: took.total_seconds() for subject, took in self._took.items()}

    def cluster(
        self,
        subject: Subject,
        shells: Sequence[Shell],
        read: Callable[[Shell], T],
        *,
        any_error: bool = False,
        any_answer: bool = False,
    ) -> T | None:
        """Return what ``read`` gives on the first of ``shells`` that can be reached, or None with the reason noted.

        With ``any_answer`` the next one is asked where one answers with an error, with ``any_error`` whatever becomes of it.
        """
        begun = self._clock()
        passes_on: tuple[type[RemotingError], ...] = (ConnectionLost, NodeUnreachable)
        if any_error:
            passes_on = (RemotingError,)
        elif any_answer:
            passes_on = (*passes_on, CommandFailed)
        try:
            return _first(shells, read, passes_on)
        except RemotingError as error:
            self.miss(subject, error)
            return None
        finally:
            self._count(subject, begun)

    def node(self, subject: Subject, node: str, read: Callable[[], T]) -> T | None:
        """Return what ``read`` gives, or None with the reason noted; raises when ``node`` as a whole does not answer."""
        begun = self._clock()
        try:
            return read()
        except RemotingError as error:
            if is_unknown(error) or is_refused(error):
                raise
            self.miss(subject, error, node)
            return None
        finally:
            self._count(subject, begun)

    def miss(self, subject: Subject, error: RemotingError, node: str = "") -> None:
        """Note that ``subject`` was asked for and not answered."""
        self.unread.append(Unread(subject, error.detail, node, _lacks_rights(subject, error)))

    def _count(self, subject: Subject, begun: datetime) -> None:
        self._took[subject] = self._took.get(subject, timedelta(0)) + (self._clock() - begun)


def _first(
    shells: Sequence[Shell],
    read: Callable[[Shell], T],
    passes_on: tuple[type[RemotingError], ...],
) -> T:
    *others, last = shells
    for shell in others:
        try:
            return read(shell)
        except passes_on:
            continue
    return read(last)


def _lacks_rights(subject: Subject, error: RemotingError) -> bool:
    if isinstance(error, CommandNotAvailable):
        return subject not in _TOOLS
    if not isinstance(error, CommandFailed):
        return is_refused(error)
    denied = any(record.category.lower() == "permissiondenied" for record in error.records)
    return denied or any(error.has_code(code) for code in _DENIED)
