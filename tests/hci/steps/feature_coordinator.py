"""A plain coordinator for feature updates: every step in its order, as the DAG does, over a simulated cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.hci.policy.plan import Plan
from include.hci.report import events as ev
from include.hci.report.events import StepName
from include.hci.report.values import Problem
from include.hci.settings import RunOptions
from include.hci.settings.feature import FeatureUpdateRequest, upgrade_options
from include.hci.steps.decisions import Done, Stop
from include.hci.steps.factory import make_step
from tests.hci.steps.cau_coordinator import OPTIONS, CauCoordinator
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.judging import report

QUESTIONS = ("functional_level", "pool_version", "vm_versions")
AFTERWARDS = ("take_lock", *QUESTIONS, "move_role", "validate_after")


def feature_options(nodes: int, request: FeatureUpdateRequest | None = None, **more: Any) -> RunOptions:
    # The firewall is opened for CAU's restarts by a step of the run, whatever the profile says.
    given = RunOptions.model_validate({"max_failed_nodes": 0, **OPTIONS, "enable_firewall_rules": False, **more})
    return upgrade_options(given, request or FeatureUpdateRequest())


@dataclass
class FeatureCoordinator(CauCoordinator):
    """One feature update; ``answers``: who answers the question before a step, and whether with a yes."""

    wanted: FeatureUpdateRequest = field(default_factory=FeatureUpdateRequest)
    answers: Mapping[str, tuple[str, bool]] = field(default_factory=dict)

    def begin(self) -> None:
        self._begin("feature-update", self.wanted.to_json(), mode=self.mode, started_by="ada")

    def work(self) -> Done | Stop:
        end: Done | Stop = self._one("readiness")
        if isinstance(end, Done) and not self.wanted.post_steps_only:
            end = self._upgrade()
            if isinstance(end, Done) and self.options.plan_only:
                return end
            if isinstance(end, Done) and self.wanted.further_updates:
                end = self._roll("further_updates")
        for name in AFTERWARDS:
            if isinstance(end, Stop) or self.record.facts.cancel is not None:
                break
            if name in QUESTIONS:
                self._ask(name)  # type: ignore[arg-type]
            end = self._one(name)  # type: ignore[arg-type]
        return end

    def _upgrade(self) -> Done | Stop:
        end: Done | Stop = Done("begun")
        for node in self.cluster.nodes:
            if isinstance(end, Done):
                end = self._one("remoting", node)
        for name in ("cau_setup", "validate", "preview_channel", "prepare", "preview"):
            if isinstance(end, Stop):
                return end
            if name != "preview_channel" or self.wanted.preview_channel:
                end = self._one(name)  # type: ignore[arg-type]
            read = self.record.last(ev.PreviewChannelRead)
            if name == "preview_channel" and read is not None and read.event.restart:
                end = self._roll("restart_for_preview", restart_nodes=read.event.restart)
        if isinstance(end, Stop):
            return end
        self.plan = Plan.from_json(end.details["plan"])  # type: ignore[arg-type]
        if self.options.plan_only:
            return end
        if end.details["work"]:
            end, collected = self._one("run_cau"), self._one("collect")
            if isinstance(end, Stop) or isinstance(collected, Stop):
                return end if isinstance(end, Stop) else collected
        return self._one("builds")

    def _roll(self, name: StepName, **more: Any) -> Done | Stop:
        """A rolling update of its own, as the task of that name begins one."""
        options = RunOptions.model_validate({"max_failed_nodes": 0, **more})
        child = Coordinator(self.simulation, options, run_id=f"{name}__{self.run_id}")
        child.run()
        found = report(child)
        good = found.outcome in ("succeeded", "nothing-to-do")
        ended = ev.UpdatingEnded(
            step=name,
            dag_id="rolling_update__c",
            started_run=child.run_id,
            state="success" if good else "failed",
            outcome=found.outcome,
            headline=found.headline,
            builds={node.name: node.build_after for node in found.nodes if node.build_after},
            good=good,
        )
        self.record.add(ended, self.simulation.now())
        if good:
            return Done("rolled")
        stopped = Stop(Problem(title=found.headline))
        self._fail(name, None, stopped)
        return stopped

    def _ask(self, name: StepName) -> None:
        """Let ``answers`` answer what the task before ``name`` asks, where the request leaves that open."""
        step = make_step(name, self.context, None, self.simulation.now)
        facts = step.observe(self.cluster)
        asking = step.asking(self.cluster, facts, self.simulation.now())  # type: ignore[attr-defined]
        if asking.question is None or getattr(self.wanted, name) != "ask":
            return
        by, accepted = self.answers.get(name, ("nobody", False))
        given = ev.PostAnswered(step=asking.question.step, identity=asking.question.identity, by=by, accepted=accepted)
        self.record.add(given, self.simulation.now())

    def _one(self, name: StepName, node: str | None = None) -> Done | Stop:
        return self.one(name, node, tries=1)
