from __future__ import annotations

import json
from types import SimpleNamespace
from typing import get_args

import pytest

from include.hci.airflow import names, report_app
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import now
from include.hci.report import events as ev
from tests.hci.report.judging import check_data

DAG = "rolling_update__demo"
DAG_IDS = (
    names.rolling_update_dag_id,
    names.offline_update_dag_id,
    names.cau_remote_dag_id,
    names.cau_self_dag_id,
    names.feature_update_dag_id,
)
ADA = SimpleNamespace(get_name=lambda: "ada")


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    monkeypatch.setattr(report_app, "state_in_airflow", lambda dag_id, run_id: "running")
    found = open_record("demo", "run")
    found.add(ev.RunStarted(run_id="run", cluster="demo", nodes=("HCI01",)), now())
    return found


def request(path="", **headers):
    return SimpleNamespace(url=SimpleNamespace(path=f"/hci/report/{DAG}/run{path}"), headers=headers)


def ask(wish, dag=DAG, run="run", comment="", **headers):
    return report_app.ask(dag, run, wish, request(f"/ask/{wish}", **headers), ADA, comment)


def text(answer):
    return answer.body.decode()


def test_a_run_that_goes_on_has_its_buttons_and_is_read_again(record):
    page = report_app.report(DAG, "run", request())
    assert f"/hci/report/{DAG}/run/ask/pause" in text(page)
    assert f"/hci/report/{DAG}/run/ask/cancel" in text(page)
    assert page.headers["refresh"] == "10"
    assert "script-src" not in page.headers["content-security-policy"]


def test_a_run_that_is_over_can_be_asked_nothing(record):
    record.add(ev.Concluded(), now())
    page = report_app.report(DAG, "run", request())
    assert "/ask/" not in text(page)
    assert "refresh" not in page.headers
    assert ask("cancel").status_code == 409
    assert record.all_of(ev.OperatorAsked) == ()


def test_a_run_that_was_cleared_after_its_end_goes_on_and_has_its_buttons_again(record):
    record.add(ev.LockTaking(guid="g", nodes=("HCI01",)), now())
    record.add(ev.Concluded(), now())
    record.add(ev.LockTaking(guid="g", nodes=("HCI01",)), now())
    page = report_app.report(DAG, "run", request())
    assert page.headers["refresh"] == "10"
    assert "/ask/cancel" in text(page)
    assert ask("cancel").status_code == 303
    record.add(ev.Concluded(), now())
    assert "refresh" not in report_app.report(DAG, "run", request()).headers


def test_what_is_asked_stands_in_the_record_with_its_author_and_in_the_report(record):
    answer = ask("pause", comment=" storage <team> at work ")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/hci/report/{DAG}/run")
    [asked] = record.all_of(ev.OperatorAsked)
    assert (asked.event.action, asked.event.by, asked.event.comment) == ("pause", "ada", "storage <team> at work")
    page = text(report_app.report(DAG, "run", request()))
    assert "/ask/continue" in page
    assert "/ask/pause" not in page
    assert "storage &lt;team&gt; at work" in page
    assert "Goes on to its next pause point, as asked by ada" in page
    record.add(ev.Held(step="drain", node="HCI01", point="before-drain", why="ada asked"), now())
    assert "Held at HCI01 (before drain), as asked by ada" in text(report_app.report(DAG, "run", request()))
    ask("cancel")
    assert "Being cancelled by ada" in text(report_app.report(DAG, "run", request()))


def test_the_updates_come_as_a_file_for_a_spreadsheet(record):
    page = report_app.report(DAG, "run", request())
    assert f"/hci/report/{DAG}/run/updates.csv" in text(page)
    ref = {"update_id": "u1", "kb": "KB1", "title": "=cmd()", "result": "succeeded"}
    record.add(ev.InstallStarted(node="HCI01", install_pass=1), now())
    record.add(ev.InstallFinished(node="HCI01", install_pass=1, results=(ref,)), now())
    answer = report_app.updates(DAG, "run")
    assert answer.headers["content-disposition"] == 'attachment; filename="demo-updates.csv"'
    assert "'=cmd()" in text(answer)
    assert text(answer).startswith("\ufeffcluster,")
    assert report_app.updates("something_else", "run").status_code == 404
    assert report_app.updates(DAG, "none").status_code == 404


def test_the_report_comes_as_data_for_programs(record):
    assert f"/hci/report/{DAG}/run/report.json" in text(report_app.report(DAG, "run", request()))
    found = json.loads(text(report_app.data(DAG, "run")))
    check_data(found)
    assert (found["outcome"], found["run_id"]) == ("running", "run")
    missing = report_app.data(DAG, "none")
    assert (missing.status_code, "not begun yet" in json.loads(text(missing))["detail"]) == (404, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        # Over plain HTTP browsers do not say more than this.
        {"origin": "http://evil.example", "host": "airflow.example:8080"},
        {"origin": "http://airflow.example:81", "host": "airflow.example:8080"},
        {"origin": "null", "host": "airflow.example:8080"},
    ],
)
def test_a_form_of_another_site_does_nothing(record, headers):
    assert ask("cancel", **headers).status_code == 403
    assert record.all_of(ev.OperatorAsked) == ()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "same-origin", "origin": "https://airflow.example", "host": "inner:8080"},
        {"origin": "http://airflow.example:8080", "host": "airflow.example:8080"},
        {"origin": "http://airflow.example", "host": "inner:8080", "x-forwarded-host": "airflow.example"},
    ],
)
def test_a_form_of_the_page_itself_does_what_it_says(record, headers):
    assert ask("cancel", **headers).status_code == 303
    assert len(record.all_of(ev.OperatorAsked)) == 1


