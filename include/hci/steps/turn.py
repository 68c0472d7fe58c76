"""The turn: the live part of the gate before a node is touched. Airflow's task states order the nodes, the cluster decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState
from include.hci.cluster.nodes import ClusterNode, get_cluster_quorum, get_cluster_resources
from include.hci.cluster.values import NodeState
from include.hci.policy.deadlines import run_deadlines
from include.hci.policy.estimates import estimate_node_range
from include.hci.policy.gates import StorageFacts, find_node, quorum_reason, storage_reasons
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.policy.resync import resync_progress
from include.hci.policy.windows import GateAnswer, may_begin
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import NodeStep, read_lock, read_members, read_storage
from include.hci.steps.decisions import Decision, Done, Stop, Wait
from include.hci.steps.gates import lock_decision, others_out

#: How a turn ends that the calendar does not allow any more: the next run goes on with the node.
PARKED = "parked"


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """The cluster as it is now, beside what the plan says of the node.

    ``ours``: nodes that this run has paused. ``began_at``: when the run began, from which stop_after counts.
    """

    nodes: tuple[ClusterNode, ...]
    storage: StorageFacts
    quorum_reason: str
    lock: LockState
    ours: frozenset[str]
    plan: Plan
    planned: PlannedNode
    began_at: datetime | None = None


class Turn(NodeStep[TurnFacts]):
    """Ends 'go', or 'nothing-to-do' for a node without work; waits while the storage resyncs or a node comes back."""

    name: ev.StepName = "turn"

    def observe(self, cluster: Cluster) -> TurnFacts:
        """Read nodes, storage, quorum and lock."""
        shell, members = read_members(cluster)
        plan = self.context.require_plan()
        quorum, resources = get_cluster_quorum(shell), get_cluster_resources(shell)
        return TurnFacts(
            nodes=members.nodes,
            storage=read_storage(shell),
            quorum_reason=quorum_reason(members.nodes, self.node, quorum, resources),
            lock=read_lock(cluster, self.context, members),
            ours=frozenset(name.lower() for name in self.changes.paused),
            plan=plan,
            planned=plan.node(self.node),
            began_at=began.at if (began := self.context.record.last(ev.RunStarted)) else None,
        )

    def decide(self, facts: TurnFacts, now: datetime) -> Decision:
        """Let the node through when nothing speaks against taking it out of service."""
        name, planned = self.node, facts.planned
        if not planned.has_work:
            return Done("nothing-to-do", planned.skip or f"{name} has nothing to install")
        if changed := _membership_problem(facts):
            return Stop(changed)
        node = find_node(facts.nodes, name)
        if node is not None and name.lower() in facts.ours and node.state is not NodeState.UP:
            return Done("go", f"{name} is out of service by this run already: it goes on there")
        calendar = self._calendar(facts, now)
        if not calendar.allowed:
            return Done(PARKED, calendar.why, {"next_opening": calendar.next_opening})
        if node is None or node.state in (NodeState.DOWN, NodeState.PAUSED):
            state = node.state if node else "gone"
            return Stop(
                Problem(
                    title=f"{name} is {state}, not Up as the plan found it.",
                    next_action="Find out who took it out of service; bring it back (Resume-ClusterNode), then clear this task.",
                    retry_is_safe=True,
                )
            )
        if gate := lock_decision(facts.lock, self.name):
            return gate
        out = others_out(facts.nodes, name, facts.plan.tolerated)
        if out:
            return _others(out, facts.ours)
        if not node.is_up:
            return Wait(f"{name} is {node.state}")
        if facts.quorum_reason:
            return Wait(facts.quorum_reason)
        if reasons := storage_reasons(facts.storage):
            said = f"the storage is not ready for {name} to leave: {'; '.join(reasons)}"
            return Wait(said, resync_progress(facts.storage.open_jobs))
        return Done("go", f"{name} may leave: every other node is Up and the storage is whole")

    def may_cancel(self, facts: TurnFacts, decision: Decision) -> bool:
        """A node that this run has taken out already is brought to its end first."""
        return self.node.lower() not in facts.ours

    def events(self, facts: TurnFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the turn, or the reason why the node is passed over, on record."""
        if not isinstance(decision, Done):
            return ()
        if decision.outcome == PARKED:
            opening = decision.details.get("next_opening")
            known = opening if isinstance(opening, datetime) else None
            return (
                ev.Parked(node=self.node, why=decision.why, next_opening=known),
                ev.Skipped(step=self.name, node=self.node, reason=decision.why),
            )
        if decision.outcome != "go":
            return (ev.Skipped(step=self.name, node=self.node, reason=decision.why),)
        order = [node.name for node in facts.plan.nodes]
        return (
            ev.TurnGiven(
                node=self.node, position=order.index(facts.planned.name) + 1, total=len(order), why=decision.why
            ),
        )

    def _calendar(self, facts: TurnFacts, now: datetime) -> GateAnswer:
        """Return whether the windows, the blackouts and stop_after leave room for one more node."""
        options = self.context.options
        longest = facts.plan.longest_node or estimate_node_range().high
        deadlines = run_deadlines(facts.began_at or now, None, options.stop_after)
        return may_begin(now, options.windows, options.blackouts, longest, stop_at=deadlines.stop_at)


def _membership_problem(facts: TurnFacts) -> Problem | None:
    now, then = {node.name.lower() for node in facts.nodes}, {name.lower() for name in facts.plan.members}
    if now == then:
        return None
    changed = ", ".join(sorted(f"{name} {'was added' if name in now else 'is gone'}" for name in now ^ then))
    return Problem(
        title=f"The cluster is not as the plan found it: {changed}.",
        next_action="Start a new run, so that the plan fits the cluster.",
        retry_is_safe=False,
    )


def _others(out: tuple[ClusterNode, ...], ours: frozenset[str]) -> Wait | Stop:
    listed = ", ".join(
        f"{node.name} is {node.state}{' by this run' if node.name.lower() in ours else ''}" for node in out
    )
    advice = "Bring the node back (Resume-ClusterNode), then clear this task with everything downstream."
    # It was waited for long enough: trying again by itself would only wait as long once more.
    problem = Problem(title=f"Another node is still out of service: {listed}.", next_action=advice, retry_is_safe=False)
    if any(node.name.lower() in ours and node.state in (NodeState.DOWN, NodeState.PAUSED) for node in out):
        # Its own steps have ended, so nothing of this run will bring it back before the run concludes.
        return Stop(problem)
    return Wait(f"only one node may be out of service: {listed}", on_deadline=problem)
