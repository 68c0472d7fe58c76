"""Preparing a run that is left to CAU: credentials that reach the nodes, and what an earlier run has left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.as_found import get_credssp
from include.hci.cluster.cau import LockHolder, get_lock_holders
from include.hci.cluster.cau_runs import CauRunStatus, get_cau_status, get_last_report_id
from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import ClusterNode
from include.hci.policy.readiness import ReadinessFacts
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.steps.base import LOCKABLE, BaseStep, read_members
from include.hci.steps.cau_run_access import NoCoordinator, ask, get_computer_name, host_shell, readers, request_of
from include.hci.steps.cau_run_actions import EnableCredSsp, RecoverCau
from include.hci.steps.cau_run_readiness import CauReadiness
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Clock, Decision, Done, Stop, Wait
from include.hci.steps.hygiene import Sight, TakeSnapshot

#: How long nothing may be heard of a coordinator before it counts as gone.
SILENT_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class PrepareFacts:
    """The management host ``host`` and CAU's state.

    ``delegates``: what runs there reaches the nodes already; ``accepts``: it accepts delegated credentials, None where that does
    not matter. ``holders`` hold the run lock, ``last_report`` is the id of CAU's newest report; ``recovered``: this run has
    recovered CAU already, and ``again`` is what readiness reads after that.
    """

    host: str
    delegates: bool
    can_delegate: bool
    accepts: bool | None
    status: CauRunStatus
    nodes: tuple[ClusterNode, ...]
    holders: tuple[LockHolder, ...]
    last_report: str
    recovered: bool
    again: ReadinessFacts | None = None


class CauPrepare(BaseStep[PrepareFacts]):
    """Ends 'ready' once CAU's commands reach the nodes and CAU is free to begin."""

    name: ev.StepName = "prepare"
    #: What is asked again once CAU was recovered.
    readiness: type[CauReadiness] = CauReadiness

    def __init__(self, context: StepContext, clock: Clock) -> None:
        super().__init__(context)
        self._request: CauRemoteRequest = request_of(context)
        self._since: datetime | None = None
        self._readiness = self.readiness(context, clock)

    def observe(self, cluster: Cluster) -> PrepareFacts:
        """Read the management host, CAU's state and the locks."""
        host = cluster.management()
        shell = host_shell(cluster)
        if host is None:  # host_shell has said so already
            raise NoCoordinator("the cluster has no management_host")
        _, members = read_members(cluster)
        status = ask(readers(cluster), lambda reader: get_cau_status(reader, cluster.name))
        holders: list[LockHolder] = []
        last = ""
        if not status.is_free:
            last = ask(readers(cluster), lambda reader: get_last_report_id(reader, cluster.name))
            for name in (node.name for node in members.nodes if node.state in LOCKABLE):
                holders += get_lock_holders(cluster.on(name), name, "MSFT_CAURun")
        recovered = self.context.record.last(ev.CauRecovering) is not None
        return PrepareFacts(
            host=get_computer_name(shell),
            delegates=host.passes_credentials,
            can_delegate=host.by_credssp is not None,
            accepts=None if host.passes_credentials else get_credssp(shell)[0],
            status=status,
            nodes=members.nodes,
            holders=tuple(holders),
            last_report=last,
            recovered=recovered,
            again=self._readiness.observe(cluster) if recovered and status.is_free else None,
        )

    def decide(self, facts: PrepareFacts, now: datetime) -> Decision:
        """Switch CredSSP on where it is needed and off; recover CAU only on evidence, and only where that is allowed."""
        if facts.status.is_on:
            return Stop(_other_run(facts.status))
        if self.context.record.last(ev.SnapshotTaken) is None:
            return Act(TakeSnapshot(Sight(facts.nodes)), "what the run leaves is compared with it at its end")
        if not facts.delegates and not facts.can_delegate:
            return Stop(_no_credentials(facts.host))
        if not facts.delegates and not facts.accepts:
            if self._request.credssp == "never":
                return Stop(_no_credentials(facts.host))
            return Act(EnableCredSsp(facts.host), f"{facts.host} accepts no delegated credentials, and CAU needs them")
        if facts.again is not None and isinstance(judged := self._readiness.decide(facts.again, now), Stop):
            return Wait(f"CAU was recovered: {judged.problem.title}", on_deadline=judged.problem)
        if facts.status.is_free:
            return Done("ready", f"what runs on {facts.host} reaches the nodes, and no run of CAU is on")
        return self._left_behind(facts, now)

    def events(self, facts: PrepareFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the checks on record that were made again after a recovery."""
        return () if facts.again is None else self._readiness.events(facts.again, decision)

    def may_cancel(self, facts: PrepareFacts, decision: Decision) -> bool:
        """Nothing is half done; what was switched on is switched off at the end of the run."""
        return True

    def _left_behind(self, facts: PrepareFacts, now: datetime) -> Decision:
        state = facts.status.state
        if self._request.force_recovery != "allow":
            return Stop(_not_free(state, "this run was not allowed to recover it (force_recovery)"))
        if facts.recovered:
            return Stop(_not_free(state, "it was recovered by this run already, and that did not help"))
        others = sorted({str(each.guid) for each in facts.holders if str(each.guid).lower() != facts.last_report})
        if others:
            return Stop(
                _not_free(state, f"{', '.join(others)} holds the run lock, and no report of CAU's is of that id")
            )
        away = [f"{node.name} is {node.state}" for node in facts.nodes if not (node.is_up or node.state == "Paused")]
        if away:
            return Stop(_not_free(state, f"the nodes have to be up for it: {', '.join(away)}"))
        self._since = self._since or now
        if now - self._since < SILENT_FOR:
            minutes = int(SILENT_FOR.total_seconds() // 60)
            return Wait(f"CAU is {state}; it is recovered when nothing is heard of a coordinator for {minutes} minutes")
        evidence = (
            f"CAU has said {state}, and of no run in progress, since {self._since:%H:%M} UTC",
            f"its newest report, of the run {facts.last_report or 'none'}, is of a run that is over",
            "no other coordinator holds the run lock on any node",
        )
        started = self.context.record.last(ev.RunStarted)
        allowed_by = (started.event.started_by if started is not None else None) or ""
        return Act(RecoverCau(state, evidence, allowed_by), "; ".join(evidence))


def _other_run(status: CauRunStatus) -> Problem:
    return Problem(
        title=f"A run of CAU is in progress ({status.coordinator or 'coordinator unknown'}).",
        meaning="CAU coordinates one run of a cluster at a time. Nothing was changed.",
        next_action="Wait for it to end (Get-CauRun), then start another run.",
        retry_is_safe=True,
    )


def _no_credentials(host: str) -> Problem:
    return Problem(
        title=f"What runs on {host} cannot log on to the nodes.",
        meaning="CAU goes on from the management host to every node, and this run has no credentials to pass on.",
        next_action="Give the host's connection auth credssp, or let the run switch CredSSP on there (credssp: when_needed).",
        retry_is_safe=True,
    )


def _not_free(state: str, why: str) -> Problem:
    return Problem(
        title=f"CAU is {state}, and {why}.",
        meaning="An earlier run has left something behind. Nothing was changed.",
        next_action="Make sure that no coordinator is alive (Get-CauRun, the lock MSFT_CAURun, Windows Admin Center) and that "
        "all nodes are up, then start a run with force_recovery: allow, or give Invoke-CauRun -ForceRecovery by hand.",
        retry_is_safe=False,
    )
