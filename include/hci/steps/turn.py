"""The turn: the live part of the gate before a node is touched. Airflow's task states order the nodes, the cluster decides."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState
from include.hci.cluster.nodes import ClusterNode, ClusterResource, get_cluster_quorum, get_cluster_resources
from include.hci.cluster.values import NodeState
from include.hci.policy.gates import StorageFacts, find_node, quorum_reason, storage_reasons
from include.hci.policy.interference import Fingerprint, OurChanges, compare
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.policy.resync import resync_progress
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import Members, NodeStep, read_lock, read_members, read_storage
from include.hci.steps.comparing import our_changes, read_fingerprint
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Clock, Decision, Done, Stop, Wait
from include.hci.steps.gates import (
    PARKED,
    calendar_decision,
    lock_decision,
    others_out,
    parked_events,
    void_by_options,
)

#: How often a turn that waits looks again whether somebody else has begun to work on the cluster.
LOOK_AGAIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """The cluster as it is now, beside what the plan says of the node.

    ``ours``: nodes that this run has paused. ``began_at``: when the run began, from which stop_after counts. ``seen`` is what
    nobody else should have changed since the plan was made (None: not looked at this time), ``own`` what this run changed of it.
    """

    nodes: tuple[ClusterNode, ...]
    storage: StorageFacts
    quorum_reason: str
    lock: LockState
    ours: frozenset[str]
    plan: Plan
    planned: PlannedNode
    began_at: datetime | None = None
    seen: Fingerprint | None = None
    own: OurChanges | None = None

    @property
    def changed(self) -> tuple[str, ...]:
        """What somebody else has changed since the plan was made, a sentence each."""
        if self.seen is None or self.own is None or self.plan.fingerprint is None:
            return ()
        return compare(self.plan.fingerprint, self.seen, self.own)

    @property
    def unread(self) -> tuple[str, ...]:
        """What could not be compared with the plan, and why."""
        if self.seen is None or self.plan.fingerprint is None:
            return ()
        return tuple(
            dict.fromkeys((*self.seen.unread, *(f"{text} at plan time" for text in self.plan.fingerprint.unread)))
        )


class Turn(NodeStep[TurnFacts]):
    """Ends 'go', or 'nothing-to-do' for a node without work; waits while the storage resyncs or a node comes back."""

    name: ev.StepName = "turn"

    def __init__(self, context: StepContext, node: str, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(context, node)
        self._clock = clock
        self._looked_at: datetime | None = None

    def observe(self, cluster: Cluster) -> TurnFacts:
        """Read nodes, storage, quorum and lock, and where it is due what nobody else should have changed."""
        shell, members = read_members(cluster)
        plan = self.context.require_plan()
        quorum, resources = get_cluster_quorum(shell), get_cluster_resources(shell)
        # A node that was added is a finding, and nobody knows how to reach it.
        known = _known(members, cluster.nodes)
        facts = TurnFacts(
            nodes=members.nodes,
            storage=read_storage(shell),
            quorum_reason=quorum_reason(members.nodes, self.node, quorum, resources),
            lock=read_lock(cluster, self.context, known),
            ours=frozenset(name.lower() for name in self.changes.paused),
            plan=plan,
            planned=plan.node(self.node),
            began_at=began.at if (began := self.context.record.last(ev.RunStarted)) else None,
        )
        if plan.fingerprint is None or not facts.planned.has_work or not self._is_due(facts):
            return facts
        own = our_changes(self.context, plan)
        seen = self._look(cluster, shell, known, resources, facts.lock, plan.fingerprint, own)
        # Members that nobody can reach are members all the same.
        return replace(facts, own=own, seen=replace(seen, members=tuple(node.name for node in members.nodes)))

    def _is_due(self, facts: TurnFacts) -> bool:
        """Return whether to look now: at first, before the node is let through, and now and then while it waits."""
        now, before = self._clock(), self._looked_at
        out = others_out(facts.nodes, self.node, facts.plan.tolerated)
        is_ready = not (out or facts.quorum_reason or storage_reasons(facts.storage))
        if before is not None and not is_ready and now - before < LOOK_AGAIN:
            return False
        self._looked_at = now
        return True

    def _look(
        self,
        cluster: Cluster,
        shell: Shell,
        members: Members,
        resources: tuple[ClusterResource, ...],
        lock: LockState,
        before: Fingerprint,
        own: OurChanges,
    ) -> Fingerprint:
        touched = {name.lower() for name in own.updated}
        software = [name for name in before.builds if name.lower() not in touched]
        return read_fingerprint(cluster, shell, members, resources, software, lock.holders)

    def decide(self, facts: TurnFacts, now: datetime) -> Decision:
        """Let the node through when nothing speaks against taking it out of service."""
        name, planned = self.node, facts.planned
        if not planned.has_work:
            return Done("nothing-to-do", planned.skip or f"{name} has nothing to install")
        if changed := _interference(facts, name) or _membership_problem(facts):
            return Stop(changed)
        node = find_node(facts.nodes, name)
        if node is not None and name.lower() in facts.ours and node.state is not NodeState.UP:
            return Done("go", f"{name} is out of service by this run already: it goes on there")
        if void := void_by_options(name, facts.plan, self.context.options):
            return Stop(void)
        if parked := calendar_decision(name, self.context.options, facts.plan, facts.began_at, now):
            return parked
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
        unread = f"; it could not be compared with the plan: {'; '.join(facts.unread)}" if facts.unread else ""
        return Done("go", f"{name} may leave: every other node is Up and the storage is whole{unread}")

    def may_cancel(self, facts: TurnFacts, decision: Decision) -> bool:
        """A node that this run has taken out already is brought to its end first."""
        return self.node.lower() not in facts.ours

    def events(self, facts: TurnFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the turn, or the reason why the node is passed over, on record."""
        compared: tuple[ev.RunEvent, ...] = ()
        if facts.seen is not None:
            compared = (ev.ClusterCompared(node=self.node, changed=facts.changed, unread=facts.unread),)
        if not isinstance(decision, Done):
            return compared
        if decision.outcome == PARKED:
            return parked_events(self.name, self.node, decision)
        if decision.outcome != "go":
            return (ev.Skipped(step=self.name, node=self.node, reason=decision.why),)
        order = [node.name for node in facts.plan.nodes]
        return (
            *compared,
            ev.TurnGiven(
                node=self.node, position=order.index(facts.planned.name) + 1, total=len(order), why=decision.why
            ),
        )


def _known(members: Members, names: Collection[str]) -> Members:
    known = {name.lower() for name in names}
    return Members(tuple(node for node in members.nodes if node.name.lower() in known), members.groups)


def _interference(facts: TurnFacts, name: str) -> Problem | None:
    if not facts.changed:
        return None
    return Problem(
        title=f"The cluster is not as the plan found it: {' '.join(facts.changed)}",
        meaning=f"Somebody else works on this cluster, so {name} was not touched and no other node is begun.",
        next_action="Find out who it was and let them finish: Get-CauRun and Get-CauClusterRole show what Cluster-Aware Updating"
        " does, Get-ClusterNode who belongs to the cluster. Then start a new run, so that the plan fits the cluster.",
        retry_is_safe=False,
    )


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
