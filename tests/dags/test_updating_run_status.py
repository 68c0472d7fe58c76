from __future__ import annotations

from pathlib import Path

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

DAGS = Path(__file__).resolve().parents[2] / "dags"


def test_the_status_can_be_asked_at_any_time_and_never_asks_by_itself():
    bag = DagBag(str(DAGS / "updating_run_status.py"))
    assert bag.import_errors == {}
    [dag] = bag.dags.values()
    assert dag.dag_id == "updating_run_status__demo"
    assert [task.task_id for task in dag.tasks] == ["read_status"]
    assert (dag.schedule, dag.is_paused_upon_creation) == (None, False)
    assert DagSerialization.from_dict(DagSerialization.to_dict(dag)).dag_id == dag.dag_id
