"""Remote shells and the table that holds them: identity, life time and quotas."""

from __future__ import annotations

import asyncio
import itertools
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol
from xml.sax.saxutils import escape, quoteattr

from include.simulator.host import PowerShellHost, Session
from include.simulator.wire import faults, names, quota_faults, shell_faults, soap
from include.simulator.wire.options import Quotas
from include.simulator.wire.outbox import Outbox

_process_ids = itertools.count(2000, 4)


#: Signals that stop a command and leave its results to be received. PowerShell's own has a letter swapped, in the protocol
#: and in every Windows (MS-PSRP 3.1.5.3.9); clients that spell it right exist.
_STOPS: Final = frozenset({"ctrl_c", "crtl_c", "ctrl_break"})


def is_terminate(code: str) -> bool:
    """Return whether a signal also forgets the command; raises a fault for an unknown one (MS-WSMV 2.2.4.38)."""
    word = code.rpartition("/")[2].lower()
    if word != "terminate" and word not in _STOPS:
        raise shell_faults.unknown_signal()
    return word == "terminate"


@dataclass(frozen=True, slots=True)
class ShellRequest:
    """What a client asked for when it opened a shell."""

    shell_id: str
    resource_uri: str
    idle_seconds: float
    creation: ET.Element
    windows_build: str
    session_id: str = ""


class ShellOpener(Protocol):
    """Makes the shell of one resource."""

    def __call__(self, host: PowerShellHost, session: Session, request: ShellRequest) -> Shell:
        """Return an open shell."""
        ...


@dataclass(slots=True)
class Usage:
    """What one user has open on a machine."""

    shells: int = 0
    operations: int = 0


class Shell:
    """What a cmd shell and a PowerShell session have in common."""

    input_streams: ClassVar[str] = ""
    output_streams: ClassVar[str] = ""
    running_state: ClassVar[str] = "Running"
    disconnectable: ClassVar[bool] = False
    #: What the answer to a Create tells of the new shell, None for everything.
    created_elements: ClassVar[tuple[str, ...] | None] = None

    def __init__(self, host: PowerShellHost, session: Session, request: ShellRequest) -> None:
        self.host = host
        self.session = session
        self.id = request.shell_id
        self.resource_uri = request.resource_uri
        self.session_id = request.session_id
        self.idle_seconds = request.idle_seconds
        self.created = self.touched = time.monotonic()
        self.process_id = next(_process_ids)
        self.connected = True
        self.outbox = Outbox()
        self.commands: dict[str, Outbox] = {}
        self.usage = Usage()
        self.operations = 0
        self.waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def command(self, command_id: str | None, line: str, arguments: list[str]) -> str:
        """Start a command and return its id."""
        raise NotImplementedError

    def send(self, command_id: str | None, data: bytes) -> None:
        """Take input for the shell or one of its commands."""
        raise NotImplementedError

    def signal(self, command_id: str, code: str) -> None:
        """Stop or forget a command; ``code`` is the address of the signal."""
        raise NotImplementedError

    def connect(self, data: bytes) -> bytes:
        """Hand the shell over to a client that opens it anew; return the first answer of the session."""
        raise NotImplementedError

    def count(self, change: int) -> None:
        """Note that operations of this shell began or ended."""
        self.operations += change
        self.usage.operations += change

    def find(self, command_id: str) -> Outbox:
        """Return the outbox of a command; raises the fault for unknown ones."""
        outbox = self.commands.get(command_id)
        if outbox is None:
            raise faults.unknown_command()
        return outbox

    def receive_limit(self, command_id: str) -> int | None:
        """Return how many pieces the next answer may hold, None for any number."""
        return None

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run ``work`` until it ends or the shell closes."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def require_client(self, session_id: str) -> None:
        """Raise the fault for a request to a disconnected shell, or from another client than the connected one."""
        if not self.connected:
            raise shell_faults.shell_disconnected()
        if session_id and self.session_id and session_id != self.session_id:
            raise shell_faults.different_client()

    def disconnect(self, idle_seconds: float | None) -> None:
        """Let go of the client; commands go on, and the shell ends when nobody connects for ``idle_seconds``."""
        if not self.disconnectable:
            raise shell_faults.not_disconnectable()
        if not self.connected:
            raise shell_faults.already_disconnected()
        self.connected = False
        self.idle_seconds = self.idle_seconds if idle_seconds is None else idle_seconds
        for outbox in (*self.commands.values(), self.outbox):
            outbox.interrupt(shell_faults.stream_disconnected())

    def reconnect(self, session_id: str) -> None:
        """A client is back, or a new one."""
        self.connected = True
        self.session_id = session_id

    def close(self) -> None:
        """End every command and answer whoever waits."""
        for task in self._tasks:
            task.cancel()
        for outbox in (*self.commands.values(), self.outbox):
            outbox.close(faults.aborted())

    def describe(self, *, usage: bool = False) -> str:
        """Return the rsp:Shell element, with what the shell uses when it is listed rather than created."""
        now = time.monotonic()
        elements = {
            "ShellId": self.id,
            "ResourceUri": escape(self.resource_uri),
            "Owner": escape(self.session.user),
            "ClientIP": self.session.client_address,
            "ProcessId": str(self.process_id),
            **self._wanted(),
            "IdleTimeOut": f"PT{self.idle_seconds:.3f}S",
            "InputStreams": self.input_streams,
            "OutputStreams": self.output_streams,
            "MaxIdleTimeOut": "PT2147483.647S",
            "Locale": "en-US",
            "DataLocale": "en-US",
            "CompressionMode": "NoCompression",
            "ProfileLoaded": "Yes",
            "Encoding": "UTF8",
            "BufferMode": "Block",
            "State": "Connected" if self.connected else "Disconnected",
            "ShellRunTime": _run_time(now - self.created),
            "ShellInactivity": _run_time(0 if self.waiting else now - self.touched),
        }
        if usage:
            elements |= {"MemoryUsed": "58MB", "ChildProcesses": "0"}
        elif self.created_elements is not None:
            elements = {name: elements[name] for name in self.created_elements if name in elements}
        inner = "".join(f"<rsp:{name}>{text}</rsp:{name}>" for name, text in elements.items())
        return f'<rsp:Shell xmlns:rsp="{names.SHELL}">{inner}</rsp:Shell>'

    def _wanted(self) -> dict[str, str]:
        """What the client wanted for its commands and is told again."""
        wanted = {}
        if self.session.working_directory:
            wanted["WorkingDirectory"] = escape(self.session.working_directory)
        if self.session.environment:
            wanted["Environment"] = "".join(
                f"<rsp:Variable Name={quoteattr(name)}>{escape(value)}</rsp:Variable>"
                for name, value in self.session.environment.items()
            )
        return wanted


