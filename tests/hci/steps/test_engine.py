from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from include.hci.policy.progress import Progress
from include.hci.powershell.errors import (
    AuthenticationRefused,
    CertificateRefused,
    CommandFailed,
    ConnectionLost,
    DeadlineExceeded,
    EndpointRefused,
    NodeUnreachable,
    OutcomeUnknown,
    RemotingError,
)
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.report.values import Problem
from include.hci.steps.decisions import Act, Decision, Done, Scene, Stop, Wait
from include.hci.steps.engine import MOST_REPEATS, READING_PATIENCE, StepRunner, run_step
from include.hci.steps.hold import Hold, hold_at
from tests.hci.cluster.fakes import FakeCluster, FakeShell
from tests.hci.steps.facts import NOW

CLUSTER = FakeCluster({"HCI01": FakeShell({})})


@dataclass
class Clock:
    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def sleep(self, duration: timedelta) -> None:
        self.at += max(duration, timedelta(seconds=1))


@dataclass
class Push:
    """An action that does nothing but raise what it is told to."""

    error: RemotingError | None = None
    name: str = "push"
    done: int = 0

    def describe(self) -> str:
        return self.name

    def perform(self, scene: Scene) -> None:
        self.done += 1
        if self.error is not None:
            raise self.error


@dataclass
class Script:
    """A step that plays decisions; a RemotingError is raised by the reading, the last one is repeated for ever."""

    plays: list[Decision | RemotingError]
    answer: Decision | None = None
    name: ev.StepName = "drain"
    node: str | None = "HCI02"
    read: int = 0
    refusals: list[str] = field(default_factory=list)
    record: RunRecord | None = None

    def observe(self, cluster: object) -> Decision:
        play = self.plays[min(self.read, len(self.plays) - 1)]
        self.read += 1
        if isinstance(play, RemotingError):
            raise play
        return play

    def decide(self, facts: Decision, now: datetime) -> Decision:
        return facts

    def refused(self, action: object, error: CommandFailed, facts: Decision, now: datetime) -> Decision | None:
        self.refusals.append(error.detail)
        return self.answer

    def noticed(self, facts: Decision) -> tuple[ev.RunEvent, ...]:
        return ()

    def hold(self, decision: Decision) -> Hold | None:
        if self.record is None or not isinstance(decision, Act):
            return None
        return hold_at("before-drain", "HCI02", self.record.facts, ())

    def may_cancel(self, facts: Decision, decision: Decision) -> bool:
        return isinstance(decision, Act | Wait)

    def events(self, facts: Decision, decision: Decision) -> tuple[ev.RunEvent, ...]:
        return (ev.Drained(node="HCI02"),)


def runner(
    *plays: Decision | RemotingError,
    record: RunRecord | None = None,
    clock: Clock | None = None,
    deadline: datetime | None = None,
    answer: Decision | None = None,
) -> StepRunner[Decision]:
    record = record or RunRecord(MemoryStorage())
    step = Script(list(plays), answer, record=record)
    return StepRunner(step, CLUSTER, record, clock or Clock(), deadline)


def decided(record: RunRecord) -> list[ev.Decided]:
    return [stamped.event for stamped in record.all_of(ev.Decided)]


def refusal(code: int = 5042) -> CommandFailed:
    return CommandFailed([ErrorRecord("it says no", native_code=code)], node="HCI01")


def test_a_step_that_is_done_says_so_once_with_its_events_first():
    made = runner(Done("drained", "nothing is left", {"roles": 3}))
    decision = made.tick()
    assert isinstance(decision, Done)
    assert [entry.name for entry in made.record.events()] == ["drained", "decided"]
    assert decided(made.record)[0].outcome == "drained"


def test_the_same_wait_is_put_on_record_once_however_its_progress_moves():
    waits = [Wait("roles move", Progress("drain", number, 3, "roles")) for number in range(3)]
    made = runner(*waits, Wait("something else"))
    for _ in range(4):
        made.tick()
    assert [event.why for event in decided(made.record)] == ["roles move", "something else"]


