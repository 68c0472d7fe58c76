from __future__ import annotations

import itertools
import json
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow import plugins_manager
from airflow.dag_processing.dagbag import DagBag
from airflow.models.backfill import DagRunTypeNotAllowed, ReprocessBehavior, _do_dry_run
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from include.hci.airflow import timetable
from include.hci.airflow.begun_settings import keep_settings
from include.hci.policy.upcoming import upcoming
from include.hci.settings import fleet_path, load_fleet

ROOT = Path(__file__).resolve().parents[2]
NODE_STEPS = ["turn", "drain", "install", "restart", "resume", "resync"]


def load(monkeypatch, fleet: Path | None = None) -> DagBag:
    if fleet is not None:
        monkeypatch.setenv("HCI_FLEET_FILE", str(fleet))
    return DagBag(str(ROOT / "dags"))


def test_the_shipped_fleet_gives_the_demo_dag_and_no_error(monkeypatch):
    bag = load(monkeypatch)
    assert bag.import_errors == {}
    assert set(bag.dags) == {
        "rolling_update__demo",
        "feature_update__demo",
        "offline_update__demo",
        "make_safe__demo",
        "updating_run_status__demo",
        "cau_remote_updating__demo",
        "cau_self_updating__demo",
    }


@pytest.mark.parametrize(
    "dag_id", ["rolling_update__demo", "cau_remote_updating__demo", "offline_update__demo", "feature_update__demo"]
)
def test_a_task_of_a_run_has_its_dag_although_the_fleet_file_has_lost_the_cluster(monkeypatch, tmp_path, dag_id):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    keep_settings(load_fleet(fleet_path()).clusters["demo"])
    lost = tmp_path / "fleet.yaml"
    lost.write_text("clusters: [demo")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
    bag = load(monkeypatch, lost)
    assert [Path(file).name for file in bag.import_errors] == ["fleet_problems.py"]
    assert bag.dags[dag_id].has_task("conclude")
    monkeypatch.delenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID")
    assert dag_id not in load(monkeypatch, lost).dags


def test_the_graph(monkeypatch):
    dag = load(monkeypatch).dags["rolling_update__demo"]
    follows = {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}
    group = [f"update_node.{step}" for step in NODE_STEPS]
    for before, after in itertools.pairwise(group):
        assert after in follows[before]
    assert follows["readiness"] == ["scan"]
    assert follows["scan"] == ["plan"]
    assert "approve" in follows["plan"]
    assert follows["approve"] == ["take_lock"]
    assert "stage" in follows["take_lock"]
    assert "update_node.turn" in follows["stage"]
    assert "verify" in follows["update_node.resync"]
    assert follows["verify"] == ["conclude", "report"]
    # A report that stood before the teardown would not be written when the lock was never taken.
    assert follows["report"] == []


def test_what_the_safety_of_a_run_hangs_on(monkeypatch):
    dag = load(monkeypatch).dags["rolling_update__demo"]
    # One run at a time, no deadline of Airflow's that would skip the clean-up, no late catching up.
    assert dag.max_active_runs == 1
    assert dag.dagrun_timeout is None
    assert dag.catchup is False
    assert dag.schedule is None
    conclude, take_lock = dag.get_task("conclude"), dag.get_task("take_lock")
    assert conclude.is_teardown
    assert conclude.on_failure_fail_dagrun
    assert take_lock.is_setup
    # Setup and teardown inside the mapped group would drain every node when one of them is cleared.
    assert not any(dag.get_task(f"update_node.{step}").is_setup for step in NODE_STEPS)
    assert dag.get_task("update_node.resume").trigger_rule == "all_done"


def test_nodes_are_shown_by_name(monkeypatch):
    dag = load(monkeypatch).dags["rolling_update__demo"]
    for task_id in ["scan", "stage", *(f"update_node.{step}" for step in NODE_STEPS)]:
        task = dag.get_task(task_id)
        template = getattr(task, "map_index_template", None) or task.partial_kwargs.get("map_index_template")
        assert template == "{{ task.node }}"


