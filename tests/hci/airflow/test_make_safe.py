from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hci.airflow import make_safe
from include.hci.airflow.events import Ended
from include.hci.airflow.make_safe import FindDeadRunsOperator, MakeSafeOperator
from include.hci.airflow.open_runs import OpenRun, close_run, mark_open, open_runs
from include.hci.airflow.run_tasks import ConcludeOperator, ReadinessOperator
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import now
from include.hci.report import events as ev
from include.hci.settings import RunOptions

DAG_ID = "rolling_update__demo"


@pytest.fixture(autouse=True)
def reports(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())


@pytest.fixture
def alive(monkeypatch):
    """The ids of the runs that Airflow still works on."""
    runs: set[str] = set()
    monkeypatch.setattr(make_safe, "is_alive", lambda run: run.run_id in runs)
    return runs


def context(run_type="scheduled", run_id="safe"):
    run = SimpleNamespace(run_type=run_type, run_after=now(), triggering_user_name=None, clear_number=0)
    return {"run_id": run_id, "params": {}, "ti": SimpleNamespace(try_number=1), "dag_run": run}


def begin(run_id, *changes, **options):
    mark_open("demo", OpenRun(run_id, DAG_ID))
    record = open_record("demo", run_id)
    record.add(
        ev.RunStarted(run_id=run_id, cluster="demo", nodes=("HCI01",), options=options),
        now(),
    )
    for change in changes:
        record.add(change, now())
    return record


LOCKED = ev.LockTaking(guid="g", nodes=("HCI01", "HCI02"))
PAUSED = ev.Pausing(node="HCI02", state_before="Up")


def find(run_type="scheduled"):
    return FindDeadRunsOperator(task_id="find", cluster="demo").execute(context(run_type))


def test_a_run_is_remembered_from_its_first_task_to_its_last(monkeypatch):
    monkeypatch.setattr("include.hci.airflow.operators.StepOperator.execute", lambda self, context: None)
    ReadinessOperator(task_id="readiness", cluster="demo").execute(context("manual", "run"))
    assert [run.run_id for run in open_runs("demo")] == ["run"]
    conclude = ConcludeOperator(task_id="conclude", cluster="demo")
    with pytest.raises(AirflowFailException):  # nothing was updated
        conclude.ended(context("manual", "run"), Ended("done", "clean"))
    assert open_runs("demo") == ()


def test_run_ids_that_differ_in_signs_only_are_kept_apart():
    mark_open("demo", OpenRun("a:b", DAG_ID))
    mark_open("demo", OpenRun("a+b", DAG_ID))
    close_run("demo", "a:b", left=False)
    assert open_runs("demo") == (OpenRun("a+b", DAG_ID),)
    assert open_runs("other") == ()


@pytest.mark.parametrize("changes", [(LOCKED,), (LOCKED, PAUSED)])
def test_a_dead_run_that_changed_something_is_found(alive, changes):
    begin("dead", *changes)
    assert find() == ["dead"]


def test_a_run_that_goes_on_is_left_alone(alive):
    begin("running", LOCKED, PAUSED)
    alive.add("running")
    with pytest.raises(AirflowSkipException, match="No dead run"):
        find("manual")
    assert [run.run_id for run in open_runs("demo")] == ["running"]


@pytest.mark.parametrize(
    ("changes", "paused", "fails"),
    [((LOCKED, PAUSED), True, True), ((), True, False), ((LOCKED, PAUSED), False, False)],
)
def test_a_run_that_waits_in_vain_because_its_dag_is_paused_is_told_of(alive, monkeypatch, changes, paused, fails):
    begin("running", *changes)
    alive.add("running")
    monkeypatch.setattr(make_safe, "is_paused", lambda run: paused)
    with pytest.raises(AirflowFailException if fails else AirflowSkipException) as said:
        find()
    if fails:
        for text in ("running", DAG_ID, "HCI02", "Unpause"):
            assert text in str(said.value)
    assert [run.run_id for run in open_runs("demo")] == ["running"]


def test_a_run_that_waits_in_vain_keeps_no_dead_one_from_being_made_safe(alive, monkeypatch):
    begin("running", LOCKED, PAUSED)
    begin("dead", LOCKED)
    alive.add("running")
    monkeypatch.setattr(make_safe, "is_paused", lambda run: True)
    assert find() == ["dead"]


def test_a_dead_run_whose_record_cannot_be_read_is_not_forgotten(alive, tmp_path):
    begin("dead")
    (tmp_path / "demo" / "dead" / "events" / "20261103T020000.000000Z-000002-x-HCI02-drain-intent.json").write_text("{")
    with pytest.raises(AirflowFailException, match="cannot be read"):
        find()
    assert [run.run_id for run in open_runs("demo")] == ["dead"]


