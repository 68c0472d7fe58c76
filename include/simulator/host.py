"""What the wire needs from a simulated machine, and what a simulated machine sees of a remote session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from include.simulator.objects import SimError


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command; ``name`` is None for a positional one, ``value`` is None for a bare switch."""

    name: str | None
    value: object


@dataclass(frozen=True, slots=True)
class CommandCall:
    """One command of a pipeline as the client asked for it."""

    name: str
    arguments: tuple[Argument, ...] = ()
    is_script: bool = False


#: The commands of one statement; each one's output is the next one's input.
Statement = tuple[CommandCall, ...]


@dataclass(slots=True)
class Session:
    """One remote session: who it is and what it remembers between pipelines."""

    user: str
    authentication: str
    configuration_name: str
    client_address: str
    delegated: bool = False
    variables: dict[str, object] = field(default_factory=dict)


class Sink(Protocol):
    """Takes what a pipeline produces, in order, while it runs."""

    def output(self, value: object) -> None:
        """Send one object to the client."""
        ...

    def error(self, record: SimError) -> None:
        """Write a non-terminating error."""
        ...

    def warning(self, message: str) -> None:
        """Write a warning."""
        ...

    def verbose(self, message: str) -> None:
        """Write a verbose message."""
        ...

    def debug(self, message: str) -> None:
        """Write a debug message."""
        ...

    def information(self, message: str, source: str = "") -> None:
        """Write an information record."""
        ...

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
        ...


class PowerShellHost(Protocol):
    """A machine that runs PowerShell pipelines and plain shell commands for remote clients."""

    name: str

    async def invoke(self, session: Session, statements: tuple[Statement, ...], sink: Sink) -> None:
        """Run ``statements`` one after another; raises TerminatingError where Windows ends the pipeline as failed.

        Cancelling the task is the client's stop signal.
        """
        ...

    async def run_line(self, session: Session, line: str, stdout: ByteSink, stderr: ByteSink) -> int:
        """Run one command line of a plain shell (cmd.exe) and return its exit code."""
        ...


class ByteSink(Protocol):
    """Takes the bytes a plain shell command prints."""

    def __call__(self, data: bytes, /) -> None:
        """Take ``data``, bytes in the console code page."""
        ...
