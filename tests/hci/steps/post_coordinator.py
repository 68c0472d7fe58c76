"""A plain coordinator of what comes after a feature update: the questions, and the steps in the order of the DAG."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from include.hci.report import events as ev
from include.hci.report.events import StepName
from include.hci.report.run_events import NOBODY
from include.hci.settings.feature import FeatureUpdateRequest
from include.hci.steps.decisions import Done, Stop
from include.hci.steps.factory import make_step
from include.hci.steps.feature_consent import Asking
from include.simulator.world.spec import WorldSpec, demo_world
from tests.hci.steps.cau_coordinator import CauCoordinator
from tests.hci.steps.simulated import Simulation

#: What a person may do about a question; "mark" is to mark the task as a success in the user interface.
Reaction = Literal["yes", "no", "silence", "mark"]
ASKED: Mapping[StepName, StepName] = {
    "functional_level": "approve_functional_level",
    "pool_version": "approve_pool_version",
    "vm_versions": "approve_vm_versions",
}
STEPS: tuple[StepName, ...] = ("functional_level", "pool_version", "vm_versions", "move_role")
YES: dict[str, Any] = {"functional_level": "yes", "pool_version": "yes", "vm_versions": "no", "verify_move": False}


def upgraded(nodes: int = 2, os: str = "21H2", formed_with: str = "20H2", **more: Any) -> WorldSpec:
    """Return a cluster whose nodes were all upgraded, while everything else is as it was before."""
    return dataclasses.replace(demo_world(nodes, os), formed_with=formed_with, **more)


def permitted(spec: WorldSpec, *what: str, seed: int = 0) -> Simulation:
    """Return a simulation in which the operator allows what is named."""
    simulation = Simulation(spec, seed)
    for permission in what or ("functional-level", "pool-version"):
        simulation.cluster.rule("permission", what=permission)
    return simulation


def request(**given: Any) -> FeatureUpdateRequest:
    return FeatureUpdateRequest.model_validate({"post_steps_only": True, **given})


@dataclass
class PostCoordinator(CauCoordinator):
    """The end of one feature update. ``reactions`` to the questions; ``between`` happens after an answer, before what follows."""

    feature: FeatureUpdateRequest = field(default_factory=lambda: request(**YES))
    reactions: Mapping[StepName, Reaction] = field(default_factory=dict)
    between: Callable[[StepName], None] = lambda name: None
    asked: dict[StepName, Asking] = field(default_factory=dict)
    ends: dict[StepName, Done | Stop] = field(default_factory=dict)
    before_step: Callable[[StepName], None] = lambda name: None

    def begin(self) -> None:
        self._begin("feature-update", self.feature.to_json(), started_by="ada")

    def work(self) -> Done | Stop:
        end = self.step("take_lock")
        if isinstance(end, Stop):
            return end
        for name in STEPS:
            if name in ASKED:
                self.ask(name)
                self.between(name)
            self.before_step(name)
            end = self.ends[name] = self.one(name)
            if isinstance(end, Stop):
                return end
        return end

    def ask(self, name: StepName) -> None:
        """What the task before the step does: ask the person where the request wants it."""
        if getattr(self.feature, name) != "ask":
            return
        asking, said = self._surviving(lambda: self._look(name))
        self.asked[name] = asking
        if asking.question is None or (reaction := self.reactions.get(name, "silence")) == "mark":
            return
        question, now = asking.question, self.simulation.now()
        self.record.add(
            ev.PostAsked(
                step=ASKED[name],
                identity=question.identity,
                subjects=question.subjects,
                target=question.target,
                builds=question.builds,
                said=said,
            ),
            now,
        )
        by = NOBODY if reaction == "silence" else "bob"
        accepted = reaction == "yes"
        answer = ev.PostAnswered(step=ASKED[name], identity=question.identity, by=by, accepted=accepted)
        self.record.add(answer, now)

    def _look(self, name: StepName) -> tuple[Asking, str]:
        """What there is to ask, and what the cluster says to trying it out."""
        step = make_step(name, self.context, clock=self.simulation.now)
        asking: Asking = step.asking(self.cluster, step.observe(self.cluster), self.simulation.now())  # type: ignore[attr-defined]
        return asking, asking.try_out() if asking.try_out is not None else ""

    def outcome(self, name: StepName) -> str:
        """Return the word with which a step ended."""
        end = self.ends[name]
        return end.outcome if isinstance(end, Done) else "stopped"
