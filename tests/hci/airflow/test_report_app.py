from __future__ import annotations

from types import SimpleNamespace

import pytest

from include.hci.airflow import report_app
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import now
from include.hci.report import events as ev

DAG = "rolling_update__demo"
ADA = SimpleNamespace(get_name=lambda: "ada")


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
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
    assert report_app.updates("something_else", "run").status_code == 404
    assert report_app.updates(DAG, "none").status_code == 404


def test_a_form_of_another_site_does_nothing(record):
    assert ask("cancel", **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert record.all_of(ev.OperatorAsked) == ()


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
        ("GET", "/report/{dag_id}/{run_id}/ask/{wish}"),
        ("POST", "/report/{dag_id}/{run_id}/ask/{wish}"),
    }
    assert all(routes.values())
