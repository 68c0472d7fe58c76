from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from include.hci.airflow import operators, work
from include.hci.airflow.events import Ended, addressed, finished
from include.hci.airflow.open_runs import open_runs
from include.hci.airflow.operators import NodeStepOperator, StepOperator, StepStopped
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import keep_plan, now
from include.hci.cluster.updates import Update
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.decisions import Done, Stop, Wait

PLAN = Plan(
    cluster="demo",
    made_at=datetime(2026, 11, 3, tzinfo=UTC),
    members=("HCI01", "HCI02"),
    nodes=(
        PlannedNode("HCI01", updates=(Update("u1", "Cumulative"),)),
        PlannedNode("HCI02", skip="nothing to install"),
    ),
)


@pytest.fixture
def record(monkeypatch, tmp_path):
    """The record of a run that has its plan and its lock."""
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    found = open_record("demo", "run")
    keep_plan(found, PLAN)
    found.add(ev.LockTaken(guid="g", nodes=("HCI01", "HCI02")), now())
    return found


@pytest.fixture
def looks(monkeypatch):
    """Let the worker's first look decide what the test wants; no cluster is asked."""

    def _looks(decision):
        def tick(*, act):
            assert act is False
            return decision

        monkeypatch.setattr(
            work.StepWork, "open", lambda *arguments: SimpleNamespace(runner=SimpleNamespace(tick=tick))
        )

    return _looks


def context(tries=1, cleared_at=0, **params):
    ti = SimpleNamespace(try_number=tries, max_tries=cleared_at + 64)
    return {"run_id": "run", "params": params, "ti": ti}


def node_step(step="drain", node="HCI01", **named):
    return NodeStepOperator(task_id=f"update_node.{step}", step=step, cluster="demo", node=node, retries=64, **named)


def test_a_step_that_is_done_at_first_sight_ends_in_the_worker(record, looks):
    looks(Done("drained", "HCI01 is drained", {"roles": 3}))
    record.add(ev.TurnGiven(node="HCI01", position=1, total=2), now())
    assert node_step().execute(context()) == {"why": "HCI01 is drained", "roles": 3}


def test_a_step_that_has_to_wait_goes_to_the_triggerer_with_all_it_needs(record, looks):
    looks(Wait("the drain goes on"))
    record.add(ev.TurnGiven(node="HCI01", position=1, total=2), now())
    with pytest.raises(TaskDeferred) as deferred:
        node_step().execute(context(drain_timeout_minutes=90))
    assert deferred.value.method_name == "go_on"
    _, arguments = deferred.value.trigger.serialize()
    assert (arguments["step"], arguments["cluster"], arguments["node"]) == ("drain", "demo", "HCI01")
    assert arguments["group_id"] is None
    assert arguments["options"]["drain_timeout_minutes"] == 90
    left = datetime.fromisoformat(arguments["deadline"]) - now()
    assert timedelta(minutes=89) < left <= timedelta(minutes=90)
    # What a trigger is made of stands in the database in the clear.
    assert "password" not in str(arguments).lower()


@pytest.mark.parametrize(
    ("changed", "out", "goes"),
    [
        ({}, False, True),
        ({"max_passes_per_node": 9}, False, False),
        ({"max_passes_per_node": 9}, True, True),
        ({"drain_timeout_minutes": 9}, False, True),
    ],
)
def test_no_node_is_taken_out_of_service_under_other_options_than_the_plans(record, looks, changed, out, goes):
    looks(Wait("the drain goes on"))
    made_under = operators.run_options(work.cluster_settings("demo"), context()).to_json()
    keep_plan(record, replace(PLAN, options=made_under))
    record.add(ev.TurnGiven(node="HCI01", position=1, total=2), now())
    if out:
        record.add(ev.Pausing(node="HCI01", state_before="Up"), now())
    with pytest.raises(TaskDeferred if goes else AirflowFailException) as end:
        node_step().execute(context(**changed))
    if not goes:
        assert "the option max_passes_per_node is 9, the plan was made with 4" in str(end.value)
        assert list(record.facts.failed) == ["HCI01"]


def test_a_run_that_goes_on_after_its_end_is_remembered_as_one_that_goes_on(record, looks):
    looks(Wait("the drain goes on"))
    record.add(ev.TurnGiven(node="HCI01", position=1, total=2), now())
    with pytest.raises(TaskDeferred):
        node_step().execute(context())
    assert open_runs("demo") == ()
    record.add(ev.Concluded(why="over"), now())
    with pytest.raises(TaskDeferred):
        StepOperator(task_id="conclude", step="conclude", cluster="demo").execute(context())
    assert open_runs("demo") == ()
    with pytest.raises(TaskDeferred):
        node_step().execute(context())
    assert [run.run_id for run in open_runs("demo")] == ["run"]


@pytest.mark.parametrize(("cleared", "goes"), [(0, False), (1, True)])
def test_a_database_from_before_the_runs_end_does_not_let_it_go_on(record, looks, cleared, goes):
    looks(Wait("the drain goes on"))
    record.add(ev.TurnGiven(node="HCI01", position=1, total=2), now())
    restored = context() | {"dag_run": SimpleNamespace(clear_number=cleared)}
    with pytest.raises(TaskDeferred):
        node_step().execute(restored)
    record.add(ev.Concluded(why="over"), now())
    with pytest.raises(TaskDeferred):
        StepOperator(task_id="conclude", step="conclude", cluster="demo").execute(restored)
    with pytest.raises(TaskDeferred if goes else AirflowFailException) as end:
        node_step().execute(restored)
    assert goes or "has ended at" in str(end.value)
    assert [run.run_id for run in open_runs("demo")] == ["run"] * goes


