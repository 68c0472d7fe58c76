"""What the wire needs from a simulated machine, and what a simulated machine sees of a remote session."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from include.simulator.host_interaction import CommandDescription, ForwardedEvent
from include.simulator.objects import SimError


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command; ``name`` is None for a positional one, ``value`` is None for a bare switch."""

    name: str | None
    value: object


@dataclass(frozen=True, slots=True)
class CommandCall:
    """One command of a pipeline as the client asked for it.

    ``merges`` are pairs of a stream (``error``, ``warning``, ``verbose``, ``debug``, ``information``) and where it goes
    instead: ``output`` or ``null``.
    """

    name: str
    arguments: tuple[Argument, ...] = ()
    is_script: bool = False
    merges: tuple[tuple[str, str], ...] = ()


#: The commands of one statement; each one's output is the next one's input.
Statement = tuple[CommandCall, ...]


@dataclass(slots=True)
class Session:
    """One remote session: who it is and what it remembers between pipelines.

    ``forward`` sends an engine event to the client. ``visible`` are the lower-case names of the commands that the session
    shows, None for all: the machine sets it when it knows the session's configuration. ``working_directory`` and ``environment``
    are what a client of a plain shell wants for its commands.
    """

    user: str
    authentication: str
    configuration_name: str
    client_address: str
    delegated: bool = False
    variables: dict[str, object] = field(default_factory=dict)
    forward: Callable[[ForwardedEvent], None] = field(default=lambda event: None, repr=False)
    visible: frozenset[str] | None = None
    working_directory: str = ""
    environment: dict[str, str] = field(default_factory=dict)


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


@runtime_checkable
class DescribesCommands(Protocol):
    """A machine that tells which commands a session shows; others leave clients without that information."""

    def describe_commands(self, session: Session) -> Iterable[CommandDescription]:
        """Return the commands that ``session`` can run."""
        ...


class ByteSink(Protocol):
    """Takes the bytes a plain shell command prints."""

    def __call__(self, data: bytes, /) -> None:
        """Take ``data``, bytes in the console code page."""
        ...
