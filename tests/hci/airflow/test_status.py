from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from include.hci.airflow import make_safe, status
from include.hci.airflow.begun_runs import BegunRun, begun_runs, note_begun
from include.hci.airflow.open_runs import OpenRun, mark_open
from include.hci.airflow.status import UpdatingStatusOperator, latest_status
from include.hci.airflow.storage import open_cluster_storage, open_record
from include.hci.airflow.work import cluster_settings, now
from include.hci.report import events as ev
from include.hci.settings import Schedule
from include.simulator.world.spec import demo_world
from tests.hci.steps.simulated import Simulation

DAG = "rolling_update__demo"


@pytest.fixture(autouse=True)
def reports(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())


@pytest.fixture
def simulation(monkeypatch):
    """A simulated cluster behind the connections of the cluster that is shipped."""
    found = Simulation(replace(demo_world(4), cluster="demo"), 1)
    monkeypatch.setattr(status.connections, "load", lambda settings: {})
    monkeypatch.setattr(status.connections, "load_management", lambda settings: None)
    monkeypatch.setattr(status, "lend", lambda settings: found.shell)
    return found


def begin(run_id="run", **changes):
    mark_open("demo", OpenRun(run_id, DAG, **changes))
    record = open_record("demo", run_id)
    record.add(ev.RunStarted(run_id=run_id, cluster="demo", nodes=("HCI01",), started_by="ada"), now())
    return record


def read():
    return UpdatingStatusOperator(task_id="read_status", cluster="demo").execute({})


def test_the_answer_is_json_in_the_log_and_kept(simulation, monkeypatch):
    said = []
    log = SimpleNamespace(info=lambda text, *values: said.append(text % values), warning=print)
    monkeypatch.setattr(UpdatingStatusOperator, "log", log)
    found = read()
    name = cluster_settings("demo").name
    assert found["headline"] == f"Nobody is updating {name}."
    assert said[0] == found["headline"]
    assert json.loads(json.dumps(found)) == found == latest_status("demo")
    assert [one["who"] for one in found["next"]] == ["this Airflow"]


def test_a_schedule_that_is_left_to_caus_role_is_not_airflows(simulation, monkeypatch):
    line = {"start_date": "2026-01-01 03:00", "days_of_week": 1, "interval_weeks": 1}
    schedule = Schedule.model_validate({"timezone": "UTC", "run_by": "cau", "lines": [line]})
    left = cluster_settings("demo").model_copy(update={"schedule": schedule})
    monkeypatch.setattr(status, "cluster_settings", lambda name: left)
    [ours, *_] = [one for one in read()["next"] if one["who"] == "this Airflow"]
    assert (ours["at"], ours["remark"]) == (None, "its schedule is left to CAU's self-updating role")


@pytest.mark.parametrize(("alive", "state"), [(True, "updating"), (False, "blocked")])
def test_a_run_that_airflow_works_on_is_updating_and_a_dead_one_stands_in_the_way(
    simulation, monkeypatch, alive, state
):
    monkeypatch.setattr(status, "is_alive", lambda run: alive)
    record = begin()
    record.add(ev.TurnGiven(node="HCI02", position=1, total=4), now())
    found = read()
    assert found["state"] == state
    [updater] = found["updaters"]
    assert updater["who"] == "the rolling update run of this Airflow"
    assert updater["nodes"] == (["HCI02"] if alive else [])


def test_a_run_that_left_something_is_not_asked_about_in_airflow(simulation, monkeypatch):
    monkeypatch.setattr(status, "is_alive", lambda run: pytest.fail("it has ended"))
    begin(left=True)
    assert "left something to a person" in read()["updaters"][0]["said"]


def test_a_record_that_cannot_be_read_is_said(simulation, monkeypatch):
    monkeypatch.setattr(status, "is_alive", lambda run: True)
    begin()

    def fail(*arguments, **more):
        raise PermissionError

    monkeypatch.setattr(status, "own_run", fail)
    assert read()["updaters"][0]["said"] == "its record cannot be read: PermissionError"


def test_there_is_no_answer_before_the_first_and_none_where_it_cannot_be_read():
    assert latest_status("demo") is None
    open_cluster_storage("demo").write("status+/latest.json", "[")
    assert latest_status("demo") is None


def test_begun_runs_are_remembered_latest_first_and_bad_notes_passed_over():
    moment = now()
    for hours, run in enumerate(("one", "two", "three")):
        note_begun("demo", BegunRun(run, DAG), moment + timedelta(hours=hours))
    note_begun("demo", BegunRun("three", DAG), moment + timedelta(hours=2))
    open_cluster_storage("demo").write("begun+runs/20991231T000000-x.json", "{}")
    assert [run.run_id for run in begun_runs("demo")] == ["three", "two", "one"]
    assert make_safe.open_runs("demo") == ()