def test_bytes_are_reported_in_gib():
    made = runner(Wait("resync", Progress("resync", 1024**3, 4 * 1024**3, "bytes", 1024**2, timedelta(seconds=9))))
    made.tick()
    progress = decided(made.record)[0].progress
    assert progress is not None
    assert (progress.done, progress.total, progress.unit, progress.seconds_left) == (1, 4, "GiB", 9)


def test_a_runner_that_takes_over_does_not_repeat_what_is_on_record():
    record = RunRecord(MemoryStorage())
    runner(Wait("roles move"), record=record).tick()
    runner(Wait("roles move"), record=record).tick()
    assert len(decided(record)) == 1


def test_an_action_is_on_record_before_it_is_done():
    record = RunRecord(MemoryStorage())

    class Look(Push):
        def perform(self, scene: Scene) -> None:
            assert decided(scene.record)[-1].action == "push"
            super().perform(scene)

    action = Look()
    assert isinstance(runner(Act(action, "because"), record=record).tick(), Act)
    assert action.done == 1


@pytest.mark.parametrize("error", [NodeUnreachable("down"), ConnectionLost("cut"), DeadlineExceeded("late")])
def test_a_reading_that_fails_is_unknown_and_waited_for_until_the_deadline(error):
    clock = Clock()
    made = runner(error, clock=clock, deadline=NOW + timedelta(minutes=5))
    assert isinstance(made.tick(), Wait)
    clock.at = NOW + timedelta(minutes=5)
    stopped = made.tick()
    assert isinstance(stopped, Stop)
    assert "gave up" in stopped.problem.title
    assert error.detail in stopped.problem.meaning


@pytest.mark.parametrize(
    "error", [AuthenticationRefused("wrong password"), CertificateRefused("unknown"), EndpointRefused("no right")]
)
def test_a_node_that_will_not_talk_stops_the_step_at_once(error):
    stopped = runner(error).tick()
    assert isinstance(stopped, Stop)
    assert stopped.problem.next_action == error.next_action


def test_a_full_endpoint_is_waited_for():
    assert isinstance(runner(EndpointRefused("too many shells", retry_safe=True)).tick(), Wait)


def test_a_reading_that_is_answered_with_an_error_has_some_patience_only():
    clock = Clock()
    made = runner(refusal(), clock=clock, deadline=NOW + timedelta(hours=9))
    assert isinstance(made.tick(), Wait)
    clock.at += READING_PATIENCE
    stopped = made.tick()
    assert isinstance(stopped, Stop)
    assert stopped.problem.code == "5042"


def test_the_patience_begins_again_after_a_reading_that_works():
    clock = Clock()
    made = runner(refusal(), Wait("fine"), refusal(), clock=clock)
    made.tick()
    clock.at += READING_PATIENCE
    made.tick()
    assert isinstance(made.tick(), Wait)


@pytest.mark.parametrize("error", [OutcomeUnknown("cut"), ConnectionLost("cut"), NodeUnreachable("down")])
def test_an_action_with_an_unknown_outcome_is_resolved_by_reading(error):
    made = runner(Act(Push(error), "because"), Done("drained"))
    waiting = made.tick()
    assert isinstance(waiting, Wait)
    assert "push" in waiting.why
    assert isinstance(made.tick(), Done)


def test_a_refused_action_means_what_the_step_says():
    made = runner(Act(Push(refusal()), "because"), answer=Wait("tried again later"))
    assert made.tick() == Wait("tried again later", None, None, None)


def test_a_refused_action_that_passes_by_itself_is_waited_for():
    made = runner(Act(Push(refusal(5908)), "because"), deadline=NOW + timedelta(minutes=1))
    assert isinstance(made.tick(), Wait)
    made.clock.at += timedelta(minutes=2)  # type: ignore[attr-defined]
    stopped = made.tick()
    assert isinstance(stopped, Stop)
    assert "It says no" in stopped.problem.meaning


