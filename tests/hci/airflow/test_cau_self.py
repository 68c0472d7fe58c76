from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.hci.airflow.cau_self import BeginRoleRunOperator, ConcludeRoleRunOperator, RoleStepOperator
from include.hci.airflow.names import cau_self_dag_id, cluster_slug
from include.hci.airflow.open_runs import open_runs
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, now
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.settings import SettingsError

FLEET = """\
clusters:
  c:
    connection: x
    nodes: [A1, A2]
    profile_overrides: {enable_firewall_rules: true, attempt_soft_reboot: true}
    schedule:
      timezone: UTC
      run_by: RUN_BY
      lines: [{start_date: 2026-03-02 03:00, days_of_week: 4, weeks_of_month: [3]}]
"""


@pytest.fixture
def record(monkeypatch, tmp_path):
    set_fleet(monkeypatch, tmp_path, "cau")
    monkeypatch.setenv("HCI_REPORTS", (tmp_path / "reports").as_uri())
    return open_record("c", "run")


def set_fleet(monkeypatch, tmp_path, run_by, text=FLEET):
    fleet = tmp_path / f"fleet-{run_by}.yaml"
    fleet.write_text(text.replace("RUN_BY", run_by))
    monkeypatch.setenv("HCI_FLEET_FILE", str(fleet))


def context(**params):
    run = SimpleNamespace(run_type="manual", run_after=now(), triggering_user_name="ada", clear_number=0)
    return {"run_id": "run", "params": params, "ti": SimpleNamespace(try_number=1), "dag_run": run}


def test_a_run_begins_with_what_it_is_asked_for_and_every_option_of_caus(record, monkeypatch):
    monkeypatch.setattr(BeginRoleRunOperator, "dag_id", cau_self_dag_id("c"), raising=False)
    BeginRoleRunOperator(task_id="begin", cluster="c").execute(context(action="check"))
    started = record.last(ev.RunStarted).event
    assert (started.run_kind, started.started_by, started.request["action"]) == ("cau-self-updating", "ada", "check")
    assert started.request["schedule"]["run_by"] == "cau"
    assert started.options["attempt_soft_reboot"] is True
    assert [(run.run_id, run.dag_id) for run in open_runs("c")] == [("run", "cau_self_updating__c")]
    assert cluster_slug("cau_self_updating__c") == "c"


def test_a_wrong_parameter_begins_nothing(record):
    with pytest.raises(SettingsError, match="action"):
        BeginRoleRunOperator(task_id="begin", cluster="c").execute(context(action="repair"))
    assert record.last(ev.RunStarted) is None


def test_a_role_can_be_switched_off_whatever_options_the_cluster_has(record, monkeypatch, tmp_path):
    text = FLEET.replace("attempt_soft_reboot: true", "pause_points: [before-drain]")
    set_fleet(monkeypatch, tmp_path, "airflow", text)
    monkeypatch.setattr(BeginRoleRunOperator, "dag_id", cau_self_dag_id("c"), raising=False)
    BeginRoleRunOperator(task_id="begin", cluster="c").execute(context(action="disable"))
    assert record.last(ev.RunStarted).event.options["pause_points"] == ["before-drain"]


def test_a_step_goes_by_the_options_the_run_began_with(record):
    operator = RoleStepOperator(task_id="verify_role", step="verify_role", cluster="c")
    with pytest.raises(AirflowFailException, match="has not begun"):
        operator.options_of(cluster_settings("c"), context())
    began = {"max_failed_nodes": 0, "failback_mode": "Policy"}
    record.add(ev.RunStarted(run_id="run", cluster="c", options=began, run_kind="cau-self-updating"), now())
    assert operator.options_of(cluster_settings("c"), context()).failback_mode == "Policy"


def conclude():
    return ConcludeRoleRunOperator(task_id="conclude", cluster="c").execute(context())


def started(action="disable"):
    return ev.RunStarted(
        run_id="run", cluster="c", nodes=("A1", "A2"), run_kind="cau-self-updating", request={"action": action}
    )


def test_a_run_whose_wish_is_proven_ends_well(record):
    record.add(started(), now())
    record.add(ev.RoleRead(present=True, enabled=False, proven=True), now())
    assert conclude() == "The role is off. Nothing had to be changed."
    assert json.loads(record.storage.read("report.json"))["outcome"] == "nothing-to-do"
    assert "Self-updating" not in record.storage.read("updates.csv")
    assert open_runs("c") == ()


@pytest.mark.parametrize("read", [None, ev.RoleRead(present=True, enabled=True, findings=("the role is wrong",))])
def test_a_run_that_proved_nothing_fails_with_its_reason(record, read):
    record.add(started(), now())
    if read is not None:
        record.add(read, now())
    record.add(ev.Failed(step="verify_role", problem=Problem(title="The role is wrong.")), now())
    with pytest.raises(AirflowFailException, match="wrong"):
        conclude()
    report = json.loads(record.storage.read("report.json"))
    assert (report["outcome"], report["nodes"]) == ("failed", [])


def test_a_cancelled_run_is_no_failure_of_the_role(record):
    record.add(started(), now())
    record.add(ev.OperatorAsked(action="cancel", by="ada"), now())
    with pytest.raises(AirflowFailException, match="cancelled"):
        conclude()
    assert json.loads(record.storage.read("report.json"))["outcome"] == "cancelled"


def test_a_run_that_never_began_has_no_report(record):
    with pytest.raises(AirflowFailException, match="has not begun"):
        conclude()
