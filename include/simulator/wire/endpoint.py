"""One simulated machine on the network."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from spnego.tls import CredSSPTLSContext

from include.simulator.host import PowerShellHost
from include.simulator.wire import tls
from include.simulator.wire.accounts import Accounts
from include.simulator.wire.auth import Authenticator
from include.simulator.wire.connection import Connection, Policy
from include.simulator.wire.options import EndpointOptions
from include.simulator.wire.service import WsmanService
from include.simulator.wire.wire_faults import FaultKind, FaultList, WireFault, reset

log = logging.getLogger(__name__)

HTTP_PORT: Final = 5985
HTTPS_PORT: Final = 5986
_SWEEP_SECONDS: Final = 1.0
_BACKLOG: Final = 1024
_STREAM_LIMIT: Final = 2**20


class PortBusyError(OSError):
    """A port of the simulated cluster is in use by another program."""


@dataclass(frozen=True, slots=True)
class Security:
    """What the endpoints of one server share: accounts, the certificate and the CredSSP context."""

    accounts: Accounts
    certificate: tls.ServerCertificate
    credssp: CredSSPTLSContext


class Endpoint:
    """One machine on the network.

    ``http_port`` and ``https_port`` 0 mean any free port, None for ``https_port`` means no HTTPS; once started the
    attributes hold the real numbers and keep them over a power cycle.
    """

    def __init__(
        self,
        host: PowerShellHost,
        address: str = "127.0.0.1",
        http_port: int = HTTP_PORT,
        https_port: int | None = None,
        options: EndpointOptions | None = None,
    ) -> None:
        self.host = host
        self.address = address
        self.http_port = http_port
        self.https_port = https_port
        self.options = options or EndpointOptions()
        self.service = WsmanService(host, self.options)
        self.is_up = False
        self._security: Security | None = None
        self._faults = FaultList()
        self._listeners: list[asyncio.Server] = []
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._undo: list[Callable[[], object]] = []

    async def start(self, security: Security) -> None:
        """Listen; raises PortBusyError when a port is taken."""
        self._security = security
        await self.power(True)
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Close everything."""
        if self._sweeper:
            self._sweeper.cancel()
        self.clear_fault_list()
        await self.power(False)

    async def power(self, up: bool) -> None:
        """Switch the machine on or off: off refuses connections, resets the open ones and forgets every shell."""
        if up:
            if not self._faults.refusing:
                await self._listen()
            self.is_up = True
            return
        ending = list(self._connections.values())
        self.power_off()
        if ending:
            await asyncio.wait(ending)

    def power_off(self) -> None:
        """Switch the machine off at once; unlike ``power`` a command that this ends may call it."""
        self.is_up = False
        self._stop_listening()
        self._reset_connections()
        self.service.shells.clear()

    async def drop_connections(self) -> None:
        """Reset every TCP connection; the shells stay."""
        ending = list(self._connections.values())
        self._reset_connections()
        if ending:
            await asyncio.wait(ending)

    def kill_shells(self) -> None:
        """Close every shell, as a restart of the WinRM service does; connections stay."""
        self.service.shells.clear()

    async def add_fault(self, fault: WireFault) -> None:
        """Order a fault on the wire."""
        self._faults.add(fault)
        if fault.kind is FaultKind.REFUSE:
            self._stop_listening()
        elif fault.kind is FaultKind.ROTATE_CREDENTIALS:
            self._rotate_later(fault)

    def _rotate_later(self, fault: WireFault) -> None:
        accounts = self._get_security().accounts
        if accounts.find(fault.account) is None:
            raise ValueError(f"There is no account {fault.account!r} whose password could be rotated.")

        def rotate() -> None:
            old = accounts.rotate(fault.account, fault.password)
            self._undo.append(lambda: accounts.rotate(fault.account, old))

        if fault.seconds:
            self._undo.append(asyncio.get_running_loop().call_later(fault.seconds, rotate).cancel)
        else:
            rotate()

    async def clear_faults(self) -> None:
        """End every ordered fault."""
        self.clear_fault_list()
        if self.is_up and not self._listeners:
            await self._listen()

    def clear_fault_list(self) -> None:
        """End the faults without listening again; rotated credentials become again what they were."""
        self._faults.clear()
        while self._undo:
            self._undo.pop()()

    @property
    def connection_count(self) -> int:
        """How many TCP connections are open."""
        return len(self._connections)

    async def _listen(self) -> None:
        if self._listeners:
            return
        security = self._get_security()
        self.http_port = await self._open(self.http_port, is_tls=False)
        if self.https_port is not None:
            self.https_port = await self._open(self.https_port, is_tls=True)
        log.debug("%s listens with certificate %s", self.host.name, security.certificate.certificate_file)

    async def _open(self, port: int, *, is_tls: bool) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, is_tls=is_tls)

        context = self._get_security().certificate.context(self.options.client_authority) if is_tls else None
        try:
            listener = await asyncio.start_server(
                serve, self.address, port, ssl=context, backlog=_BACKLOG, limit=_STREAM_LIMIT
            )
        except OSError as error:
            self._stop_listening()
            if error.errno == errno.EADDRINUSE:
                raise PortBusyError(
                    errno.EADDRINUSE,
                    f"The simulated machine {self.host.name} cannot listen on {self.address} port {port}: the port is in "
                    "use. Stop the program that uses it (another simulated cluster?) or choose another port.",
                ) from error
            raise OSError(
                error.errno,
                f"The simulated machine {self.host.name} cannot listen on {self.address} port {port}: {error.strerror}. "
                "Choose an address of this computer and a port that this user may open.",
            ) from error
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_tls: bool) -> None:
        security = self._get_security()
        authenticator = Authenticator(
            security.accounts,
            self.options.offered,
            security.credssp,
            security.certificate.channel_binding if is_tls and self.options.check_channel_binding else None,
            tls.client_name(writer.get_extra_info("peercert")),
        )
        policy = Policy(self.options.allow_unencrypted, is_tls, self.options.quotas.max_envelope_kb)
        connection = Connection(reader, writer, authenticator, self.service, self._faults, policy)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this coroutine only runs as the task of a connection
        self._connections[connection] = task
        try:
            await connection.serve()
        except asyncio.CancelledError:
            log.debug("%s dropped a connection", self.host.name)
        finally:
            self._connections.pop(connection, None)

    def _get_security(self) -> Security:
        if self._security is None:
            raise RuntimeError(f"The endpoint of {self.host.name} has not been started.")
        return self._security

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def _reset_connections(self) -> None:
        for connection, task in self._connections.items():
            reset(connection.writer)
            task.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.service.shells.expire()
            limit = self._faults.session_seconds
            if limit is not None:
                self.service.shells.end_older_than(limit)