def test_any_other_refused_action_stops_with_the_errors_advice():
    stopped = runner(Act(Push(refusal()), "because")).tick()
    assert isinstance(stopped, Stop)
    assert "drain of HCI02 stopped" in stopped.problem.title
    assert stopped.problem.next_action


def test_the_nearer_deadline_counts_and_its_own_problem_is_told():
    clock, problem = Clock(), Problem(title="HCI02 did not restart.", next_action="Check its console.")
    wait = Wait("restarting", None, NOW + timedelta(minutes=1), problem)
    made = runner(wait, clock=clock, deadline=NOW + timedelta(hours=1))
    waiting = made.tick()
    assert isinstance(waiting, Wait)
    assert waiting.deadline == NOW + timedelta(minutes=1)
    clock.at += timedelta(minutes=1)
    assert made.tick() == Stop(problem)


def test_an_action_is_done_even_after_the_deadline():
    action = Push()
    runner(Act(action, "because"), clock=Clock(NOW + timedelta(days=1)), deadline=NOW).tick()
    assert action.done == 1


def test_a_wait_that_is_decided_before_its_deadline_is_not_given_up_by_the_time_that_it_took_to_decide():
    clock = Clock()
    step = Script([Wait("something", deadline=NOW + timedelta(seconds=1))])

    def decide(facts: Decision, now: datetime) -> Decision:
        clock.sleep(timedelta(seconds=2))
        return facts

    step.decide = decide  # type: ignore[method-assign]
    decision = StepRunner(step, CLUSTER, RunRecord(MemoryStorage()), clock).tick()
    assert isinstance(decision, Wait)


# --- another process at the same step ------------------------------------------------------------------------------------


BOOTED = ev.RestartOrdered(node="HCI02", boot_time_before=NOW)


@pytest.mark.parametrize(
    ("meanwhile", "acts"),
    [
        (BOOTED, False),
        (ev.Resumed(node="HCI02", step="conclude"), False),
        (ev.LockReleased(guid="g"), False),
        (ev.Pausing(node="HCI03"), True),
        (ev.Decided(step="drain", node="HCI02", decision="wait", why="x"), True),
    ],
)
def test_what_was_decided_on_is_read_again_when_another_process_has_gone_on_meanwhile(meanwhile, acts):
    storage, push = MemoryStorage(), Push()
    zombie, other = RunRecord(storage), RunRecord(storage)
    step = Script([Act(push, "because")])
    read = step.observe

    def observe(cluster: object) -> Decision:
        if not step.read:  # it stands still after its look, and another process does its work
            other.add(meanwhile, NOW)
        return read(cluster)

    step.observe = observe  # type: ignore[method-assign]
    late = StepRunner(step, CLUSTER, zombie, Clock())
    first = late.tick()
    assert (isinstance(first, Act), push.done) == (acts, int(acts))
    assert acts or "read again" in str(first)
    assert isinstance(late.tick(), Act)


def test_what_a_process_writes_itself_keeps_it_from_nothing():
    push = Push()
    record = RunRecord(MemoryStorage())
    step = Script([Act(push, "because")])
    runner = StepRunner(step, CLUSTER, record, Clock())
    record.add(ev.Pausing(node="HCI02"), NOW)
    assert isinstance(runner.tick(), Act)
    assert push.done == 1


def test_an_action_without_effect_is_given_up():
    action = Push()
    made = runner(Act(action, "because"))
    for _ in range(MOST_REPEATS):
        assert isinstance(made.tick(), Act)
    stopped = made.tick()
    assert isinstance(stopped, Stop)
    assert "had no effect" in stopped.problem.title
    assert action.done == MOST_REPEATS


