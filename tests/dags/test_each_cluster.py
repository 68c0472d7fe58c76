"""What is wrong with one cluster costs no other one its DAGs: a file with an import error has none at all."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.definitions.param import process_params
from airflow.serialization.serialized_objects import DagSerialization

from include.hci.airflow.buildable import problems_of
from include.hci.airflow.each_cluster import dag_of_each
from include.hci.airflow.names import rolling_update_dag_id
from include.hci.settings import fleet_path, load_fleet
from include.hci.settings.fleet import parse_fleet

ROOT = Path(__file__).resolve().parents[2]
FLEET = """\
clusters:
  good:
    connection: x
    nodes: [A1, A2]
    schedule: {timezone: UTC, cron: "0 22 * * SAT"}
  odd:
    connection: x
    nodes: [B1, B2]
    schedule: {timezone: UTC, cron: "0 23 * * SAT"}
    profile_overrides: {node_order: [b2]}
"""


@pytest.fixture
def fleet(monkeypatch, tmp_path):
    file = tmp_path / "fleet.yaml"
    file.write_text(FLEET)
    monkeypatch.setenv("HCI_FLEET_FILE", str(file))
    return file


def test_a_node_named_in_another_case_is_the_clusters_own(fleet):
    bag = DagBag(str(ROOT / "dags"))
    assert bag.import_errors == {}
    assert bag.dags["rolling_update__odd"].params["node_order"] == ["B2"]


def test_a_cluster_that_airflow_does_not_take_leaves_the_others_theirs_and_is_told_of(fleet, monkeypatch):
    # As it was before the settings took care of it: a form compares letter by letter.
    monkeypatch.setattr("include.hci.settings.resolve._as_named", lambda options, entry: options)
    bag = DagBag(str(ROOT / "dags"))
    assert [Path(file).name for file in bag.import_errors] == ["fleet_problems.py"]
    [text] = bag.import_errors.values()
    assert "cluster odd" in text
    assert "node_order: 'b2'" in text
    assert "good" not in text
    assert {"rolling_update__good", "make_safe__odd"} <= set(bag.dags)
    assert "rolling_update__odd" not in bag.dags


def test_a_dag_that_breaks_off_half_built_is_not_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_FLEET_FILE", str(fleet_path()))
    file = tmp_path / "half.py"
    file.write_text(
        textwrap.dedent(
            """\
            from airflow.sdk import DAG
            from include.hci.airflow.each_cluster import dag_of_each
            from include.hci.settings import fleet_path, load_fleet

            def build(cluster):
                with DAG(f"half__{cluster.slug}", auto_register=False):
                    raise ValueError("half-way")

            globals().update(dag_of_each(load_fleet(fleet_path()).clusters.values(), "half__{}".format, build))
            """
        )
    )
    bag = DagBag(str(file))
    assert (bag.dags, bag.import_errors) == ({}, {})


@pytest.mark.parametrize("file", sorted((ROOT / "dags").glob("*.py")), ids=lambda file: file.stem)
def test_every_file_leaves_it_to_what_is_built_in_full(file):
    text = file.read_text()
    assert text.count("auto_register=False") == text.count("with DAG(")


def test_a_task_is_told_what_is_wrong_with_its_own_dag(monkeypatch):
    def build(cluster):
        raise ValueError("cannot be made")

    clusters = load_fleet(fleet_path()).clusters.values()
    assert dag_of_each(clusters, rolling_update_dag_id, build) == {}
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "rolling_update__demo")
    with pytest.raises(ValueError, match="cannot be made"):
        dag_of_each(clusters, rolling_update_dag_id, build)


def test_a_task_gets_its_own_dag_alone(monkeypatch):
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "rolling_update__good")
    fleet = parse_fleet(FLEET, "fleet.yaml")
    made = dag_of_each(fleet.rolling, rolling_update_dag_id, lambda cluster: DAG(rolling_update_dag_id(cluster.slug)))
    assert list(made) == ["rolling_update__good"]


@pytest.mark.parametrize("file", ["fleet.yaml", "fleet.example.yaml"])
def test_airflow_takes_every_cluster_of_the_files_that_are_shipped(file):
    assert problems_of(load_fleet(fleet_path().with_name(file))) == ()


@pytest.fixture(scope="module")
def shipped():
    return DagBag(str(ROOT / "dags")).dags


def test_no_task_carries_the_form_of_its_dag(shipped):
    """Airflow would check and store it with every one of them: minutes for a fleet of fifty clusters."""
    for dag in shipped.values():
        # What is mapped is Airflow's own object, which takes the form whatever the task that it stands for does.
        carried = {task.task_id: set(task.params) - {"comment"} for task in dag.tasks if not task.is_mapped}
        assert not any(carried.values()), carried
        assert len(json.dumps(DagSerialization.to_dict(dag))) < 80_000, dag.dag_id


def test_a_task_is_given_what_the_form_and_the_run_say_all_the_same(shipped):
    dag = shipped["rolling_update__demo"]
    for task_id in ("readiness", "plan", "scan", "update_node.drain", "conclude"):
        given = process_params(dag, dag.get_task(task_id), {"max_failed_nodes": 0}, suppress_exception=False)
        assert given["max_failed_nodes"] == 0
        assert set(given) == set(dag.params)
