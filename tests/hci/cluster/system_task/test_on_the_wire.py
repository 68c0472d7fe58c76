"""One job over a real session: the fixed definition, the argument file and the answer as remoting carries them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from include.hci.cluster.system_task.job import Finished, Job, begin, look, tidy
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.psrp import PsrpShell
from include.hci.powershell.values import Secret
from include.simulator.clock import RealTimeClock
from include.simulator.cluster import DEFAULT_START, SimulatedCluster, make_cluster
from include.simulator.cluster_server import ClusterServer, ServerSettings
from include.simulator.wire.accounts import Account
from include.simulator.world.spec import demo_world
from tests.hci.cluster.system_task.jobs import JOB

PASSWORD = "Correct-Horse-Battery-9!"
QUERY = "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1"


@pytest.fixture
def served() -> Iterator[tuple[SimulatedCluster, PsrpShell]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    cluster = make_cluster(demo_world(2), RealTimeClock(DEFAULT_START, 600.0), seed=1)

    async def make() -> ClusterServer:
        server = ClusterServer(cluster, ServerSettings(base_port=0, lenient=True), [Account("airflow", PASSWORD)])
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(make(), loop).result(30)
    port = server.endpoints["HCI01"].http_port
    settings = ConnectionSettings(
        host="127.0.0.1", user="airflow", password=Secret(PASSWORD), port=port, ssl=False, auth="ntlm"
    )
    shell = PsrpShell(settings)
    yield cluster, shell
    shell.close()
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def finished(shell: PsrpShell, job: Job) -> Finished:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        state = look(shell, job)
        if isinstance(state, Finished):
            return state
        time.sleep(0.2)
    raise AssertionError("it never finished")


def test_a_job_is_begun_answered_and_cleared_away_over_a_session(served):
    cluster, shell = served
    node = cluster.world.node("HCI01")
    job = replace(JOB, mode="scan", searches=(QUERY,), began=datetime.now(UTC))
    begin(shell, job)
    assert [task.name for task in cluster.world.tasks.all(node)] == [job.task_name]
    (search,) = finished(shell, job).answer.searches
    assert search.criteria == QUERY
    assert any("KB5099101" in update.title for update in search.updates)
    tidy(shell, job)
    assert (cluster.world.tasks.all(node), cluster.world.files.paths(node)) == ([], [])
