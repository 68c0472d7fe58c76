"""Resuming the node that this run paused, and only that one; a node that somebody else paused stays as it was found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from include.hci.cluster.cau import LockHolder, get_lock_holders
from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import ClusterGroup, ClusterNode
from include.hci.cluster.storage import FaultDomain, get_fault_domains
from include.hci.cluster.values import NodeState
from include.hci.policy.gates import find_node, running_roles
from include.hci.policy.order import CORE_GROUPS
from include.hci.policy.progress import Progress
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.report import events as ev
from include.hci.report.facts import OpenRestart
from include.hci.report.values import Problem
from include.hci.steps.actions import LeaveMaintenance, Note, ResumeNode
from include.hci.steps.answer import NodeAnswer, open_orders, read_answer, restarted
from include.hci.steps.base import NodeStep, read_members
from include.hci.steps.decisions import Act, Action, Decision, Done, Stop, Wait
from include.hci.steps.notices import Notice, Notices
from include.hci.steps.pausing import SETTLES, UNSEEN, is_anothers
from include.hci.steps.role_watch import noticed, seen_now
from include.hci.steps.scripts import ScriptFacts, post_update_decision, post_update_problem, read_script
from include.hci.steps.work import ReleaseUpdater

#: How long the drained roles may take to come back; they are live migrations, and the run may go on without them.
FAILBACK_PATIENCE = timedelta(minutes=15)
#: ERROR_CLUSTER_NODE_NOT_PAUSED.
NOT_PAUSED = 5058


@dataclass(frozen=True, slots=True)
class ResumeFacts:
    """The node, what this run changed on it, and which of its drained roles are not back yet.

    ``resumed_at``: when this run ordered the resume. ``disks``: those of the node, read when this run put
    them into maintenance mode by hand. ``order``: a
    restart that was ordered and not seen yet, with the node's own ``answer``. ``script`` and ``notice``: what has to be run, and
    who has to be told, once the node is in service again. ``paused_at``: when this run last ordered the pause; ``unseen``: nobody
    has seen that order arrive.
    """

    node: ClusterNode | None
    paused_by_run: bool
    failback: str
    maintenance_by_run: bool = False
    disks: FaultDomain | None = None
    holders: tuple[LockHolder, ...] = ()
    drained_roles: tuple[str, ...] = ()
    missing_roles: tuple[str, ...] = ()
    resumed_at: datetime | None = None
    order: OpenRestart | None = None
    answer: NodeAnswer = field(default_factory=NodeAnswer)
    groups: tuple[ClusterGroup, ...] = ()
    notice: Notice = field(default_factory=Notice)
    script: ScriptFacts = field(default_factory=lambda: ScriptFacts("post-update"))
    paused_at: datetime | None = None
    unseen: bool = False


class Resume(NodeStep[ResumeFacts]):
    """Ends 'resumed', 'nothing-to-do' (this run did not pause the node) or 'left-paused' (somebody else did)."""

    name: ev.StepName = "resume"

    def observe(self, cluster: Cluster) -> ResumeFacts:
        """Read the cluster from another node."""
        shell, members = read_members(cluster, avoid=(self.node,))
        node = find_node(members.nodes, self.node)
        by_hand = self.node in self.changes.in_maintenance
        domains = get_fault_domains(shell) if by_hand else ()
        # The cluster's own groups are moved away by a drain, but no failback brings them home.
        core = {group.name for group in members.groups if group.kind in CORE_GROUPS}
        pauses = self.since_resume(ev.Pausing)
        ordered = (role for order in pauses for role in order.event.roles)
        drained = tuple(dict.fromkeys(role for role in ordered if role not in core))
        here = {role.name for role in running_roles(members.groups, self.node)}
        orders = self.since_resume(ev.Resuming)
        restarts = open_orders(self.context.record, self.node)
        running = node is not None and node.state in (NodeState.PAUSED, NodeState.UP)
        return ResumeFacts(
            node=node,
            paused_by_run=self.node in self.changes.paused,
            failback=self.context.options.failback_mode,
            maintenance_by_run=by_hand,
            disks=next((item for item in domains if item.name.lower() == self.node.lower()), None),
            holders=self._holders(cluster) if node is not None and node.is_up else (),
            drained_roles=drained,
            missing_roles=tuple(role for role in drained if role not in here),
            resumed_at=orders[0].at if orders else None,
            order=restarts[-1] if restarts else None,
            answer=read_answer(cluster, self.node) if restarts and running else NodeAnswer(),
            groups=members.groups,
            notice=Notices(self.context, self.name, self.node).read(),
            script=read_script(self.context, self.node, "post-update"),
            paused_at=pauses[-1].at if pauses else None,
            unseen=self.node in self.changes.pause_unseen,
        )

    def decide(self, facts: ResumeFacts, now: datetime) -> Decision:
        """Leave maintenance, resume, tidy up, wait for the roles."""
        node, name = facts.node, self.node
        if not facts.paused_by_run:
            if facts.notice.end is not None:
                return Act(facts.notice.end, f"this run does not keep {name} out of service")
            if failed := post_update_problem(facts.script, name):
                return Stop(failed)
            if node is not None and node.state is NodeState.PAUSED:
                return Done("left-paused", f"{name} is paused, but not by this run: it is left as found")
            return Done("nothing-to-do", f"this run has not paused {name}")
        if node is None or node.kept_out == "quarantined":
            state = node.kept_out if node else "not in the cluster"
            return Stop(_cannot(name, state, facts.failback))
        # An isolated node is given some minutes by the cluster itself, and comes back or is Down after them.
        if node.kept_out or node.state not in (NodeState.PAUSED, NodeState.UP):
            state = node.kept_out or str(node.state)
            limit = timedelta(minutes=self.context.options.reboot_timeout_minutes)
            # Counted from the order, so that trying again does not wait again: slow servers and people get this long.
            until = None if facts.order is None else facts.order.ordered_at + 4 * limit
            return Wait(f"{name} is {state}", deadline=until, on_deadline=_cannot(name, state, facts.failback))
        if facts.order is not None and (decision := self._await_restart(facts, facts.order, now)):
            return decision
        if facts.maintenance_by_run:
            if facts.disks is not None and facts.disks.leaves_maintenance:
                return Wait(f"the disks of {name} are leaving maintenance mode")
            if facts.disks is not None and facts.disks.in_maintenance:
                return Act(LeaveMaintenance(name), "its disks have to be back before it takes roles")
            seen = Note(f"the disks of {name} are in service", (ev.MaintenanceLeft(node=name),))
            return Act(seen, "they left maintenance mode")
        since = timedelta.max if facts.paused_at is None else now - facts.paused_at
        if why := is_anothers(node, since, unseen=facts.unseen):
            if since < SETTLES:
                return Wait(f"{name} is paused, and its drain is not to be seen yet")
            if facts.notice.end is not None:
                return Act(facts.notice.end, f"this run does not keep {name} out of service")
            return Done("left-paused", f"{name} is paused, and it seems not by this run: {why}. It is left as found")
        if node.state is NodeState.PAUSED:
            return Act(ResumeNode(name, facts.failback), "this run paused it and is done with it")
        if any(holder.guid == self.context.guid for holder in facts.holders):
            return Act(ReleaseUpdater(self.context, name), f"{name} is Up, so the updater is not needed any more")
        if after := post_update_decision(facts.script, name):
            return after
        if facts.notice.end is not None:
            return Act(facts.notice.end, f"{name} is Up")
        decision = self._roles(facts, now)
        if isinstance(decision, Done) and facts.unseen and facts.resumed_at is not None:
            decision = replace(decision, why=f"{decision.why}, though {UNSEEN}")
        failed = post_update_problem(facts.script, name)
        return Stop(failed) if failed and isinstance(decision, Done) else decision

    def refused(self, action: Action, error: CommandFailed, facts: ResumeFacts, now: datetime) -> Decision | None:
        """A node that is not paused any more is read again."""
        return Wait(f"{self.node} is not paused any more") if error.has_code(NOT_PAUSED) else None

    def noticed(self, facts: ResumeFacts) -> tuple[ev.RunEvent, ...]:
        """Note virtual machines that are not Online."""
        return noticed(self.changes, facts.groups, self.name, self.node)

    def events(self, facts: ResumeFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record that it is Up again."""
        is_back = facts.paused_by_run and facts.node is not None and facts.node.is_up
        if (isinstance(decision, Done) and decision.outcome == "resumed") or (isinstance(decision, Stop) and is_back):
            seen = seen_now(facts.groups, facts.drained_roles)
            return (ev.Resumed(node=self.node, failback_mode=facts.failback, seen=seen),)
        return ()

    def _await_restart(self, facts: ResumeFacts, order: OpenRestart, now: datetime) -> Decision | None:
        boot_time = facts.answer.boot_time
        if boot_time is not None and facts.answer.shows_restart(order):
            seen = restarted(self.node, facts.answer, boot_time, self.name)
            return Act(Note(f"{self.node} has restarted", (seen,)), "the restart was not seen before")
        # A node that is about to go down must not get its roles back.
        until = order.ordered_at + timedelta(minutes=self.context.options.reboot_timeout_minutes)
        if now < until:
            return Wait(f"{self.node} was told to restart and has not been seen to do so yet")
        return None

    def _roles(self, facts: ResumeFacts, now: datetime) -> Decision:
        name, missing = self.node, facts.missing_roles
        if facts.failback != "Immediate" or not missing or facts.resumed_at is None:
            return Done(
                "resumed", f"{name} is Up", {"not_back": list(missing) if facts.failback == "Immediate" else []}
            )
        if now - facts.resumed_at >= FAILBACK_PATIENCE:
            why = f"{name} is Up; {len(missing)} of its roles stayed elsewhere: {', '.join(missing)}"
            return Done("resumed", why, {"not_back": list(missing)})
        total = len(facts.drained_roles)
        progress = Progress(f"failback to {name}", total - len(missing), total, "roles")
        return Wait(f"{name} is Up, its roles are coming back", progress)

    def _holders(self, cluster: Cluster) -> tuple[LockHolder, ...]:
        try:
            return get_lock_holders(cluster.on(self.node), self.node, "MSFT_CAUNode")
        except RemotingError:
            # The node is in service again; what may be left of the updater disappears by itself within an hour.
            return ()


def _cannot(name: str, state: str, failback: str) -> Problem:
    return Problem(
        title=f"{name} could not be resumed: it is {state}.",
        meaning="This run paused it, so it is still this run's to resume.",
        next_action=f"Bring it back, then clear this task, or type: Resume-ClusterNode -Name {name} -Failback {failback}",
        retry_is_safe=True,
    )
