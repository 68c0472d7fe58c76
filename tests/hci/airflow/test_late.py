from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.definitions.deadline import DeadlineReference

from include.hci.airflow import late
from include.hci.airflow.late import note_late, warn_late_run, warning_of
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, now
from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.html import render_html
from include.hci.settings import RunOptions

HOUR = timedelta(hours=1)


@pytest.fixture
def record(monkeypatch, tmp_path):
    """The record of a run that began two hours ago and is to warn after one."""
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    found = open_record("demo", "run")
    options = RunOptions.for_run(cluster_settings("demo"), {"warn_after": "01:00:00"})
    started = ev.RunStarted(run_id="run", cluster="demo", nodes=("HCI01", "HCI02"), options=options.to_json())
    found.add(started, now() - 2 * HOUR)
    return found


def late_context(**changes):
    return {"dag_run": {"dag_run_id": "run", "queued_at": (now() - 2 * HOUR).isoformat()} | changes}


def test_a_cluster_without_warn_after_has_no_deadline():
    assert warning_of(cluster_settings("demo")) is None


def test_the_deadline_is_the_clusters_own_and_counts_from_when_the_run_was_queued():
    cluster = SimpleNamespace(name="demo", options=SimpleNamespace(warn_after=timedelta(hours=6)))
    alert = warning_of(cluster)
    assert alert.interval == timedelta(hours=6)
    assert alert.reference == DeadlineReference.DAGRUN_QUEUED_AT
    # What is called has to be found by its path in the triggerer, and what it is told stands in the database in the clear.
    assert alert.callback.path == "include.hci.airflow.late.warn_late_run"
    assert alert.callback.kwargs == {"cluster": "demo"}


async def test_a_late_run_is_warned_of_once_in_its_report_and_goes_on(record):
    said = await warn_late_run("demo", late_context())
    assert said == "The run has taken 2 h, more than warn_after (1 h)."
    assert await warn_late_run("demo", late_context()) == ""
    [warning] = open_record("demo", "run").all_of(ev.RanLong)
    assert warning.event.why == said
    report = report_of(open_record("demo", "run"), now())
    assert report.outcome == "running"
    assert [each.text for each in report.warnings] == [said]
    assert said in report.headline
    assert said in render_html(report)


async def test_a_run_that_has_ended_is_not_warned_of(record):
    record.add(ev.Concluded(), now())
    assert await warn_late_run("demo", late_context()) == ""


async def test_a_run_that_never_began_is_not_warned_of(record):
    assert await warn_late_run("demo", late_context(dag_run_id="another")) == ""
    assert open_record("demo", "another").events() == ()


@pytest.mark.parametrize(("ran", "is_warned"), [(timedelta(minutes=59), False), (HOUR, True), (9 * HOUR, True)])
def test_the_warning_comes_when_its_time_has_come(record, ran, is_warned):
    began = now() - 2 * HOUR
    assert bool(note_late(record, began, began + ran)) is is_warned


async def test_without_the_time_of_queueing_the_beginning_counts(record):
    assert (await warn_late_run("demo", late_context(queued_at=None))).startswith("The run has taken 2 h")


async def test_the_warning_stands_in_the_triggerers_log_as_well(record, caplog):
    with caplog.at_level("WARNING", logger=late.__name__):
        await warn_late_run("demo", late_context())
    assert "Run run of demo: The run has taken 2 h" in caplog.text
