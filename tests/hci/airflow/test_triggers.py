from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from include.hci.airflow import triggers
from include.hci.airflow.events import parse
from include.hci.airflow.triggers import StepTrigger
from include.hci.policy.progress import Progress
from include.hci.powershell import threads
from include.hci.report.values import Problem
from include.hci.steps.decisions import Done, Stop, Wait

DEADLINE = datetime(2026, 11, 3, 2, 0, tzinfo=UTC).isoformat()
PROBLEM = Problem(title="HCI02 did not restart.", next_action="Check its console.", retry_is_safe=False)


class FakeWork:
    """A step that decides what it is told to, one decision a round; an exception is raised instead."""

    order = ("HCI01", "HCI02")
    max_failed_nodes = 0
    failed_nodes = ()
    broken_nodes = ()

    def __init__(self, *decisions):
        self.left = list(decisions)
        self.rounds = len(decisions)
        self.touched = 0
        self.begun = 0
        self.ticks = 0
        self.halted = threading.Event()
        self.runner = SimpleNamespace(
            tick=self.tick, pause_after=lambda decision: timedelta(0), halt=lambda: self.halted.set()
        )

    def tick(self):
        self.ticks += 1
        decision = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(decision, Exception):
            raise decision
        return decision

    def acting(self):
        assert threading.current_thread() is not threading.main_thread(), "it reads files"
        return "install 3 updates on HCI02"

    def late_warning(self):
        assert threading.current_thread() is not threading.main_thread(), "it reads files"
        return ""

    def begin(self):
        assert len(self.left) == self.rounds, "its patience begins before its first look"
        self.begun += 1

    def keep_lock(self):
        self.touched += 1


@pytest.fixture
def play(monkeypatch):
    """Run a trigger over a fake step and return (events, what was published)."""

    async def _play(work, states=None, **changes):
        published = []

        async def publish(task_instance, value):
            published.append(value)

        async def open_async(*arguments):
            return work

        monkeypatch.setattr(triggers, "publish", publish)
        monkeypatch.setattr(triggers.StepWork, "open_async", open_async)
        answers = iter(states or [])
        monkeypatch.setattr(
            "airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_task_states",
            lambda **arguments: {"run": next(answers)},
        )
        trigger = make(**changes)
        trigger._task_instance = SimpleNamespace(dag_id="d", run_id="run", task_id="update_node.turn", map_index=1)
        events = [event async for event in trigger.run()]
        return [parse(event.payload) for event in events], published

    return _play


def make(**changes):
    arguments = {
        "step": "restart",
        "cluster": "demo",
        "run_id": "run",
        "options": {"max_failed_nodes": 0},
        "deadline": DEADLINE,
        "first_check_seconds": 0.0,
        "poll_seconds": 0.01,
        "node": "HCI02",
    }
    return StepTrigger(**(arguments | changes))


def test_it_can_be_rebuilt_from_what_it_serialises():
    path, arguments = make(group_id="update_node").serialize()
    assert path == "include.hci.airflow.triggers.StepTrigger"
    assert StepTrigger(**arguments).serialize() == (path, arguments)


async def test_nothing_is_looked_at_before_the_first_pause_is_over(monkeypatch):
    opened = []

    async def open_async(*arguments):
        opened.append(arguments)
        raise AssertionError

    monkeypatch.setattr(triggers.StepWork, "open_async", open_async)
    running = asyncio.ensure_future(anext(make(first_check_seconds=30).run()))
    await asyncio.sleep(0.05)
    running.cancel()
    assert opened == []


async def test_waits_are_shown_and_the_end_is_told(play):
    progress = Progress("resync of Volume2", done=412.0, total=1024.0, unit="GiB", left=timedelta(seconds=200))
    events, published = await play(
        FakeWork(Wait("the storage is not whole", progress), Done("whole", "it is whole", {"gib": 3}))
    )
    [end] = events
    assert (end.status, end.why, end.details) == ("done", "it is whole", {"gib": 3})
    assert published == [
        {
            "step": "restart",
            "text": str(Wait("the storage is not whole", progress)),
            "done": 412.0,
            "total": 1024.0,
            "unit": "GiB",
            "seconds_left": 200.0,
        }
    ]


async def test_a_stop_carries_its_problem(play):
    [end], _ = await play(FakeWork(Stop(PROBLEM)))
    assert end.status == "stopped"
    assert end.problem == PROBLEM


async def test_an_error_nobody_foresaw_becomes_a_problem_with_its_text(play):
    [end], _ = await play(FakeWork(ValueError("Cluster demo cannot be used")))
    assert end.status == "stopped"
    assert "ValueError" in end.problem.title
    assert end.problem.meaning == "Cluster demo cannot be used"


async def test_a_record_that_is_out_of_reach_for_a_while_is_no_failure_of_the_step(play, caplog):
    lost = OSError("stale file handle")
    [end], published = await play(FakeWork(Wait("something"), lost, lost, Done("whole", "it is whole")))
    assert (end.status, end.why) == ("done", "it is whole")
    assert sum("cannot be reached" in value["text"] for value in published) == 2


