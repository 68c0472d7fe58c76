"""The glue between world and wire: power, faults of the connection, time."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
import requests

from include.simulator.clock import RealTimeClock
from include.simulator.cluster import DEFAULT_START, make_cluster
from include.simulator.cluster_server import ClusterServer, ServerSettings
from include.simulator.cluster_server_faults import apply_wire_fault
from include.simulator.wire.accounts import Account
from include.simulator.world.spec import demo_world


@pytest.fixture
async def server() -> AsyncIterator[ClusterServer]:
    cluster = make_cluster(demo_world(2, "22H2"), RealTimeClock(DEFAULT_START, 300), seed=1)
    made = ClusterServer(cluster, ServerSettings(base_port=0), [Account("airflow", "x")])
    await made.start()
    yield made
    await made.stop()


def listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(2)
        return client.connect_ex(("127.0.0.1", port)) == 0


async def soon(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_restart_closes_the_port_and_opens_the_same_one_again(server: ClusterServer) -> None:
    world = server.cluster.world
    port = server.endpoints["HCI01"].http_port
    world.power.restart(world.node("HCI01"), "test")
    await soon(lambda: not listens(port))
    assert listens(server.endpoints["HCI02"].http_port)
    await soon(lambda: listens(port))
    assert server.endpoints["HCI01"].http_port == port


async def test_the_world_goes_on_by_itself_and_the_journal_tells_its_time(server: ClusterServer) -> None:
    world = server.cluster.world
    due = world.now + timedelta(minutes=2)
    world.at(due, lambda: world.emit("test", None, {}))
    await soon(lambda: server.cluster.journal.entries[-1].op == "test")
    assert server.cluster.journal.entries[-1].at == due
    assert world.clock.now() - due < timedelta(minutes=2)


async def test_a_defect_in_the_world_does_not_stop_it(server: ClusterServer) -> None:
    def broken() -> None:
        raise KeyError("oops")

    happened: list[int] = []
    world = server.cluster.world
    world.after(timedelta(seconds=1), broken)
    world.after(timedelta(seconds=2), lambda: happened.append(1))
    await soon(lambda: bool(happened))
    assert any(entry.op == "simulator.defect" for entry in server.cluster.journal.entries)


async def test_refused_and_healed(server: ClusterServer) -> None:
    world, port = server.cluster.world, server.endpoints["HCI02"].http_port
    world.wire_fault("HCI02", "refuse", {})
    await soon(lambda: not listens(port))
    assert listens(server.endpoints["HCI01"].http_port)
    world.wire_fault("HCI02", "heal", {})
    await soon(lambda: listens(port))


async def test_reset_strikes_open_connections(server: ClusterServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.endpoints["HCI02"].http_port)
    await soon(lambda: server.endpoints["HCI02"].connection_count == 1)
    server.cluster.world.wire_fault("HCI02", "reset", {})
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1), 5)
    writer.close()


async def test_an_unknown_fault_of_the_connection_is_named(server: ClusterServer) -> None:
    with pytest.raises(ValueError, match=r"'gremlins'.*refuse"):
        await apply_wire_fault(server.endpoints["HCI01"], "gremlins", {})


async def test_https_ports_and_their_certificate() -> None:
    cluster = make_cluster(demo_world(1, "WS2022"), RealTimeClock(DEFAULT_START))
    server = ClusterServer(cluster, ServerSettings(base_port=0, https=True), [Account("airflow", "x")])
    await server.start()
    described = server.describe()
    assert listens(described["https_ports"]["HCI01"])  # type: ignore[index]
    assert "BEGIN CERTIFICATE" in open(str(described["certificate"])).read()  # noqa: ASYNC230, PTH123, SIM115
    await server.stop()
    assert not listens(described["https_ports"]["HCI01"])  # type: ignore[index]


async def test_credssp_is_offered_only_while_its_server_role_is_on(server: ClusterServer) -> None:
    def offered() -> set[str]:
        url = f"http://127.0.0.1:{server.endpoints['HCI01'].http_port}/wsman"
        session = requests.Session()
        session.trust_env = False
        answer = session.post(url, timeout=10)
        assert answer.status_code == 401
        return set(answer.headers["WWW-Authenticate"].split(", "))

    world = server.cluster.world
    assert await asyncio.to_thread(offered) == {"Negotiate"}
    world.credssp.set_server(world.node("HCI01"), True)
    assert await asyncio.to_thread(offered) == {"Negotiate", "CredSSP"}
