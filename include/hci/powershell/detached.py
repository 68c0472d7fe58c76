"""Pipelines that outlive the program that began them: each in a session of its own, from which the client disconnects.

What runs in a disconnected session goes on; Windows ends the session when nobody has connected to it for its idle time-out, which
counts while its commands run as well (PowerShell-Docs, about_Remote_Disconnected_Sessions). So that time-out is as long as the
pipeline may last. Of what the pipeline writes the session keeps what fits and drops the rest (MS-WSMV, BufferMode): a full buffer
that blocks would hold the pipeline up for ever.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol, cast, runtime_checkable
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement

from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import WSManFaultError
from pypsrp.wsman import NAMESPACES, SelectorSet

from include.hci.powershell.command import Command, Pipeline, as_pipeline
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.decoder import OutputRunspacePool
from include.hci.powershell.errors import OutcomeUnknown, command_failed
from include.hci.powershell.faults import SHELL_GONE, Phase, PipelineStopped, decoding, judge, lets_nobody_in
from include.hci.powershell.outgoing import build
from include.hci.powershell.policy import RetryPolicy
from include.hci.powershell.psrp import FAREWELL, Connect, Transport, connect_with, incomplete, take_back
from include.hci.powershell.streams import StreamReader

logger = logging.getLogger(__name__)

#: The longest idle time-out that Windows takes (MaxIdleTimeoutMs of a session configuration), a little less.
LONGEST: Final = timedelta(days=24)
#: How long a pipeline is listened to before it is left: what is refused is refused within this time.
SETTLE: Final = timedelta(seconds=20)
#: How long opening the session, giving the command and leaving may take beside that.
_OVERHEAD: Final = timedelta(minutes=2)
#: How long each question waits for output while the pipeline is listened to, in seconds.
_LISTEN: Final = 2


@runtime_checkable
class LeavingShell(Protocol):
    """A machine on which a pipeline can be left to itself."""

    def leave(
        self, pipeline: Command | Pipeline, session: UUID, *, lasts: timedelta, settle: timedelta = SETTLE
    ) -> None:
        """Begin ``pipeline`` in a session called ``session`` and leave it running there, for ``lasts`` at the most.

        Raises CommandFailed where it ends as failed within ``settle``, NodeUnreachable and its like where nothing was begun, and
        OutcomeUnknown where the connection broke before the session was left: the pipeline may run or not.
        """
        ...

    def end_session(self, session: UUID) -> None:
        """End ``session`` with whatever runs in it; one that is not there any more is no error."""
        ...


def leave_running(
    settings: ConnectionSettings,
    pipeline: Command | Pipeline,
    session: UUID,
    *,
    lasts: timedelta,
    settle: timedelta = SETTLE,
    connect: Connect | None = None,
) -> None:
    """Do what ``LeavingShell.leave`` says on the machine of ``settings``."""
    wanted = as_pipeline(pipeline)
    kept = replace(settings, idle_timeout=int(min(lasts, LONGEST).total_seconds()))
    pool = (connect or connect_with(RetryPolicy()))(kept)
    pool.id = pool.shell.id = str(session).upper()
    given = (settle + _OVERHEAD).total_seconds()
    transport = cast("Transport", pool.connection.transport)
    transport.deadline = time.monotonic() + given
    phase = Phase.OPENING
    try:
        with decoding():
            pool.open()
        if pool.lost:
            raise incomplete()
        if wanted.has_secret:
            with decoding():
                pool.exchange_keys()
        shell = build(pool, wanted)
        reader = StreamReader(settings.node, wanted.describe(), logger)
        pool.serializer.source = wanted.commands[-1].name
        phase = Phase.ORDERING
        with decoding():
            shell.begin_invoke()
        phase = Phase.RUNNING
        until = time.monotonic() + settle.total_seconds()
        while shell.state == PSInvocationState.RUNNING and time.monotonic() < until:
            with decoding():
                shell.poll_invoke(timeout=_LISTEN)
                reader.take(shell)
        if shell.state == PSInvocationState.FAILED:
            records = [*reader.errors[-1:], *reader.errors[:-1]]
            _close(pool)
            raise command_failed(records, node=settings.node, command=wanted.describe())
        if shell.state == PSInvocationState.STOPPED:
            raise PipelineStopped
        _disconnect(pool, kept.idle_timeout)
    except Exception as error:
        verdict = judge(error, phase, node=settings.node, command=wanted.describe(), change=True, given=given)
        if verdict is None:
            raise
        if not isinstance(verdict.error, OutcomeUnknown) and not lets_nobody_in(error):
            # Nothing runs in it, and it would stay for as long as the pipeline was given, days maybe: even a node that just said
            # nothing is asked.
            take_back(pool)
        raise verdict.error from error
    finally:
        transport.reset()


def end_session(settings: ConnectionSettings, session: UUID, *, connect: Connect | None = None) -> None:
    """Do what ``LeavingShell.end_session`` says on the machine of ``settings``."""
    pool = (connect or connect_with(RetryPolicy()))(settings)
    transport = cast("Transport", pool.connection.transport)
    transport.deadline = time.monotonic() + FAREWELL
    selectors = SelectorSet()
    selectors.add_option("ShellId", str(session).upper())
    try:
        pool.connection.delete(pool.shell.resource_uri, selector_set=selectors)
    except Exception as error:
        if isinstance(error, WSManFaultError) and error.code in SHELL_GONE:
            return
        what = f"ending the session {session}"
        verdict = judge(error, Phase.ORDERING, node=settings.node, command=what, change=True, given=FAREWELL)
        if verdict is None:
            raise
        raise verdict.error from error
    finally:
        transport.reset()


def _disconnect(pool: OutputRunspacePool, idle_seconds: int) -> None:
    """Let go of the session; pypsrp's own way of it names neither the time-out nor what becomes of the output."""
    shell = NAMESPACES["rsp"]
    element = Element(f"{{{shell}}}Disconnect")
    SubElement(element, f"{{{shell}}}IdleTimeOut").text = f"PT{idle_seconds}.000S"
    SubElement(element, f"{{{shell}}}BufferMode").text = "Drop"
    selectors = SelectorSet()
    selectors.add_option("ShellId", pool.shell.id or "")
    pool.connection.disconnect(pool.shell.resource_uri, element, selector_set=selectors)


def _close(pool: OutputRunspacePool) -> None:
    try:
        pool.close()
    except Exception as error:
        # Its idle time-out ends it in any case.
        logger.debug("A session could not be closed: %s", error)
