"""Checks in the report: as they are stored, as earlier versions stored them, and on the page."""

from __future__ import annotations

import json

import pytest

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.checks import took, view_checks
from include.hci.report.html import render_html
from include.hci.report.values import Check
from tests.hci.report.example import Night


def check(id: str, severity: str, status: str, **more: object) -> Check:
    return Check.model_validate({"id": id, "title": id.title(), "severity": severity, "status": status, **more})


MIXED = (
    check("a", "information", "failed"),
    check("b", "warning", "unknown"),
    check("c", "critical", "passed"),
    check("d", "warning", "failed"),
    check("e", "critical", "unknown"),
    check("f", "warning", "not-applicable"),
    check("g", "critical", "failed"),
)


def test_the_gravest_stands_first_and_what_passed_is_folded():
    view = view_checks(MIXED)
    assert [each.id for each in view.open] == ["g", "e", "d", "b", "a"]
    assert ([each.id for each in view.passed], [each.id for each in view.left_out]) == (["c"], ["f"])
    assert view.summary == "1 passed, 1 not made"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("passed", ("passed", "warning", False)),
        ("warning", ("failed", "warning", False)),
        ("refused", ("failed", "critical", True)),
    ],
)
def test_a_check_of_an_earlier_version_is_read_as_what_it_was(status, expected):
    old = {"name": "quorum", "status": status, "message": "No vote to spare.", "next_action": "Add a witness."}
    found = Check.model_validate(old)
    assert (found.status, found.severity, found.refused) == expected
    assert (found.id, found.evidence, found.remediation) == ("quorum", "No vote to spare.", "Add a witness.")


def test_a_check_is_read_back_as_it_was_written_and_keeps_its_earlier_names_for_readers():
    one = check("lock", "critical", "failed", evidence="held", remediation="Wait.", duration_seconds=1.5, refused=True)
    data = json.loads(one.model_dump_json())
    assert Check.model_validate(data) == one
    assert (data["name"], data["message"], data["next_action"]) == ("lock", "Lock: held", "Wait.")
    assert (data["refused"], data["duration_seconds"]) == (True, 1.5)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.24, "0.2 s"), (9.9, "9.9 s"), (42.0, "42 s"), (150.0, "2.5 min")]
)
def test_a_reading_says_how_long_it_took(seconds, text):
    assert took(seconds) == text


def test_the_page_shows_what_to_do_before_the_fold_and_the_passed_within_it():
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("N1", "N2")))
    bad = check("g", "critical", "failed", evidence="<b>broken</b>", remediation="Mend it.", refused=True)
    night.after(1, ev.ReadinessChecked(checks=(*MIXED[:-1], bad)))
    page = render_html(report_of(night.record, night.now))
    open_part, _, folded = page.partition("1 passed, 1 not made")
    assert "&lt;b&gt;broken&lt;/b&gt;" in open_part
    assert "refuses the run" in open_part
    assert "Mend it." in open_part
    assert "<code>c</code>" not in open_part
    assert "<code>c</code>" in folded
    assert "not applicable" in folded
