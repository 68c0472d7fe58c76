from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from include.hci.airflow.cau_remote_params import HOST
from include.hci.airflow.feature import check_rolling, feature_options, feature_request
from include.hci.settings import RunOptions, SettingsError, fleet_path, load_fleet
from include.hci.settings.feature import ROLLING_UPGRADE, SET_BY_IT, FeatureUpdateRequest

ROOT = Path(__file__).resolve().parents[2]
FILE = str(ROOT / "dags" / "feature_update.py")
DAG_ID = "feature_update__demo"
TASKS = [
    "readiness", "remoting", "cau_setup", "validate", "preview_channel", "restart_for_preview", "prepare", "preview", "approve",
    "run_cau", "collect", "builds", "further_updates", "take_lock", "approve_functional_level", "functional_level",
    "approve_pool_version", "pool_version", "approve_vm_versions", "vm_versions", "move_role", "validate_after", "conclude",
]  # fmt: skip
CAU_ONLY = "clusters: {c: {connection: x, nodes: [A1, A2], profile_overrides: {enable_firewall_rules: true}}}"


@pytest.fixture
def dag(monkeypatch):
    monkeypatch.delenv("HCI_FLEET_FILE", raising=False)
    return DagBag(FILE).dags[DAG_ID]


def demo():
    return load_fleet(ROOT / "include" / "fleet" / "fleet.yaml").clusters["demo"]


def test_the_graph_is_one_line_and_what_follows_caus_run_waits_for_it(dag):
    line = {before: {after} for before, after in itertools.pairwise(TASKS)} | {"conclude": set()}
    line["run_cau"].add("builds")
    assert {task.task_id: task.downstream_task_ids for task in dag.tasks} == line


def test_what_the_safety_of_a_run_hangs_on(dag):
    conclude = dag.get_task("conclude")
    # It runs on every way out: a setup that failed would keep it from that.
    assert (conclude.is_teardown, conclude.on_failure_fail_dagrun) == (True, True)
    assert not any(task.is_setup for task in dag.tasks)
    assert (dag.max_active_runs, dag.dagrun_timeout, dag.catchup, dag.schedule) == (1, None, False, None)
    assert {str(kind.value) for kind in dag.allowed_run_types} == {"manual"}


def test_a_failure_stops_everything_that_follows_and_what_is_skipped_does_not(dag):
    assert {task.trigger_rule for task in dag.tasks if task.task_id not in ("collect", "conclude")} == {"none_failed"}
    # What CAU did is in CAU's report, whatever became of the task that watched it.
    assert dag.get_task("collect").trigger_rule == "all_done"


def test_every_task_that_waits_is_tried_again(dag):
    # A task that is resumed before the scheduler has read the end of its first part fails, and has to find its work again.
    assert all(task.retries >= 2 for task in dag.tasks)


def test_the_form_as_it_is_begins_a_run_with_the_clusters_own_options(dag):
    context = {"params": dag.params.dump()}
    request = feature_request(context)
    assert request == FeatureUpdateRequest()
    options = feature_options(demo(), context)
    assert options.cau_plugin_name == (ROLLING_UPGRADE,)
    assert options.cau_plugin_arguments == ({"WuConnected": "true"},)
    own = RunOptions.for_cau(demo())
    differing = {name for name in RunOptions.model_fields if getattr(options, name) != getattr(own, name)}
    assert differing == {"cau_plugin_name", "cau_plugin_arguments"}


def test_the_form_has_every_field_of_the_request_and_none_of_what_the_run_sets_by_itself(dag):
    assert set(FeatureUpdateRequest.model_fields) <= set(dag.params)
    assert not SET_BY_IT & set(dag.params)
    schemas = [dag.params.get_param(name).schema for name in FeatureUpdateRequest.model_fields]
    assert all(schema["section"] and schema["description_md"] for schema in schemas)
    assert dag.params.get_param("credssp").schema["section"] == HOST
    with pytest.raises(ParamValidationError):
        dag.params["functional_level"] = "perhaps"


def test_a_cluster_without_a_rolling_update_has_this_dag_without_further_updates(monkeypatch, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(CAU_ONLY)
    monkeypatch.setenv("HCI_FLEET_FILE", str(fleet))
    found = DagBag(FILE).dags["feature_update__c"]
    assert found.params["further_updates"] is False
    [cluster] = load_fleet(fleet_path()).clusters.values()
    check_rolling(cluster, FeatureUpdateRequest(further_updates=False))
    check_rolling(cluster, FeatureUpdateRequest(post_steps_only=True))
    with pytest.raises(SettingsError, match="further_updates: needs the rolling update"):
        check_rolling(cluster, FeatureUpdateRequest())


def test_the_dag_survives_being_stored(dag):
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert sorted(stored.task_dict) == sorted(TASKS)
