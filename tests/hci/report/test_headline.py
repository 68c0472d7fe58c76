"""The first line of a report, for every way in which a run ends: it says what came of it and, where it went wrong, why."""

from __future__ import annotations

import pytest

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.values import Problem
from tests.hci.report.example import CUMULATIVE, GUID, NODES, Night, begin, drain, failed_night, update_well

UNDONE = "HCI03 was resumed; the run lock is released"


def ended(night: Night, **concluded: object) -> str:
    night.after(1, ev.LockReleased(guid=GUID))
    night.after(1, ev.Concluded.model_validate(concluded))
    return report_of(night.record, night.now).headline


def planned() -> Night:
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=NODES))
    night.after(1, ev.Planned(order=NODES, updates={NODES[0]: (CUMULATIVE,)}))
    return night


def test_what_made_a_server_fail_is_said_and_not_what_the_end_of_the_run_did_about_it():
    night = failed_night()
    said = report_of(night.record, night.now).headline
    assert said.endswith("KB5046616 failed on HCI02 after 3 tries.")


def test_a_server_that_failed_without_a_word_is_said_as_well():
    night = Night()
    begin(night)
    drain(night, "HCI03", 1)
    night.after(3, ev.InstallStarted(node="HCI03", install_pass=1, updates=(CUMULATIVE,)))
    night.after(3600, ev.Resumed(step="conclude", node="HCI03"))
    assert ended(night, why=UNDONE).endswith("The run ended while HCI03 was installing: how that ended is not known.")


def test_a_problem_of_the_whole_run_comes_before_that_of_a_server():
    night = Night()
    begin(night)
    night.after(1, ev.Failed(step="drain", node="HCI03", problem=Problem(title="HCI03 does not drain.")))
    night.after(1, ev.Failed(step="verify", problem=Problem(title="Builds differ.")))
    assert ended(night).endswith("Builds differ.")


def test_what_is_left_is_the_reason_where_nothing_else_went_wrong():
    night = Night()
    begin(night)
    for position, name in enumerate(NODES, 1):
        update_well(night, name, position, 10)
    night.after(1, ev.Left(what="the run lock on HCI03", why="it is Down"))
    assert ended(night, why=UNDONE).endswith("The run lock on HCI03.")


def test_what_the_end_of_the_run_says_is_a_sentence():
    night = Night()
    begin(night)
    for position, name in enumerate(NODES, 1):
        update_well(night, name, position, 10)
    said = ended(night, why="nothing was left to undo; the run lock is released")
    assert said.endswith("at every reading. Nothing was left to undo; the run lock is released.")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (ev.Approved(by="nobody", accepted=False), "Nobody approved the plan in time, and that means no."),
        (ev.Approved(by="j.doe", accepted=False), "The plan was refused by j.doe."),
        (ev.Approved(by="j.doe", accepted=False, comment="not tonight"), "refused by j.doe (not tonight)."),
    ],
)
def test_a_no_says_whose_it_is(answer: ev.Approved, says: str):
    night = planned()
    night.after(60, answer)
    said = ended(night)
    assert says in said
    assert "by nobody" not in said
