"""A plain coordinator of fast offline updates for tests: the steps in the order of the DAG, mapped ones at the same time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.hci.report import events as ev
from include.hci.report.events import StepName
from include.hci.report.values import Problem
from include.hci.settings.offline import OfflineRequest
from include.hci.steps.decisions import Done, Stop
from include.hci.steps.offline_admission import OfflineAdmission, admit_offline
from include.hci.steps.offline_plan import plan_offline
from include.hci.steps.planning import plan_run
from include.simulator.world.spec import WorldSpec
from tests.hci.steps.coordinator import OtherKind
from tests.hci.steps.together import ParallelSimulation


def offline_simulation(spec: WorldSpec, seed: int = 0, *, permitted: bool = True) -> ParallelSimulation:
    """Return a simulation in which the operator has allowed the cluster to be stopped, unless not ``permitted``."""
    simulation = ParallelSimulation(spec, seed)
    for what in ("cluster-stop", "vm-power") if permitted else ():
        simulation.cluster.rule("permission", what=what)
    return simulation


@dataclass
class OfflineCoordinator(OtherKind):
    """One offline update. ``before_step`` is called with every step's name before it begins."""

    request: OfflineRequest = field(default_factory=OfflineRequest)
    approved: bool = True
    before_step: Callable[[StepName], None] = lambda name: None

    def begin(self) -> None:
        self._begin("offline-update", self.request.to_json())

    def work(self) -> Done | Stop:
        ready = self.step("readiness", tries=1)
        if isinstance(ready, Stop):
            return ready
        scans: dict[str, Mapping[str, Any]] = {}
        for node in self._up():
            scan = self.step("scan", node)
            assert isinstance(scan, Done)
            scans[node] = scan.details
        self.plan = plan_run(self.cluster, self.context, scans, self.simulation.now())
        plan_offline(self.cluster, self.context, self.plan, self.simulation.now())
        answer = ev.Approved(by="ops", accepted=self.approved, plan_id="x")
        self.record.add(answer, self.simulation.now())
        if not self.approved:
            return Stop(Problem(title="The plan was refused."))
        for name in ("take_lock", "downtime_gate"):
            if name == "downtime_gate":
                self.mapped("stage")
            end = self.alone(name)
            if not isinstance(end, Done) or end.outcome not in ("taken", "clear"):
                return end
        well = True
        if self.request.install_before:
            well = self.mapped("install_before")
        well = well and self.mapped("stop_vms")
        if well:
            stopped = self.alone("stop_cluster")
            if isinstance(stopped, Done):
                self.mapped("install_offline", "restart_offline")
        self.alone("start_cluster")
        self.alone("start_vms")
        return self.alone("verify", tries=1)

    def alone(self, name: StepName, tries: int | None = None) -> Done | Stop:
        """A step about the whole cluster, unless it has nothing to do."""
        self.before_step(name)
        admitted = self.admit(name)
        if not admitted.goes:
            return Done("skipped", admitted.why)
        return self.one(name, tries=tries)

    def admit(self, name: StepName, node: str | None = None) -> OfflineAdmission:
        is_down = self.record.last(ev.ClusterDown) is not None
        return admit_offline(name, node, self.plan, self.record.facts, is_down=is_down)

    def mapped(self, *names: StepName) -> bool:
        """Steps of every node, one after the other on each node, all nodes at the same time; whether all went well."""
        assert self.plan is not None
        well: list[bool] = []

        def work(node: str) -> None:
            for name in names:
                if not self.admit(name, node).goes:
                    continue
                well.append(isinstance(self.one(name, node), Done))

        for name in names:
            self.before_step(name)
        assert isinstance(self.simulation, ParallelSimulation)
        self.simulation.together([lambda node=node.name: work(node) for node in self.plan.nodes])  # type: ignore[misc]
        return all(well)
