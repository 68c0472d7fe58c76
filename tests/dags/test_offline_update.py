from __future__ import annotations

import itertools
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

ROOT = Path(__file__).resolve().parents[2]
NAME = "offline_update__demo"
IN_ORDER = [
    "readiness",
    "scan",
    "plan",
    "approve",
    "take_lock",
    "stage",
    "downtime_gate",
    "install_before",
    "stop_vms",
    "stop_cluster",
    "update_offline.install_offline",
    "update_offline.restart_offline",
    "start_cluster",
    "start_vms",
    "verify",
    "report",
]


def load():
    bag = DagBag(str(ROOT / "dags" / "offline_update.py"))
    assert bag.import_errors == {}
    return bag.dags[NAME]


def test_the_graph():
    follows = {task.task_id: task.downstream_task_ids for task in load().tasks}
    for before, after in itertools.pairwise(IN_ORDER):
        assert after in follows[before], (before, after)
    assert "conclude" in follows["verify"]
    assert follows["report"] == set()


def test_it_runs_by_hand_only_and_one_at_a_time():
    dag = load()
    assert dag.schedule is None
    assert [str(getattr(kind, "value", kind)) for kind in dag.allowed_run_types] == ["manual"]
    assert dag.max_active_runs == 1
    assert dag.dagrun_timeout is None
    assert dag.catchup is False


def test_whatever_fails_what_is_down_is_brought_back():
    dag = load()
    for task_id in ("start_cluster", "start_vms", "verify", "report", "update_offline.restart_offline"):
        assert dag.get_task(task_id).trigger_rule == "all_done"
    conclude = dag.get_task("conclude")
    assert conclude.is_teardown
    assert conclude.on_failure_fail_dagrun
    assert dag.get_task("take_lock").is_setup


def test_nothing_is_stopped_where_anything_before_has_failed():
    dag = load()
    for task_id in ("stop_cluster", "update_offline.install_offline", "install_before", "approve", "take_lock"):
        assert dag.get_task(task_id).trigger_rule == "all_success"
    for task_id in ("downtime_gate", "stop_vms"):  # servers with nothing to download, or to install before, are skipped
        assert dag.get_task(task_id).trigger_rule == "none_failed"


def test_servers_are_worked_on_side_by_side_and_shown_by_name():
    dag = load()
    for task_id in ("scan", "stage", "install_before", "stop_vms"):
        assert dag.get_task(task_id).partial_kwargs["map_index_template"] == "{{ task.node }}"
    for step in ("install_offline", "restart_offline"):
        task = dag.get_task(f"update_offline.{step}")
        assert task.map_index_template == "{{ task.node }}"
        assert next(iter(task.iter_mapped_task_groups())).group_id == "update_offline"


def test_the_form_asks_what_goes_down_first_and_has_nothing_of_a_turn():
    params = load().params
    assert list(params)[:4] == ["vm_action", "vm_patience_minutes", "vm_fallback", "install_before"]
    assert "require_approval" not in params
    assert "pause_points" not in params
    assert params["vm_action"] == "shutdown"


def test_it_can_be_serialised():
    data = DagSerialization.to_dict(load())
    assert DagSerialization.from_dict(data).dag_id == NAME
