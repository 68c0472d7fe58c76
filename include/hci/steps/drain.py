"""Draining: pausing a node and waiting until its roles run elsewhere. Only one node at a time, and only whole storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState
from include.hci.cluster.nodes import ClusterGroup, ClusterNode, get_cluster_quorum, get_cluster_resources
from include.hci.cluster.values import DrainStatus, NodeState
from include.hci.policy.gates import StorageFacts, find_node, quorum_reason, running_roles, storage_reasons
from include.hci.policy.progress import Progress
from include.hci.policy.resync import resync_progress
from include.hci.powershell.errors import CommandFailed
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.actions import PAUSED_ALREADY, Note, SuspendNode
from include.hci.steps.backups import read_backups
from include.hci.steps.base import NodeStep, read_lock, read_members, read_storage
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Decision, Done, Stop, Wait
from include.hci.steps.gates import PARKED, calendar_decision, lock_decision, others_out, parked_events
from include.hci.steps.notices import Notice, Notices, notice_decision
from include.hci.steps.pausing import ARRIVES_WITHIN, SETTLES, is_anothers
from include.hci.steps.role_watch import noticed, seen_before, seen_now
from include.hci.steps.scripts import ScriptFacts, pre_update_decision, read_script

#: ERROR_CLUSTER_SPACE_DEGRADED: the operating system's own safety check on a pause.
SPACE_DEGRADED = 5987
#: How long a refused pause is left alone before it is asked for again.
ASK_AGAIN_AFTER = timedelta(minutes=1)
_THEIRS = "was paused by somebody else"


@dataclass(frozen=True, slots=True)
class DrainFacts:
    """The node, its running roles, and everything that forbids to take it out.

    ``roles_before``: how many roles it had when this run began to drain it. ``others``: nodes that are out beside it and beside
    those that the plan found so. ``ordered``: this very try of the step has ordered the drain. ``ordered_at``: when this run last
    did; ``unseen``: nobody has seen it arrive. ``resuming``: this run itself has begun to resume the node since. ``storage`` and
    ``quorum_reason`` are read only while the node is still Up. ``refused_at``: when the cluster last refused the pause.
    ``groups``: all roles of the cluster. ``drained``: those that this run has found on the node when it began to drain it.
    ``notice`` and ``script``: who has to be told, and what has to be run, before the node is paused. ``let_go``: a person has
    held the node at its pause point and let it go on, and nothing has been done about it since. ``began_at``: when the run began.
    ``backups``: virtual machines on the node that are being backed up, read while it is still Up.
    """

    node: ClusterNode | None
    roles: tuple[ClusterGroup, ...]
    roles_before: int
    paused_by_run: bool
    ordered: bool
    others: tuple[ClusterNode, ...]
    lock: LockState
    storage: StorageFacts = field(default_factory=StorageFacts)
    quorum_reason: str = ""
    refused_at: datetime | None = None
    groups: tuple[ClusterGroup, ...] = ()
    drained: frozenset[str] = frozenset()
    notice: Notice = field(default_factory=Notice)
    script: ScriptFacts = field(default_factory=ScriptFacts)
    ordered_at: datetime | None = None
    unseen: bool = False
    resuming: bool = False
    let_go: bool = False
    began_at: datetime | None = None
    backups: tuple[str, ...] = ()

    def since_order(self, now: datetime) -> timedelta:
        """Return how long ago this run has ordered the drain."""
        return timedelta.max if self.ordered_at is None else now - self.ordered_at


class Drain(NodeStep[DrainFacts]):
    """Over when the node is Paused, its drain Completed and no running role is left on it."""

    name: ev.StepName = "drain"

    def __init__(self, context: StepContext, node: str) -> None:
        super().__init__(context, node)
        self._orders_before = len(self.since_resume(ev.Pausing))
        self._refused_at: datetime | None = None
        self._notices = Notices(context, self.name, node)
        self._scripts_before = read_script(context, node, "pre-update").state.starts

    def observe(self, cluster: Cluster) -> DrainFacts:
        """Read the cluster from another node."""
        shell, members = read_members(cluster, avoid=(self.node,))
        node = find_node(members.nodes, self.node)
        roles = running_roles(members.groups, self.node)
        plan = self.context.plan
        up = node is not None and node.is_up
        orders = self.since_resume(ev.Pausing)
        before = {role for order in orders for role in order.event.roles}
        reason = ""
        if up:
            reason = quorum_reason(members.nodes, self.node, get_cluster_quorum(shell), get_cluster_resources(shell))
        return DrainFacts(
            node=node,
            roles=roles,
            roles_before=len(before) if orders else len(roles),
            paused_by_run=self.node in self.changes.paused,
            ordered=len(orders) > self._orders_before,
            others=others_out(members.nodes, self.node, plan.tolerated if plan else ()),
            lock=read_lock(cluster, self.context, members),
            storage=read_storage(shell) if up else StorageFacts(),
            quorum_reason=reason,
            refused_at=self._refused_at,
            groups=members.groups,
            drained=frozenset(before),
            notice=self._notices.read(),
            script=read_script(self.context, self.node, "pre-update", self._scripts_before),
            ordered_at=orders[-1].at if orders else None,
            unseen=self.node in self.changes.pause_unseen,
            resuming=self._is_resuming(),
            let_go=self._let_go(),
            backups=read_backups(cluster, self.node) if up and not orders else (),
            began_at=began.at if (began := self.context.record.last(ev.RunStarted)) else None,
        )

    def _let_go(self) -> bool:
        if (self.node, "before-drain") not in self.changes.passed:
            return False
        touched = False
        for entry in self.context.record.events(self.node):
            if isinstance(entry.event, ev.TurnGiven):
                touched = False
            touched |= isinstance(entry.event, ev.HookGiven | ev.Changing | ev.ScriptStarting | ev.Pausing)
        return not touched

    def decide(self, facts: DrainFacts, now: datetime) -> Decision:
        """Pause it when nothing speaks against it, then watch the roles move."""
        node, name = facts.node, self.node
        if node is None or node.state is NodeState.DOWN or node.kept_out:
            state = "not in the cluster" if node is None else node.kept_out or str(node.state)
            return Stop(_problem(f"{name} cannot be drained: it is {state}.", "Bring the node up, then start again."))
        advice = f"Resume it (Resume-ClusterNode -Name {name} -Failback Immediate), or leave it out of the run."
        if node.state is NodeState.PAUSED and not facts.paused_by_run:
            return Stop(_problem(f"{name} {_THEIRS}: this run leaves it as found.", advice))
        if why := is_anothers(node, facts.since_order(now), unseen=facts.unseen):
            if facts.since_order(now) < SETTLES:
                return Wait(f"{name} is paused, and its drain is not to be seen yet")
            return Stop(_problem(f"{name} {_THEIRS}, or so it seems: {why}. This run leaves it as found.", advice))
        if facts.paused_by_run and node.is_up and (undone := self._undone(facts, now)):
            return undone
        if gate := lock_decision(facts.lock, self.name):
            return gate
        if node.state is NodeState.PAUSED and facts.unseen:
            seen = Note(f"the order to pause {name} arrived", (ev.Paused(node=name),))
            return Act(seen, "it is drained so soon after the order that nobody else can be thought of")
        if node.state is NodeState.PAUSED:
            return self._watch(node, facts)
        if not node.is_up:
            return Wait(f"{name} is {node.state}")
        if facts.others:
            return _others(name, facts.others)
        if facts.quorum_reason:
            return Stop(
                _problem(
                    f"{name} cannot be drained: {facts.quorum_reason}.", "Bring the other nodes and the witness online."
                )
            )
        if reasons := storage_reasons(facts.storage):
            said = f"the storage is not whole, so {name} must not leave: {'; '.join(reasons)}"
            return Wait(said, resync_progress(facts.storage.open_jobs))
        if facts.refused_at is not None and now - facts.refused_at < ASK_AGAIN_AFTER:
            return self._degraded()
        if facts.backups:
            return _backed_up(name, facts.backups)
        # The turn has looked at the calendar, but that may have been a night ago.
        if facts.let_go and (
            parked := calendar_decision(name, self.context.options, self.context.plan, facts.began_at, now)
        ):
            return parked
        if first := notice_decision(facts.notice, f"{name} is paused") or pre_update_decision(facts.script, name):
            return first
        roles = tuple(role.name for role in facts.roles)
        pause = SuspendNode(name, roles, str(node.state), seen_before(facts.groups, name))
        return Act(pause, f"{len(roles)} roles run on {name}")

    def refused(self, action: Action, error: CommandFailed, facts: DrainFacts, now: datetime) -> Decision | None:
        """A pause that the storage forbids is tried again; one that has happened already is watched."""
        if error.has_code(SPACE_DEGRADED):
            self._refused_at = now
            return self._degraded()
        if any(error.has_code(code) for code in PAUSED_ALREADY):
            return Wait(f"{self.node} is being drained already")
        return None

    def pause_point(self, decision: Decision) -> ev.PausePoint | None:
        """Right before the node is paused."""
        return "before-drain" if isinstance(decision, Act) and not self.changes.paused.get(self.node) else None

    def may_cancel(self, facts: DrainFacts, decision: Decision) -> bool:
        """Until this run has paused the node."""
        return not facts.paused_by_run

    def noticed(self, facts: DrainFacts) -> tuple[ev.RunEvent, ...]:
        """Note virtual machines that are not Online."""
        return noticed(self.changes, facts.groups, self.name, self.node)

    def events(self, facts: DrainFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record that it is drained, or that it was found paused."""
        if isinstance(decision, Done) and decision.outcome == PARKED:
            return parked_events(self.name, self.node, decision)
        if isinstance(decision, Done):
            seen = seen_now(facts.groups, facts.drained)
            return (ev.Drained(node=self.node, roles_moved=facts.roles_before, seen=seen),)
        if isinstance(decision, Stop) and _THEIRS in decision.problem.title and facts.node is not None:
            return (ev.FoundPaused(node=self.node, state=str(facts.node.state)),)
        return ()

    def _is_resuming(self) -> bool:
        paused, resuming = self.since_resume(ev.Paused), self.since_resume(ev.Resuming)
        return bool(resuming) and (not paused or resuming[-1].at >= paused[-1].at)

    def _undone(self, facts: DrainFacts, now: datetime) -> Decision | None:
        """Return what it means that the node is Up although this run has ordered its pause; None: the order is given again."""
        name = self.node
        if facts.unseen and facts.since_order(now) >= ARRIVES_WITHIN:
            # Whoever pauses the node from now on is not this run.
            lost = ev.PauseRefused(node=name, why="the order never arrived: the node has stayed Up")
            return Act(Note(f"the order to pause {name} was lost", (lost,)), "the node is Up long after the order")
        if facts.unseen or facts.resuming:
            return None
        if facts.since_order(now) < SETTLES:
            return Wait(f"{name} is Up, although the cluster has just taken the order to pause it")
        return Stop(
            Problem(
                title=f"{name} was resumed by somebody else while this run drained it.",
                meaning="This run does not take it out of service against them.",
                next_action="Find out who resumed it. To drain it after all, clear its 'turn' with everything downstream.",
                retry_is_safe=False,
            )
        )

    def _degraded(self) -> Wait:
        return Wait(
            f"the cluster refuses to drain {self.node} while storage is degraded (5987)",
            on_deadline=_problem(
                f"{self.node} was not drained: the cluster refused it for degraded storage all the time.",
                "Look at Get-VirtualDisk and Get-StorageJob; nothing has been changed on the node.",
                "5987",
            ),
        )

    def _watch(self, node: ClusterNode, facts: DrainFacts) -> Decision:
        name, left = self.node, facts.roles
        blockers = "; ".join(role.describe() for role in left)
        blocked = _problem(
            f"{name} could not be drained: {blockers or 'the cluster names no role'}.",
            "Move or stop these roles by hand (Move-ClusterGroup), or resume the node:"
            f" Resume-ClusterNode -Name {name} -Failback Immediate",
        )
        match node.drain:
            case DrainStatus.COMPLETED if not left:
                return Done("drained", f"{name} is Paused, its drain is Completed and no role runs on it")
            case DrainStatus.FAILED if facts.ordered:
                return Stop(blocked)
            case DrainStatus.FAILED | DrainStatus.NOT_INITIATED:
                names = tuple(role.name for role in left)
                again = SuspendNode(name, names, str(node.state), seen_before(facts.groups, name))
                return Act(again, f"it is paused, but its drain is {node.drain}")
        moved = max(0, facts.roles_before - len(left))
        progress = Progress(f"drain of {name}", moved, max(facts.roles_before, len(left)), "roles")
        if node.drain is DrainStatus.COMPLETED:
            return Wait(f"the drain is over, but on {name} still runs {blockers}", progress, on_deadline=blocked)
        return Wait(f"{name} is being drained", progress, on_deadline=blocked)


def _others(name: str, others: tuple[ClusterNode, ...]) -> Decision:
    listed = ", ".join(f"{other.name} is {other.state}" for other in others)
    if any(other.state in (NodeState.DOWN, NodeState.PAUSED) for other in others):
        advice = "Bring that node back (Resume-ClusterNode), then clear this node's 'turn' with everything downstream."
        return Stop(_problem(f"{name} is not drained, because another node is out of service: {listed}.", advice))
    return Wait(f"only one node may be out of service: {listed}")


def _backed_up(name: str, machines: tuple[str, ...]) -> Wait:
    listed = ", ".join(machines)
    return Wait(
        f"{listed} on {name} {'is' if len(machines) == 1 else 'are'} being backed up, and cannot be moved while that lasts",
        on_deadline=_problem(
            f"{name} was not drained: {listed} was being backed up all the time.",
            "Let the backup end and keep its schedule away from this one; nothing has been changed on the node.",
        ),
    )


def _problem(title: str, next_action: str, code: str | None = None) -> Problem:
    return Problem(title=title, next_action=next_action, code=code, retry_is_safe=True)
