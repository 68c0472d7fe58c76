"""The streams of one running command: applies its common parameters and completes its error records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from include.simulator.cmdlets.binder_common import CommonParameters
from include.simulator.host import Sink
from include.simulator.host_interaction import StreamRecord
from include.simulator.objects import SimError, TerminatingError

V = TypeVar("V")


def completed(record: SimError, command: str, class_name: str) -> SimError:
    """Return ``record`` with what PowerShell adds by itself: the class behind the error id and the command's name."""
    error_id = record.fully_qualified_error_id
    return replace(
        record,
        # What a script throws is its own name, whoever ran the script.
        fully_qualified_error_id=error_id
        if "," in error_id or error_id == record.message
        else f"{error_id},{class_name}",
        activity=record.activity or command,
        reason=record.reason or record.exception_types[0].rsplit(".", 1)[-1],
    )


class CommandSink:
    """Stands between a command and its client.

    With ``last`` False the output is kept for the next command of the pipeline instead of being sent.
    """

    def __init__(
        self,
        client: Sink,
        command: str,
        class_name: str,
        common: CommonParameters,
        *,
        last: bool,
        merges: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._client = client
        self._command = command
        self._class_name = class_name
        self._common = common
        self._last = last
        self._merges = dict(merges)
        self.collected: list[object] = []
        self.errors: list[SimError] = []

    def output(self, value: object) -> None:
        """Pass one object on."""
        if self._last:
            self._client.output(value)
        else:
            self.collected.append(value)

    def error(self, record: SimError) -> None:
        """Write an error; with ``-ErrorAction Stop`` the same record ends the pipeline."""
        record = completed(record, self._command, self._class_name)
        self.errors.append(record)
        if self._common.error_action == "Stop":
            raise TerminatingError(record)
        if self._common.error_action not in ("SilentlyContinue", "Ignore"):
            self._route("error", record, self._client.error)

    def warning(self, message: str) -> None:
        """Write a warning unless it is silenced; with ``-WarningAction Stop`` it ends the pipeline."""
        action = self._common.warning_action
        if action not in ("SilentlyContinue", "Ignore"):
            self._route("warning", message, self._client.warning)
        if action == "Stop":
            raise TerminatingError(completed(_stopped_by_warning(message), self._command, self._class_name))

    def verbose(self, message: str) -> None:
        """Write a verbose message when it was asked for."""
        if self._common.verbose:
            self._route("verbose", message, self._client.verbose)

    def debug(self, message: str) -> None:
        """Write a debug message when it was asked for."""
        if self._common.debug:
            self._route("debug", message, self._client.debug)

    def information(self, message: str, source: str = "") -> None:
        """Write an information record; only ``Ignore`` keeps it out of the stream."""
        if self._common.information_action != "Ignore":
            source = source or self._command
            self._route("information", message, lambda text: self._client.information(text, source), source)

    def _route(self, stream: str, value: V, write: Callable[[V], None], source: str = "") -> None:
        """Write to a stream, or to where the client merged that stream of the command."""
        target = self._merges.get(stream)
        if target == "output":
            self.output(StreamRecord(stream, value, source))
        elif target is None:
            write(value)

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
        self._client.progress(
            activity,
            status,
            percent,
            activity_id=activity_id,
            current_operation=current_operation,
            seconds_remaining=seconds_remaining,
            completed=completed,
        )


def _stopped_by_warning(message: str) -> SimError:
    return SimError(
        message='The running command stopped because the preference variable "WarningPreference" or common parameter is set to '
        f"Stop: {message}",
        fully_qualified_error_id="ActionPreferenceStop",
        category="OperationStopped",
        exception_types=(
            "System.Management.Automation.ActionPreferenceStopException",
            "System.Management.Automation.RuntimeException",
            "System.SystemException",
            "System.Exception",
        ),
    )
