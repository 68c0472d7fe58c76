"""What the page of a run that goes on says first: what it does or waits for at this moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.model import DoingReport
from include.hci.report.values import Problem, Progress, UpdateRef
from tests.hci.report.example import START, Night
from tests.hci.report.judging import check_report

UPDATE = UpdateRef(update_id="u1", kb="KB1")


def doing(*events: ev.RunEvent, **started: object) -> tuple[DoingReport, ...]:
    night = Night()
    night.after(0, ev.RunStarted.model_validate({"run_id": "r", "cluster": "c", "nodes": ("A", "B"), **started}))
    for event in events:
        night.after(60, event)
    report = report_of(night.record, night.now + timedelta(minutes=5))
    check_report(report)
    assert report.last_word_at == night.now
    return report.doing


def wait(step: ev.StepName, node: str | None = "A", why: str = "HCI01 is being drained") -> ev.Decided:
    progress = Progress(subject="", done=1, total=4, unit="roles")
    until = START + timedelta(hours=1)
    return ev.Decided(step=step, node=node, decision="wait", why=why, progress=progress, until=until)


def test_a_wait_is_told_with_its_reason_its_progress_and_its_end():
    [found] = doing(wait("drain"))
    assert (found.step, found.node, found.text) == ("drain", "A", "HCI01 is being drained")
    assert (found.since, found.until) == (START + timedelta(minutes=1), START + timedelta(hours=1))
    assert found.progress == "1 of 4 roles"


def test_a_stop_that_is_tried_again_is_told_as_such():
    stop = ev.Decided(step="drain", node="A", decision="stop", problem=Problem(title="no"))
    [found] = doing(stop, ev.TriedAgain(step="drain", node="A", why="A could not be drained"))
    assert (found.step, found.node, found.text) == ("drain", "A", "it is tried again soon: A could not be drained")


def test_an_action_is_told_with_its_reason():
    [found] = doing(ev.Decided(step="drain", node="A", decision="act", why="3 roles run on A", action="Suspend A"))
    assert found.text == "Suspend A: 3 roles run on A"


@pytest.mark.parametrize(
    "end",
    [
        ev.Decided(step="drain", node="A", decision="done", why="drained"),
        ev.Decided(step="drain", node="A", decision="stop", problem=Problem(title="no")),
        ev.Failed(step="drain", node="A", problem=Problem(title="no")),
        ev.Skipped(step="drain", node="A", reason="cancelled"),
        ev.Concluded(),
    ],
    ids=lambda event: getattr(event, "decision", event.event),
)
def test_what_has_ended_is_not_told(end: ev.RunEvent):
    assert doing(wait("drain"), end) == ()


def test_servers_that_are_worked_on_side_by_side_are_all_told_and_those_that_wait_for_their_turn_are_not():
    assert [each.node for each in doing(wait("stage"), wait("stage", "B"))] == ["A", "B"]
    assert [each.node for each in doing(wait("turn", "B"), wait("drain"))] == ["A"]
    assert [each.node for each in doing(wait("turn", "B"))] == ["B"]


PLANNED = ev.Planned(order=("A", "B"), updates={"A": (UPDATE,)})
ASKS = {"options": {"require_approval": True, "approval_timeout_minutes": 120}}


def test_a_question_to_a_person_is_told_with_where_to_answer_it_and_until_when():
    [found] = doing(PLANNED, **ASKS)
    assert (found.step, found.until) == ("approve", START + timedelta(minutes=121))
    assert "Required Actions" in found.text


@pytest.mark.parametrize(
    ("events", "started"),
    [
        ((PLANNED,), {}),
        ((PLANNED, ev.Approved(by="ada")), ASKS),
        ((PLANNED,), ASKS | {"mode": "plan-only"}),
        ((ev.Planned(order=("A", "B")),), ASKS),
    ],
    ids=["not wanted", "answered", "plan only", "nothing to do"],
)
def test_nobody_is_asked_where_nothing_is_to_be_answered(events, started):
    assert doing(*events, **started) == ()


def test_a_rolling_update_that_is_waited_for_is_told_until_it_has_ended():
    begun = ev.UpdatingBegun(step="further_updates", dag_id="rolling_update__c", started_run="further__r")
    [found] = doing(begun)
    assert (found.step, found.node) == ("further_updates", None)
    assert "further__r of rolling_update__c runs" in found.text
    ended = ev.UpdatingEnded(
        step="further_updates", dag_id="rolling_update__c", started_run="further__r", state="success", good=True
    )
    assert doing(begun, ended) == ()


def test_a_question_about_a_version_is_told_until_it_is_answered():
    asked = ev.PostAsked(step="approve_functional_level", identity="0123456789abcdef")
    assert [each.step for each in doing(asked)] == ["approve_functional_level"]
    answered = ev.PostAnswered(step="approve_functional_level", identity="0123456789abcdef", by="ada", accepted=True)
    assert doing(asked, answered) == ()
