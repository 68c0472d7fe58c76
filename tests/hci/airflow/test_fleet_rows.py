from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from include.hci.airflow import report_app
from include.hci.airflow.begun_runs import BegunRun, note_begun
from include.hci.airflow.fleet_rows import fleet_rows
from include.hci.airflow.open_runs import OpenRun, close_run, mark_open
from include.hci.airflow.storage import open_cluster_storage, open_record
from include.hci.airflow.work import now
from include.hci.report import events as ev
from include.hci.report.fleet_page import render_fleet
from include.hci.settings import load_fleet

FLEET = """
clusters:
  BER-CLU01:
    connection: hci
    nodes: [B1, B2]
    schedule: {timezone: Europe/Berlin, cron: "0 3 * * SUN"}
  muc-clu02:
    connection: hci
    nodes: [M1, M2, M3]
  broken:
    connection: hci
    nodes: [X1]
"""
DAG = "rolling_update__ber_clu01"
NOON = datetime(2026, 11, 4, 12, tzinfo=UTC)


@pytest.fixture
def fleet(monkeypatch, tmp_path):
    file = tmp_path / "fleet.yaml"
    file.write_text(FLEET)
    monkeypatch.setenv("HCI_REPORTS", (tmp_path / "reports").as_uri())
    monkeypatch.setenv("HCI_FLEET_FILE", str(file))
    found = load_fleet(file)
    assert set(found.clusters) == {"BER-CLU01", "muc-clu02"}
    return found


def slug(fleet):
    return fleet.clusters["BER-CLU01"].slug


def rows(fleet, allowed=lambda dag_id: True):
    return fleet_rows(fleet, NOON, allowed)


def begin(fleet, run_id, **changes):
    at = NOON - timedelta(hours=2)
    mark_open(slug(fleet), OpenRun(run_id, DAG, **changes))
    note_begun(slug(fleet), BegunRun(run_id, DAG), at)
    record = open_record(slug(fleet), run_id)
    record.add(ev.RunStarted(run_id=run_id, cluster="BER-CLU01", nodes=("B1", "B2")), at)
    return record


def end(fleet, record, run_id, outcome="failed"):
    data = {"outcome": outcome, "headline": "B1 failed <there>.", "ended_at": "2026-11-04T11:00:00Z"}
    record.storage.write("report.json", json.dumps(data))
    close_run(slug(fleet), run_id, left=False)


def test_a_fleet_without_runs_shows_schedules_and_pages(fleet):
    berlin, munich = rows(fleet)
    assert (berlin.name, berlin.nodes, munich.name, munich.nodes) == ("BER-CLU01", 2, "muc-clu02", 3)
    assert [f"{one.at:%a %H:%M}" for one in berlin.coming] == ["Sun 02:00"] * 3
    assert munich.coming == ()
    assert berlin.pages[0] == ("rolling update", f"../dags/rolling_update__{slug(fleet)}")
    assert (berlin.running, berlin.left, berlin.last, berlin.status, berlin.problem) == ((), (), None, None, "")


@pytest.mark.parametrize(
    ("entry", "times", "said"),
    [
        ("cron: '0 3 * * SUN'}", 3, "no time within five years"),
        (
            "cron: '0 3 * * SUN'}\n    profile_overrides: {force_self_update: true}",
            0,
            "it has no rolling update, which does not act on force_self_update of its profile",
        ),
        # Such times are begun by CAU's role, and are times of the cluster all the same.
        (
            "run_by: cau, lines: [{start_date: 2026-01-01 03:00, days_of_week: SUN, interval_weeks: 1}]}",
            3,
            "no time within five years",
        ),
    ],
)
def test_times_at_which_no_run_begins_are_not_shown(tmp_path, monkeypatch, entry, times, said):
    monkeypatch.setenv("HCI_REPORTS", (tmp_path / "reports").as_uri())
    file = tmp_path / "fleet.yaml"
    file.write_text(
        f"clusters:\n  BER:\n    connection: h\n    nodes: [B1, B2]\n    schedule: {{timezone: UTC, {entry}\n"
    )
    [row] = rows(load_fleet(file))
    assert (len(row.coming), row.schedule) == (times, said)


def test_only_clusters_whose_runs_the_person_may_see_have_a_row(fleet):
    asked = []

    def allowed(dag_id):
        asked.append(dag_id)
        return "muc" in dag_id

    assert [row.name for row in rows(fleet, allowed)] == ["muc-clu02"]
    assert len(asked) == 2


