"""The engine: lets a step observe, decide and act, journals what changed, and keeps the deadlines.

``StepRunner.tick`` does one round and never blocks longer than its commands take, so that the same step runs inside a trigger,
in a plain script and on a simulated clock. Whatever the outcome of a command, the next round begins by reading the cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from include.hci.cluster.facade import Cluster
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.values import Problem
from include.hci.report.values import Progress as ReportedProgress
from include.hci.steps.decisions import Act, Action, Clock, Decision, Done, Scene, Stop, Wait, show_problem
from include.hci.steps.failures import gave_up, is_refused, is_unknown, no_effect, refused_problem, unknown_wait
from include.hci.steps.hold import Hold, time_held

F = TypeVar("F")

#: How long a command that the cluster answers with an error may go on failing before a step gives up reading.
READING_PATIENCE = timedelta(minutes=10)
#: How often the same action may be repeated without any other decision in between.
MOST_REPEATS = 8
#: How a step ends that a person's cancelling found before it had changed anything.
CANCELLED = "cancelled"
_GIB = 1024**3


class Step(Protocol[F]):
    """One phase of an update: reads facts, decides by them alone."""

    @property
    def name(self) -> ev.StepName:
        """The step's name in the record."""
        ...

    @property
    def node(self) -> str | None:
        """The node it is about, None for the whole cluster."""
        ...

    def observe(self, cluster: Cluster) -> F:
        """Read the facts; only commands that change nothing. Raises what the shell raises."""
        ...

    def decide(self, facts: F, now: datetime) -> Decision:
        """Return what is to be done about ``facts`` at ``now`` (aware, UTC); pure."""
        ...

    def refused(self, action: Action, error: CommandFailed, facts: F, now: datetime) -> Decision | None:
        """Return what it means that the cluster answered ``action`` with ``error``; None leaves it to the engine.

        The engine waits where the error is one that passes by itself, and stops otherwise.
        """
        ...

    def events(self, facts: F, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Return what goes on record, before the decision itself, when ``decision`` ends the step."""
        ...

    def noticed(self, facts: F) -> tuple[ev.RunEvent, ...]:
        """Return what goes on record about ``facts`` whatever is decided: what the report has to know and no step acts on."""
        ...

    def hold(self, decision: Decision) -> Hold | None:
        """Return why ``decision`` must wait until a person lets it go on, or None."""
        ...

    def may_cancel(self, facts: F, decision: Decision) -> bool:
        """Return whether the step may end here when a person cancels the run: nothing of it is half done."""
        ...


class StepRunner(Generic[F]):
    """Runs one step round by round.

    ``deadline`` is absolute, so that a runner which goes on after a crash keeps it. ``poll`` is the time between two reads.
    """

    def __init__(
        self,
        step: Step[F],
        cluster: Cluster,
        record: RunRecord,
        clock: Clock,
        deadline: datetime | None = None,
        poll: timedelta = timedelta(seconds=10),
    ) -> None:
        self.step = step
        self.cluster = cluster
        self.record = record
        self.clock = clock
        self.deadline = deadline
        self.poll = poll
        self._failing_since: datetime | None = None
        self._repeats = 0
        self._last_action: str | None = None
        self._journalled = _last_key(record, step)
        self._tried: _Key | None = None
        self._is_halted = False

    def halt(self) -> None:
        """Let a round that is under way end without an action: somebody else goes on with the step, or nobody is to.

        Called from another thread than the round's. An action that has begun runs to its end.
        """
        self._is_halted = True

    def tick(self, *, act: bool = True) -> Decision:
        """Observe, decide and act once; return the decision, which is on record when it differs from the one before.

        Without ``act`` an action is only returned, neither done nor recorded: a first look that changes nothing.
        """
        heard = self.record.heard(self.step.node)
        try:
            facts = self.step.observe(self.cluster)
        except RemotingError as error:
            return self._settle(self._unread(error))
        self._failing_since = None
        if self._is_halted:
            return Wait("this process goes on no further with the step")
        now = self.clock()
        for event in self.step.noticed(facts):
            self.record.add(event, now)
        decision = self._as_asked(self.step.decide(facts, now), facts)
        if not isinstance(decision, Act):
            self._tried = None
            return self._settle(decision, facts, now)
        if not act:
            return decision
        if self._is_halted or self.record.heard(self.step.node) != heard:
            # A process that stood still between looking and acting acts on what was: another one may have gone on meanwhile.
            return Wait("the run's record has changed since the cluster was read, so it is read again")
        described = decision.action.describe()
        self._repeats = self._repeats + 1 if described == self._last_action else 0
        self._last_action = described
        if self._repeats >= MOST_REPEATS:
            return self._settle(Stop(no_effect(self._who(), decision.action, self._repeats)))
        key = _key(_decided(self.step, decision))
        if key != self._tried:
            self._journal(decision)
        try:
            decision.action.perform(Scene(self.cluster, self.record, self.clock))
        except RemotingError as error:
            # Tried again poll after poll it is on record once, with what came of it: not twice per poll for hours.
            self._tried = key
            return self._settle(self._after(decision.action, error, facts))
        self._tried = None
        return decision

    def pause_after(self, decision: Decision) -> timedelta:
        """Return how long to wait before the next ``tick``: nothing after an action that had an effect, else ``poll``."""
        if isinstance(decision, Wait):
            return self.poll
        return self.poll if isinstance(decision, Act) and self._repeats else timedelta(0)

    def _as_asked(self, decision: Decision, facts: F) -> Decision:
        """Return ``decision``, or what a person's wish makes of it."""
        cancel = self.record.facts.cancel
        if cancel is not None and self.step.may_cancel(facts, decision):
            return Done(CANCELLED, f"the run was cancelled by {cancel}")
        hold = self.step.hold(decision)
        if hold is None or self.step.node is None:
            return decision
        if (self.step.node, hold.point) not in self.record.facts.held:
            held = ev.Held(step=self.step.name, node=self.step.node, point=hold.point, why=hold.why)
            self.record.add(held, self.clock())
        return Wait(hold.why, patient=True)

    def _limit(self, wait: Wait) -> datetime | None:
        """Return when ``wait`` gives up; the time in which a person held the step is not its own."""
        if wait.patient:
            return None
        limits = [moment for moment in (wait.deadline, self.deadline) if moment is not None]
        if not limits:
            return None
        facts = self.record.facts
        if self.step.node is None or not (facts.held or facts.passed):
            return min(limits)
        own = [entry for entry in self.record.events() if entry.node in (None, self.step.node)]
        return min(limits) + time_held(own, self.step.name, self.clock())

    def _unread(self, error: RemotingError) -> Decision:
        if is_refused(error):
            return Stop(refused_problem(self._who(), error))
        if is_unknown(error):
            return unknown_wait("The cluster does not answer", error)
        self._failing_since = self._failing_since or self.clock()
        patience = self._failing_since + READING_PATIENCE
        problem = refused_problem(self._who(), error)
        return Wait(f"The cluster answers with an error: {error}", deadline=patience, on_deadline=problem)

    def _after(self, action: Action, error: RemotingError, facts: F) -> Decision:
        # Whether the command arrived and what it did is for the next reading to tell.
        if is_unknown(error):
            return unknown_wait(
                f"The outcome of '{action.describe()}' is not known, so the cluster is read again", error
            )
        if isinstance(error, CommandFailed):
            decision = self.step.refused(action, error, facts, self.clock())
            if decision is not None:
                return decision
        problem = refused_problem(self._who(), error)
        if error.retry_safe:
            return Wait(f"'{action.describe()}' was refused for now: {error.detail}", on_deadline=problem)
        return Stop(problem)

    def _settle(self, decision: Decision, facts: F | None = None, now: datetime | None = None) -> Decision:
        if isinstance(decision, Wait):
            # An action that was refused and is tried again later is not one without effect.
            self._repeats, self._last_action = 0, None
            limit = self._limit(decision)
            # By the time that it was decided at: a step that still waits then has its own say when the wait is over.
            if limit is not None and (now or self.clock()) >= limit:
                problem = decision.on_deadline or gave_up(self._who(), decision, limit)
                return self._settle(Stop(problem), facts)
            decision = replace(decision, deadline=limit)
        elif isinstance(decision, Done) and decision.outcome == CANCELLED and self.step.node is not None:
            self.record.add(ev.Skipped(step=self.step.name, node=self.step.node, reason=decision.why), self.clock())
        elif facts is not None:
            for event in self.step.events(facts, decision):
                self.record.add(event, self.clock())
        self._journal(decision)
        return decision

    def _who(self) -> str:
        return f"{self.step.name} of {self.step.node}" if self.step.node else self.step.name

    def _journal(self, decision: Decision) -> None:
        event = _decided(self.step, decision)
        key = _key(event)
        if key != self._journalled:
            self.record.add(event, self.clock())
            self._journalled = key


def run_step(
    runner: StepRunner[F],
    sleep: Callable[[timedelta], None],
    on_decision: Callable[[Decision], None] = lambda decision: None,
) -> Done | Stop:
    """Tick until the step is over; ``sleep`` lets time pass, ``on_decision`` sees every decision."""
    while True:
        decision = runner.tick()
        on_decision(decision)
        if isinstance(decision, Done | Stop):
            return decision
        sleep(runner.pause_after(decision))


def _decided(step: Step[F], decision: Decision) -> ev.Decided:
    match decision:
        case Done():
            return ev.Decided(
                step=step.name, node=step.node, decision="done", why=decision.why, outcome=decision.outcome
            )
        case Act():
            return ev.Decided(
                step=step.name, node=step.node, decision="act", why=decision.why, action=decision.action.describe()
            )
        case Stop():
            return ev.Decided(
                step=step.name,
                node=step.node,
                decision="stop",
                why=show_problem(decision.problem),
                problem=decision.problem,
            )
        case Wait():
            return ev.Decided(
                step=step.name,
                node=step.node,
                decision="wait",
                why=decision.why,
                progress=_reported(decision),
                until=decision.deadline,
            )


def _reported(wait: Wait) -> ReportedProgress | None:
    progress = wait.progress
    if progress is None:
        return None
    size, unit = (_GIB, "GiB") if progress.unit == "bytes" else (1, progress.unit)
    return ReportedProgress(
        subject=progress.subject,
        done=None if progress.done is None else progress.done / size,
        total=None if progress.total is None else progress.total / size,
        unit=unit,
        per_second=None if progress.per_second is None else progress.per_second / size,
        seconds_left=None if progress.left is None else progress.left.total_seconds(),
    )


_Key = tuple[str, str, str | None, str | None, Problem | None]


def _key(event: ev.Decided) -> _Key:
    # A wait's progress and deadline move all the time; what it waits for is what makes it another decision.
    return (event.decision, event.why, event.action, event.outcome, event.problem)


def _last_key(record: RunRecord, step: Step[F]) -> _Key | None:
    entry = record.latest(step.node, step.name, "decision", "decided")
    return _key(entry.event) if entry is not None and isinstance(entry.event, ev.Decided) else None