def test_a_turn_waits_in_its_group_without_a_look(record, monkeypatch):
    monkeypatch.setattr(
        operators.StepWork, "open", lambda *arguments: pytest.fail("no cluster is asked before it is its turn")
    )
    with pytest.raises(TaskDeferred) as deferred:
        node_step("turn").execute(context())
    assert deferred.value.trigger.serialize()[1]["group_id"] == "update_node"


def test_a_node_without_work_is_skipped_with_the_reason_on_record(record):
    with pytest.raises(AirflowSkipException, match="nothing to install"):
        node_step("turn", "HCI02").execute(context())
    assert record.facts.skipped == {"HCI02": "nothing to install"}


def test_a_step_out_of_turn_is_refused(record):
    with pytest.raises(AirflowFailException, match="turn"):
        node_step("restart").execute(context())


@pytest.mark.parametrize(
    ("tries", "allowed", "safe", "final"),
    [(1, 2, True, False), (2, 2, None, False), (3, 2, True, True), (1, 2, False, True), (1, 0, True, True)],
)
def test_a_stop_is_tried_again_until_the_runs_retries_are_used_up(record, tries, allowed, safe, final):
    problem = Problem(title="HCI01 did not drain.", next_action="Move SQL01.", retry_is_safe=safe)
    with pytest.raises(AirflowFailException if final else StepStopped, match="Move SQL01"):
        node_step().ended(context(tries, max_retries_per_node=allowed), Ended("stopped", "", problem))
    assert dict(record.facts.failed) == ({"HCI01": "HCI01 did not drain."} if final else {})


def test_the_retries_of_a_node_count_over_its_steps_and_those_that_bring_it_back_have_their_own(record):
    problem = Problem(title="HCI01 stopped.", retry_is_safe=True)

    def stops(step: str, tries: int, error: type[Exception]) -> None:
        with pytest.raises(error):
            node_step(step).ended(context(tries, max_retries_per_node=2), Ended("stopped", "", problem))

    stops("drain", 1, StepStopped)
    stops("install", 1, StepStopped)
    assert record.facts.retries == {"HCI01": 2}
    stops("resume", 1, StepStopped)
    stops("resume", 2, StepStopped)
    stops("restart", 1, AirflowFailException)
    assert record.facts.failed == {"HCI01": "HCI01 stopped."}
    # Whoever clears one of its tasks then, or all of them, tries anew.
    stops("restart", 1, StepStopped)
    record.add(ev.TurnGiven(node="HCI01", position=1, total=2), now())
    assert record.facts.retries == {}


def test_a_step_that_a_person_cleared_is_tried_as_often_as_the_first_time(record):
    problem = Problem(title="HCI01 did not drain.", retry_is_safe=True)
    for tries in (4, 5):  # cleared after the third attempt
        with pytest.raises(StepStopped):
            node_step().ended(context(tries, 3, max_retries_per_node=2), Ended("stopped", "", problem))
    with pytest.raises(AirflowFailException):
        node_step().ended(context(6, 3, max_retries_per_node=2), Ended("stopped", "", problem))


def test_a_failed_step_of_the_whole_cluster_is_the_runs_problem(record, looks):
    looks(Stop(Problem(title="The cluster is not ready.", retry_is_safe=False)))
    with pytest.raises(AirflowFailException, match="not ready"):
        StepOperator(task_id="readiness", step="readiness", cluster="demo", retries=2).execute(context())
    [failed] = record.all_of(ev.Failed)
    assert failed.event.node is None


def test_an_event_that_is_none_of_ours_is_refused(record):
    with pytest.raises(ValueError, match="no end of a step"):
        node_step().go_on(context(), {"status": "timeout", "sender": ["demo", "run", "drain", "HCI01"]})


@pytest.mark.parametrize(
    "sender",
    [None, ["demo", "run", "turn", "HCI02"], ["demo", "run", "install", "HCI01"], ["demo", "old", "drain", "HCI01"]],
)
def test_the_last_words_of_another_task_do_not_end_this_one(record, sender):
    with pytest.raises(TaskDeferred) as deferred:
        node_step().go_on(context(), {"status": "skipped", "why": "HCI02 has failed", "sender": sender})
    arguments = deferred.value.trigger.serialize()[1]
    assert (arguments["step"], arguments["node"]) == ("drain", "HCI01")


def test_what_its_own_trigger_says_ends_a_task(record):
    event = addressed(finished(Done("drained", "HCI01 is drained", {"roles": 3})), ("demo", "run", "drain", "HCI01"))
    assert node_step().go_on(context(), event.payload)["roles"] == 3


def test_an_unknown_cluster_is_named_with_the_files_own_problem(monkeypatch, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("clusters:\n  demo:\n    nodes: [A1]\n    connection: hci\n")
    monkeypatch.setenv("HCI_FLEET_FILE", str(fleet))
    with pytest.raises(work.ClusterUnknown, match=r"fleet\.yaml:3"):
        node_step().execute(context())
