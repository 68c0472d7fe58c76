from __future__ import annotations

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hci.airflow import run_tasks
from include.hci.airflow.begin import begin_run
from include.hci.airflow.events import Ended
from include.hci.airflow.open_runs import OpenRun, mark_open, open_runs
from include.hci.airflow.run_tasks import ConcludeOperator, PlanOperator, ReadinessOperator, ReportOperator
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, keep_plan, now, read_plan
from include.hci.cluster.updates import Update
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.report import events as ev
from include.hci.report.values import Problem, UpdateRef
from include.hci.settings import RunOptions
from tests.hci.report.judging import check_data

REF = UpdateRef(update_id="u1", kb="KB1", title="Cumulative")


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    return open_record("demo", "run")


def begin(record):
    record.add(ev.RunStarted(run_id="run", cluster="demo", nodes=("HCI01", "HCI02")), now())


def plan(*nodes):
    return Plan(cluster="demo", made_at=now(), members=("HCI01", "HCI02"), nodes=nodes)


WORK = PlannedNode("HCI02", updates=(Update("u1", "Cumulative"),))
IDLE = PlannedNode("HCI01")


def context(scans=(), **changes):
    ti = SimpleNamespace(try_number=1, max_tries=2, xcom_pull=lambda **arguments: list(scans))
    run = SimpleNamespace(run_type="manual", run_after=now(), triggering_user_name="ops", clear_number=0)
    return {"run_id": "run", "params": {}, "ti": ti, "dag_run": run} | changes


def report_of(record):
    found = json.loads(record.storage.read("report.json"))
    check_data(found)
    return found


def late_context(run_type, clear_number=0, **late):
    run = SimpleNamespace(
        run_type=run_type, run_after=now() - timedelta(**late), triggering_user_name=None, clear_number=clear_number
    )
    ti = SimpleNamespace(get_previous_dagrun=lambda: SimpleNamespace(logical_date=now() - timedelta(days=30)))
    return context(dag_run=run, ti=ti)


@pytest.mark.parametrize("run_type", [DagRunType.SCHEDULED, "scheduled"])
def test_a_run_that_missed_its_window_touches_nothing_and_its_report_says_why(record, monkeypatch, run_type):
    monkeypatch.setattr(run_tasks.StepOperator, "execute", lambda self, context: pytest.fail("It was begun."))
    late = late_context(run_type, hours=9)
    for _ in range(2):  # Airflow may give the task to a worker twice
        with pytest.raises(AirflowSkipException, match="missed"):
            ReadinessOperator(task_id="readiness", cluster="demo").execute(late)
    assert [entry.event.event for entry in record.events()] == ["run_started", "window_missed"]
    assert record.last(ev.RunStarted).event.started_by == "scheduled"
    assert [run.run_id for run in open_runs("demo")] == ["run"]
    with pytest.raises(AirflowSkipException, match="missed"):
        PlanOperator(task_id="plan", cluster="demo").execute(late)
    ReportOperator(task_id="report", cluster="demo").execute(late)
    report = report_of(record)
    assert report["outcome"] == "missed"
    assert "began 9 h late" in report["headline"]
    page = record.storage.read("report.html")
    assert "Missed its window" in page
    assert "began 9 h late" in page
    assert open_runs("demo") == ()


@pytest.mark.parametrize(
    "late", [late_context(DagRunType.SCHEDULED, minutes=5), late_context(DagRunType.MANUAL, hours=9)]
)
def test_a_run_that_is_in_time_begins(record, monkeypatch, late):
    begun = []
    monkeypatch.setattr(run_tasks.StepOperator, "execute", lambda self, context: begun.append(self.task_id))
    ReadinessOperator(task_id="readiness", cluster="demo").execute(late)
    assert begun == ["readiness"]
    assert record.facts.missed == ""


