"""One server for all wire tests, and the clients' ways to reach it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from include.simulator.wire import Endpoint
from tests.simulator.wire.lab import PASSWORD, USER, Lab, LabHost

#: Every log-in of pypsrp that the server takes; https ones trust the certificate of the server.
TRANSPORTS: dict[str, dict[str, Any]] = {
    "http basic": {"ssl": False, "auth": "basic", "encryption": "never"},
    "http ntlm": {"ssl": False, "auth": "ntlm"},
    "http negotiate": {"ssl": False, "auth": "negotiate"},
    "http credssp": {"ssl": False, "auth": "credssp"},
    "https basic": {"ssl": True, "auth": "basic"},
    "https ntlm": {"ssl": True, "auth": "ntlm"},
    "https negotiate": {"ssl": True, "auth": "negotiate"},
    "https credssp": {"ssl": True, "auth": "credssp"},
}

Connect = Callable[..., WSMan]
OpenPool = Callable[..., AbstractContextManager[RunspacePool]]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    running = Lab()
    yield running
    running.close()


@pytest.fixture
def machine(lab: Lab) -> Iterator[tuple[Endpoint, LabHost]]:
    endpoint, host = lab.machine()
    yield endpoint, host
    lab.run(endpoint.stop())


@pytest.fixture
def connect(lab: Lab) -> Connect:
    """Return a WSMan of pypsrp for an endpoint (the shared one by default) and a transport."""

    def build(endpoint: Endpoint | None = None, transport: str = "http ntlm", **options: Any) -> WSMan:
        target = endpoint or lab.shared
        settings = {"username": USER, "password": PASSWORD, **TRANSPORTS[transport], **options}
        if settings["ssl"]:
            settings.setdefault("cert_validation", str(lab.server.certificate_file))
        port = target.https_port if settings["ssl"] else target.http_port
        return WSMan("127.0.0.1", port=port, **settings)

    return build


@pytest.fixture
def open_pool(connect: Connect) -> OpenPool:
    @contextmanager
    def opened(
        endpoint: Endpoint | None = None,
        transport: str = "http ntlm",
        pool: dict[str, Any] | None = None,
        **options: Any,
    ) -> Iterator[RunspacePool]:
        with connect(endpoint, transport, **options) as wsman, RunspacePool(wsman, **(pool or {})) as opened_pool:
            yield opened_pool

    return opened


def invoke(pool: RunspacePool, name: str, **parameters: object) -> PowerShell:
    """Run one cmdlet, close it and return it."""
    with PowerShell(pool) as shell:
        shell.add_cmdlet(name).add_parameters(parameters)
        shell.invoke()
        return shell


def wait_for(condition: Callable[[], bool], seconds: float = 3.0) -> None:
    """Return once ``condition`` holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.01)
