"""The report of a feature update, from records made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.model import RunReport
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.report.values import Check, Problem, UpdateRef
from include.hci.settings.feature import FeatureUpdateRequest
from tests.hci.report.judging import check_report

BEGAN = datetime(2026, 11, 7, 20, tzinfo=UTC)
NODES = ("HCI01", "HCI02")
OLD, NEW, LATER = "20348.2113", "20349.1", "20349.1001"
UPDATE = UpdateRef(update_id="u1", title="Feature update to 22H2")
PROBLEM = Problem(title="HCI02 is away.", next_action="Look at it.")
DONE = ("functional_level", "pool_version", "vm_versions", "move_role", "validate_after")


def started(**request: Any) -> ev.RunStarted:
    wanted = FeatureUpdateRequest.model_validate(request).to_json()
    return ev.RunStarted(run_id="r", cluster="c", nodes=NODES, run_kind="feature-update", request=wanted)


def installed() -> list[ev.RunEvent]:
    """Everything until both nodes have the new version."""
    result = [
        ev.CauNodeResult.model_validate(
            {
                "node": name,
                "status": "Succeeded",
                "updates": [{"update_id": "u1", "title": UPDATE.title, "result": "succeeded"}],
                "suspended_at": BEGAN,
            }
        )
        for name in NODES
    ]
    found: list[ev.RunEvent] = []
    for name in NODES:
        found.append(ev.Scanned(step="preview", node=name, updates=(UPDATE,), build=OLD))
        found.append(ev.CauNodeRead(node=name, moment="before", state="Up", build=OLD, boot_time=BEGAN))
    found += [
        ev.Planned(step="preview", order=NODES, updates=dict.fromkeys(NODES, (UPDATE,))),
        ev.CauRunStarting(host="MGMT01", session="s"),
        ev.CauRunSeen(run_id="1", coordinator="MGMT01"),
        ev.CauReportRead(run_id="1", status="Succeeded", nodes=tuple(result)),
    ]
    later = BEGAN + timedelta(hours=1)
    for name in NODES:
        found.append(ev.CauNodeRead(node=name, moment="after", state="Up", build=NEW, boot_time=later))
    return [*found, ev.VersionsRead(builds=dict.fromkeys(NODES, NEW), settled=True), done("builds")]


def done(step: Any) -> ev.Decided:
    return ev.Decided(step=step, decision="done", outcome="done")


def rolled(outcome: str = "succeeded", *, good: bool = True) -> ev.UpdatingEnded:
    return ev.UpdatingEnded(
        step="further_updates",
        dag_id="rolling_update__c",
        started_run="further_updates__r",
        state="success" if good else "failed",
        outcome=outcome,
        headline="Of 2 nodes: 2 updated.",
        builds=dict.fromkeys(NODES, LATER),
        good=good,
    )


def raised() -> ev.VersionSettled:
    return ev.VersionSettled(
        step="functional_level",
        subject="level",
        name="Cluster functional level",
        result="raised",
        before="12.1",
        after="12.4",
    )


def report(*events: ev.RunEvent) -> RunReport:
    record = RunRecord(MemoryStorage())
    for number, event in enumerate(events):
        record.add(event, BEGAN + timedelta(minutes=number))
    found = report_of(record, BEGAN + timedelta(hours=9))
    check_report(found)
    return found


def whole(*events: ev.RunEvent, **request: Any) -> RunReport:
    """The report of a run that did everything, with ``events`` before its end."""
    return report(started(**request), *installed(), rolled(), *events, *map(done, DONE), ev.Concluded())


def test_a_run_that_did_everything_has_succeeded_and_says_what_was_raised():
    found = whole(raised())
    assert found.outcome == "succeeded"
    assert found.headline == f"All 2 nodes have one version ({LATER}). Functional level raised from 12.1 to 12.4."
    assert {(node.outcome, node.build_before, node.build_after) for node in found.nodes} == {("updated", OLD, LATER)}


def test_what_was_left_is_said_with_its_reason_and_is_no_failure():
    skipped = ev.PostSkipped(step="functional_level", why="the functional level is left at 12.1: refused by grace")
    found = whole(skipped)
    assert found.outcome == "succeeded"
    assert "left at 12.1: refused by grace" in found.headline


@pytest.mark.parametrize("missing", ["functional_level", "validate_after"])
def test_a_task_that_somebody_marked_as_done_has_done_nothing(missing: Any):
    steps = [done(step) for step in DONE if step != missing]
    found = report(started(), *installed(), rolled(), *steps, ev.Concluded())
    assert found.outcome == "failed"
    assert f"Not done: {missing.replace('_', ' ')}." in found.headline


def test_further_updates_that_went_wrong_fail_it():
    failed = ev.Failed(step="further_updates", problem=PROBLEM)
    found = report(started(), *installed(), rolled("failed", good=False), failed, ev.Concluded())
    assert (found.outcome, found.problems) == ("failed", (PROBLEM,))
    assert "HCI02 is away." in found.headline
    [row] = next(section for section in found.sections if section.title == "Rolling updates in between").rows
    assert row[3:] == ("failed", "Of 2 nodes: 2 updated.")


def test_a_step_that_was_tried_again_and_ended_well_is_no_problem_any_more():
    found = whole(ev.Failed(step="move_role", problem=PROBLEM))
    assert (found.outcome, found.problems) == ("succeeded", ())


def test_where_it_was_not_asked_for_there_is_nothing_to_miss():
    found = report(started(further_updates=False), *installed(), *map(done, DONE), ev.Concluded())
    assert found.outcome == "succeeded"


def test_only_the_steps_afterwards():
    steps = [raised(), *map(done, DONE)]
    found = report(started(post_steps_only=True), *steps, ev.Concluded())
    assert (found.outcome, {node.outcome for node in found.nodes}) == ("succeeded", {"nothing-to-install"})
    nothing = report(started(post_steps_only=True), *map(done, DONE), ev.Concluded())
    assert (nothing.outcome, nothing.headline) == ("nothing-to-do", "Nothing was to be done.")


def test_a_refusal_names_what_was_found():
    check = Check(
        id="same-build", title="t", severity="critical", status="failed", evidence="they differ", refused=True
    )
    found = report(started(), ev.ReadinessChecked(checks=(check,)), ev.Concluded())
    assert (found.outcome, {node.outcome for node in found.nodes}) == ("failed", {"not-started"})
    assert "they differ." in found.headline


def test_the_checks_of_caus_own_test_stand_beside_those_of_readiness():
    one = Check(id="nodes-up", title="t", severity="critical", status="passed")
    other = Check(id="cau-wmi", title="t", severity="critical", status="passed")
    found = report(
        started(), ev.ReadinessChecked(checks=(one,)), ev.ReadinessChecked(step="cau_setup", checks=(other,))
    )
    assert [check.id for check in found.checks] == ["nodes-up", "cau-wmi"]
    assert found.outcome == "running"


def test_a_run_that_is_parked_or_cancelled_is_that():
    before_cau = installed()[:5]
    parked = report(started(), *before_cau, ev.Parked(step="run_cau", why="no window is open"), ev.Concluded())
    assert parked.outcome == "parked"
    asked = ev.OperatorAsked(action="cancel", by="ada")
    cancelled = report(started(), *installed(), asked, ev.Concluded(cancelled=True))
    assert cancelled.outcome == "cancelled"


def test_who_was_offered_what_and_the_builds_have_sections():
    sections = {section.title: section for section in whole(raised()).sections}
    assert sections["What each node was offered"].rows[0] == ("HCI01", OLD, UPDATE.title)
    assert sections["Builds"].rows[1] == ("HCI02", OLD, NEW)