def test_only_a_person_gets_a_run_that_began_in_time_to_begin_again_late(record, monkeypatch):
    begun = []
    monkeypatch.setattr(run_tasks.StepOperator, "execute", lambda self, context: begun.append("begun"))
    readiness = ReadinessOperator(task_id="readiness", cluster="demo")
    readiness.execute(late_context(DagRunType.SCHEDULED, minutes=5))
    readiness.execute(late_context(DagRunType.SCHEDULED, clear_number=1, hours=9))
    assert begun == ["begun", "begun"]
    with pytest.raises(AirflowSkipException, match="missed"):  # a worker that died, tried again when Airflow was back
        readiness.execute(late_context(DagRunType.SCHEDULED, hours=9))
    with pytest.raises(AirflowSkipException, match="missed"):  # what missed its window is triggered anew, not cleared
        readiness.execute(late_context(DagRunType.SCHEDULED, clear_number=2, hours=9))
    assert len(begun) == 2


def test_a_plan_is_made_once_and_gives_the_nodes_in_order(record, monkeypatch):
    begin(record)
    made = []

    def plan_run(cluster, step_context, scans, at, history):
        made.append(scans)
        return plan(WORK, IDLE)

    monkeypatch.setattr(run_tasks, "plan_run", plan_run)
    monkeypatch.setattr(run_tasks, "open_cluster", lambda settings: None)
    operator = PlanOperator(task_id="plan", cluster="demo")
    scans = [{"node": "HCI01"}, None, {"node": "HCI02"}]
    assert operator.execute(context(scans)) == ["HCI02", "HCI01"]
    assert operator.execute(context(scans)) == ["HCI02", "HCI01"]
    assert made == [{"HCI01": {"node": "HCI01"}, "HCI02": {"node": "HCI02"}}]
    assert read_plan(record) == plan(WORK, IDLE).from_json(read_plan(record).to_json())


def test_a_plan_without_work_skips_the_rest(record):
    begin(record)
    keep_plan(record, plan(IDLE, PlannedNode("HCI02", skip="HCI02 is Down")))
    with pytest.raises(AirflowSkipException, match="anything to install"):
        PlanOperator(task_id="plan", cluster="demo").execute(context())


def test_a_run_that_only_plans_ends_there_and_one_that_is_cancelled_does_not_get_there(record):
    begin(record)
    keep_plan(record, plan(WORK, IDLE))
    with pytest.raises(AirflowSkipException, match="plan_only"):
        PlanOperator(task_id="plan", cluster="demo").execute(context(params={"plan_only": True}))
    record.add(ev.OperatorAsked(action="cancel", by="ada"), now())
    with pytest.raises(AirflowFailException, match="cancelled by ada"):
        PlanOperator(task_id="plan", cluster="demo").execute(context())


def test_a_cancelled_end_is_told_as_one(record):
    finish(record)
    record.add(ev.OperatorAsked(action="cancel", by="ada", comment="too late"), now())
    with pytest.raises(AirflowFailException, match=r"Cancelled by ada .*too late"):
        ConcludeOperator(task_id="conclude", cluster="demo").ended(context(), Ended("done", "clean"))
    assert report_of(record)["outcome"] == "cancelled"


def test_a_run_that_never_began_fails_and_leaves_its_record_as_it_is(record, tmp_path):
    # Skipped, the plan would make a run of wrong parameters a success: its last task would be skipped with it.
    with pytest.raises(AirflowFailException, match="never began") as failed:
        PlanOperator(task_id="plan", cluster="demo").execute(context())
    assert f"{tmp_path.as_uri()}/demo/run" in str(failed.value)
    assert "HCI_REPORTS" in str(failed.value)
    with pytest.raises(AirflowSkipException, match="never began"):
        ReportOperator(task_id="report", cluster="demo").execute(context())
    assert record.storage.list("") == []


def test_there_is_no_plan_without_a_scan(record):
    begin(record)
    with pytest.raises(AirflowFailException, match="No node was scanned"):
        PlanOperator(task_id="plan", cluster="demo").execute(context([None, None]))


def test_a_run_that_ended_before_the_lock_is_reported_as_over(record):
    begin(record)
    record.add(ev.Failed(step="readiness", problem=Problem(title="The storage is not healthy.")), now())
    address = ReportOperator(task_id="report", cluster="demo").execute(context())
    assert address.endswith("/demo/run/report.html")
    assert report_of(record)["outcome"] == "failed"
    assert "The storage is not healthy." in record.storage.read("report.html")


