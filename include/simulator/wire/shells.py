"""Remote shells and the table that holds them: identity, life time and quotas."""

from __future__ import annotations

import asyncio
import itertools
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol
from xml.sax.saxutils import escape

from include.simulator.host import PowerShellHost, Session
from include.simulator.wire import faults, names, soap
from include.simulator.wire.options import Quotas
from include.simulator.wire.outbox import Outbox

_process_ids = itertools.count(2000, 4)


@dataclass(frozen=True, slots=True)
class ShellRequest:
    """What a client asked for when it opened a shell."""

    shell_id: str
    resource_uri: str
    idle_seconds: float
    creation: ET.Element
    windows_build: str


class ShellOpener(Protocol):
    """Makes the shell of one resource."""

    def __call__(self, host: PowerShellHost, session: Session, request: ShellRequest) -> Shell:
        """Return an open shell."""
        ...


class Shell:
    """What a cmd shell and a PowerShell session have in common."""

    input_streams: ClassVar[str] = ""
    output_streams: ClassVar[str] = ""
    running_state: ClassVar[str] = "Running"

    def __init__(self, host: PowerShellHost, session: Session, request: ShellRequest) -> None:
        self.host = host
        self.session = session
        self.id = request.shell_id
        self.resource_uri = request.resource_uri
        self.idle_seconds = request.idle_seconds
        self.created = self.touched = time.monotonic()
        self.process_id = next(_process_ids)
        self.connected = True
        self.outbox = Outbox()
        self.commands: dict[str, Outbox] = {}
        self.operations = 1
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

    def disconnect(self) -> None:
        """Let go of the client; commands go on."""
        self.connected = False

    def reconnect(self) -> None:
        """The client is back."""
        self.connected = True

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
            "ResourceUri": self.resource_uri,
            "Owner": self.session.user,
            "ClientIP": self.session.client_address,
            "ProcessId": str(self.process_id),
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
        inner = "".join(f"<rsp:{name}>{escape(text)}</rsp:{name}>" for name, text in elements.items())
        return f'<rsp:Shell xmlns:rsp="{names.SHELL}">{inner}</rsp:Shell>'


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

    def __len__(self) -> int:
        return len(self._shells)

    def __iter__(self) -> Iterator[Shell]:
        return iter(tuple(self._shells.values()))

    def check_quota(self, user: str) -> None:
        """Raise the quota fault when ``user`` may not open another shell."""
        self.expire()
        if sum(shell.session.user == user for shell in self) >= self.quotas.shells_per_user:
            raise faults.too_many_shells(self.quotas.shells_per_user)

    def check_operations(self, user: str) -> None:
        """Raise the quota fault when ``user`` has too many operations open."""
        open_operations = sum(shell.operations + shell.waiting for shell in self if shell.session.user == user)
        if open_operations >= self.quotas.operations_per_user:
            raise faults.too_many_operations(self.quotas.operations_per_user)

    def add(self, shell: Shell) -> None:
        """Enter a new shell; raises a fault when its id is taken."""
        if shell.id in self._shells:
            raise faults.internal(f"The shell {shell.id} already exists. ")
        self._shells[shell.id] = shell

    def get(self, request: soap.SoapRequest, user: str) -> Shell:
        """Return the shell that a request names; raises a fault when it is gone or another user's."""
        self.expire()
        shell = self._shells.get(request.shell_id)
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
        self._shells.pop(shell.id, None)
        shell.close()

    def clear(self) -> None:
        """Close every shell, as a restart of the machine or the service does."""
        for shell in self:
            self.remove(shell)

    def expire(self) -> None:
        """Close the shells that nobody used for their idle time."""
        now = self._now()
        for shell in self:
            if not shell.waiting and now - shell.touched > shell.idle_seconds:
                self.remove(shell)
