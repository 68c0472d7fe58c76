"""CAU's self-updating role over real ports: a date as text, tables, switches and enumerations as remoting carries them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from include.hci.airflow.work import management_host
from include.hci.cluster.facade import FleetCluster
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.psrp import PsrpShell
from include.hci.powershell.values import Secret
from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.html import render_html
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.settings import RunOptions
from include.hci.settings.cau_role import CauRoleRequest
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Done, Stop
from include.hci.steps.engine import StepRunner, run_step
from include.hci.steps.factory import make_step, utc_now
from include.simulator.clock import RealTimeClock
from include.simulator.cluster import DEFAULT_START, SimulatedCluster, make_cluster
from include.simulator.cluster_server import ClusterServer, ServerSettings
from include.simulator.wire.accounts import Account
from include.simulator.world.spec import demo_world
from tests.hci.steps.role_coordinator import EXAMPLE, STEPS, schedule

PASSWORD = "Correct-Horse-Battery-9!"
SPEED = 900.0


@pytest.fixture
def served() -> Iterator[tuple[SimulatedCluster, ClusterServer]]:
    """A cluster of two on ports of its own, served by a thread; its management host takes delegated credentials."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    cluster = make_cluster(demo_world(2), RealTimeClock(DEFAULT_START, SPEED), seed=1)
    cluster.world.credssp.set_server(cluster.world.management_host, True)

    async def make() -> ClusterServer:
        server = ClusterServer(cluster, ServerSettings(base_port=0, lenient=True), [Account("airflow", PASSWORD)])
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(make(), loop).result(30)
    yield cluster, server
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


class Client:
    """The product's steps over real sessions."""

    def __init__(self, cluster: SimulatedCluster, server: ClusterServer) -> None:
        host = cluster.world.spec.management_host
        settings = {
            name: ConnectionSettings(
                host="127.0.0.1",
                name=name,
                user="airflow",
                password=Secret(PASSWORD),
                port=endpoint.http_port,
                ssl=False,
                auth="credssp" if name == host else "negotiate",
            )
            for name, endpoint in server.endpoints.items()
        }
        self.nodes = [node.name for node in cluster.world.nodes]
        self.shells = {name: PsrpShell(settings[name]) for name in self.nodes}
        self.cluster = FleetCluster(
            cluster.name, self.nodes, lambda name: self.shells[name], management_host(settings[host])
        )

    def run(self, action: str, run_id: str) -> tuple[RunRecord, Done | Stop]:
        record = RunRecord(MemoryStorage())
        options = RunOptions.model_validate({**EXAMPLE, "stop_after": "08:00:00", "node_order": self.nodes})
        request = CauRoleRequest.model_validate({"action": action, "schedule": schedule()})
        started = ev.RunStarted(
            run_id=run_id,
            cluster=self.cluster.name,
            nodes=tuple(self.nodes),
            options=options.to_json(),
            run_kind="cau-self-updating",
            request=request.to_json(),
        )
        record.add(started, utc_now())
        for name in STEPS:
            context = StepContext(self.cluster.name, run_id, options, record)
            runner = StepRunner(
                make_step(name, context), self.cluster, record, utc_now, utc_now() + timedelta(minutes=5)
            )
            end = run_step(runner, lambda pause: time.sleep(min(pause.total_seconds(), 0.3)))
            if isinstance(end, Stop):
                break
        record.add(ev.Concluded(), utc_now())
        return record, end


def test_the_role_is_set_up_compared_and_started_over_real_sessions(served):
    cluster, server = served
    client = Client(cluster, server)
    record, end = client.run("configure", "run-1")
    assert isinstance(end, Done), end
    role = cluster.world.cau.role
    assert role is not None
    assert role.schedule is not None
    assert role.schedule.start == datetime(2020, 3, 2, 3, tzinfo=UTC)
    assert role.options["StopAfter"] == timedelta(hours=8)
    assert role.options["NodeOrder"] == client.nodes
    report = report_of(record, utc_now())
    assert report.outcome == "succeeded"
    assert "03:00 UTC" in render_html(report)

    record, end = client.run("check", "run-2")
    assert isinstance(end, Done), end
    assert report_of(record, utc_now()).outcome == "nothing-to-do"

    role.options["MaxFailedNodes"] = 1
    record, end = client.run("check", "run-3")
    assert isinstance(end, Stop)
    assert "MaxFailedNodes is 1, asked for was 0" in end.problem.title
    record, end = client.run("configure", "run-4")
    assert isinstance(end, Done), end

    record, end = client.run("update_now", "run-5")
    assert isinstance(end, Done), end
    assert cluster.world.cau.run is not None
    assert cluster.world.cau.run.by_role
    for shell in client.shells.values():
        shell.close()
