"""A plain coordinator for runs that are left to CAU: every step in its order, as the DAG does, over a simulated cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from include.hci.cluster.facade import ManagementHost
from include.hci.policy.plan import Plan
from include.hci.settings import RunOptions
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.machines import Machine
from tests.hci.steps.coordinator import OtherKind
from tests.hci.steps.simulated import SimulatedShell, Simulation

#: Without the firewall rules CAU cannot restart a node of the demo cluster.
OPTIONS: dict[str, Any] = {"enable_firewall_rules": True, "reboot_timeout_minutes": 60}


def options(nodes: int, **more: Any) -> RunOptions:
    return RunOptions.model_validate({"max_failed_nodes": nodes // 3, **OPTIONS, **more})


def host_of(simulation: Simulation) -> Machine:
    return simulation.cluster.hosts[simulation.cluster.world.spec.management_host].machine


@dataclass
class CauCoordinator(OtherKind):
    """One run in remote-updating mode; ``passes_credentials``: the connection of the management host does by itself."""

    passes_credentials: bool = False
    request: CauRemoteRequest = field(default_factory=CauRemoteRequest)
    host: str = ""
    managed: bool = True

    def management(self) -> ManagementHost | None:
        if not self.managed:
            return None
        machine = self.simulation.cluster.hosts[self.host or self.simulation.cluster.world.spec.management_host]
        plain = SimulatedShell(self.simulation, machine, delegated=self.passes_credentials)
        delegating = SimulatedShell(self.simulation, machine, delegated=True, by_credssp=True)
        return ManagementHost(plain, self.passes_credentials, "", None if self.passes_credentials else delegating)

    def begin(self) -> None:
        self._begin("cau-remote-updating", self.request.to_json(), mode=self.mode, started_by="ada")

    @property
    def mode(self) -> str:
        return "plan-only" if self.options.plan_only else "update"

    def work(self) -> Done | Stop:
        for name in ("readiness", "prepare", "preview"):
            end = self.one(name, tries=1)  # type: ignore[arg-type]
            if isinstance(end, Stop):
                return end
        if self.record.facts.cancel is not None:
            return Done("cancelled")
        self.plan = Plan.from_json(end.details["plan"])  # type: ignore[arg-type]
        if not end.details["work"] or self.options.plan_only:
            return end
        end = self.one("run_cau", tries=1)
        self.one("collect", tries=1)
        return end