def test_an_action_that_is_refused_and_tried_again_is_not_one_without_effect():
    made = runner(Act(Push(refusal()), "because"), answer=Wait("later"))
    assert all(isinstance(made.tick(), Wait) for _ in range(3 * MOST_REPEATS))


def test_an_action_that_is_refused_poll_after_poll_is_on_record_once_with_what_came_of_it():
    made = runner(Act(Push(refusal()), "because"), answer=Wait("later"))
    for _ in range(20):
        made.tick()
    assert [entry.data["decision"] for entry in made.record.events(name="decided")] == ["act", "wait"]


def test_the_next_round_follows_an_action_at_once_and_a_wait_after_the_poll():
    made = runner(Act(Push(), "because"))
    assert made.pause_after(made.tick()) == timedelta(0)
    assert made.pause_after(made.tick()) == made.poll
    assert made.pause_after(Wait("x")) == made.poll


def test_a_plain_loop_runs_a_step_to_its_end():
    clock, heard = Clock(), []
    made = runner(Wait("a"), Act(Push(), "b"), Wait("c"), Done("drained"), clock=clock)
    assert run_step(made, clock.sleep, heard.append) == Done("drained")
    assert [type(decision).__name__ for decision in heard] == ["Wait", "Act", "Wait", "Done"]


def test_what_is_no_remoting_error_is_not_swallowed():
    made = runner(Done("x"))
    made.step.observe = lambda cluster: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        made.tick()


# --- what a person asks for ----------------------------------------------------------------------------------------------


def ask(made: StepRunner[Decision], action: str, clock: Clock) -> None:
    made.record.add(ev.OperatorAsked(action=action, by="ada"), clock())


def test_a_held_step_does_nothing_until_it_may_go_on_and_its_patience_waits_as_well():
    clock, push = Clock(), Push()
    made = runner(Act(push, "because"), clock=clock, deadline=NOW + timedelta(minutes=10))
    ask(made, "pause", clock)
    for _ in range(3):
        decision = made.tick()
        assert isinstance(decision, Wait)
        assert "ada" in decision.why
        assert decision.deadline is None
        clock.at += timedelta(hours=1)
    assert push.done == 0
    assert len(made.record.all_of(ev.Held)) == 1
    ask(made, "continue", clock)
    assert isinstance(made.tick(), Act)
    assert push.done == 1
    made.step.plays.append(Wait("the roles move"))
    made.step.read = 1
    waiting = made.tick()
    assert isinstance(waiting, Wait)
    assert waiting.deadline == NOW + timedelta(hours=3, minutes=10)


@pytest.mark.parametrize("decision", [Act(Push(), "because"), Wait("the roles move")])
def test_a_cancelled_run_ends_a_step_of_which_nothing_is_half_done(decision):
    clock = Clock()
    made = runner(decision, clock=clock)
    ask(made, "cancel", clock)
    end = made.tick()
    assert isinstance(end, Done)
    assert (end.outcome, "ada" in end.why) == ("cancelled", True)
    assert "ada" in made.record.facts.skipped["HCI02"]
    assert made.record.all_of(ev.Drained) == ()


def test_a_cancelled_run_does_not_end_a_step_that_is_over_or_half_done():
    clock = Clock()
    made = runner(Done("drained"), clock=clock)
    ask(made, "cancel", clock)
    end = made.tick()
    assert isinstance(end, Done)
    assert end.outcome == "drained"


def test_a_round_that_was_halted_while_it_looked_does_nothing_and_writes_nothing():
    push, record = Push(), RunRecord(MemoryStorage())
    halted = runner(Act(push, "it is time"), record=record)
    look = halted.step.observe

    def observe(cluster: object) -> Decision:
        halted.halt()
        return look(cluster)

    halted.step.observe = observe  # type: ignore[method-assign]
    assert isinstance(halted.tick(), Wait)
    assert (push.done, record.events()) == (0, ())
