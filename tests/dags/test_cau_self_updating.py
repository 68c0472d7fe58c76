from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from include.hci.airflow.cau_self import role_request
from include.hci.settings import load_fleet

ROOT = Path(__file__).resolve().parents[2]
DAG_ID = "cau_self_updating__demo"
TASKS = ["begin", "prepare", "firewall", "cau_setup", "configure_role", "verify_role", "conclude"]
BY_CAU = """\
clusters:
  c:
    connection: x
    nodes: [A1, A2]
    cau_role: {virtual_computer_object_name: C-CAU}
    profile_overrides: {enable_firewall_rules: true}
    schedule:
      timezone: Europe/Berlin
      run_by: cau
      lines: [{start_date: 2026-03-02 03:00, days_of_week: 4, weeks_of_month: [3]}]
"""


@pytest.fixture
def dag(monkeypatch):
    monkeypatch.delenv("HCI_FLEET_FILE", raising=False)
    return DagBag(str(ROOT / "dags" / "cau_self_updating.py")).dags[DAG_ID]


def test_the_graph_is_one_line_with_the_end_of_the_run_at_its_end(dag):
    assert {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} == {
        before: [after] if after else [] for before, after in zip(TASKS, [*TASKS[1:], None], strict=True)
    }


def test_what_the_safety_of_a_run_hangs_on(dag):
    conclude = dag.get_task("conclude")
    # It runs on every way out: a setup that failed would keep it from that.
    assert conclude.is_teardown
    assert conclude.on_failure_fail_dagrun
    assert not any(task.is_setup for task in dag.tasks)
    # Nothing after a step that was refused begins.
    assert {dag.get_task(name).trigger_rule for name in TASKS[:-1]} == {"all_success"}
    assert (dag.max_active_runs, dag.dagrun_timeout, dag.catchup, dag.schedule) == (1, None, False, None)
    assert {str(kind.value) for kind in dag.allowed_run_types} == {"manual"}
    # Test-CauSetup takes minutes.
    assert dag.get_task("cau_setup").look_first is False


def test_the_form_knows_the_actions_and_the_names_of_the_role(dag):
    assert list(dag.params) == ["action", "virtual_computer_object_name", "group_name"]
    assert dag.params["action"] == "configure"
    with pytest.raises(ParamValidationError):
        dag.params.get_param("action").resolve(value="repair")


def test_a_cluster_whose_cadence_cau_runs_has_a_rolling_update_by_hand_only(monkeypatch, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(BY_CAU.replace("profile_overrides: {enable_firewall_rules: true}", "profile_overrides: {}"))
    monkeypatch.setenv("HCI_FLEET_FILE", str(fleet))
    bag = DagBag(str(ROOT / "dags"))
    assert bag.import_errors == {}
    assert bag.dags["rolling_update__c"].schedule is None
    assert bag.dags["cau_self_updating__c"].schedule is None


def test_the_form_as_it_is_asks_for_what_the_fleet_file_says(monkeypatch, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(BY_CAU)
    monkeypatch.setenv("HCI_FLEET_FILE", str(fleet))
    found = DagBag(str(ROOT / "dags" / "cau_self_updating.py")).dags["cau_self_updating__c"]
    request = role_request(load_fleet(fleet).clusters["c"], {"params": found.params.dump()})
    assert request.is_run_by_cau
    assert (request.action, request.virtual_computer_object_name) == ("configure", "C-CAU")


def test_the_dag_survives_being_stored(dag):
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert sorted(stored.task_dict) == sorted(TASKS)
