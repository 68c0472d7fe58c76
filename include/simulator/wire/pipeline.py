"""One pipeline of a PowerShell session: from the client's description through the host to the streams."""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import psrpcore
from psrpcore.types import PipelineResultTypes, PSInvocationState, PSRPMessageType

from include.simulator.host import Argument, CommandCall, DescribesCommands, Statement
from include.simulator.host_interaction import StreamRecord, interactive
from include.simulator.objects import Int64, SimError, SimObject, TerminatingError
from include.simulator.wire import command_metadata, records, records_merged
from include.simulator.wire.clixml import FULL_DEPTH, REMOTING_DEPTH
from include.simulator.wire.host_calls import ClientHost
from include.simulator.wire.outbox import Outbox
from include.simulator.wire.values import neutral

if TYPE_CHECKING:
    from include.simulator.wire.psrp import PsrpShell

log = logging.getLogger(__name__)

#: Where a pipeline finds what the client piped into it, named like PowerShell's automatic variable.
INPUT_VARIABLE: Final = "input"
_STREAMS: Final = ("error", "warning", "verbose", "debug", "information")
#: A word where a script calls a command, keywords left out.
_COMMAND_WORD: Final = re.compile(
    r"(?:^|[;|{(=\n])\s*(?!(?:begin|process|end|while|if|else|for|foreach|do|switch|param|function|return|try)\b)"
    r"[A-Za-z][\w-]*(?=\s|;|$)"
)


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
        self._client_host: ClientHost | None = None

    def add_input(self, value: object) -> None:
        """Take one object that the client pipes in."""
        self._input.append(neutral(value))

    def end_input(self) -> None:
        """The client has piped in everything."""
        self._input_ended.set()

    def describe(self, question: psrpcore.GetMetadata) -> None:
        """Answer which commands the session has."""
        host = self._shell.host
        commands = host.describe_commands(self._shell.session) if isinstance(host, DescribesCommands) else ()
        for value in command_metadata.answer(question, commands):
            self._write(PSRPMessageType.PipelineOutput, value)
        self._state(PSInvocationState.Completed)
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
        self._client_host = self._shell.client_host(metadata.host, self.pipeline_id)
        interactive.set(self._client_host)
        self._prepare_modules(first[0] if first else None)
        if not metadata.no_input:
            await self._input_ended.wait()
            self._shell.session.variables[INPUT_VARIABLE] = self._input
        await self._shell.host.invoke(self._shell.session, statements, self)

    def _prepare_modules(self, first: CommandCall | None) -> None:
        """Tell of the search for modules that the first command of a session makes.

        Only a running script has a stream to tell it on: recordings of single commands never show the record.
        """
        if self._shell.modules_prepared or first is None or (first.is_script and not _COMMAND_WORD.search(first.name)):
            return
        self._shell.modules_prepared = True
        if first.is_script:
            self.progress("Preparing modules for first use.", " ", completed=True)

    def _state(self, state: PSInvocationState, reason: SimError | None = None) -> None:
        record = records.error_record(reason, self._invocation, terminating=True) if reason else None
        self._write(PSRPMessageType.PipelineState, records.pipeline_state(int(state), record))

    def _write(self, kind: PSRPMessageType, value: object, depth: int = FULL_DEPTH) -> None:
        self._shell.pool.emit(kind, value, self.pipeline_id, depth=depth)

    def output(self, value: object) -> None:
        """Send one object to the client."""
        if isinstance(value, StreamRecord):
            self._write(PSRPMessageType.PipelineOutput, self._merged(value))
        else:
            self._write(PSRPMessageType.PipelineOutput, value, REMOTING_DEPTH)

    def _merged(self, record: StreamRecord) -> SimObject:
        if isinstance(record.value, SimError):
            return records.error_record(record.value, self._invocation, terminating=False)
        if record.stream == "information":
            return records_merged.information(self._information(str(record.value), record.source))
        return records_merged.informational(record.stream, str(record.value))

    def _tell(self, method: str, *arguments: object) -> None:
        """Let the client's host show what has also gone to its stream, as Windows does for hosts that can."""
        if self._client_host is not None:
            self._client_host.tell(method, *arguments)

    def error(self, record: SimError) -> None:
        """Write a non-terminating error."""
        self._write(PSRPMessageType.ErrorRecord, records.error_record(record, self._invocation, terminating=False))

    def warning(self, message: str) -> None:
        """Write a warning."""
        self._write(PSRPMessageType.WarningRecord, records.informational("WarningRecord", message, self._invocation))
        self._tell("WriteWarningLine", message)

    def verbose(self, message: str) -> None:
        """Write a verbose message."""
        self._write(PSRPMessageType.VerboseRecord, records.informational("VerboseRecord", message, self._invocation))
        self._tell("WriteVerboseLine", message)

    def debug(self, message: str) -> None:
        """Write a debug message."""
        self._write(PSRPMessageType.DebugRecord, records.informational("DebugRecord", message, self._invocation))
        self._tell("WriteDebugLine", message)

    def information(self, message: str, source: str = "") -> None:
        """Write an information record."""
        self._write(PSRPMessageType.InformationRecord, self._information(message, source))

    def _information(self, message: str, source: str) -> SimObject:
        shell = self._shell
        return records.information(
            message,
            source,
            when=datetime.now(UTC),
            user=shell.session.user,
            computer=shell.host.name,
            process_id=shell.process_id,
        )

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
        self._tell("WriteProgress", Int64(1), record)


def _statements(commands: Sequence[psrpcore.Command]) -> list[Statement]:
    statements: list[Statement] = []
    current: list[CommandCall] = []
    for command in commands:
        arguments = tuple(
            Argument(None if name is None else str(name).lstrip("-").rstrip(":"), neutral(value))
            for name, value in command.parameters
        )
        merges = tuple((stream, target) for stream in _STREAMS if (target := _merge(command, stream)))
        current.append(CommandCall(str(command.command_text), arguments, bool(command.is_script), merges))
        if command.end_of_statement:
            statements.append(tuple(current))
            current = []
    if current:
        statements.append(tuple(current))
    return statements


def _merge(command: psrpcore.Command, stream: str) -> str:
    """Return where a stream of a command goes instead of to the client's stream, or an empty text."""
    target: PipelineResultTypes = getattr(command, f"merge_{stream}")
    if stream == "error" and target == PipelineResultTypes.none and command.merge_my == PipelineResultTypes.Error:
        # Protocol 2.1 and older know only the error stream.
        target = command.merge_to
    return {PipelineResultTypes.Output: "output", PipelineResultTypes.Null: "null"}.get(target, "")


def _internal_error(error: Exception) -> SimError:
    return SimError(
        f"The simulated machine failed: {type(error).__name__}: {error}",
        "SimulatorFailure",
        category="InvalidOperation",
        exception_types=("System.InvalidOperationException", "System.SystemException"),
    )