def test_the_run_under_way_has_its_node_and_what_it_does_beside_the_last_run(fleet):
    end(fleet, begin(fleet, "first"), "first")
    record = begin(fleet, "manual__2026-11-04T10:00:00+00:00")
    record.add(ev.TurnGiven(node="B2", position=1, total=2), NOON - timedelta(minutes=30))
    wait = ev.Decided(step="drain", node="B2", decision="wait", why="3 of 7 roles have left B2")
    record.add(wait, NOON - timedelta(minutes=4))
    row = rows(fleet)[0]
    [run] = row.running
    assert (run.kind, run.node, run.doing) == ("rolling-update", "B2", "drain: 3 of 7 roles have left B2")
    assert (run.began_at, run.heard_at) == (NOON - timedelta(hours=2), NOON - timedelta(minutes=4))
    assert run.report == f"report/{DAG}/manual__2026-11-04T10%3A00%3A00%2B00%3A00"
    assert run.page.startswith(f"../dags/{DAG}/runs/manual__2026")
    assert (row.last.run_id, row.last.outcome, row.last.said) == ("first", "failed", "B1 failed <there>.")
    page = render_fleet(rows(fleet), NOON)
    assert "3 of 7 roles have left B2" in page
    assert "began 2 h 00 min ago, last word 4 min ago" in page
    assert "B1 failed &lt;there&gt;." in page
    assert "Sun 2026-11-08 03:00 Europe/Berlin" in page


def test_a_run_on_which_nobody_works_any_more_is_not_shown_as_one_under_way(fleet):
    begin(fleet, "dead")
    found = fleet_rows(fleet, NOON, lambda dag_id: True, lambda run: run.run_id != "dead")
    assert [run.alive for run in found[0].running] == [False]
    page = render_fleet(found, NOON)
    assert '<span class="chip failed">rolling update died</span>' in page
    assert "make safe</em> takes back what it changed" in page
    assert '<div class="failed"><dt>runs that died</dt><dd>1</dd></div>' in page


def test_a_run_that_left_something_is_shown_as_work_for_a_person(fleet):
    record = begin(fleet, "left", left=True)
    record.storage.write("report.json", json.dumps({"outcome": "failed", "run_kind": "feature-update"}))
    row = rows(fleet)[0]
    assert (row.running, [run.run_id for run in row.left]) == ((), ["left"])
    assert (row.last.run_id, row.last.kind) == ("left", "feature-update")
    assert "left to do by hand" in render_fleet(rows(fleet), NOON)


def test_an_ended_run_without_a_report_is_passed_over(fleet):
    end(fleet, begin(fleet, "first"), "first", "succeeded")
    begin(fleet, "second")
    close_run(slug(fleet), "second", left=False)
    assert rows(fleet)[0].last.outcome == "succeeded"


@pytest.mark.parametrize(
    ("read_at", "age", "chip"),
    [("11:00:00", "1 h 00 min", "was idle"), ("11:58:00", "2 min", "idle"), ("11:50:00", "10 min", "idle")],
)
def test_the_last_status_is_shown_with_its_age_and_an_old_one_as_what_was(fleet, read_at, age, chip):
    data = {"read_at": f"2026-11-04T{read_at}+00:00", "state": "idle", "headline": "Nobody is updating BER-CLU01."}
    open_cluster_storage(slug(fleet)).write("status+/latest.json", json.dumps(data))
    page = render_fleet(rows(fleet), NOON)
    assert "Nobody is updating BER-CLU01." in page
    assert f"read {age} ago" in page
    assert f">{chip}</span>" in page


def test_records_that_cannot_be_read_are_said_in_the_row_and_stop_no_other(fleet):
    open_cluster_storage(slug(fleet)).write("open+runs/x.json", "{")
    first, second = rows(fleet)
    assert "HCI_REPORTS" in first.problem
    assert second.problem == ""


def test_the_page_asks_the_auth_manager_for_every_cluster_and_counts_mistakes(fleet, monkeypatch):
    asked = []

    def is_authorized_dag(**question):
        asked.append((question["method"], question["access_entity"].value, question["details"].id, question["user"]))
        return False

    monkeypatch.setattr(report_app, "get_auth_manager", lambda: SimpleNamespace(is_authorized_dag=is_authorized_dag))
    monkeypatch.setattr(report_app.DagModel, "get_team_name", lambda dag_id: None)
    page = report_app.fleet("ada")
    text = page.body.decode()
    assert [(method, entity, user) for method, entity, _, user in asked] == [("GET", "RUN", "ada")] * 2
    assert "There is no cluster whose runs you may see." in text
    assert "BER-CLU01" not in text
    assert "1 mistake:" in text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_page_made_now_needs_nothing_of_a_cluster(fleet):
    assert "BER-CLU01" in render_fleet(fleet_rows(fleet, now(), lambda dag_id: True), now())
