"""Restarting a node of a stopped cluster: proof by a later boot time, servicing idle, then scan and install again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.powershell.errors import CommandFailed
from include.hci.report import events as ev
from include.hci.report.facts import OpenRestart
from include.hci.report.values import Problem
from include.hci.steps.actions import RestartNode
from include.hci.steps.answer import NodeAnswer, open_orders, read_answer, restarted
from include.hci.steps.base import NodeStep
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Clock, Decision, Done, Stop, Wait
from include.hci.steps.install import InstallFacts, failed_updates
from include.hci.steps.offline_install import OfflineCustody, OfflineWork
from include.hci.steps.restart import SeeRestart, stands_still
from include.hci.steps.work import ScanNode


@dataclass(frozen=True, slots=True)
class OfflineRestartFacts:
    """The node, and the order to restart that is still open, if any; ``orders``: how often this try has given one.

    ``given_up``: an install on the node has failed, so that it is only restarted where that is pending, and nothing is added.
    """

    answer: NodeAnswer
    custody: OfflineCustody | None = None
    install: InstallFacts | None = None
    order: OpenRestart | None = None
    orders: int = 0
    restarts: int = 0
    given_up: bool = False


class RestartOffline(NodeStep[OfflineRestartFacts]):
    """Ends 'restarted' or 'skipped'."""

    name: ev.StepName = "restart_offline"

    def __init__(self, context: StepContext, node: str, clock: Clock) -> None:
        super().__init__(context, node)
        self._clock = clock
        self.offline = OfflineWork(self, clock)
        self._orders_before = len(open_orders(self.context.record, node))

    def observe(self, cluster: Cluster) -> OfflineRestartFacts:
        """Read the node itself; there is no cluster to be asked about it."""
        answer = read_answer(cluster, self.node)
        orders = open_orders(self.context.record, self.node)
        restarts = len(self.context.record.all_of(ev.Restarted, self.node))
        given_up = self.node in self.changes.failed
        if orders:
            own = max(0, len(orders) - self._orders_before)
            custody = None
            if not own and stands_still(answer, orders[-1], self._clock()):
                custody = self.offline.read_custody(cluster)
            return OfflineRestartFacts(answer, custody, None, orders[-1], own, restarts, given_up)
        custody = self.offline.read_custody(cluster)
        install = self.offline.read_install(None if custody.silence else cluster, custody.lock)
        return OfflineRestartFacts(answer, custody, install, restarts=restarts, given_up=given_up)

    def decide(self, facts: OfflineRestartFacts, now: datetime) -> Decision:
        """Watch an ordered restart; else install what is left, and restart if that is needed."""
        if facts.order is not None:
            return self._watch(facts, facts.order, now)
        if facts.custody is not None and (gate := self.offline.gate(facts.custody, "restarting")):
            return gate
        if facts.install is None or facts.answer.boot_time is None:
            return Wait(f"{self.node} does not say since when it runs")
        pending = facts.install.scan.restart_pending if facts.install.scan is not None else None
        if facts.given_up and pending is None:
            scan = ScanNode(self.context, self.node, self.offline.work, self.name)
            return Act(scan, "an install has failed here; whether a restart is pending is not known")
        if facts.install.failed and not pending:
            return Stop(failed_updates(self.node, facts.install.failed))
        decision = self.offline.install.work_on(facts.install, now)
        if facts.given_up and not pending:
            done = "restarted" if facts.restarts else "skipped"
            return Done(done, f"an install has failed on {self.node}, and it needs no restart any more")
        if not isinstance(decision, Done):
            return decision
        if decision.outcome == "restart-needed":
            return self._order(facts, facts.answer.boot_time)
        if facts.restarts:
            times = "once" if facts.restarts == 1 else f"{facts.restarts} times"
            details = {"restarts": facts.restarts, "build": str(facts.answer.build)}
            return Done("restarted", f"{self.node} was restarted {times} and has nothing left to install", details)
        return Done("skipped", f"{self.node} needs no restart")

    def refused(
        self, action: Action, error: CommandFailed, facts: OfflineRestartFacts, now: datetime
    ) -> Decision | None:
        """A restart that is under way already is watched; else what the install says holds here too."""
        if isinstance(action, RestartNode):
            under_way = error.has_code(1115) or error.has_code(1190)
            return Wait(f"{self.node} answered the order with: {error.detail}") if under_way else None
        return self.offline.install.refused(action, error, facts.install, now) if facts.install else None

    def _order(self, facts: OfflineRestartFacts, boot_time: datetime) -> Decision:
        limit = self.context.options.max_passes_per_node
        if facts.restarts >= limit:
            return Stop(
                Problem(
                    title=f"{self.node} still needs a restart after {facts.restarts} of them.",
                    meaning=f"max_passes_per_node is {limit}.",
                    next_action="Look at what asks for the restart (servicing log, update history) before trying again.",
                    retry_is_safe=False,
                )
            )
        why = "a restart is needed to finish what was installed, and the whole cluster is stopped"
        order = RestartNode(self.node, boot_time, why, step=self.name, local_time=facts.answer.local_time)
        return Act(order, why)

    def _watch(self, facts: OfflineRestartFacts, order: OpenRestart, now: datetime) -> Decision:
        name, answer = self.node, facts.answer
        limit = timedelta(minutes=self.context.options.reboot_timeout_minutes)
        deadline = order.ordered_at + limit
        if answer.boot_time is None or not answer.shows_restart(order):
            if facts.custody is not None:
                if gate := self.offline.gate(facts.custody, "restarting"):
                    return gate
                why = "it answers with its old boot time long after an order that may never have been sent"
                before = answer.boot_time or order.boot_time_before
                return Act(RestartNode(name, before, why, step=self.name, local_time=answer.local_time), why)
            said = f"{name} restarts and does not answer yet"
            if answer.boot_time is not None:
                said = f"{name} was told to restart and has not gone down yet"
            return Wait(said, None, deadline, _late(name, answer, limit))
        if answer.runs("TrustedInstaller"):
            return Wait(f"{name} is back, servicing is still at work", None, deadline, _late(name, answer, limit))
        seen = restarted(name, answer, answer.boot_time, self.name)
        return Act(
            SeeRestart(seen, self.offline.work), f"{name} has restarted: it booted at {answer.boot_time:%H:%M} UTC"
        )


def _late(name: str, answer: NodeAnswer, limit: timedelta) -> Problem:
    minutes = round(limit.total_seconds() / 60)
    if answer.boot_time is None:
        title, meaning = f"Node {name} did not come back within {minutes} min of the order to restart.", answer.silence
    elif answer.runs("TrustedInstaller"):
        title, meaning = f"Node {name} restarted, and servicing was still at work after {minutes} min.", ""
    else:
        title = f"Node {name} did not restart: boot time is still {answer.boot_time:%Y-%m-%dT%H:%MZ}."
        meaning = ""
    return Problem(
        title=title,
        meaning=f"{meaning}{'. ' if meaning else ''}The other servers are brought back without it.",
        next_action=f"Check the console of {name} (BMC). Its cluster service stays disabled until it answers:"
        " then trigger the DAG that makes the cluster safe.",
        # Trying again would only keep the whole cluster down for longer.
        retry_is_safe=False,
    )
