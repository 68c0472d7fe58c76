"""What an operator reads in the log of a task, from the first line to the last."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from include.hci.airflow import operators, triggers, work
from include.hci.airflow.events import Ended
from include.hci.airflow.log_text import END, GROUP
from include.hci.airflow.operators import NodeStepOperator, StepStopped, following
from include.hci.airflow.run_tasks import ConcludeOperator
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import keep_plan, now
from include.hci.cluster.updates import Update
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.policy.progress import Progress
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.decisions import Done, Wait
from tests.hci.airflow.test_triggers import FakeWork, make

PROBLEM = Problem(
    title="HCI01 could not be drained: SQL01 (VirtualMachine, Online).",
    meaning="It stays in service.",
    next_action="Move SQL01 by hand.",
    retry_is_safe=True,
)


class Log:
    """Keeps what is written, as the log shows it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def _write(self, text: str, *arguments: object) -> None:
        self.lines.append(text % arguments if arguments else text)

    info = warning = error = exception = debug = _write


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    found = open_record("demo", "run")
    nodes = (PlannedNode("HCI01", updates=(Update("u1", "Cumulative"),)),)
    keep_plan(found, Plan(cluster="demo", made_at=datetime(2026, 11, 3, tzinfo=UTC), members=("HCI01",), nodes=nodes))
    found.add(ev.RunStarted(run_id="run", cluster="demo", nodes=("HCI01",)), now())
    found.add(ev.LockTaken(guid="g", nodes=("HCI01",)), now())
    found.add(ev.TurnGiven(node="HCI01", position=1, total=1), now())
    return found


@pytest.fixture
def log(monkeypatch):
    found = Log()
    for operator in (NodeStepOperator, ConcludeOperator, triggers.StepTrigger):
        monkeypatch.setattr(operator, "log", found, raising=False)
    return found


def context(tries=1):
    params = {"max_retries_per_node": 1}
    return {"run_id": "run", "params": params, "ti": SimpleNamespace(try_number=tries, max_tries=64)}


def drain():
    return NodeStepOperator(
        task_id="update_node.drain",
        step="drain",
        cluster="demo",
        node="HCI01",
        retries=64,
        retry_delay=timedelta(seconds=15),
    )


def test_a_task_that_waits_says_what_it_does_why_it_waits_and_where_the_report_is(record, log, monkeypatch):
    wait = Wait("HCI01 is being drained", Progress("drain of HCI01", 3, 12, "roles"), deadline=now())
    runner = SimpleNamespace(tick=lambda act: wait)
    monkeypatch.setattr(work.StepWork, "open", lambda *arguments: SimpleNamespace(runner=runner))
    with pytest.raises(TaskDeferred):
        drain().execute(context())
    # Airflow's own remark on a task that is run by a test comes before ours.
    does, where, heading, end, handed_over = log.lines[-5:]
    assert does.startswith("Drain of HCI01, cluster demo: pauses the server and waits until its roles run elsewhere.")
    assert where.endswith("/demo/run/report.html when the run is over.")
    assert heading.startswith(f"{GROUP}Waits: HCI01 is being drained - drain of HCI01: 3 of 12 roles. It gives up at ")
    assert end == END
    assert handed_over == "It goes on in the triggerer, whose lines follow here."


def test_a_task_that_is_done_says_how_it_ended(record, log):
    drain().ended(context(), Ended("done", "HCI01 is Paused and no role runs on it"))
    assert log.lines == ["Done: HCI01 is Paused and no role runs on it", "Nothing follows in this run."]


@pytest.mark.parametrize(
    ("tries", "error", "last"),
    [
        (1, StepStopped, "This was attempt 1 of 2, those of all steps of HCI01 counted: the next one begins in 15 s."),
        (2, AirflowFailException, "HCI01 counts as failed, after attempt 2 of 2."),
    ],
)
def test_a_task_that_stops_says_what_it_means_and_what_to_do(record, log, tries, error, last):
    with pytest.raises(error):
        drain().ended(context(tries), Ended("stopped", "", PROBLEM))
    assert log.lines[:4] == [
        "Stopped: HCI01 could not be drained: SQL01 (VirtualMachine, Online).",
        "What it means: It stays in service.",
        "What to do: Move SQL01 by hand.",
        "Trying again is safe.",
    ]
    assert log.lines[4].startswith(last)
    assert len(log.lines) == 5


def test_a_task_that_is_left_out_says_why(record, log):
    with pytest.raises(AirflowSkipException):
        drain().ended(context(), Ended("skipped", "the run was cancelled by ada"))
    assert log.lines == ["Left out: the run was cancelled by ada"]


def test_what_a_dead_triggerer_had_begun_to_fold_is_closed(record, log):
    sender = ["demo", "run", "drain", "HCI01"]
    drain().go_on(context(), {"status": "done", "why": "it is drained", "details": {}, "sender": sender})
    assert log.lines[0] == END


def test_the_end_of_a_run_says_what_came_of_it_and_what_is_left(record, log):
    record.add(ev.Left(what="HCI01 is paused by this run.", why="It is Down.", command="Resume-ClusterNode"), now())
    with pytest.raises(AirflowFailException):
        ConcludeOperator(task_id="conclude", cluster="demo").ended(
            context(), Ended("done", "left", details={"left": 1})
        )
    assert log.lines[0].startswith("The run is over, failed: ")
    assert log.lines[1] == "Left to do: HCI01 is paused by this run. It is Down. Command: Resume-ClusterNode"
    assert log.lines[-1].endswith("/report.html")


def test_the_triggerer_writes_a_line_per_decision_and_the_runs_warning_once(record, log, monkeypatch):
    fake = FakeWork(
        *[Wait("HCI02 does not answer")] * 3,
        *[Wait("HCI02 is up, its services start", Progress("services", number, 9)) for number in range(5)],
        Done("restarted"),
    )
    fake.late_warning = lambda: "The run has taken 2 h, more than warn_after (1 h)."

    async def publish(task_instance, value):
        pass

    async def open_async(*arguments):
        return fake

    monkeypatch.setattr(triggers, "publish", publish)
    monkeypatch.setattr(triggers.StepWork, "open_async", open_async)

    async def play():
        return [event async for event in make().run()]

    asyncio.run(play())
    written = [line for line in log.lines if line != END]
    assert written == [
        "Waits: HCI02 does not answer.",
        "The run has taken 2 h, more than warn_after (1 h).",
        f"{GROUP}Waits: HCI02 is up, its services start - services: 0 of 9.",
    ]
    assert log.lines[-1] == END
    assert operators.END == END


def test_what_comes_next_are_the_tasks_that_wait_for_no_other_one():
    with DAG("d", schedule=None):
        first, second, third = (
            NodeStepOperator(task_id=step, step=step, cluster="demo", node="HCI01")
            for step in ("drain", "install", "resume")
        )
        first >> [second, third]
        second >> third
    assert following(first) == {"install"}
    assert following(third) == set()
