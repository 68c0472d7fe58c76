from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from include.hci.airflow.cau_remote import cau_options, cau_request
from include.hci.settings import RunOptions, load_fleet
from include.hci.settings.profile import NOT_BY_CAU, UpdatingRunProfile

ROOT = Path(__file__).resolve().parents[2]
DAG_ID = "cau_remote_updating__demo"
TASKS = ["readiness", "prepare", "preview", "approve", "run_cau", "collect", "conclude"]
#: Options of this coordinator alone: what they bound is CAU's own business in such a run.
OWN = {
    "drain_timeout_minutes", "install_timeout_minutes", "resync_timeout_minutes", "resync_stable_reads",
    "stuck_repair_minutes", "max_passes_per_node", "script_timeout_minutes", "windows", "blackouts",
}  # fmt: skip


@pytest.fixture
def dag(monkeypatch):
    monkeypatch.delenv("HCI_FLEET_FILE", raising=False)
    return DagBag(str(ROOT / "dags" / "cau_remote_updating.py")).dags[DAG_ID]


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
    assert dag.get_task("collect").trigger_rule == "all_done"
    assert (dag.max_active_runs, dag.dagrun_timeout, dag.catchup) == (1, None, False)


def test_it_is_begun_by_hand_only_whatever_the_schedule_of_the_cluster(monkeypatch, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("clusters: {c: {connection: x, nodes: [A1, A2], schedule: {cron: 0 1 * * 0, timezone: UTC}}}")
    monkeypatch.setenv("HCI_FLEET_FILE", str(fleet))
    found = DagBag(str(ROOT / "dags" / "cau_remote_updating.py")).dags["cau_remote_updating__c"]
    assert found.schedule is None
    assert {str(kind.value) for kind in found.allowed_run_types} == {"manual"}


def test_a_cluster_with_options_of_caus_has_this_dag_and_no_rolling_update(monkeypatch, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(
        "clusters:\n"
        "  good: {connection: x, nodes: [B1, B2]}\n"
        "  c: {connection: x, nodes: [A1, A2], profile_overrides: {enable_firewall_rules: true}}\n"
    )
    monkeypatch.setenv("HCI_FLEET_FILE", str(fleet))
    bag = DagBag(str(ROOT / "dags"))
    assert "cau_remote_updating__c" in bag.dags
    assert "rolling_update__c" not in bag.dags
    assert {"rolling_update__good", "cau_remote_updating__good"} <= set(bag.dags)
    [(file, text)] = bag.import_errors.items()
    assert file.endswith("fleet_problems.py")
    assert "enable_firewall_rules" in text


def test_the_form_has_every_option_that_cau_acts_on(dag):
    options = set(UpdatingRunProfile.model_fields) - set(NOT_BY_CAU) - OWN
    assert options <= set(dag.params)
    assert {"credssp", "force_recovery"} <= set(dag.params)
    assert not set(dag.params) & set(NOT_BY_CAU)


def test_the_form_as_it_is_begins_a_run_with_the_clusters_own_options(dag, monkeypatch):
    monkeypatch.delenv("HCI_FLEET_FILE", raising=False)
    settings = load_fleet(ROOT / "include" / "fleet" / "fleet.yaml").clusters["demo"]
    context = {"params": dag.params.dump()}
    assert cau_options(settings, context) == RunOptions.for_cau(settings)
    assert cau_request(context).force_recovery == "never"
    with pytest.raises(ParamValidationError):
        dag.params["force_recovery"] = "perhaps"


def test_the_dag_survives_being_stored(dag):
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert sorted(stored.task_dict) == sorted(TASKS)