async def test_a_record_that_stays_out_of_reach_ends_the_step_with_what_it_said(play, monkeypatch):
    monkeypatch.setattr(triggers, "RECORD_PATIENCE", timedelta(seconds=1))
    [end], _ = await play(FakeWork(OSError("stale file handle")))
    assert (end.status, end.problem.meaning) == ("stopped", "stale file handle")


async def test_what_is_only_shown_ends_no_round_that_is_under_way(play, monkeypatch):
    shown = threading.Event()

    class Slow(FakeWork):
        def tick(self):
            assert shown.wait(10)
            return super().tick()

        def acting(self):
            shown.set()
            raise OSError("stale file handle")

    work = Slow(Done("ok"))
    [end], _ = await play(work)
    assert (end.status, work.ticks, work.halted.is_set()) == ("done", 1, False)


async def test_a_node_waits_for_its_turn_and_then_begins(play):
    busy = {"g.turn_0": "success", "g.drain_0": "deferred", "g.turn_1": "deferred"}
    over = {"g.turn_0": "success", "g.drain_0": "success", "g.turn_1": "deferred"}
    work = FakeWork(Done("go", "it may leave"))
    [end], published = await play(work, [busy, busy, over], step="turn", group_id="g")
    assert end.status == "done"
    assert work.begun == 1
    assert [value["text"] for value in published] == ["waits for its turn: HCI01 is first: its drain is deferred"]


async def test_a_node_is_left_alone_when_the_failure_budget_is_used_up(play):
    failed = {"g.turn_0": "success", "g.drain_0": "failed", "g.turn_1": "deferred"}
    work = FakeWork(AssertionError("must not be looked at"))
    [end], _ = await play(work, [failed], step="turn", group_id="g")
    assert end.status == "skipped"
    assert "HCI01" in end.why


async def test_a_round_of_a_task_that_a_person_ended_or_another_triggerer_took_over_acts_no_more(play):
    begun, over = threading.Event(), threading.Event()

    class Slow(FakeWork):
        def tick(self):
            begun.set()
            assert over.wait(10)
            return super().tick()

    work = Slow(Done("ok"))
    mine = asyncio.ensure_future(play(work))
    assert await asyncio.to_thread(begun.wait, 5)
    assert not work.halted.is_set()
    mine.cancel()
    with pytest.raises(asyncio.CancelledError):
        await mine
    assert work.halted.is_set()
    over.set()


async def test_a_round_that_waits_for_a_thread_never_begins_once_its_task_has_ended(play, monkeypatch):
    busy, over = threads.RemotingThreads(1), threading.Event()
    monkeypatch.setattr(threads, "_threads", busy)
    others = asyncio.ensure_future(busy.run(over.wait, 10))
    work, queued = FakeWork(Done("ok")), threading.Event()
    work.acting = queued.set
    mine = asyncio.ensure_future(play(work))
    assert await asyncio.to_thread(queued.wait, 5)
    mine.cancel()
    with pytest.raises(asyncio.CancelledError):
        await mine
    over.set()
    assert await others
    assert await busy.run(lambda: "the thread is free, and nothing else is left for it") != ""
    assert len(work.left) == work.rounds == 1
    assert work.ticks == 0
    busy.close()


async def test_a_node_goes_on_waiting_while_the_task_states_cannot_be_told(play, monkeypatch):
    over = {"g.turn_0": "success", "g.drain_0": "success", "g.turn_1": "deferred"}
    states = iter([OSError("the database restarts"), over])
    work = FakeWork(Done("go", "it may leave"))

    def asked(self, work):
        answer = next(states)
        if isinstance(answer, Exception):
            raise answer
        return triggers.group_states(answer), ()

    monkeypatch.setattr(StepTrigger, "_states", asked)
    [end], published = await play(work, step="turn", group_id="g")
    assert end.status == "done"
    assert ["does not tell now whose turn" in value["text"] for value in published] == [True]


async def test_a_node_does_not_wait_for_ever_for_task_states(play, monkeypatch):
    def asked(self, work):
        raise OSError("the database is gone")

    monkeypatch.setattr(StepTrigger, "_states", asked)
    monkeypatch.setattr(triggers, "STATES_PATIENCE", timedelta(seconds=0.05))
    [end], _ = await play(FakeWork(AssertionError("must not be looked at")), step="turn", group_id="g")
    assert (end.status, end.problem.meaning) == ("stopped", "the database is gone")


async def test_the_lock_is_touched_while_a_step_waits(play):
    work = FakeWork(*[Wait("something")] * 40, Done("ok"))
    await play(work)
    assert work.touched >= 1


async def test_the_lock_is_touched_although_other_clusters_hold_every_thread(play, monkeypatch):
    busy, over = threads.RemotingThreads(1), threading.Event()
    monkeypatch.setattr(threads, "_threads", busy)
    others = asyncio.ensure_future(busy.run(over.wait, 10))
    work, touched = FakeWork(Done("ok")), threading.Event()
    work.keep_lock = touched.set
    mine = asyncio.ensure_future(play(work))
    assert await asyncio.to_thread(touched.wait, 5)
    assert not mine.done()
    over.set()
    events, _ = await mine
    assert (await others, events[0].status) == (True, "done")
    busy.close()
