"""A plain coordinator for runs that look after CAU's self-updating role: every step in its order, as the DAG does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from include.hci.cluster.facade import ManagementHost
from include.hci.report import events as ev
from include.hci.report.events import StepName
from include.hci.settings import RunOptions, Schedule
from include.hci.settings.cau_role import CauRoleRequest
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.cau_role import CauRole
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.simulated import SimulatedShell, Simulation

STEPS: tuple[StepName, ...] = ("prepare", "firewall", "cau_setup", "configure_role", "verify_role")
#: The options of the vendor's own example: everything that it gives, and nothing beside it.
EXAMPLE: dict[str, Any] = {
    "max_failed_nodes": 0,
    "max_retries_per_node": 3,
    "require_all_nodes_online": True,
    "enable_firewall_rules": True,
}


def schedule(run_by: str = "cau", **line: Any) -> Schedule:
    given = line or {"start_date": "2020-03-02 03:00", "days_of_week": 4, "weeks_of_month": [3]}
    return Schedule.model_validate({"timezone": "UTC", "run_by": run_by, "lines": [given]})


@dataclass
class RoleCoordinator(Coordinator):
    """One run; ``managed``: the cluster has a management host, whose connection passes credentials on where ``passes``."""

    options: RunOptions = field(default_factory=lambda: RunOptions.model_validate(EXAMPLE))
    request: CauRoleRequest = field(default_factory=lambda: CauRoleRequest(schedule=schedule()))
    managed: bool = True
    passes: bool = True

    def management(self) -> ManagementHost | None:
        if not self.managed:
            return None
        machine = self.simulation.cluster.hosts[self.simulation.cluster.world.spec.management_host]
        return ManagementHost(SimulatedShell(self.simulation, machine, delegated=self.passes), self.passes)

    @property
    def role(self) -> CauRole | None:
        return self.simulation.cluster.world.cau.role

    def begin(self) -> None:
        self._begin("cau-self-updating", self.request.to_json())

    def run(self) -> Done | Stop:
        """The whole run; returns the end of the last step that was begun."""
        self.begin()
        end: Done | Stop = Done("nothing")
        for name in STEPS:
            end = self.one(name)
            if isinstance(end, Stop):
                break
        self.record.add(ev.Concluded(why=str(end)), self.simulation.now())
        return end


def configure(simulation: Simulation, **more: object) -> RoleCoordinator:
    return RoleCoordinator(simulation, **more)  # type: ignore[arg-type]


def ask(simulation: Simulation, action: str, run_by: str | None = "cau", **more: object) -> RoleCoordinator:
    wanted = None if run_by is None else schedule(run_by)
    request = CauRoleRequest.model_validate({"action": action, "schedule": wanted})
    return RoleCoordinator(simulation, request=request, run_id=f"run-{action}", **more)  # type: ignore[arg-type]


def configured(simulation: Simulation) -> None:
    """Let a first run set the role up."""
    assert isinstance(configure(simulation, run_id="first").run(), Done)


def changes(run: RoleCoordinator) -> list[str]:
    """The changing commands about the role that were sent, by their names."""
    names = [pipeline.commands[0].name for _, pipeline in run.simulation.commands if pipeline.is_change]
    return [name for name in names if "CauClusterRole" in name]
