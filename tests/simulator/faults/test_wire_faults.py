"""Faults of the connection, met by an unmodified client on a real port, and gone again once they are healed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from include.simulator.clock import RealTimeClock
from include.simulator.cluster import DEFAULT_START, make_cluster
from include.simulator.cluster_server import ClusterServer, ServerSettings
from include.simulator.faults.catalogue import catalogue
from include.simulator.wire.accounts import Account
from include.simulator.world.spec import demo_world

ON_THE_WIRE = {"wire", "credentials"}
#: Faults of the connection that strike at once, and what a client meets: an error, or how long it waits for an answer.
MET = {
    "connection-reset": "error",
    "reset-in-mid-answer": "error",
    "reset-before-command": "error",
    "half-answer": "silence",
    "black-hole": "silence",
    "connection-refused": "refused",
    "slow-node": "slow",
    "session-killed-after-30-minutes": "expires",
    "sessions-killed": "error",
    "winrm-quota-exceeded": "quota",
    "credentials-rotated": "credentials",
}
SPEED = 900.0


def test_every_fault_of_the_connection_that_strikes_at_once_is_met_here() -> None:
    assert set(MET) == {
        row.id
        for row in catalogue().values()
        if row.when is None and {effect["effect"] for effect in row.effects} <= ON_THE_WIRE
    }
    assert {row.id for row in catalogue().values() if row.shows == ("wire",)} >= set(MET)


@pytest.fixture
async def server() -> AsyncIterator[ClusterServer]:
    cluster = make_cluster(demo_world(2, "22H2"), RealTimeClock(DEFAULT_START, SPEED), seed=1)
    made = ClusterServer(cluster, ServerSettings(base_port=0), [Account("airflow", "Pa55-word")])
    await made.start()
    yield made
    await made.stop()


class Client:
    """One session with a node that may be used again."""

    def __init__(self, port: int) -> None:
        self._wsman = WSMan(
            "127.0.0.1",
            port=port,
            ssl=False,
            auth="negotiate",
            username="airflow",
            password="Pa55-word",
            read_timeout=2,
            operation_timeout=1,
            connection_timeout=2,
            reconnection_retries=0,
        )
        self._pool: RunspacePool | None = None

    async def ask(self) -> str:
        """Ask for the nodes; return their names, or what went wrong."""
        try:
            return await asyncio.to_thread(self._ask)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def _ask(self) -> str:
        if self._pool is None:
            pool = RunspacePool(self._wsman)
            pool.open()
            self._pool = pool
        with PowerShell(self._pool) as shell:
            found = ",".join(str(node) for node in shell.add_cmdlet("Get-ClusterNode").invoke())
            assert not shell.streams.error
            return found


WELL = "HCI01,HCI02"


@pytest.mark.parametrize("fault", MET)
async def test_what_a_client_meets_and_that_it_is_over_after_healing(server: ClusterServer, fault: str) -> None:
    world, port = server.cluster.world, server.endpoints["HCI02"].http_port
    old = Client(port)
    assert await old.ask() == WELL
    loop = asyncio.get_running_loop()
    world.inject(fault, **({} if catalogue()[fault].node == "none" else {"node": 2}))
    await asyncio.sleep(0.1)
    began = loop.time()
    if MET[fault] == "expires":
        await asyncio.sleep(30 * 60 / SPEED + 0.6)
    client = Client(port) if MET[fault] in ("quota", "credentials") else old
    answer = await client.ask()
    took = loop.time() - began
    met = {
        "error": answer != WELL,
        "refused": "refused" in answer.lower() or "Max retries" in answer,
        "silence": answer != WELL and took >= 1.5,
        "slow": took >= 2,
        "expires": answer != WELL,
        "quota": "maximum number of" in answer,
        "credentials": "AuthenticationError" in answer or "credentials were rejected" in answer,
    }[MET[fault]]
    assert met, (answer, took)
    if MET[fault] != "credentials" and catalogue()[fault].node != "none":
        assert await Client(server.endpoints["HCI01"].http_port).ask() == WELL, "the other node is well"
    world.faults.heal()
    await asyncio.sleep(0.2)
    assert await Client(port).ask() == WELL


async def test_a_rotated_password_is_the_one_that_counts_and_never_journalled(server: ClusterServer) -> None:
    server.cluster.world.inject("credentials-rotated", password="N3w-Pa55-word")
    await asyncio.sleep(0.1)
    client = Client(server.endpoints["HCI01"].http_port)
    client._wsman = WSMan(
        "127.0.0.1",
        port=server.endpoints["HCI01"].http_port,
        ssl=False,
        auth="negotiate",
        username="airflow",
        password="N3w-Pa55-word",
    )
    assert await client.ask() == WELL
    journal = "\n".join(entry.to_json() for entry in server.cluster.journal.entries)
    assert "rotate-credentials" in journal
    assert "N3w-Pa55-word" not in journal


async def test_a_fault_of_the_connection_ends_after_its_simulated_minutes(server: ClusterServer) -> None:
    world, port = server.cluster.world, server.endpoints["HCI02"].http_port
    world.inject("connection-refused-on-node-2", lasts=15)
    await asyncio.sleep(0.2)
    assert await Client(port).ask() != WELL
    await world.clock.sleep(timedelta(minutes=16))
    await asyncio.sleep(0.3)
    assert await Client(port).ask() == WELL
