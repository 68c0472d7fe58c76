"""A simulated cluster on ports of its own, and the product's steps over real sessions with it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from include.hci.airflow.work import management_host
from include.hci.cluster.facade import FleetCluster, ManagementHost
from include.hci.policy.plan import Plan
from include.hci.powershell.connection import Authentication, ConnectionSettings
from include.hci.powershell.errors import RemotingError
from include.hci.powershell.psrp import PsrpShell
from include.hci.powershell.values import Secret
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.settings import RunOptions
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Done, Stop
from include.hci.steps.engine import StepRunner, run_step
from include.hci.steps.factory import make_step, utc_now
from include.simulator.clock import RealTimeClock
from include.simulator.cluster import DEFAULT_START, SimulatedCluster, make_cluster
from include.simulator.cluster_server import ClusterServer, ServerSettings
from include.simulator.wire.accounts import Account
from include.simulator.world.spec import WorldSpec, demo_world

USER, PASSWORD = "airflow", "Correct-Horse-Battery-9!"
#: Somebody else who may log on to the simulated machines, with the same password.
OTHER = "ada"


@dataclass(frozen=True)
class Served:
    """A simulated cluster that listens, and one session per machine with it.

    ``delegates``: sessions with the management host pass their credentials on, which it was told to accept.
    """

    cluster: SimulatedCluster
    server: ClusterServer
    delegates: bool = True
    shells: dict[str, PsrpShell] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """The management host."""
        return self.cluster.world.spec.management_host

    @property
    def nodes(self) -> list[str]:
        return [node.name for node in self.cluster.world.nodes]

    def shell(self, name: str, user: str = USER) -> PsrpShell:
        """The session of ``user`` with the machine ``name``."""
        key = f"{user}@{name}"
        if key not in self.shells:
            self.shells[key] = PsrpShell(self.settings(name, user))
        return self.shells[key]

    def settings(self, name: str, user: str = USER) -> ConnectionSettings:
        auth: Authentication = "credssp" if self.delegates and name == self.host else "negotiate"
        port = self.server.endpoints[name].http_port
        return ConnectionSettings(
            host="127.0.0.1", name=name, user=user, password=Secret(PASSWORD), port=port, ssl=False, auth=auth
        )

    def management(self, user: str = USER) -> ManagementHost:
        """The management host as the product's steps see it."""
        host = management_host(self.settings(self.host, user))
        assert host is not None
        return host

    def fleet(self) -> FleetCluster:
        """The cluster as the product's steps see it."""
        return FleetCluster(self.cluster.name, self.nodes, self.shell, self.management())

    def close(self) -> None:
        """End the sessions."""
        for shell in self.shells.values():
            with contextlib.suppress(RemotingError):
                shell.close()

    def commands(self, name: str, begin: int = 0) -> list[Mapping[str, Any]]:
        """The parameters with which the machines have seen the command, in order, from the journal's entry ``begin`` on."""
        entries = self.cluster.journal.entries[begin:]
        seen = [entry.detail for entry in entries if (entry.op, entry.status) == ("command", "invoke")]
        return [each["parameters"] for each in seen if each["command"] == name]


@contextlib.contextmanager
def served_cluster(spec: WorldSpec | None = None, speed: float = 900.0, *, delegates: bool = True) -> Iterator[Served]:
    """Serve a cluster, of two unless ``spec`` says otherwise, for the time of the block, by a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    cluster = make_cluster(spec or demo_world(2), RealTimeClock(DEFAULT_START, speed), seed=1)
    if delegates:
        cluster.world.credssp.set_server(cluster.world.management_host, True)

    async def make() -> ClusterServer:
        accounts = [Account(name, PASSWORD) for name in (USER, OTHER)]
        server = ClusterServer(cluster, ServerSettings(base_port=0, lenient=True), accounts)
        await server.start()
        return server

    server = asyncio.run_coroutine_threadsafe(make(), loop).result(30)
    served = Served(cluster, server, delegates)
    try:
        yield served
    finally:
        served.close()
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


@dataclass
class WireRun:
    """One run of the product over real sessions: its steps, one by one, in real time."""

    served: Served
    options: RunOptions
    kind: ev.RunKind = "rolling-update"
    request: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = "run"
    plan: Plan | None = None
    record: RunRecord = field(default_factory=lambda: RunRecord(MemoryStorage()))

    def __post_init__(self) -> None:
        self.fleet = self.served.fleet()
        started = ev.RunStarted(
            run_id=self.run_id,
            cluster=self.fleet.name,
            nodes=tuple(self.served.nodes),
            options=self.options.to_json(),
            run_kind=self.kind,
            request=dict(self.request),
        )
        self.record.add(started, utc_now())

    @property
    def context(self) -> StepContext:
        return StepContext(self.fleet.name, self.run_id, self.options, self.record, self.plan)

    def step(self, name: ev.StepName, node: str | None = None, minutes: float = 5) -> Done | Stop:
        """Run one step to its end."""
        deadline = utc_now() + timedelta(minutes=minutes)
        runner = StepRunner(make_step(name, self.context, node), self.fleet, self.record, utc_now, deadline)
        return run_step(runner, lambda pause: time.sleep(min(pause.total_seconds(), 0.3)))

    def steps(self, names: Sequence[ev.StepName]) -> Done | Stop:
        """Run some steps up to the first that stops."""
        end: Done | Stop = Done("nothing")
        for name in names:
            end = self.step(name)
            if isinstance(end, Stop):
                break
        return end
