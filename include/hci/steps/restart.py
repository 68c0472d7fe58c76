"""Restarting a drained node, and everything that comes up after it: proof by a later boot time, then scan and install again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import get_operating_system, get_windows_version
from include.hci.cluster.nodes import ClusterGroup, ClusterNode, get_cluster_quorum, get_cluster_resources
from include.hci.cluster.storage import VirtualDisk, get_fault_domains, get_virtual_disks
from include.hci.cluster.values import NodeState, squeeze
from include.hci.policy.gates import find_node, quorum_reason
from include.hci.policy.progress import show_duration
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.facts import OpenRestart
from include.hci.report.values import Problem
from include.hci.steps.actions import EnterMaintenance, RestartNode
from include.hci.steps.answer import NodeAnswer, open_orders, read_answer, restarted
from include.hci.steps.base import Members, NodeStep, read_members
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Clock, Decision, Done, Scene, Stop, Wait
from include.hci.steps.gates import Custody, custody_decision, lock_decision
from include.hci.steps.install import Install, InstallFacts, read_custody
from include.hci.steps.role_watch import noticed
from include.hci.steps.work import Work

#: A node that still answers with its old boot time this long after the order of an earlier try has not heeded it: that try may
#: have died between putting the order on record and sending it. No try gives the order twice by itself.
ORDER_AGAIN_AFTER = timedelta(minutes=10)
#: What a virtual disk must not be when one more server is taken away: its data would be gone or offline.
_UNSAFE = frozenset({"detached", "noredundancy", "lostcommunication", "nonrecoverableerror", "error"})

#: What the step does once nothing keeps it from a restart.
_CHANGES = ("install ", "Enable-StorageMaintenanceMode ", "Restart-Computer ")


@dataclass(frozen=True, slots=True)
class RestartFacts:
    """The node, its answer, and the order to restart that is still open, if any.

    ``install`` is read only while no order is open. ``quorum_reason``: why the cluster cannot do without the node's vote, read
    where an order may follow. ``unsafe_since`` and ``short_since``: since when this step has seen a virtual disk that forbids
    one, or a quorum that does, also before its process was replaced. ``order`` is the last one that is open; ``orders``: how
    often this try of the step has given one. ``restarts``: how often the node was restarted since this run paused it.
    ``custody`` is read before an order is given again. ``asked``: the run was told to restart the node whatever is installed,
    and has no such restart on record; ``out_since``: when the run paused it.
    """

    node: ClusterNode | None
    answer: NodeAnswer
    restarts: int = 0
    order: OpenRestart | None = None
    orders: int = 0
    install: InstallFacts | None = None
    manual_maintenance: bool = False
    in_maintenance: bool = False
    enters_maintenance: bool = False
    disks: tuple[VirtualDisk, ...] = field(default=())
    unsafe_since: datetime | None = None
    short_since: datetime | None = None
    custody: Custody | None = None
    quorum_reason: str = ""
    groups: tuple[ClusterGroup, ...] = ()
    asked: bool = False
    out_since: datetime | None = None


class Restart(NodeStep[RestartFacts]):
    """Ends 'restarted' or 'skipped'."""

    name: ev.StepName = "restart"

    def __init__(self, context: StepContext, node: str, clock: Clock) -> None:
        super().__init__(context, node)
        self._clock = clock
        self.work = Work()
        self.install = Install(context, node, clock, self.work)
        # The install that follows a restart belongs to this step in the record.
        self.install.name = self.name
        self._unsafe_since = self._waits_since(_while_unsafe(node))
        self._short_since = self._waits_since(_for_quorum(node))
        self._orders_before = len(open_orders(self.context.record, self.node))

    def observe(self, cluster: Cluster) -> RestartFacts:
        """Read the cluster from another node, and the node itself as far as it answers."""
        shell, members = read_members(cluster, avoid=(self.node,))
        node = find_node(members.nodes, self.node)
        restarts = len(self.since_resume(ev.Restarted))
        orders = open_orders(self.context.record, self.node)
        if orders:
            own, answer = max(0, len(orders) - self._orders_before), read_answer(cluster, self.node)
            again = not own and stands_still(answer, orders[-1], self._clock())
            custody = read_custody(self, cluster, members) if again else None
            reason = self._quorum_reason(shell, members) if again else ""
            return RestartFacts(
                node=node,
                answer=answer,
                restarts=restarts,
                order=orders[-1],
                orders=own,
                custody=custody,
                quorum_reason=reason,
                groups=members.groups,
            )
        version = get_windows_version(cluster.on(self.node))
        domains = get_fault_domains(shell) if version.needs_manual_maintenance else ()
        system = get_operating_system(cluster.on(self.node), self.node)
        own_disks = [item for item in domains if item.name.lower() == self.node.lower()]
        disks = get_virtual_disks(shell)
        self._unsafe_since = (self._unsafe_since or self._clock()) if any(map(_is_unsafe, disks)) else None
        asked = self._is_asked()
        may_order = self.work.scan is not None and (self.work.scan.restart_pending or asked)
        reason = self._quorum_reason(shell, members) if may_order else ""
        self._short_since = (self._short_since or self._clock()) if reason else None
        return RestartFacts(
            node=node,
            answer=NodeAnswer(system.boot_time, build=version.build, local_time=system.local_time),
            restarts=restarts,
            install=self.install.facts_of(cluster, members, self._clock()),
            manual_maintenance=version.needs_manual_maintenance,
            in_maintenance=any(item.in_maintenance for item in own_disks),
            enters_maintenance=any(item.enters_maintenance for item in own_disks),
            disks=disks,
            unsafe_since=self._unsafe_since,
            short_since=self._short_since,
            quorum_reason=reason,
            groups=members.groups,
            asked=asked,
            out_since=self.changes.paused.get(self.node),
        )

    def _waits_since(self, words: str) -> datetime | None:
        """Return since when what begins with ``words`` is waited for by the record; None: the step's last word is another.

        A process that took over has scanned the node again, and some readings may have failed: neither begins the wait anew.
        """
        since = None
        for entry in reversed(self.context.record.events(self.node, self.name, "decision", "decided")):
            decided = entry.event
            if not isinstance(decided, ev.Decided) or decided.decision in ("done", "stop"):
                break
            if (decided.action or "").startswith(_CHANGES):
                break
            if decided.why.startswith(words):
                since = entry.at
            elif decided.why.startswith(f"{self.node} is not restarted"):
                break
        return since

    def _is_asked(self) -> bool:
        """Return whether a restart was asked for that this run has not seen: not even in an earlier turn of the node."""
        plan = self.context.plan
        asked = plan is not None and plan.node(self.node).restart_asked
        return asked and self.context.record.last(ev.Restarted, self.node) is None

    def _quorum_reason(self, shell: Shell, members: Members) -> str:
        """Return why the cluster would not survive the restart: a drained node still votes, unless it has no vote at all."""
        node = find_node(members.nodes, self.node)
        if node is None or not node.vote:
            return ""
        return quorum_reason(members.nodes, self.node, get_cluster_quorum(shell), get_cluster_resources(shell))

    def decide(self, facts: RestartFacts, now: datetime) -> Decision:
        """Watch an ordered restart; else install what is left, and restart if that is needed."""
        back = facts.order is not None and facts.answer.shows_restart(facts.order)
        if facts.node is not None and facts.node.kept_out and not back:
            return Stop(
                Problem(
                    title=f"{self.node} is {facts.node.kept_out}: the cluster keeps it out.",
                    next_action="Find out why it left the cluster. Clear a quarantine only then"
                    f" (Start-ClusterNode -Name {self.node} -ClearQuarantine); the run stops here.",
                    retry_is_safe=False,
                )
            )
        if facts.order is not None:
            return self._watch(facts, facts.order, now)
        if facts.install is None or facts.answer.boot_time is None:
            return Wait(f"{self.node} does not say since when it runs")
        decision = self.install.decide(facts.install, now)
        if not isinstance(decision, Done):
            return decision
        if decision.outcome == "restart-needed":
            why = "a restart is needed to finish what was installed, and no role runs on it"
            return self._order(facts, facts.answer.boot_time, why)
        if facts.asked:
            return self._as_asked(facts, facts.answer.boot_time)
        if facts.restarts:
            times = "once" if facts.restarts == 1 else f"{facts.restarts} times"
            details = {"restarts": facts.restarts, "build": str(facts.answer.build)}
            return Done("restarted", f"{self.node} was restarted {times} and has nothing left to install", details)
        return Done("skipped", f"{self.node} needs no restart")

    def may_cancel(self, facts: RestartFacts, decision: Decision) -> bool:
        """Before a restart that was only asked for: nothing was installed, so nothing is half done."""
        scan = None if facts.install is None else facts.install.scan
        idle = facts.order is None and not facts.restarts and scan is not None and not scan.restart_pending
        return idle and facts.asked and not isinstance(decision, Stop) and not self.since_resume(ev.InstallStarted)

    def pause_point(self, decision: Decision) -> ev.PausePoint | None:
        """Right before the order; entering storage maintenance mode belongs to it."""
        is_order = isinstance(decision, Act) and isinstance(decision.action, RestartNode | EnterMaintenance)
        return "before-restart" if is_order else None

    def noticed(self, facts: RestartFacts) -> tuple[ev.RunEvent, ...]:
        """Note virtual machines that are not Online."""
        return noticed(self.changes, facts.groups, self.name, self.node)

    def refused(self, action: Action, error: CommandFailed, facts: RestartFacts, now: datetime) -> Decision | None:
        """What the install says of its own actions holds here too; a restart that is under way already is watched."""
        if isinstance(action, RestartNode):
            return (
                Wait(f"{self.node} answered the order with: {error.detail}")
                if error.has_code(1115) or error.has_code(1190)
                else None
            )
        return self.install.refused(action, error, facts.install, now) if facts.install else None

    def _as_asked(self, facts: RestartFacts, boot_time: datetime) -> Decision:
        """Return how the node comes by the restart that was asked for: one since it left service is that restart."""
        if facts.out_since is not None and boot_time > facts.out_since:
            seen = restarted(self.node, facts.answer, boot_time, self.name)
            why = f"{self.node} has restarted since it left service: it booted at {boot_time:%H:%M} UTC"
            return Act(SeeRestart(seen, self.work), why)
        return self._order(facts, boot_time, "a restart was asked for, and no role runs on it")

    def _order(self, facts: RestartFacts, boot_time: datetime, why: str) -> Decision:
        limit = self.context.options.max_passes_per_node
        if facts.restarts >= limit:
            return Stop(
                Problem(
                    title=f"{self.node} still needs a restart after {facts.restarts} of them.",
                    meaning=f"max_passes_per_node is {limit}; more restarts could get the node quarantined.",
                    next_action="Look at what asks for the restart (servicing log, update history) before trying again.",
                    retry_is_safe=False,
                )
            )
        unsafe = [disk.describe() for disk in facts.disks if _is_unsafe(disk)]
        if unsafe:
            return self._wait_for_disks(facts, "; ".join(unsafe))
        if facts.quorum_reason:
            return self._wait_for_quorum(facts)
        if facts.manual_maintenance and not facts.in_maintenance:
            return Act(EnterMaintenance(self.node), "on this version of Windows pausing does not protect the disks")
        if facts.enters_maintenance:
            return Wait(f"the disks of {self.node} are entering maintenance mode")
        return Act(RestartNode(self.node, boot_time, why, local_time=facts.answer.local_time), why)

    def _wait_for_disks(self, facts: RestartFacts, unsafe: str) -> Wait:
        """Wait as long as for a repair that stands still: back in service the node helps the storage more."""
        patience = timedelta(minutes=self.context.options.stuck_repair_minutes)
        problem = Problem(
            title=f"{self.node} was not restarted: {unsafe}.",
            meaning="A restart could cost the data's last copy."
            + (" It was only asked for." if facts.asked else " What was installed still waits for it."),
            next_action="Bring the virtual disk back, then start another run, which only restarts the node.",
            retry_is_safe=False,
        )
        until = None if facts.unsafe_since is None else facts.unsafe_since + patience
        return Wait(f"{_while_unsafe(self.node)} {unsafe}", None, until, problem)

    def _wait_for_quorum(self, facts: RestartFacts) -> Wait:
        """Wait as long as a turn does for another node to come back: this one is out of service meanwhile."""
        problem = Problem(
            title=f"{self.node} was not restarted: {facts.quorum_reason}.",
            meaning="The whole cluster could have gone down with it.",
            next_action="Bring the witness and the other nodes online, then start another run, which only restarts the node.",
            retry_is_safe=False,
        )
        patience = 4 * timedelta(minutes=self.context.options.reboot_timeout_minutes)
        until = None if facts.short_since is None else facts.short_since + patience
        return Wait(f"{_for_quorum(self.node)} {facts.quorum_reason}", None, until, problem)

    def _watch(self, facts: RestartFacts, order: OpenRestart, now: datetime) -> Decision:
        name, answer = self.node, facts.answer
        options = self.context.options
        limit = timedelta(minutes=options.reboot_timeout_minutes)
        if _only_servicing(facts, order):
            # It is back in time; what servicing still does belongs to the installation.
            limit += timedelta(minutes=options.install_timeout_minutes)
        deadline = order.ordered_at + limit
        wait = Wait(_restart_wait(name, facts, order), None, deadline, _late(name, facts, order, limit))
        if answer.boot_time is None or not answer.shows_restart(order):
            if (
                answer.boot_time is not None
                and facts.custody is not None
                and not facts.orders
                and stands_still(answer, order, now)
            ):
                # Much may have happened since the first order: roles that came back, another node that left.
                gate = custody_decision(facts.custody, "restarting") or lock_decision(facts.custody.lock, self.name)
                if gate:
                    return gate
                if facts.quorum_reason:
                    return Wait(
                        f"{name} is not told to restart again: {facts.quorum_reason}", None, deadline, wait.on_deadline
                    )
                why = f"{show_duration(now - order.ordered_at)} after the order it answers with its old boot time"
                return Act(RestartNode(name, answer.boot_time, why, local_time=answer.local_time), why)
            return wait
        # A node that is kept out or was evicted never gets ready: that it restarted goes on record before the step ends over it.
        kept_out = facts.node is None or bool(facts.node.kept_out)
        up_again = answer.runs("ClusSvc") and facts.node is not None and facts.node.state is NodeState.PAUSED
        if not kept_out and (not up_again or answer.runs("TrustedInstaller")):
            return wait
        seen = restarted(name, answer, answer.boot_time, self.name)
        return Act(SeeRestart(seen, self.work), f"{name} has restarted: it booted at {answer.boot_time:%H:%M} UTC")


@dataclass(frozen=True, slots=True)
class SeeRestart:
    """Put a restart that was seen on record, and forget what was known of the node before it."""

    event: ev.Restarted
    work: Work

    def describe(self) -> str:
        """Return it as one line."""
        return f"note the restart of {self.event.node}"

    def perform(self, scene: Scene) -> None:
        """Write the event."""
        self.work.forget()
        scene.record.add(self.event, scene.clock())


def _while_unsafe(name: str) -> str:
    return f"{name} is not restarted while"


def _for_quorum(name: str) -> str:
    return f"{name} is not restarted:"


def _is_unsafe(disk: VirtualDisk) -> bool:
    return disk.health == "Unhealthy" or any(squeeze(text).replace("-", "") in _UNSAFE for text in disk.operational)


def stands_still(answer: NodeAnswer, order: OpenRestart, now: datetime) -> bool:
    """Tell whether the node answers with its old boot time long after the order."""
    late = now - order.ordered_at >= ORDER_AGAIN_AFTER
    return late and answer.boot_time is not None and not answer.shows_restart(order)


def _only_servicing(facts: RestartFacts, order: OpenRestart) -> bool:
    """Tell whether the node has restarted and is back in the cluster, and servicing is all that it is waited for."""
    answer = facts.answer
    is_back = answer.shows_restart(order) and answer.runs("ClusSvc")
    return (
        is_back and facts.node is not None and facts.node.state is NodeState.PAUSED and answer.runs("TrustedInstaller")
    )


def _restart_wait(name: str, facts: RestartFacts, order: OpenRestart) -> str:
    answer = facts.answer
    if answer.boot_time is None:
        return f"{name} restarts and does not answer yet"
    if not answer.shows_restart(order):
        return f"{name} was told to restart and has not gone down yet"
    if not answer.runs("ClusSvc"):
        return f"{name} is back, its cluster service does not run yet"
    if answer.runs("TrustedInstaller"):
        return f"{name} is back, servicing is still at work"
    return f"{name} is back and {facts.node.state if facts.node else 'not in the cluster'}, not Paused yet"


def _late(name: str, facts: RestartFacts, order: OpenRestart, limit: timedelta) -> Problem:
    answer, took = facts.answer, show_duration(limit)
    if answer.boot_time is None:
        return Problem(
            title=f"Node {name} did not come back within {took} of the order to restart.",
            meaning=f"It does not answer: {answer.silence}. The node is left paused.",
            next_action="Check its console (BMC). When it is back, retry the step: it goes on from there.",
            retry_is_safe=True,
        )
    if not answer.shows_restart(order):
        return Problem(
            title=f"Node {name} did not restart: boot time is still {answer.boot_time:%Y-%m-%dT%H:%MZ}, {took} after the order.",
            meaning="The node is left paused.",
            next_action="Check its console; then retry the step.",
            retry_is_safe=True,
        )
    return Problem(
        title=f"Node {name} restarted, but was not ready within {took}: {_restart_wait(name, facts, order)}.",
        meaning="The node is left as it is.",
        next_action="Look at its services and at the cluster's events; then retry the step.",
        retry_is_safe=True,
    )
