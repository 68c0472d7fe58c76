"""Raising the cluster functional level: tried with -WhatIf, allowed by a person, once, with every node on the new build."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from include.hci.cluster.facade import Cluster
from include.hci.cluster.levels import Level, try_functional_level, update_functional_level
from include.hci.policy.post_question import Question
from include.hci.report import events as ev
from include.hci.steps.base import BaseStep
from include.hci.steps.cau_run_access import feature_request
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Decision, Done, Scene, Stop
from include.hci.steps.engine import CANCELLED
from include.hci.steps.feature_consent import Asking, consent, not_allowed
from include.hci.steps.feature_raise import SETTLE, Order, Raise, open_order, unresolved
from include.hci.steps.feature_reading import CLUSTER_LEVEL, ClusterFacts, read_cluster, unfit
from include.hci.steps.gates import lock_decision

WHAT = "the functional level"


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """The cluster, what this run has ordered, and at which level the question was asked; ``said``: what -WhatIf said."""

    cluster: ClusterFacts
    order: Order | None = None
    asked_at: Level | None = None
    said: str | None = None


class FunctionalLevel(BaseStep[LevelFacts]):
    """Ends 'raised', 'already', or 'left' where it was not allowed."""

    name: ev.StepName = "functional_level"

    def __init__(self, context: StepContext) -> None:
        super().__init__(context)
        self.said: str | None = None

    def observe(self, cluster: Cluster) -> LevelFacts:
        """Read the level, the nodes, and what this run has done about it."""
        _, found = read_cluster(cluster, self.context)
        return LevelFacts(found, open_order(self.context.record, self.name, CLUSTER_LEVEL), self._asked_at(), self.said)

    def decide(self, facts: LevelFacts, now: datetime) -> Decision:
        """See whether anything is to be done, by whom it was allowed, and do it once."""
        found, order = facts.cluster, facts.order
        if gate := lock_decision(found.lock, self.name):
            return gate
        if order is not None and found.level > Level.parse(order.before):
            return self._over("raised", order.before, found, f"raised from {order.before} to {found.level}")
        if already := _already(facts, now):
            return self._over("already", str(found.level), found, already)
        question = self.question(facts)
        allowed = consent(self.context.record, feature_request(self.context).functional_level, question)
        if order is not None:
            return unresolved(order, WHAT, now)
        refused = not_allowed(allowed, f"{WHAT} is left at {found.level}", question.step)
        if isinstance(refused, Done):
            return refused
        if problem := unfit(found, WHAT):
            return Stop(problem)
        if refused is not None:
            return refused
        if facts.said is None:
            return Act(TryLevel(self), "the cluster itself is asked first whether it can be raised")
        raising = Raise(
            self.name,
            CLUSTER_LEVEL,
            str(found.level),
            found.aim,
            allowed.by,
            "Update-ClusterFunctionalLevel -Force",
            lambda cluster: update_functional_level(cluster.any()),
        )
        return Act(raising, f"every node is Up on build {found.number}, {allowed.why}, and -WhatIf says: {facts.said}")

    def events(self, facts: LevelFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record how it ended, for the steps that need the level raised."""
        if not isinstance(decision, Done) or decision.outcome == CANCELLED:
            return ()
        if decision.outcome == "left":
            return (ev.PostSkipped(step=self.name, why=decision.why),)
        before = facts.order.before if facts.order is not None and decision.outcome == "raised" else ""
        settled = ev.VersionSettled(
            step=self.name,
            subject=CLUSTER_LEVEL,
            name="Cluster functional level",
            result="raised" if decision.outcome == "raised" else "already",
            before=before or str(facts.cluster.level),
            after=str(facts.cluster.level),
            why=decision.why,
        )
        return (settled,)

    def may_cancel(self, facts: LevelFacts, decision: Decision) -> bool:
        """Nothing is half done unless an order's outcome is open."""
        return facts.order is None and not isinstance(decision, Done | Stop)

    def asking(self, cluster: Cluster, facts: LevelFacts, now: datetime) -> Asking:
        """Return what a person is to be asked."""
        if facts.order is not None:
            return Asking(why="it was ordered by this run already")
        if already := _already(facts, now):
            return Asking(why=already)
        if problem := unfit(facts.cluster, WHAT):
            return Asking(problem=problem)
        return Asking(self.question(facts), try_out=lambda: try_functional_level(cluster.any()))

    def question(self, facts: LevelFacts) -> Question:
        """Return what is agreed to."""
        found = facts.cluster
        before = facts.order.before if facts.order is not None else str(found.level)
        return Question(
            "approve_functional_level",
            self.context.cluster,
            {CLUSTER_LEVEL: before},
            found.aim,
            found.builds,
            names={CLUSTER_LEVEL: "Cluster functional level and upgrade version"},
        )

    def _asked_at(self) -> Level | None:
        asked = [
            entry.event
            for entry in self.context.record.all_of(ev.PostAsked)
            if entry.event.step == "approve_functional_level"
        ]
        text = asked[-1].subjects.get(CLUSTER_LEVEL) if asked else None
        return None if text is None else Level.parse(text)

    def _over(self, outcome: str, before: str, found: ClusterFacts, why: str) -> Done:
        return Done(outcome, f"{WHAT}: {why}", {"before": before, "after": str(found.level)})


def _already(facts: LevelFacts, now: datetime) -> str:
    """Return that the level is as high as it goes; empty where it is not, or nobody knows."""
    found, order = facts.cluster, facts.order
    if found.target is not None:
        return f"it is at {found.level} already, which is what the nodes support" if found.is_raised else ""
    if facts.asked_at is not None and found.level > facts.asked_at:
        return f"it was raised to {found.level} by somebody else since the question was asked at {facts.asked_at}"
    if order is not None and order.taken and now - order.at >= SETTLE:
        return f"the cluster took the command and stays at {found.level}: it was as high as it goes"
    return ""


@dataclass(frozen=True, slots=True)
class TryLevel:
    """Nothing is changed: the cluster is asked whether its level can be raised."""

    step: FunctionalLevel

    def describe(self) -> str:
        """Return the command."""
        return "Update-ClusterFunctionalLevel -WhatIf"

    def perform(self, scene: Scene) -> None:
        """Ask, and keep what it says."""
        said = try_functional_level(scene.cluster.any())
        scene.record.add(ev.RaiseTried(step=self.step.name, said=said), scene.clock())
        self.step.said = said
