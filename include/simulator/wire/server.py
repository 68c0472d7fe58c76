"""Many simulated machines with one set of accounts and one certificate."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from include.simulator.wire import tls
from include.simulator.wire.accounts import Account, Accounts
from include.simulator.wire.endpoint import Endpoint, PortBusyError, Security
from include.simulator.wire.options import EndpointOptions

__all__ = ["Endpoint", "EndpointOptions", "PortBusyError", "WsmanServer"]


class WsmanServer:
    """Many simulated machines with one set of accounts and one certificate.

    ``certificate_file`` is what HTTPS clients name as their certificate authority; it exists while the server runs.
    """

    def __init__(self, endpoints: Iterable[Endpoint], accounts: Iterable[Account]) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        for endpoint in endpoints:
            if endpoint.host.name in self.endpoints:
                raise ValueError(f"Two endpoints are called {endpoint.host.name}; give each machine its own name.")
            self.endpoints[endpoint.host.name] = endpoint
        self._accounts = Accounts(accounts)
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._certificate: tls.ServerCertificate | None = None
        self._security: Security | None = None

    @property
    def certificate_file(self) -> Path:
        """The PEM file of the server's certificate."""
        if self._certificate is None:
            raise RuntimeError("The server has no certificate before it is started.")
        return self._certificate.certificate_file

    async def start(self) -> None:
        """Start every endpoint, or none: raises PortBusyError when a port is taken."""
        self._directory = tempfile.TemporaryDirectory(prefix="simulator-tls-")
        names = {"localhost", "127.0.0.1"}
        for endpoint in self.endpoints.values():
            names |= {endpoint.address, endpoint.host.name}
        self._certificate = tls.make_certificate(Path(self._directory.name), names)
        self._accounts.open()
        self._security = Security(self._accounts, self._certificate, tls.make_credssp_context())
        try:
            for endpoint in self.endpoints.values():
                await endpoint.start(self._security)
        except BaseException:
            await self.stop()
            raise

    async def add(self, endpoint: Endpoint) -> None:
        """Start one more machine on a running server; the certificate names only the addresses known at the start."""
        if self._security is None:
            raise RuntimeError("The server has not been started.")
        if endpoint.host.name in self.endpoints:
            raise ValueError(
                f"There is an endpoint called {endpoint.host.name} already; give each machine its own name."
            )
        await endpoint.start(self._security)
        self.endpoints[endpoint.host.name] = endpoint

    def rotate(self, account: str, password: str) -> str:
        """Give an account another password on every machine and return the old one; raises KeyError for an unknown account."""
        return self._accounts.rotate(account, password)

    async def stop(self) -> None:
        """Stop every endpoint and remove the files."""
        for endpoint in self.endpoints.values():
            await endpoint.stop()
        self._accounts.close()
        if self._directory:
            self._directory.cleanup()
            self._directory = None

    async def __aenter__(self) -> WsmanServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self.stop()
