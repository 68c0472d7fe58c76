from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.html import render_html
from include.hci.report.model import Section
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage

NOW = datetime(2026, 11, 7, 21, tzinfo=UTC)
PRE, POST = r"C:\s\pre.ps1", r"C:\s\post.ps1"


def sections(*events: ev.RunEvent, over: bool = True, post: str | None = None) -> dict[str, Section]:
    record = RunRecord(MemoryStorage())
    started = ev.RunStarted(run_id="r", cluster="C", nodes=("HCI01",), options={"post_update_script": post})
    for number, event in enumerate((started, *events, *((ev.Concluded(),) if over else ()))):
        record.add(event, NOW + timedelta(seconds=number))
    report = report_of(record, NOW + timedelta(hours=1))
    assert all(section.title in render_html(report) for section in report.sections)
    return {section.title: section for section in report.sections}


def starting(script: str = "pre-update", path: str = PRE) -> ev.ScriptStarting:
    return ev.ScriptStarting(step="drain", node="HCI01", script=script, path=path)


def ended(result: str = "succeeded", script: str = "pre-update", path: str = PRE, **more: str) -> ev.ScriptEnded:
    return ev.ScriptEnded(step="drain", node="HCI01", script=script, path=path, result=result, **more)


def given(result: str = "sent", why: str = "") -> ev.HookGiven:
    return ev.HookGiven(
        step="drain", node="HCI01", when="node-leaves", hook=0, connection="m", command="Set-It -Server 'HCI01'", result=result, why=why
    )  # fmt: skip


def test_a_run_without_scripts_and_hooks_has_no_such_sections():
    assert sections() == {}


@pytest.mark.parametrize(
    ("events", "over", "result", "said"),
    [
        ((starting(), ended(output="done")), True, "succeeded", "done"),
        ((starting(), ended("failed", why="no backup", output="x")), True, "failed", "no backup x"),
        ((starting(), ended("timed-out", why="too long")), True, "not over in time", "too long"),
        ((starting(), ended("unknown", why="lost")), True, "not known", "lost"),
        ((starting(),), True, "not known", "the run was interrupted while it ran"),
        ((starting(),), False, "running", ""),
        ((starting(), ended(output="x" * 900)), True, "succeeded", "x" * 600 + "..."),
    ],
)
def test_a_script_is_told_with_its_result_and_what_it_wrote(events, over, result, said):
    (row,) = sections(*events, over=over)["Scripts"].rows
    assert row == (
        "2026-11-07 21:00:0" + ("2" if len(events) == 2 else "1") + " UTC",
        "HCI01",
        f"pre-update: {PRE}",
        result,
        said,
    )


def test_a_second_script_that_never_ran_is_told_with_what_to_do():
    before = (starting(), ended())
    assert "Run it by hand" in sections(*before, post=POST)["Scripts"].sentences[0]
    assert (
        sections(*before, starting("post-update", POST), ended("failed", "post-update", POST), post=POST)[
            "Scripts"
        ].sentences
        == ()
    )
    assert sections(*before)["Scripts"].sentences == ()
    assert sections(*before, over=False, post=POST)["Scripts"].sentences == ()


def test_hooks_are_told_one_by_one_and_those_that_did_not_arrive_are_counted():
    found = sections(given(), given("failed", "Access is denied."))["Monitoring"]
    assert found.sentences == ("1 of 2 commands did not arrive, or it is not known.",)
    assert [row[2:] for row in found.rows] == [
        ("node-leaves: Set-It -Server 'HCI01' (m)", "sent", ""),
        ("node-leaves: Set-It -Server 'HCI01' (m)", "failed", "Access is denied."),
    ]
    assert sections(given())["Monitoring"].sentences == ()


def test_what_a_script_writes_is_kept_without_secrets():
    row = sections(starting(), ended(output="password=hunter2 done"))["Scripts"].rows[0]
    assert row[4] == "password=*** done"