def test_the_question_names_the_cluster_and_the_run(record):
    page = text(report_app.confirm(DAG, "run", "cancel", request("/ask/cancel")))
    assert "Cluster demo: rolling update, run run" in page
    assert f'href="/hci/report/{DAG}/run"' in page


def test_the_page_can_be_held_still_for_whoever_reads_on_in_it(record):
    page = report_app.report(DAG, "run", request())
    assert f'href="/hci/report/{DAG}/run?still=1"' in text(page)
    held = report_app.report(DAG, "run", request(), still=True)
    assert "refresh" not in held.headers
    assert "Refresh by itself" in text(held)


@pytest.mark.parametrize("dag", ["offline_update__demo", "cau_self_updating__demo", "rolling_update__.demo"])
def test_a_run_is_shown_and_asked_for_those_who_may_see_its_own_dag(record, dag):
    assert report_app.report(dag, "run", request()).status_code == 404
    assert report_app.updates(dag, "run").status_code == 404
    assert ask("cancel", dag).status_code == 404
    assert record.all_of(ev.OperatorAsked) == ()


@pytest.mark.parametrize("kind", get_args(ev.RunKind))
def test_the_runs_of_every_kind_have_their_page_at_their_own_dag(record, kind):
    [dag_id] = [dag_id("demo") for dag_id in DAG_IDS if dag_id("demo").startswith(kind.replace("-", "_"))]
    open_record("demo", kind).add(ev.RunStarted(run_id=kind, cluster="demo", run_kind=kind), now())
    assert report_app.report(dag_id, kind, request()).status_code == 200


def test_a_run_that_has_not_begun_is_looked_for_again(record):
    page = report_app.report(DAG, "none", request())
    assert (page.status_code, page.headers["refresh"]) == (404, "10")
    assert "refresh" not in report_app.report("something_else", "run", request()).headers


def test_what_is_written_after_the_first_look_is_shown_at_the_next(record):
    assert "Held at" not in text(report_app.report(DAG, "run", request()))
    record.add(ev.Held(step="drain", node="HCI01", point="before-drain", why="ada asked"), now())
    assert "Held at HCI01" in text(report_app.report(DAG, "run", request()))


@pytest.mark.parametrize("state", ["failed", "success", None])
def test_a_run_that_died_is_said_to_have_and_can_be_asked_nothing(record, monkeypatch, state):
    monkeypatch.setattr(report_app, "state_in_airflow", lambda dag_id, run_id: state)
    page = text(report_app.report(DAG, "run", request()))
    assert "Ended unfinished" in page
    assert "It has left nothing behind that is on record." in page
    assert "/ask/" not in page
    record.add(ev.LockTaking(guid="g", nodes=("HCI01", "HCI02")), now())
    record.add(ev.Pausing(node="HCI01"), now())
    page = text(report_app.report(DAG, "run", request()))
    assert "HCI01 is paused; the lock on HCI01, HCI02. make_safe__demo does that" in page
    answer = ask("cancel")
    assert (answer.status_code, record.all_of(ev.OperatorAsked)) == (409, ())
    assert "make_safe__demo" in text(answer)


def test_a_run_that_has_concluded_is_not_looked_up_in_airflow(record, monkeypatch):
    monkeypatch.setattr(report_app, "state_in_airflow", lambda dag_id, run_id: "failed")
    record.add(ev.Concluded(), now())
    assert "Ended unfinished" not in text(report_app.report(DAG, "run", request()))


def test_storage_that_cannot_be_read_is_said_on_every_page(record, monkeypatch):
    def broken(dag_id, run_id):
        raise PermissionError("no")

    monkeypatch.setattr(report_app, "_begun", broken)
    answers = [
        report_app.report(DAG, "run", request()),
        report_app.data(DAG, "run"),
        report_app.updates(DAG, "run"),
        report_app.confirm(DAG, "run", "cancel", request()),
        ask("cancel"),
    ]
    assert {answer.status_code for answer in answers} == {503}
    assert all("HCI_REPORTS" in text(answer) for answer in answers)


def test_reports_at_an_address_that_nothing_here_knows_are_said_to_be(record, monkeypatch):
    monkeypatch.setenv("HCI_REPORTS", "nowhere://bucket/reports")
    assert report_app.report(DAG, "run", request()).status_code == 503


@pytest.mark.parametrize("run", ["../../etc", "..", "%2e%2e", ".", "a/../../b"])
def test_no_run_id_leads_out_of_the_reports(record, tmp_path, run):
    (tmp_path.parent / "events").mkdir(exist_ok=True)
    assert report_app.report(DAG, run, request()).status_code == 404


@pytest.mark.parametrize(
    ("wish", "dag", "run", "status"),
    [
        ("explode", DAG, "run", 404),
        ("pause", "something_else", "run", 404),
        ("pause", DAG, "none", 404),
        ("continue", DAG, "run", 409),
    ],
)
def test_what_cannot_be_asked_is_said(record, wish, dag, run, status):
    assert ask(wish, dag, run).status_code == status
    assert report_app.confirm(dag, run, wish, request(f"/ask/{wish}")).status_code == status
    assert record.all_of(ev.OperatorAsked) == ()


def test_every_route_asks_airflow_whether_the_person_may():
    app = report_app.report_app()
    routes = {(next(iter(route.methods)), route.path): route.dependencies for route in app.routes}
    assert set(routes) == {
        ("GET", "/status"),
        ("GET", "/report/{dag_id}/{run_id}"),
        ("GET", "/report/{dag_id}/{run_id}/updates.csv"),
        ("GET", "/report/{dag_id}/{run_id}/report.json"),
        ("GET", "/report/{dag_id}/{run_id}/ask/{wish}"),
        ("POST", "/report/{dag_id}/{run_id}/ask/{wish}"),
    }
    assert all(routes.values())
