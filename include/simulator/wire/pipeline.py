"""One pipeline of a PowerShell session: from the client's description through the host to the streams."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import psrpcore
from psrpcore.types import PSInvocationState, PSRPMessageType

from include.simulator.host import Argument, CommandCall, Statement
from include.simulator.objects import SimError, SimObject, TerminatingError
from include.simulator.wire import records
from include.simulator.wire.clixml import FULL_DEPTH, REMOTING_DEPTH
from include.simulator.wire.outbox import Outbox
from include.simulator.wire.values import neutral

if TYPE_CHECKING:
    from include.simulator.wire.psrp import PsrpShell

log = logging.getLogger(__name__)

#: Where a pipeline finds what the client piped into it, named like PowerShell's automatic variable.
INPUT_VARIABLE: Final = "input"


class PipelineRun:
    """Runs one pipeline and writes what it produces; this is the Sink that the host sees."""

    def __init__(self, shell: PsrpShell, pipeline_id: uuid.UUID) -> None:
        self.pipeline_id = pipeline_id
        self.outbox = Outbox()
        self.task: asyncio.Task[None] | None = None
        self.running = False
        self._shell = shell
        self._input: list[object] = []
        self._input_ended = asyncio.Event()
        self._invocation = records.Invocation(None)

    def add_input(self, value: object) -> None:
        """Take one object that the client pipes in."""
        self._input.append(neutral(value))

    def end_input(self) -> None:
        """The client has piped in everything."""
        self._input_ended.set()

    def refuse(self, reason: str) -> None:
        """Fail without running anything."""
        self._state(PSInvocationState.Failed, SimError(reason, "NotSupported", category="NotImplemented"))
        self.outbox.finish()

    async def execute(self, metadata: psrpcore.PowerShell, runspace: Callable[[], Awaitable[None]]) -> None:
        """Wait for a ``runspace``, run the pipeline to its end and tell the client its state."""
        try:
            await runspace()
            self.running = True
            await self._invoke(metadata)
            self._state(PSInvocationState.Completed)
        except TerminatingError as error:
            self._state(PSInvocationState.Failed, error.record)
        except asyncio.CancelledError:
            self._state(PSInvocationState.Stopped, records.stopped())
        except Exception as error:
            log.exception("%s: a pipeline failed inside the simulator", self._shell.host.name)
            self._state(PSInvocationState.Failed, _internal_error(error))
        finally:
            self.running = False
            self.outbox.finish()

    async def _invoke(self, metadata: psrpcore.PowerShell) -> None:
        statements = tuple(_statements(metadata.commands))
        first = statements[0] if statements else ()
        self._invocation = records.Invocation(
            first[-1] if first else None, len(first), int(metadata.remote_stream_options)
        )
        if not self._shell.modules_prepared:
            self._shell.modules_prepared = True
            self.progress("Preparing modules for first use.", " ", completed=True)
        if not metadata.no_input:
            await self._input_ended.wait()
            self._shell.session.variables[INPUT_VARIABLE] = self._input
        await self._shell.host.invoke(self._shell.session, statements, self)

    def _state(self, state: PSInvocationState, reason: SimError | None = None) -> None:
        record = records.error_record(reason, self._invocation, terminating=True) if reason else None
        self._write(PSRPMessageType.PipelineState, records.pipeline_state(int(state), record))

    def _write(self, kind: PSRPMessageType, value: object, depth: int = FULL_DEPTH) -> None:
        self._shell.pool.emit(kind, value, self.pipeline_id, depth=depth)

    def output(self, value: object) -> None:
        """Send one object to the client."""
        self._write(PSRPMessageType.PipelineOutput, value, REMOTING_DEPTH)

    def error(self, record: SimError) -> None:
        """Write a non-terminating error."""
        self._write(PSRPMessageType.ErrorRecord, records.error_record(record, self._invocation, terminating=False))

    def warning(self, message: str) -> None:
        """Write a warning."""
        self._write(PSRPMessageType.WarningRecord, records.informational("WarningRecord", message, self._invocation))

    def verbose(self, message: str) -> None:
        """Write a verbose message."""
        self._write(PSRPMessageType.VerboseRecord, records.informational("VerboseRecord", message, self._invocation))

    def debug(self, message: str) -> None:
        """Write a debug message."""
        self._write(PSRPMessageType.DebugRecord, records.informational("DebugRecord", message, self._invocation))

    def information(self, message: str, source: str = "") -> None:
        """Write an information record."""
        shell = self._shell
        record = records.information(
            message,
            source,
            when=datetime.now(UTC),
            user=shell.session.user,
            computer=shell.host.name,
            process_id=shell.process_id,
        )
        self._write(PSRPMessageType.InformationRecord, record)

    def progress(
        self,
        activity: str,
        status: str,
        percent: int = -1,
        *,
        activity_id: int = 0,
        current_operation: str = "",
        seconds_remaining: int = -1,
        completed: bool = False,
    ) -> None:
        """Write a progress record."""
        record: SimObject = records.progress(
            activity,
            status,
            percent,
            activity_id=activity_id,
            current_operation=current_operation or None,
            seconds_remaining=seconds_remaining,
            completed=completed,
        )
        self._write(PSRPMessageType.ProgressRecord, record)


def _statements(commands: Sequence[psrpcore.Command]) -> list[Statement]:
    statements: list[Statement] = []
    current: list[CommandCall] = []
    for command in commands:
        arguments = tuple(
            Argument(None if name is None else str(name).lstrip("-").rstrip(":"), neutral(value))
            for name, value in command.parameters
        )
        current.append(CommandCall(str(command.command_text), arguments, bool(command.is_script)))
        if command.end_of_statement:
            statements.append(tuple(current))
            current = []
    if current:
        statements.append(tuple(current))
    return statements


def _internal_error(error: Exception) -> SimError:
    return SimError(
        f"The simulated machine failed: {type(error).__name__}: {error}",
        "SimulatorFailure",
        category="InvalidOperation",
        exception_types=("System.InvalidOperationException", "System.SystemException"),
    )
