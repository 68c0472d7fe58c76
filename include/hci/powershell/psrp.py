"""A shell over PowerShell remoting: one connection, one session, one pipeline at a time, and a deadline for each."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol, cast

from pypsrp.complex_objects import PSInvocationState, RunspacePoolState
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell
from pypsrp.wsman import SelectorSet

from include.hci.powershell.command import Command, Pipeline, as_pipeline
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.decoder import OutputRunspacePool
from include.hci.powershell.errors import command_failed
from include.hci.powershell.faults import Phase, PipelineStopped, Verdict, decoding, judge, lets_nobody_in
from include.hci.powershell.outgoing import build
from include.hci.powershell.policy import RetryPolicy
from include.hci.powershell.records import Stream
from include.hci.powershell.result import Result
from include.hci.powershell.shell import OnProgress
from include.hci.powershell.streams import StreamReader
from include.hci.powershell.transport import OPERATION_TIMED_OUT, BoundedWSMan, LinkBroken, TimeIsUp

logger = logging.getLogger(__name__)

DEFAULT_TIMEOUT: Final = timedelta(minutes=2)

#: How many seconds taking leave of a pipeline or a session may take.
FAREWELL: Final = 5.0

#: After so many idle seconds a command that changes something gets a fresh connection: one that died meanwhile, unnoticed,
#: would leave its outcome unknown for nothing.
STALE_AFTER: Final = 5.0


class Transport(Protocol):
    """What a shell needs of the way to the node."""

    deadline: float | None
    last_exchange: float

    def reset(self) -> None:
        """Forget the connection; the next request starts a fresh one."""
        ...


def _transport(pool: OutputRunspacePool) -> Transport:
    return cast("Transport", pool.connection.transport)


Connect = Callable[[ConnectionSettings], OutputRunspacePool]


def connect_with(policy: RetryPolicy) -> Connect:
    """Return the ordinary way to a node: a session over pypsrp with bounded waits, not opened yet."""

    def connect(settings: ConnectionSettings) -> OutputRunspacePool:
        return OutputRunspacePool(
            BoundedWSMan(settings, policy),
            settings.node,
            configuration_name=settings.configuration_name,
            idle_timeout=settings.idle_timeout,
        )

    return connect


def take_back(pool: OutputRunspacePool) -> None:
    """End a session that may have come about without this side being told; one that did not is no error.

    It would count against the account's shells on the node until its idle time-out.
    """
    transport = _transport(pool)
    transport.deadline = time.monotonic() + FAREWELL
    selectors = SelectorSet()
    selectors.add_option("ShellId", pool.id)
    with contextlib.suppress(Exception):
        pool.connection.delete(pool.shell.resource_uri, selector_set=selectors)


class PsrpShell:
    """Runs pipelines on one node in one session, which opens with the first of them and stays open.

    ``policy`` governs how reading pipelines and broken connections are tried again; a pipeline that changes something is never
    given twice unless the node turned it down. Deadlines are kept to about a second, the finest that WSMan waits. ``connect``
    makes the session; its connection's ``transport`` must be a ``Transport``. One thread at a time: a second one gets
    RuntimeError.
    """

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        policy: RetryPolicy | None = None,
        default_timeout: timedelta = DEFAULT_TIMEOUT,
        connect: Connect | None = None,
    ) -> None:
        self.settings = settings
        self.policy = policy or RetryPolicy()
        self.default_timeout = default_timeout
        self._connect = connect or connect_with(self.policy)
        self._pool: OutputRunspacePool | None = None
        self._busy = threading.Lock()

    def __enter__(self) -> PsrpShell:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"PsrpShell({self.settings.endpoint!r}, open={self.is_open})"

    @property
    def node(self) -> str:
        """What messages call the node."""
        return self.settings.node

    @property
    def is_open(self) -> bool:
        """Whether a session is open as far as this side knows; the node may have dropped it."""
        return self._pool is not None and self._pool.state == RunspacePoolState.OPENED

    def run(
        self,
        pipeline: Command | Pipeline,
        *,
        timeout: timedelta | None = None,
        on_progress: OnProgress | None = None,
        changes: bool | None = None,
    ) -> Result:
        """Run ``pipeline`` as ``Shell.run`` says; ``changes`` overrides what its commands say of themselves."""
        wanted = as_pipeline(pipeline)
        change = wanted.is_change if changes is None else changes
        given = (self.default_timeout if timeout is None else timeout).total_seconds()
        if not self._busy.acquire(blocking=False):
            raise RuntimeError(f"The shell on {self.node} runs one pipeline at a time, and one is running.")
        try:
            return self._run(wanted, change, given, on_progress)
        finally:
            self._busy.release()

    def _run(self, pipeline: Pipeline, change: bool, given: float, on_progress: OnProgress | None) -> Result:
        began = time.monotonic()
        deadline = began + given
        command = pipeline.describe()
        attempt = 0
        while True:
            attempt += 1
            run = _Run(pipeline, command, change, deadline, attempt, began)
            try:
                return self._attempt(run, on_progress)
            except Exception as error:
                verdict = judge(error, run.phase, node=self.node, command=command, change=change, given=given)
                if verdict is None:
                    raise
                if not verdict.keep:
                    self._leave(polite=not verdict.silent)
                if not verdict.again or attempt >= self.policy.attempts or not self._pause(verdict, attempt, deadline):
                    raise verdict.error from error
                logger.debug("%s Giving the command again.", verdict.error)

    def _pause(self, verdict: Verdict, failures: int, deadline: float) -> bool:
        """Wait before the next attempt; return whether there is time for one."""
        pause = 0.0 if verdict.at_once else self.policy.pause(failures)
        if time.monotonic() + pause >= deadline:
            return False
        time.sleep(pause)
        return True

    def _attempt(self, run: _Run, on_progress: OnProgress | None) -> Result:
        pool = self._ready(run)
        transport = _transport(pool)
        if run.change and time.monotonic() - transport.last_exchange > STALE_AFTER:
            transport.reset()
        if run.pipeline.has_secret:
            with decoding():
                pool.exchange_keys()
        shell = build(pool, run.pipeline)
        reader = StreamReader(self.node, run.command, logger)
        pool.serializer.source = run.pipeline.commands[-1].name
        pool.begin_answer()
        run.phase = Phase.ORDERING
        logger.debug("%s: %s", self.node, run.command)
        with decoding():
            shell.begin_invoke()
        run.phase = Phase.RUNNING
        try:
            self._follow(shell, reader, run, on_progress)
            result = self._result(shell, reader, run)
        except (LinkBroken, WSManFaultError):
            # The session is given up as a whole, which ends the pipeline too.
            raise
        except TimeIsUp as late:
            if not late.silent:
                self._end(shell)
            raise
        except BaseException as error:
            if not lets_nobody_in(error):
                self._end(shell)
            raise
        self._end(shell)
        return result

    def _ready(self, run: _Run) -> OutputRunspacePool:
        """Return the open session, opened if need be."""
        pool = self._pool
        if pool is not None and pool.state != RunspacePoolState.OPENED:
            # One that had no time left to open is still there on the node.
            self._leave(polite=pool.state == RunspacePoolState.NEGOTIATION_SENT)
            pool = None
        if pool is None:
            for caution in self.settings.cautions:
                logger.warning("%s", caution)
            pool = self._pool = self._connect(self.settings)
            _transport(pool).deadline = run.deadline
            try:
                with decoding():
                    pool.open()
            except LinkBroken as broken:
                if broken.reached and not broken.silent:
                    take_back(pool)
                raise
            except WSManFaultError as fault:
                if fault.code == OPERATION_TIMED_OUT:
                    # A busy node may have begun to start the session's process.
                    take_back(pool)
                raise
            if pool.lost:
                raise incomplete()
            logger.debug("Opened a session on %s.", self.settings.endpoint)
        _transport(pool).deadline = run.deadline
        return pool

    def _follow(self, shell: PowerShell, reader: StreamReader, run: _Run, on_progress: OnProgress | None) -> None:
        """Read what the pipeline says until it is over."""
        # A third of the operation timeout, so that a connection that died quietly is noticed and replaced within one.
        longest = max(1, self.settings.operation_timeout // 3)
        pool = cast("OutputRunspacePool", shell.runspace_pool)
        while shell.state == PSInvocationState.RUNNING:
            left = run.deadline - time.monotonic()
            if left <= 0:
                raise TimeIsUp(silent=False)
            with decoding():
                shell.poll_invoke(timeout=max(1, min(longest, math.ceil(left))))
                fresh = reader.take(shell)
            if pool.lost and not run.change:
                raise incomplete()
            for progress in fresh:
                if on_progress:
                    on_progress(progress)

    def _result(self, shell: PowerShell, reader: StreamReader, run: _Run) -> Result:
        if shell.state == PSInvocationState.FAILED:
            # The one that ended it comes last; what was written before it may explain it.
            records = [*reader.errors[-1:], *reader.errors[:-1]]
            raise command_failed(records, node=self.node, command=run.command)
        if shell.state != PSInvocationState.COMPLETED:
            raise PipelineStopped
        if cast("OutputRunspacePool", shell.runspace_pool).lost:
            # A change is followed to its end all the same: giving up the session would have ended it.
            raise incomplete()
        return Result(
            output=tuple(shell.output),
            errors=tuple(reader.errors),
            warnings=tuple(reader.messages[Stream.WARNING]),
            verbose=tuple(reader.messages[Stream.VERBOSE]),
            debug=tuple(reader.messages[Stream.DEBUG]),
            information=tuple(reader.messages[Stream.INFORMATION]),
            progress=tuple(reader.progress),
            duration_seconds=time.monotonic() - run.began,
            node=self.node,
            command=run.command,
            attempts=run.attempt,
        )

    def _end(self, shell: PowerShell) -> None:
        """Stop the pipeline if it still runs, and close it: Windows counts every one that is not closed."""
        pool = cast("OutputRunspacePool", shell.runspace_pool)
        _transport(pool).deadline = time.monotonic() + FAREWELL
        try:
            if shell.state == PSInvocationState.RUNNING:
                pool.sequence.lose_track()
                shell.stop()
            shell.close()
        except Exception as error:
            logger.debug("%s: closing a pipeline failed (%s); leaving the session.", self.node, error)
            self._leave(polite=False)

    def _leave(self, *, polite: bool) -> None:
        """Give up the session; with ``polite`` the node is told, else it finds out by the idle timeout."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        transport = _transport(pool)
        if polite:
            transport.deadline = time.monotonic() + FAREWELL
            # The node may be gone or may have dropped the session itself: either way there is nothing left to close.
            with contextlib.suppress(Exception):
                pool.close()
        transport.reset()

    def is_alive(self, timeout: timedelta = timedelta(seconds=5)) -> bool:
        """Ask the node whether the session still exists; False where none is open here or the connection is gone."""
        if not self._busy.acquire(blocking=False):
            return True
        try:
            if self._pool is None or not self.is_open:
                return False
            _transport(self._pool).deadline = time.monotonic() + timeout.total_seconds()
            alive = False
            with contextlib.suppress(Exception):
                alive = bool(self._pool.is_alive(timeout=max(1, int(timeout.total_seconds()))))
            if not alive:
                self._leave(polite=False)
            return alive
        finally:
            self._busy.release()

    def close(self) -> None:
        """Close the session; the next run opens another. Never raises for a node that is gone."""
        with self._busy:
            self._leave(polite=True)


def incomplete() -> LinkBroken:
    """Return what is raised where a part of what a session sent is missing."""
    return LinkBroken("the connection broke and a part of the answer was lost with it", reached=True)


class _Run:
    """One attempt at one pipeline."""

    __slots__ = ("attempt", "began", "change", "command", "deadline", "phase", "pipeline")

    def __init__(
        self, pipeline: Pipeline, command: str, change: bool, deadline: float, attempt: int, began: float
    ) -> None:
        self.pipeline = pipeline
        self.command = command
        self.change = change
        self.deadline = deadline
        self.attempt = attempt
        self.began = began
        self.phase = Phase.OPENING