def _run_time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"P{days}DT{hours}H{minutes}M{rest}S"


class ShellTable:
    """The open shells of one machine."""

    def __init__(self, quotas: Quotas, now: Callable[[], float] = time.monotonic) -> None:
        self.quotas = quotas
        self._now = now
        self._shells: dict[str, Shell] = {}
        self._usage: dict[str, Usage] = {}

    def __len__(self) -> int:
        return len(self._shells)

    def __iter__(self) -> Iterator[Shell]:
        return iter(tuple(self._shells.values()))

    def check_quota(self, user: str) -> None:
        """Raise the quota fault when ``user`` may not open another shell."""
        own = self._usage.get(user, Usage())
        if not own.shells and sum(usage.shells > 0 for usage in self._usage.values()) >= self.quotas.shell_users:
            raise quota_faults.too_many_users()
        if own.shells >= self.quotas.shells_per_user:
            self.expire()
            if own.shells >= self.quotas.shells_per_user:
                raise quota_faults.too_many_shells(self.quotas.shells_per_user)

    def check_operations(self, user: str) -> None:
        """Raise the quota fault when ``user`` has too many operations open."""
        if self._usage.get(user, Usage()).operations >= self.quotas.operations_per_user:
            raise quota_faults.too_many_operations(self.quotas.operations_per_user)

    def add(self, shell: Shell) -> None:
        """Enter a new shell; raises a fault when its id is taken."""
        if shell.id in self._shells:
            raise shell_faults.shell_id_taken()
        self._shells[shell.id] = shell
        shell.usage = self._usage.setdefault(shell.session.user, Usage())
        shell.usage.shells += 1
        shell.count(1)

    def get(self, request: soap.SoapRequest, user: str) -> Shell:
        """Return the shell that a request names; raises a fault when it is gone or another user's."""
        shell = self._shells.get(request.shell_id)
        if shell is not None and self._is_idle(shell):
            self.remove(shell)
            shell = None
        if shell is None:
            raise faults.unknown_shell(request.shell_id)
        if shell.session.user != user:
            raise faults.access_denied()
        shell.touched = self._now()
        return shell

    def find(self, shell_id: str) -> Shell | None:
        """Return a shell without touching it."""
        return self._shells.get(shell_id.upper())

    def remove(self, shell: Shell) -> None:
        """Close one shell."""
        if self._shells.pop(shell.id, None) is not None:
            shell.usage.shells -= 1
            shell.usage.operations -= shell.operations
            shell.usage = Usage()
        shell.close()

    def clear(self) -> None:
        """Close every shell, as a restart of the machine or the service does."""
        for shell in self:
            self.remove(shell)

    def end_older_than(self, seconds: float) -> None:
        """Close the shells that were opened at least ``seconds`` ago, in use or not."""
        now = self._now()
        for shell in self:
            if now - shell.created >= seconds:
                self.remove(shell)

    def expire(self) -> None:
        """Close the shells that nobody used for their idle time."""
        for shell in self:
            if self._is_idle(shell):
                self.remove(shell)

    def _is_idle(self, shell: Shell) -> bool:
        return not shell.waiting and self._now() - shell.touched > shell.idle_seconds
