from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput, TaskDeferred

from include.hci.airflow import offline, run_tasks
from include.hci.airflow.names import cluster_slug, offline_update_dag_id
from include.hci.airflow.offline import (
    ApproveDowntimeOperator,
    OfflineNodeStepOperator,
    OfflinePlanOperator,
    OfflineReadinessOperator,
    OfflineStepOperator,
)
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, keep_plan, now
from include.hci.cluster.updates import Update
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.report import events as ev
from include.hci.report.offline_events import PlannedVm
from include.hci.settings import RunOptions, SettingsError
from include.hci.settings.offline import OfflineRequest
from include.hci.steps.offline_plan import offline_hash

NODES = ("HCI01", "HCI02")
PLAN = Plan(
    cluster="demo",
    made_at=now(),
    members=NODES,
    nodes=(PlannedNode("HCI01", updates=(Update("u1", "Cumulative (KB5001)"),)), PlannedNode("HCI02")),
)
GOES_DOWN = ev.OfflinePlanned(
    nodes=NODES, vms=(PlannedVm(name="SQL01", node="HCI01", running=True),), request=OfflineRequest().to_json()
)


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    found = open_record("demo", "run")
    keep_plan(found, PLAN)
    started = ev.RunStarted(
        run_id="run", cluster="demo", nodes=NODES, run_kind="offline-update", request=OfflineRequest().to_json()
    )
    found.add(started, now())
    found.add(GOES_DOWN, now())
    return found


def identity(goes_down=GOES_DOWN):
    return offline_hash(PLAN, RunOptions.for_run(cluster_settings("demo"), {}).to_json(), goes_down)


def approve(record, goes_down=GOES_DOWN, *, accepted=True):
    record.add(ev.Approved(by="ada", accepted=accepted, plan_id=identity(goes_down)), now())


def context(**params):
    run = SimpleNamespace(run_type="manual", run_after=now(), triggering_user_name="ops", clear_number=0)
    ti = SimpleNamespace(try_number=1)
    return {"run_id": "run", "params": params, "ti": ti, "dag_run": run, "task_instance": SimpleNamespace(id="ti")}


def step(name, node=None):
    kind = OfflineStepOperator if node is None else OfflineNodeStepOperator
    return kind(task_id=name, step=name, cluster="demo", node=node, look_first=False)


def test_a_person_is_asked_even_where_the_profile_wants_no_approval(record, monkeypatch):
    questions: list[dict] = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **question: questions.append(question)
    )
    with pytest.raises(TaskAwaitingInput):
        ApproveDowntimeOperator(task_id="approve", cluster="demo").execute(context(require_approval=False))
    [question] = questions
    assert question["defaults"] == ["Refuse"]
    assert "SQL01" in question["body"]
    assert "the whole cluster demo goes down" in question["body"]


@pytest.mark.parametrize("name", ["take_lock", "downtime_gate"])
def test_nothing_begins_without_an_approval_of_this_very_plan(record, name):
    with pytest.raises(AirflowFailException, match="Nobody has approved"):
        step(name).execute(context())
    approve(record, GOES_DOWN.model_copy(update={"vms": ()}))
    with pytest.raises(AirflowFailException, match="approved another plan"):
        step(name).execute(context())
    approve(record, accepted=False)
    with pytest.raises(AirflowFailException, match="refused the plan"):
        step(name).execute(context())


def test_an_approved_run_takes_its_lock(record):
    approve(record)
    with pytest.raises(TaskDeferred):
        step("take_lock").execute(context())


def test_a_task_that_a_person_marks_as_done_stops_no_machine(record):
    record.add(ev.LockTaken(guid="g", nodes=NODES), now())
    with pytest.raises(AirflowFailException, match="Nobody has approved"):
        step("stop_vms", "HCI01").execute(context())


def test_nothing_is_installed_before_unless_that_was_asked_for(record):
    approve(record)
    record.add(ev.LockTaken(guid="g", nodes=NODES), now())
    with pytest.raises(AirflowSkipException, match="install_before was not asked for"):
        step("install_before", "HCI01").execute(context())


def test_a_server_is_worked_on_only_while_this_run_keeps_the_cluster_stopped(record):
    approve(record)
    record.add(ev.LockTaken(guid="g", nodes=NODES), now())
    with pytest.raises(AirflowSkipException, match="has not stopped the cluster service of HCI01"):
        step("install_offline", "HCI01").execute(context())
    for node in NODES:
        record.add(ev.Changing(step="stop_cluster", node=node, change="cluster-stopped", subject="ClusSvc"), now())
    record.add(ev.ClusterDown(), now())
    with pytest.raises(TaskDeferred):
        step("install_offline", "HCI01").execute(context())
    with pytest.raises(AirflowSkipException, match="HCI02 has nothing to install"):
        step("install_offline", "HCI02").execute(context())


def test_what_is_down_is_brought_back_whatever_was_cancelled_or_not_approved(record):
    record.add(ev.Changing(step="stop_vms", change="vm-stopped", subject="SQL01"), now())
    record.add(ev.OperatorAsked(action="cancel", by="ada"), now())
    with pytest.raises(TaskDeferred):
        step("start_vms").execute(context())
    with pytest.raises(AirflowSkipException, match="Nothing of it is down"):
        step("start_cluster").execute(context())


def test_the_run_is_on_record_as_what_it_is_with_what_was_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    monkeypatch.setattr(run_tasks.StepOperator, "execute", lambda self, context: "ready")
    readiness = OfflineReadinessOperator(task_id="readiness", cluster="demo")
    monkeypatch.setattr(OfflineReadinessOperator, "dag_id", offline_update_dag_id("demo"))
    assert readiness.execute(context(vm_action="save", query_string="IsInstalled=0")) == "ready"
    started = open_record("demo", "run").last(ev.RunStarted)
    assert started is not None
    assert started.event.run_kind == "offline-update"
    assert started.event.request["vm_action"] == "save"
    with pytest.raises(SettingsError, match="vm_action"):
        readiness.execute(context(vm_action="turn_off"))


def test_the_plan_reads_what_goes_down_with_it(monkeypatch, record):
    planned: list[Plan] = []
    monkeypatch.setattr(run_tasks.PlanOperator, "_make", lambda self, context, settings, record: PLAN)
    monkeypatch.setattr(offline, "open_cluster", lambda settings: "the cluster")
    monkeypatch.setattr(
        offline, "plan_offline", lambda cluster, step, plan, when, history: planned.append((cluster, plan))
    )
    record.storage.remove("plan.json")
    assert OfflinePlanOperator(task_id="plan", cluster="demo").execute(context()) == ["HCI01", "HCI02"]
    assert planned == [("the cluster", PLAN)]


def test_its_runs_have_a_report_like_every_others():
    assert cluster_slug(offline_update_dag_id("berlin")) == "berlin"
    assert cluster_slug("rolling_update__berlin") == "berlin"
    assert cluster_slug("make_safe__berlin") is None
