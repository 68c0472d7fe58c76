"""Sessions that stay open between uses: opening one costs several times what a command costs."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.errors import AnswerNotUnderstood, CommandFailed, NodeUnreachable
from include.hci.powershell.psrp import PsrpShell
from include.hci.powershell.result import Result
from include.hci.powershell.shell import OnProgress, Shell

logger = logging.getLogger(__name__)

DEFAULT_IDLE: Final = timedelta(minutes=5)
DEFAULT_WAIT: Final = timedelta(seconds=30)
DEFAULT_MAX: Final = 4
DEFAULT_FAREWELL: Final = timedelta(seconds=15)


class ClosableShell(Shell, Protocol):
    """A shell that can be closed; closing never raises."""

    def close(self) -> None:
        """Give up the session."""
        ...


class NoFreeSession(NodeUnreachable):
    """Every session that may be open to the node is in use: nothing was sent, another node may be asked, and it passes."""

    title = "No free session"
    default_meaning = "every session that may be open to the node is in use"
    default_next_action = "Try again later, or allow more sessions for one node."
    default_retry_safe = True


class Lease:
    """A shell that belongs to one caller until it is given back; a ``Shell`` itself."""

    __slots__ = ("_busy", "_given_back", "_shell", "key", "node")

    def __init__(self, shell: ClosableShell, key: str, node: str) -> None:
        self.key = key
        self.node = node
        self._shell = shell
        self._given_back = False
        self._busy = threading.Lock()

    def run(
        self,
        pipeline: Command | Pipeline,
        *,
        timeout: timedelta | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        """Run ``pipeline`` as ``Shell.run`` says; RuntimeError in a second thread at once or after giving it back."""
        if not self._busy.acquire(blocking=False):
            raise RuntimeError(f"The session on {self.node} is in use by another thread; take a lease of your own.")
        try:
            if self._given_back:
                raise RuntimeError(f"The session on {self.node} was given back; take a new lease.")
            return self._shell.run(pipeline, timeout=timeout, on_progress=on_progress)
        finally:
            self._busy.release()

    def _surrender(self) -> ClosableShell:
        if not self._busy.acquire(blocking=False):
            raise RuntimeError(f"The session on {self.node} is still running something and cannot be given back.")
        try:
            if self._given_back:
                raise RuntimeError(f"The session on {self.node} was given back already.")
            self._given_back = True
            return self._shell
        finally:
            self._busy.release()


@dataclass(slots=True)
class _Idle:
    shell: ClosableShell
    since: float


class ShellPool:
    """Lends out shells, one caller each, and keeps them open between leases.

    At most ``max_per_key`` shells exist per connection at a time; whoever wants one more waits. Shells that nobody used for
    ``idle`` are closed. Safe for use by many threads; a forked process starts with an empty pool.
    """

    def __init__(
        self,
        factory: Callable[[ConnectionSettings], ClosableShell] = PsrpShell,
        *,
        max_per_key: int = DEFAULT_MAX,
        idle: timedelta = DEFAULT_IDLE,
    ) -> None:
        if max_per_key < 1:
            raise ValueError(f"A pool needs room for at least one session per connection, not {max_per_key}.")
        self._factory = factory
        self._max = max_per_key
        self._idle_seconds = idle.total_seconds()
        self._changed = threading.Condition()
        self._idle: defaultdict[str, list[_Idle]] = defaultdict(list)
        self._leased: defaultdict[str, int] = defaultdict(int)
        self._reaper: threading.Thread | None = None
        self._process = os.getpid()

    @contextmanager
    def lease(self, settings: ConnectionSettings, *, wait: timedelta = DEFAULT_WAIT) -> Iterator[Lease]:
        """Lend a shell for a ``with`` block; what breaks out of the block decides whether it is kept.

        A command that failed leaves the session as good as it was; after anything else it is discarded.
        """
        lease = self.acquire(settings, wait=wait)
        try:
            yield lease
        except (CommandFailed, AnswerNotUnderstood):
            self.release(lease)
            raise
        except BaseException:
            self.discard(lease)
            raise
        else:
            self.release(lease)

    def acquire(self, settings: ConnectionSettings, *, wait: timedelta = DEFAULT_WAIT) -> Lease:
        """Lend a shell until ``release`` or ``discard``; raises NoFreeSession where none comes free within ``wait``."""
        key = settings.key()
        deadline = time.monotonic() + wait.total_seconds()
        with self._changed:
            self._forget_parent()
            while True:
                if self._idle[key]:
                    # The one used last is the least likely to have been dropped by the node.
                    shell = self._idle[key].pop().shell
                    break
                if self._leased[key] < self._max:
                    shell = self._factory(settings)
                    break
                left = deadline - time.monotonic()
                if left <= 0:
                    raise NoFreeSession(
                        f"{self._max} are in use and none came free within {wait.total_seconds():g} s",
                        node=settings.node,
                    )
                self._changed.wait(left)
            self._leased[key] += 1
        return Lease(shell, key, settings.node)

    def release(self, lease: Lease) -> None:
        """Take a shell back and keep it open for the next one."""
        shell = lease._surrender()
        with self._changed:
            if self._process != os.getpid():
                return
            self._leased[lease.key] -= 1
            self._idle[lease.key].append(_Idle(shell, time.monotonic()))
            if self._reaper is None:
                self._reaper = threading.Thread(target=self._reap, name="hci-idle-sessions", daemon=True)
                self._reaper.start()
            self._changed.notify_all()

    def discard(self, lease: Lease) -> None:
        """Take a shell back and close it, because its session cannot be trusted any more."""
        shell = lease._surrender()
        with self._changed:
            if self._process != os.getpid():
                return
            self._leased[lease.key] -= 1
            self._changed.notify_all()
        shell.close()

    def close_all(self, within: timedelta = DEFAULT_FAREWELL) -> None:
        """Close every shell that is not lent out; those that are get closed by their borrowers' ``discard``.

        Nodes that do not answer would keep a process from ending for minutes: what is left after ``within`` is left to their idle
        time-out.
        """
        until = time.monotonic() + within.total_seconds()
        with self._changed:
            self._forget_parent()
            idle = [item for items in self._idle.values() for item in items]
            self._idle.clear()
            self._changed.notify_all()
        for number, item in enumerate(idle):
            if time.monotonic() >= until:
                logger.debug("%d sessions are left to end by themselves.", len(idle) - number)
                return
            item.shell.close()

    def counts(self, settings: ConnectionSettings) -> tuple[int, int]:
        """Return how many shells of a connection are lent out and how many are idle."""
        key = settings.key()
        with self._changed:
            return self._leased[key], len(self._idle[key])

    def _forget_parent(self) -> None:
        # A forked child shares its parent's sockets: closing or using them would disturb the parent.
        if self._process != os.getpid():
            self._process = os.getpid()
            self._idle.clear()
            self._leased.clear()
            self._reaper = None

    def _reap(self) -> None:
        """Close shells whose idle time is over, until none is idle."""
        while True:
            with self._changed:
                now = time.monotonic()
                expired: list[_Idle] = []
                for items in self._idle.values():
                    expired += [item for item in items if now - item.since >= self._idle_seconds]
                    items[:] = [item for item in items if now - item.since < self._idle_seconds]
                if not expired:
                    left = [item.since for items in self._idle.values() for item in items]
                    if not left:
                        self._reaper = None
                        return
                    self._changed.wait(max(0.01, min(left) + self._idle_seconds - now))
            for item in expired:
                logger.debug("Closing a session nobody used for %.0f s.", self._idle_seconds)
                item.shell.close()
