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
    warned = ""

    def __init__(self, *decisions):
        self.left = list(decisions)
        self.rounds = len(decisions)
        self.touched = 0
        self.begun = 0
        self.runner = SimpleNamespace(tick=self.tick, pause_after=lambda decision: timedelta(0))

    def tick(self):
        decision = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(decision, Exception):
            raise decision
        return decision

    def acting(self):
        return "install 3 updates on HCI02"

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


async def test_a_task_that_a_person_ended_acts_no_more_and_says_so(play, monkeypatch):
    killed = []

    class Killing(FakeWork):
        def tick(self):
            asyncio.run(killed[0].on_kill())
            return Wait("something")

    original = StepTrigger.__init__

    def remember(self, *arguments, **named):
        original(self, *arguments, **named)
        killed.append(self)

    monkeypatch.setattr(StepTrigger, "__init__", remember)
    events, _ = await play(Killing(Wait("x")))
    # Without a word the triggerer would fail whatever task the database takes this trigger for.
    assert [(end.status, end.why) for end in events] == [("skipped", "a person has ended this task")]


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