def test_a_record_that_cannot_be_reached_now_keeps_no_other_run_from_being_made_safe(alive, monkeypatch):
    begin("unreachable", LOCKED)
    begin("dead", LOCKED)
    opened = make_safe.open_record

    class Gone:
        @property
        def facts(self):
            raise OSError("stale file handle")

    monkeypatch.setattr(
        make_safe, "open_record", lambda slug, run: Gone() if run == "unreachable" else opened(slug, run)
    )
    assert find() == ["dead"]
    close_run("demo", "dead", left=False)
    with pytest.raises(AirflowFailException, match="unreachable cannot be read now: stale file handle"):
        find()
    assert [run.run_id for run in open_runs("demo")] == ["unreachable"]


@pytest.mark.parametrize(("is_open", "says"), [(True, "under way again"), (False, "has ended")])
def test_a_run_that_is_not_dead_any_more_is_left_alone(alive, is_open, says):
    begin("dead", LOCKED, PAUSED)
    alive.add("dead")
    if not is_open:
        close_run("demo", "dead", left=False)
    with pytest.raises(AirflowSkipException, match=says):
        MakeSafeOperator(task_id="make_safe", cluster="demo", dead_run="dead").execute(context())


def test_a_cluster_that_nobody_could_look_at_is_tried_again_by_itself(alive):
    begin("dead", LOCKED, PAUSED)
    operator = MakeSafeOperator(task_id="make_safe", cluster="demo", dead_run="dead")
    silent = {"left": [{"what": "HCI02 is paused by this run"}], "silent": "no route"}
    for _ in range(2):
        with pytest.raises(AirflowFailException, match="no route"):
            operator.ended(context(), Ended("done", "HCI02 is paused by this run (no route)", details=silent))
        said = open_record("demo", "dead").last(ev.Concluded).event.why
        assert "make_safe__demo looks again every ten minutes" in said
        assert open_runs("demo") == (OpenRun("dead", DAG_ID),)
        assert find() == ["dead"]


def test_a_dead_run_that_changed_nothing_is_forgotten(alive):
    begin("refused")
    begin("undone", LOCKED, PAUSED, ev.Resumed(node="HCI02", failback_mode="Immediate"), ev.LockReleased(guid="g"))
    with pytest.raises(AirflowSkipException):
        find()
    assert open_runs("demo") == ()


def test_what_was_left_to_a_person_is_taken_up_again_only_by_hand(alive):
    begin("left", LOCKED, PAUSED)
    close_run("demo", "left", left=True)
    with pytest.raises(AirflowSkipException):
        find()
    assert find("manual") == ["left"]
    # What a task is given says something else when it is made a text.
    assert find(DagRunType.MANUAL) == ["left"]


def test_a_dead_run_is_ended_with_its_own_record_lock_and_options():
    begin("dead", LOCKED, PAUSED, max_failed_nodes=2, failback_mode="NoFailback")
    operator = MakeSafeOperator(task_id="make_safe", cluster="demo", dead_run="dead")
    assert operator.run_of(context()) == "dead"
    options = operator.options_of(make_safe.cluster_settings("demo"), context())
    assert (options.max_failed_nodes, options.failback_mode) == (2, "NoFailback")


def test_a_run_that_another_version_of_this_program_began_is_ended_all_the_same():
    begin("dead", LOCKED, PAUSED, failback_mode="NoFailback", option_that_is_no_more=1)
    settings = make_safe.cluster_settings("demo")
    operator = MakeSafeOperator(task_id="make_safe", cluster="demo", dead_run="dead")
    assert operator.options_of(settings, context()) == RunOptions.as_given(settings)


def test_making_safe_succeeds_although_the_dead_run_did_not_and_forgets_it():
    record = begin("dead", LOCKED)
    operator = MakeSafeOperator(task_id="make_safe", cluster="demo", dead_run="dead")
    assert operator.ended(context(), Ended("done", "HCI02 was resumed")) == "HCI02 was resumed"
    assert open_runs("demo") == ()
    assert '"failed"' in record.storage.read("report.json")


def test_making_safe_fails_when_something_is_left_and_remembers_that():
    begin("dead", LOCKED)
    operator = MakeSafeOperator(task_id="make_safe", cluster="demo", dead_run="dead")
    left = Ended("done", "HCI02 is paused by this run (the node is Down)", details={"left": [{"what": "HCI02"}]})
    with pytest.raises(AirflowFailException, match="HCI02 is paused"):
        operator.ended(context(), left)
    assert open_runs("demo") == (OpenRun("dead", DAG_ID, left=True),)
