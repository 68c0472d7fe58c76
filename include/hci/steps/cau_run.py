"""CAU's run: begun once, watched until it is over, told to stop when a person or the clock says so.

What watches it may die and begin again as often as it likes: everything it goes by is on record or is read. CAU itself is the
witness of what happens, its states pass through in its own words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.cau_runs import CauRunStatus, get_cau_status, get_last_report_id
from include.hci.cluster.facade import Cluster
from include.hci.policy.checks.coordinator import is_same_machine
from include.hci.policy.progress import Progress, show_duration
from include.hci.policy.windows import GateAnswer, may_begin
from include.hci.report import events as ev
from include.hci.report.record import Stamped
from include.hci.report.values import Problem
from include.hci.steps.actions import Note
from include.hci.steps.base import BaseStep
from include.hci.steps.cau_run_access import ask, readers
from include.hci.steps.cau_run_actions import GiveUpStart, StartCauRun, StopCauRun
from include.hci.steps.context import StepContext, deadline_for
from include.hci.steps.decisions import Act, Clock, Decision, Done, Stop, Wait

#: How long a run that was begun may take to be seen, and how long one that is gone is looked for before that is believed.
UNSEEN, GONE = timedelta(minutes=5), timedelta(minutes=3)
#: How long CAU may take to act on its own StopAfter, and to end after it was told to stop, before that is said.
OVERDUE = timedelta(minutes=15)
#: From when on a run in which nothing changes is one to look at.
STALLED = timedelta(minutes=60)
#: How much longer than this step waits the session is kept in which CAU's run lives.
_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CauRunFacts:
    """CAU as it is now, and what is on record: the ``starting`` that is not answered yet, the run that was ``seen``, its end.

    ``last_report`` is the id of CAU's newest report, read only while no run is on. ``changed_at`` is when a node's state changed
    last, ``stopping`` when CAU was told to stop. ``began_at`` is when this run began, from which stop_after counts.
    """

    status: CauRunStatus
    last_report: str = ""
    starting: Stamped[ev.CauRunStarting] | None = None
    seen: Stamped[ev.CauRunSeen] | None = None
    is_over: bool = False
    changed_at: datetime | None = None
    stopping: Stamped[ev.CauRunStopping] | None = None


class RunCau(BaseStep[CauRunFacts]):
    """Ends 'over' when CAU's run is not on any more, whatever came of it; 'parked' when no window lets it begin."""

    name: ev.StepName = "run_cau"

    def __init__(self, context: StepContext, clock: Clock) -> None:
        super().__init__(context)
        self._gone_since: datetime | None = None

    def observe(self, cluster: Cluster) -> CauRunFacts:
        """Read CAU's state from whoever answers; the node it works on is asked last."""
        record = self.context.record
        starting, seen = record.last(ev.CauRunStarting), record.last(ev.CauRunSeen)
        failed = record.last(ev.CauRunNotStarted)
        if starting is not None and failed is not None and failed.event.session == starting.event.session:
            starting = None
        if seen is not None and starting is not None and seen.at < starting.at:
            seen = None
        over, changed = record.last(ev.CauRunOver), record.last(ev.CauNodeStatus)
        avoid = [changed.event.node] if changed is not None else []
        status = ask(readers(cluster, avoid), lambda shell: get_cau_status(shell, cluster.name))
        last = ""
        if starting is not None and not status.is_on:
            last = ask(readers(cluster, avoid), lambda shell: get_last_report_id(shell, cluster.name))
        return CauRunFacts(
            status=status,
            last_report=last,
            starting=starting,
            seen=seen if starting is not None else None,
            is_over=over is not None and starting is not None and over.at >= starting.at,
            changed_at=changed.at if changed is not None else None,
            stopping=record.last(ev.CauRunStopping),
        )

    def noticed(self, facts: CauRunFacts) -> tuple[ev.RunEvent, ...]:
        """Put on record what CAU does on each node, whenever it changes."""
        if facts.seen is None or facts.status.run_id != facts.seen.event.run_id:
            return ()
        found = []
        for each in facts.status.nodes:
            before = self.context.record.last(ev.CauNodeStatus, each.node)
            if before is None or before.event.status != each.status:
                found.append(ev.CauNodeStatus(node=each.node, status=each.status, since=each.since))
        return tuple(found)

    def decide(self, facts: CauRunFacts, now: datetime) -> Decision:
        """Begin CAU's run unless this run has done so; then wait for its end."""
        if facts.is_over:
            return Done("over", "CAU's run is over")
        if facts.starting is None:
            return self._begin(facts, now)
        if facts.seen is None:
            return self._look_for(facts, facts.starting, now)
        if facts.status.is_on and facts.status.run_id == facts.seen.event.run_id:
            self._gone_since = None
            return self._watch(facts, facts.seen, now)
        return self._gone(facts, facts.seen.event, now)

    def events(self, facts: CauRunFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record how it ended, or that it did not begin."""
        if isinstance(decision, Done) and decision.outcome == "parked":
            opening = decision.details.get("next_opening")
            known = opening if isinstance(opening, datetime) else None
            return (ev.Parked(step=self.name, why=decision.why, next_opening=known),)
        if facts.seen is None or facts.is_over or not isinstance(decision, Done | Stop):
            return ()
        state, run_id = facts.status.state, facts.seen.event.run_id
        why = decision.problem.title if isinstance(decision, Stop) else decision.why
        return (ev.CauRunOver(state=state, run_id=run_id, why=why),) if not facts.status.is_on else ()

    def may_cancel(self, facts: CauRunFacts, decision: Decision) -> bool:
        """Only before CAU's run was begun; afterwards it is told to stop and waited for."""
        return facts.starting is None

    def _begin(self, facts: CauRunFacts, now: datetime) -> Decision:
        if not facts.status.is_free:
            return Stop(_not_free(facts.status))
        calendar = self._calendar(now)
        if not calendar.allowed:
            return Done("parked", calendar.why, {"next_opening": calendar.next_opening})
        lasts = deadline_for(self.name, self.context.options) + _KEPT
        why = "CAU is free, and what it would install is known"
        return Act(StartCauRun(self.context, lasts, calendar.closes), why)

    def _look_for(self, facts: CauRunFacts, starting: Stamped[ev.CauRunStarting], now: datetime) -> Decision:
        status, start = facts.status, starting.event
        if status.is_on:
            if not is_same_machine(status.coordinator, start.host):
                return Stop(_not_free(status))
            seen = ev.CauRunSeen(run_id=status.run_id, coordinator=status.coordinator, started_at=status.started_at)
            return Act(Note(f"CAU's run {status.run_id} is on", (seen,)), f"{status.coordinator} coordinates it")
        if facts.last_report and facts.last_report != start.last_report:
            # It was over before anybody looked.
            seen = ev.CauRunSeen(run_id=facts.last_report, coordinator=start.host)
            return Act(Note(f"CAU's run {facts.last_report} has been and is over", (seen,)), "CAU has a new report")
        until = starting.at + UNSEEN
        if now < until:
            return Wait(f"CAU's run was begun on {start.host} and is not to be seen yet")
        why = f"CAU knew of no run {show_duration(now - starting.at)} after it was to begin"
        return Act(GiveUpStart(start, why), "what is begun next must be the only one")

    def _watch(self, facts: CauRunFacts, seen: Stamped[ev.CauRunSeen], now: datetime) -> Decision:
        status = facts.status
        if not status.cancel_pending and (why := self._why_stop(facts, seen.at, now)):
            return Act(StopCauRun(status.run_id, why), why)
        listed = ", ".join(f"{each.node} {each.status}" for each in status.nodes) or "nothing is known of the nodes yet"
        said = f"CAU's run goes on: {listed}"
        if status.cancel_pending:
            said += "; it was told to stop and brings its present node to an end"
        quiet_since = facts.changed_at or seen.at
        if now - quiet_since >= STALLED:
            said += f"; nothing has changed since {quiet_since:%H:%M} UTC: look at the node that is being worked on"
        warn = self.context.options.warn_after
        if warn is not None and now - seen.at >= warn:
            said += f"; it takes longer than warn_after ({show_duration(warn)})"
        progress = Progress("done", status.finished, len(status.nodes), "nodes")
        return Wait(said, progress if status.nodes else None)

    def _why_stop(self, facts: CauRunFacts, begun: datetime, now: datetime) -> str:
        told = facts.stopping
        if told is not None and now - told.at < OVERDUE:
            return ""  # it takes CAU a moment to say so
        cancel = self.changes.cancel
        if cancel is not None:
            return f"the run was cancelled by {cancel}"
        stop = self.context.options.stop_after
        if stop is not None and now >= begun + stop + OVERDUE:
            return f"it has taken longer than stop_after ({show_duration(stop)}), and CAU goes on"
        return ""

    def _gone(self, facts: CauRunFacts, seen: ev.CauRunSeen, now: datetime) -> Decision:
        status = facts.status
        self._gone_since = self._gone_since or now
        reported = facts.last_report == seen.run_id
        if status.is_on or (reported and status.is_free):
            return Done("over", f"CAU's run {seen.run_id} is over", {"run_id": seen.run_id})
        if now - self._gone_since < GONE:
            return Wait(f"CAU says {status.state}, and its run is looked for")
        if status.is_free:
            return Done("over", f"CAU's run {seen.run_id} is not on any more", {"run_id": seen.run_id})
        return Stop(_lost(status.state, seen))

    def _calendar(self, now: datetime) -> GateAnswer:
        """Return whether a run may begin now, and until when it may go on."""
        options = self.context.options
        longest = self.context.plan.longest_node if self.context.plan is not None else None
        return may_begin(now, options.windows, options.blackouts, longest or timedelta(hours=2))


def _not_free(status: CauRunStatus) -> Problem:
    who = f" ({status.coordinator} coordinates it)" if status.coordinator else ""
    return Problem(
        title=f"CAU is not free: {status.state}{who}.",
        meaning="CAU coordinates one run of a cluster at a time, and that one is not this run's. It was left alone.",
        next_action="Wait until Get-CauRun says RunNotInProgress, then clear this task.",
        retry_is_safe=True,
    )


def _lost(state: str, seen: ev.CauRunSeen) -> Problem:
    return Problem(
        title=f"CAU's run {seen.run_id} has lost its coordinator: CAU says {state}.",
        meaning=f"The process on {seen.coordinator or 'the management host'} that drove it is gone. Its locks and a node that it "
        "had paused may be left behind.",
        next_action="Look at the nodes (Get-ClusterNode) and bring all of them up. Then start a run with force_recovery: allow, "
        "or give Invoke-CauRun -ForceRecovery by hand once nothing coordinates this cluster.",
        retry_is_safe=False,
    )