def test_a_broken_cluster_hurts_only_itself(monkeypatch, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(
        textwrap.dedent(
            """\
            clusters:
              good:
                connection: hci_good
                nodes: [A1, A2]
              bad:
                connection: hci_bad
                nodes: [B1, B1]
            """
        )
    )
    bag = load(monkeypatch, fleet)
    assert set(bag.dags) == {
        "rolling_update__good",
        "feature_update__good",
        "offline_update__good",
        "make_safe__good",
        "updating_run_status__good",
        "cau_remote_updating__good",
        "cau_self_updating__good",
    }
    [(file, text)] = bag.import_errors.items()
    assert file.endswith("fleet_problems.py")
    assert "bad" in text
    assert f"{fleet}:7" in text
    assert "good" not in text.replace("hci_good", "")


SCHEDULED = """\
clusters:
  ber:
    connection: hci_ber
    nodes: [A1, A2]
    ring_offset_days: 7
    schedule:
      timezone: Europe/Berlin
      lines: [{start_date: 2026-01-01 03:00, days_of_week: 4, weeks_of_month: [3]}]
    profile_overrides:
      blackouts: [{begins: 2026-12-19, ends: 2027-01-03, timezone: Europe/Berlin}]
"""


def test_a_cadence_is_loaded_stored_and_asked_for_the_next_run(monkeypatch, tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(SCHEDULED)
    bag = load(monkeypatch, fleet)
    assert bag.import_errors == {}
    assert plugins_manager.get_import_errors() == {}
    stored = json.dumps(DagSerialization.to_dict(bag.dags["rolling_update__ber"]))
    dag = DagSerialization.from_dict(json.loads(stored))
    assert dag.timetable.summary == "03:00 every third Tuesday of the month, each 7 days later (Europe/Berlin)"
    settings = load_fleet(fleet).clusters["ber"]
    times = [one.at for one in upcoming(settings, datetime(2026, 11, 1, tzinfo=UTC), 3) if one.begins]
    # 17 November, 15 December and 19 January, each a week later; 22 December is in the blackout.
    assert [f"{at:%Y-%m-%dT%H:%M}" for at in times] == ["2026-11-24T02:00", "2027-01-26T02:00", "2027-02-23T02:00"]
    for asked, expected in (("2026-11-01", times[0]), ("2026-11-24T02:00", times[0]), ("2026-12-22", times[1])):
        monkeypatch.setattr(timetable, "now", lambda asked=asked: datetime.fromisoformat(asked).replace(tzinfo=UTC))
        model = DagModel(dag_id=dag.dag_id)
        model.calculate_dagrun_date_fields(dag, reference_run=None)
        assert (model.next_dagrun, model.next_dagrun_create_after) == (expected, expected)
    model.calculate_dagrun_date_fields(
        dag,
        reference_run=DagRun(
            dag_id=dag.dag_id,
            run_type="scheduled",
            run_after=times[1],
            logical_date=times[1],
            data_interval=(times[1], times[1]),
        ),
    )
    assert model.next_dagrun_create_after == times[2]


def test_an_update_cannot_be_backfilled(monkeypatch):
    dag = load(monkeypatch).dags["rolling_update__demo"]
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    assert set(stored.allowed_run_types) == {"scheduled", "manual", "operator_triggered"}
    session = SimpleNamespace(scalar=lambda query: SimpleNamespace(dag=stored))
    monkeypatch.setattr(type(stored.timetable), "periodic", True)  # a DAG without a schedule has no backfill anyway
    day = datetime(2026, 11, 1, tzinfo=UTC)
    with pytest.raises(DagRunTypeNotAllowed, match="does not allow backfill"):
        list(
            _do_dry_run(
                dag_id=dag.dag_id,
                from_date=day,
                to_date=day,
                reverse=False,
                reprocess_behavior=ReprocessBehavior.NONE,
                session=session,
            )
        )


@pytest.mark.parametrize(
    ("key", "value"), [("max_failed_nodes", 4), ("failback_mode", "Later"), ("node_order", ["HCI09"])]
)
def test_the_trigger_form_refuses_what_cannot_be(monkeypatch, key, value):
    dag = load(monkeypatch).dags["rolling_update__demo"]
    with pytest.raises(ParamValidationError):
        dag.params.get_param(key).resolve(value=value)
