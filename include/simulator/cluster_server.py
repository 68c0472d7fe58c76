"""A simulated cluster on the network: every machine on a port of its own, the world kept going, a control interface beside it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from include.simulator.clock import RealTimeClock
from include.simulator.cluster import SimulatedCluster
from include.simulator.cluster_server_faults import apply_wire_fault
from include.simulator.control import ControlServer
from include.simulator.wire.accounts import Account
from include.simulator.wire.options import EndpointOptions
from include.simulator.wire.server import Endpoint, WsmanServer
from include.simulator.world.machines import Machine

logger = logging.getLogger(__name__)

#: How far the HTTPS port of a machine is from its HTTP port.
HTTPS_OFFSET = 1000
_SHORTEST_TICK = 0.01
_LONGEST_TICK = 0.25


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where and how a cluster is served: machine number i listens on ``base_port`` + i, the control interface after the last.

    ``base_port`` 0 means free ports. ``lenient`` also offers Basic over plain HTTP.
    """

    address: str = "127.0.0.1"
    base_port: int = 15985
    https: bool = False
    lenient: bool = False


def _windows_build(machine: Machine) -> str:
    return f"{machine.build}.{machine.ubr}"


def _takes_credssp(machine: Machine) -> bool:
    return machine.credssp


class ClusterServer:
    """Serves ``cluster``; ``stopping`` is set when the control interface was asked for the end."""

    def __init__(self, cluster: SimulatedCluster, settings: ServerSettings, accounts: Iterable[Account]) -> None:
        self.cluster = cluster
        self.stopping = asyncio.Event()
        base = settings.base_port
        first = EndpointOptions.lenient() if settings.lenient else EndpointOptions()
        self.endpoints: dict[str, Endpoint] = {}
        for number, (name, host) in enumerate(cluster.hosts.items()):
            options = replace(
                first,
                configurations=frozenset(each.name for each in host.configurations.values()),
                takes_credssp=partial(_takes_credssp, host.machine),
                windows_build=partial(_windows_build, host.machine),
            )
            http_port = base + number if base else 0
            https_port = (http_port + HTTPS_OFFSET if base else 0) if settings.https else None
            self.endpoints[name] = Endpoint(host, settings.address, http_port, https_port, options)
        self._known = tuple(accounts)
        self._wire = WsmanServer(self.endpoints.values(), self._known)
        self.control = ControlServer(cluster, base + len(self.endpoints) if base else 0, self.stopping.set)
        self._work: set[asyncio.Task[Any]] = set()
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open every port or none, and set the world going; raises PortBusyError or ControlPortBusyError."""
        await self.control.start()
        try:
            await self._wire.start()
        except BaseException:
            await self.control.stop()
            raise
        self.cluster.world.on_power(self._power_changed)
        self.cluster.world.on_wire_fault(self._wire_fault)
        self._ticker = asyncio.create_task(self._tick(), name="world")

    async def stop(self) -> None:
        """Journal a last snapshot, close every port and the journal."""
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        await self._wire.stop()
        await self.control.stop()
        if self._work:
            await asyncio.wait(self._work, timeout=5)
        self.cluster.snapshot("world")
        self.cluster.journal.close()

    def describe(self) -> dict[str, object]:
        """Return what a client needs to know: ports by machine, the control port, the certificate."""
        described: dict[str, object] = {
            "cluster": self.cluster.name,
            "ports": {name: endpoint.http_port for name, endpoint in self.endpoints.items()},
            "control": self.control.port,
            "journal": str(self.cluster.journal.path) if self.cluster.journal.path else None,
        }
        if any(endpoint.https_port is not None for endpoint in self.endpoints.values()):
            described["https_ports"] = {name: endpoint.https_port for name, endpoint in self.endpoints.items()}
            described["certificate"] = str(self._wire.certificate_file)
        return described

    async def _tick(self) -> None:
        """Let the world go on, at the latest when its next event is due."""
        world, clock = self.cluster.world, self.cluster.clock
        speed = clock.speed if isinstance(clock, RealTimeClock) else 1.0
        while True:
            try:
                world.advance()
            except Exception as defect:
                logger.exception("The simulated world failed")
                self.cluster.journal.event("simulator.defect", None, {"error": repr(defect)})
            due = world.next_event()
            pause = _LONGEST_TICK if due is None else (due - clock.now()).total_seconds() / speed
            await asyncio.sleep(min(_LONGEST_TICK, max(_SHORTEST_TICK, pause)))

    def _power_changed(self, name: str, up: bool) -> None:
        if name in self.endpoints:
            self._do(self.endpoints[name].power(up))

    def _wire_fault(self, name: str, kind: str, arguments: dict[str, object]) -> None:
        if name not in self.endpoints:
            return
        clock = self.cluster.clock
        speed = clock.speed if isinstance(clock, RealTimeClock) else 1.0
        self._do(apply_wire_fault(self.endpoints[name], kind, arguments, speed=speed, accounts=self._known))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("A change on the wire failed", exc_info=task.exception())
