"""A run in CAU's remote-updating mode over real ports: CredSSP, a session that is left, objects as remoting gives them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest

from include.hci.airflow.work import management_host
from include.hci.cluster.facade import FleetCluster
from include.hci.policy.plan import Plan
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.psrp import PsrpShell
from include.hci.powershell.values import Secret
from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Done
from include.hci.steps.engine import StepRunner, run_step
from include.hci.steps.factory import make_step, utc_now
from include.simulator.clock import RealTimeClock
from include.simulator.cluster import DEFAULT_START, SimulatedCluster, make_cluster
from include.simulator.cluster_server import ClusterServer, ServerSettings
from include.simulator.referee import judge
from include.simulator.wire.accounts import Account
from include.simulator.world.spec import demo_world
from tests.hci.steps.cau_coordinator import options

PASSWORD = "Correct-Horse-Battery-9!"
SPEED = 900.0


@pytest.fixture
def served() -> Iterator[tuple[SimulatedCluster, ClusterServer]]:
    """A cluster of two on ports of its own, served by a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    cluster = make_cluster(demo_world(2), RealTimeClock(DEFAULT_START, SPEED), seed=1)

    async def make() -> ClusterServer:
        server = ClusterServer(cluster, ServerSettings(base_port=0, lenient=True), [Account("airflow", PASSWORD)])
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(make(), loop).result(30)
    yield cluster, server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def test_a_run_over_real_sessions_outlives_the_client_that_began_it(served):
    cluster, server = served
    settings = {
        name: ConnectionSettings(
            host="127.0.0.1",
            name=name,
            user="airflow",
            password=Secret(PASSWORD),
            port=endpoint.http_port,
            ssl=False,
            auth="negotiate",
        )
        for name, endpoint in server.endpoints.items()
    }
    nodes = [node.name for node in cluster.world.nodes]
    shells = {name: PsrpShell(settings[name]) for name in nodes}
    host = management_host(settings[cluster.world.spec.management_host])
    seen = FleetCluster(cluster.name, nodes, lambda name: shells[name], host)
    record = RunRecord(MemoryStorage())
    chosen = options(2)
    started = ev.RunStarted(
        run_id="run",
        cluster=cluster.name,
        nodes=tuple(nodes),
        options=chosen.to_json(),
        run_kind="cau-remote-updating",
        request=CauRemoteRequest().to_json(),
    )
    record.add(started, utc_now())
    plan: Plan | None = None
    for name in ("readiness", "prepare", "preview", "run_cau", "collect", "conclude"):
        context = StepContext(cluster.name, "run", chosen, record, plan)
        runner = StepRunner(make_step(name, context), seen, record, utc_now, utc_now() + timedelta(minutes=5))
        end = run_step(runner, lambda pause: time.sleep(min(pause.total_seconds(), 0.3)))
        assert isinstance(end, Done), f"{name}: {end}"
        if name == "preview":
            plan = Plan.from_json(end.details["plan"])
    record.add(ev.Concluded(), utc_now())
    for shell in shells.values():
        shell.close()
    report = report_of(record, utc_now())
    assert (report.outcome, report.left) == ("succeeded", ())
    last = cluster.world.cau.last_report()
    assert last is not None
    assert {node.name: {each.update_id for each in node.updates} for node in report.nodes} == {
        name: {each.result.update.update_id for each in result.succeeded} for name, result in last.results.items()
    }
    host_name = cluster.world.spec.management_host
    assert cluster.hosts[host_name].machine.credssp is False
    assert not [shell for shell in server.endpoints[host_name].service.shells if not shell.connected]
    cluster.snapshot("world")
    assert [each.sentence for each in judge(cluster.journal.entries, report.to_json())] == []
