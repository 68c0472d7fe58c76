"""A plain coordinator for runs that are left to CAU: every step in its order, as the DAG does, over a simulated cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from include.hci.cluster.facade import FleetCluster, ManagementHost
from include.hci.policy.plan import Plan
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.settings import RunOptions
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.machines import Machine
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.simulated import SimulatedShell, Simulation

#: Without the firewall rules CAU cannot restart a node of the demo cluster.
OPTIONS: dict[str, Any] = {"enable_firewall_rules": True, "reboot_timeout_minutes": 60}


def options(nodes: int, **more: Any) -> RunOptions:
    return RunOptions.model_validate({"max_failed_nodes": nodes // 3, **OPTIONS, **more})


def host_of(simulation: Simulation) -> Machine:
    return simulation.cluster.hosts[simulation.cluster.world.spec.management_host].machine


@dataclass
class CauCoordinator(Coordinator):
    """One run in remote-updating mode; ``passes_credentials``: the connection of the management host does by itself."""

    passes_credentials: bool = False
    request: CauRemoteRequest = field(default_factory=CauRemoteRequest)
    host: str = ""
    managed: bool = True

    def __post_init__(self) -> None:
        world = self.simulation.cluster.world
        machine = self.simulation.cluster.hosts[self.host or world.spec.management_host]
        plain = SimulatedShell(self.simulation, machine, delegated=self.passes_credentials)
        delegating = SimulatedShell(self.simulation, machine, delegated=True, by_credssp=True)
        host = ManagementHost(plain, self.passes_credentials, "", None if self.passes_credentials else delegating)
        nodes = [node.name for node in world.nodes]
        self.cluster = FleetCluster(world.spec.cluster, nodes, self.simulation.shell, host if self.managed else None)
        self.record = RunRecord(self.storage)

    def begin(self) -> None:
        """Put the run on record."""
        started = ev.RunStarted(
            run_id=self.run_id,
            cluster=self.cluster.name,
            nodes=self.cluster.nodes,
            options=self.options.to_json(),
            mode="plan-only" if self.options.plan_only else "update",
            started_by="ada",
            run_kind="cau-remote-updating",
            request=self.request.to_json(),
        )
        self.record.add(started, self.simulation.now())

    def run(self) -> Done | Stop:
        """The whole run; returns the end of the last step that mattered."""
        self.begin()
        end = self._work()
        self.conclude()
        return end

    def _work(self) -> Done | Stop:
        for name in ("readiness", "prepare", "preview"):
            end = self.step(name, tries=1)  # type: ignore[arg-type]
            if isinstance(end, Stop):
                self.record.add(ev.Failed(step=name, problem=end.problem), self.simulation.now())
                return end
        if self.record.facts.cancel is not None:
            return Done("cancelled")
        self.plan = Plan.from_json(end.details["plan"])  # type: ignore[arg-type]
        if not end.details["work"] or self.options.plan_only:
            return end
        end = self.step("run_cau", tries=1)
        if isinstance(end, Stop):
            self.record.add(ev.Failed(step="run_cau", problem=end.problem), self.simulation.now())
        collected = self.step("collect", tries=1)
        if isinstance(collected, Stop):
            self.record.add(ev.Failed(step="collect", problem=collected.problem), self.simulation.now())
        return end