def test_a_run_that_ended_before_the_lock_is_not_over_while_a_scan_has_left_something(record):
    begin(record)
    mark_open("demo", OpenRun("run", "rolling_update__demo"))
    record.add(ev.Changing(step="scan", node="HCI01", change="scheduled-task", subject="HciUpdate"), now())
    record.add(ev.Failed(step="readiness", problem=Problem(title="The storage is not healthy.")), now())
    ReportOperator(task_id="report", cluster="demo").execute(context())
    assert record.last(ev.Concluded) is None
    assert [run.run_id for run in open_runs("demo")] == ["run"]


def finish(record, *nodes):
    begin(record)
    record.add(ev.Planned(order=("HCI01", "HCI02"), updates={"HCI01": (REF,), "HCI02": (REF,)}), now())
    record.add(ev.LockTaken(guid="g", nodes=("HCI01", "HCI02")), now())
    for node in nodes:
        result = {"update_id": "u1", "kb": "KB1", "title": "Cumulative", "result": "succeeded"}
        record.add(ev.InstallStarted(node=node, install_pass=1, updates=(REF,)), now())
        record.add(ev.InstallFinished(node=node, install_pass=1, results=(result,)), now())
    record.add(ev.LockReleased(guid="g"), now())


def test_the_end_is_good_only_when_every_planned_node_is_done(record):
    finish(record, "HCI01", "HCI02")
    ConcludeOperator(task_id="conclude", cluster="demo").ended(context(), Ended("done", "clean"))
    assert report_of(record)["outcome"] == "succeeded"
    assert record.storage.read("updates.csv").count("succeeded") == 2
    assert 'href="updates.csv"' in record.storage.read("report.html")


def test_a_run_whose_record_cannot_all_be_read_is_not_forgotten(record, tmp_path):
    finish(record, "HCI01", "HCI02")
    mark_open("demo", OpenRun("run", "rolling_update__demo"))
    (tmp_path / "demo" / "run" / "events" / "20261103T020000.000000Z-000099-x-HCI02-drain-intent.json").write_text("{")
    ConcludeOperator(task_id="conclude", cluster="demo").ended(context(), Ended("done", "clean"))
    assert [(run.run_id, run.left) for run in open_runs("demo")] == [("run", True)]


def test_the_end_fails_the_run_when_a_node_was_not_updated(record):
    finish(record, "HCI01")
    with pytest.raises(AirflowFailException, match="1 updated"):
        ConcludeOperator(task_id="conclude", cluster="demo").ended(context(), Ended("done", "clean"))
    assert report_of(record)["outcome"] == "failed"


def test_options_that_have_become_wrong_do_not_keep_a_run_from_being_ended(record):
    began = RunOptions(max_failed_nodes=1, failback_mode="NoFailback")
    record.add(ev.RunStarted(run_id="run", cluster="demo", nodes=("HCI01",), options=began.to_json()), now())
    operator, settings = ConcludeOperator(task_id="conclude", cluster="demo"), cluster_settings("demo")
    assert operator.options_of(settings, context(params={"failback_mode": "Policy"})).failback_mode == "Policy"
    assert operator.options_of(settings, context(params={"failback_mode": "nonsense"})) == began


def test_a_run_is_ended_and_reported_although_the_fleet_file_has_lost_its_cluster(record, monkeypatch, tmp_path):
    settings = cluster_settings("demo")
    begin_run(context(), "rolling_update__demo", settings, RunOptions.as_given(settings), record)
    (tmp_path / "fleet.yaml").write_text("clusters: [demo")
    monkeypatch.setenv("HCI_FLEET_FILE", str(tmp_path / "fleet.yaml"))
    with pytest.raises(AirflowFailException):
        ConcludeOperator(task_id="conclude", cluster="demo").ended(context(), Ended("done", "HCI02 was resumed"))
    assert record.last(ev.Concluded).event.why == "HCI02 was resumed"
    assert report_of(record)["cluster"] == "demo"


def test_an_end_that_could_not_make_safe_is_reported_all_the_same(record):
    finish(record, "HCI01", "HCI02")
    problem = Problem(title="The cluster does not answer.", retry_is_safe=False)
    with pytest.raises(AirflowFailException, match="does not answer"):
        ConcludeOperator(task_id="conclude", cluster="demo").ended(context(), Ended("stopped", "", problem))
    assert "The cluster does not answer." in record.storage.read("report.html")
