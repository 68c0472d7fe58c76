"""A simulated machine whose commands each test brings along, served from a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.logins import shared_logins
from include.hci.powershell.policy import RetryPolicy
from include.hci.powershell.psrp import PsrpShell
from include.hci.powershell.values import Secret
from include.simulator.host import ByteSink, CommandCall, Session, Sink, Statement
from include.simulator.objects import SimError, TerminatingError
from include.simulator.wire.accounts import Account
from include.simulator.wire.server import Endpoint, EndpointOptions, WsmanServer
from include.simulator.wire.wire_faults import FaultKind, WireFault

PASSWORD = "Correct-Horse-Battery-9!"
Cmdlet = Callable[[CommandCall, Sink], Awaitable[None]]


@dataclass
class Host:
    """A machine that knows the commands it was given and counts how often each ran."""

    name: str = "HCI01"
    cmdlets: dict[str, Cmdlet] = field(default_factory=dict)
    calls: list[CommandCall] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)

    async def invoke(self, session: Session, statements: tuple[Statement, ...], sink: Sink) -> None:
        for statement in statements:
            for call in statement:
                self.calls.append(call)
                cmdlet = self.cmdlets.get(call.name)
                if cmdlet is None:
                    raise TerminatingError(
                        SimError(
                            f"The term '{call.name}' is not recognized as the name of a cmdlet.",
                            "CommandNotFoundException",
                            "ObjectNotFound",
                            ("System.Management.Automation.CommandNotFoundException", "System.Exception"),
                            target=call.name,
                        )
                    )
                try:
                    await cmdlet(call, sink)
                except asyncio.CancelledError:
                    self.cancelled.append(call.name)
                    raise

    async def run_line(self, session: Session, line: str, stdout: ByteSink, stderr: ByteSink) -> int:
        return 1

    def forget(self) -> None:
        self.cmdlets, self.calls, self.cancelled = {}, [], []

    def count(self, name: str) -> int:
        return sum(call.name == name for call in self.calls)


class Machine:
    """The host, its endpoint, and the loop that serves it, for tests that block."""

    def __init__(self, **options: Any) -> None:
        self.host = Host()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.endpoint = Endpoint(self.host, "127.0.0.1", 0, 0, replace(EndpointOptions.lenient(), **options))
        self.server = WsmanServer([self.endpoint], [Account("Updater", PASSWORD)])
        self.do(self.server.start())

    def do(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(20)

    def fault(self, kind: FaultKind, action: str | None = None, **more: Any) -> WireFault:
        fault = WireFault(kind, action, **more)
        self.do(self.endpoint.add_fault(fault))
        return fault

    def restart(self) -> None:
        self.do(self.endpoint.power(False))
        self.do(self.endpoint.power(True))

    def kill_shells(self) -> None:
        async def kill() -> None:
            self.endpoint.kill_shells()

        self.do(kill())

    def settings(self, *, ssl: bool = False, **more: Any) -> ConnectionSettings:
        base: dict[str, Any] = {
            "host": "127.0.0.1",
            "user": "Updater",
            "password": Secret(PASSWORD),
            "ssl": ssl,
            "port": self.endpoint.https_port if ssl else self.endpoint.http_port,
            "auth": "ntlm",
        }
        if ssl:
            base["ca"] = str(self.server.certificate_file)
        return ConnectionSettings(**(base | more))

    def shell(self, **more: Any) -> PsrpShell:
        return PsrpShell(self.settings(**more), policy=RetryPolicy(delay=0.05))

    def stop(self) -> None:
        self.do(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


@pytest.fixture(autouse=True)
def _no_login_was_refused() -> None:
    shared_logins().share(None)
    shared_logins().forget()


@pytest.fixture(scope="session")
def _shared() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    machine.stop()


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A running machine as good as new; parametrize it indirectly with ``EndpointOptions`` for one of its own."""
    if options := getattr(request, "param", None):
        machine = Machine(**options)
        yield machine
        machine.stop()
    else:
        # One for all: making its certificate takes longer than most tests.
        machine = request.getfixturevalue("_shared")
        yield machine
        machine.do(machine.endpoint.clear_faults())
        machine.restart()
        machine.host.forget()
