from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from include.hci.airflow.log_text import (
    DOES,
    END,
    GROUP,
    StepLog,
    after_stop,
    closing,
    first_look,
    name_of,
    opening,
    problem_lines,
    verdict_lines,
)
from include.hci.policy.progress import Progress
from include.hci.report.build import report_of
from include.hci.report.event import StepName
from include.hci.report.values import Problem
from include.hci.steps.decisions import Act, Done, Wait
from tests.hci.report.example import failed_night

NOW = datetime(2026, 11, 3, 2, 0, tzinfo=UTC)
LIMIT = NOW + timedelta(hours=1)


@dataclass(frozen=True)
class Suspend:
    def describe(self) -> str:
        return "Suspend-ClusterNode -Name HCI02 -Drain"

    def perform(self, scene) -> None:
        raise AssertionError


PAUSE = Act(Suspend(), "12 roles run on HCI02")


def moving(done: float) -> Wait:
    return Wait("HCI02 is being drained", Progress("drain of HCI02", done, 12, "roles"), deadline=LIMIT)


def read(*decisions, every=timedelta(seconds=10)):
    log, lines = StepLog(), []
    for number, decision in enumerate(decisions):
        lines += log.lines(decision, NOW + number * every)
    return [*lines, *log.close()]


def test_every_step_says_what_it_does():
    missing = set(get_args(StepName)) - DOES.keys()
    assert not missing, "Say in DOES what these steps do."


def test_the_first_lines_say_what_is_done_how_long_at_most_and_where_the_report_is():
    what, where = opening("drain", "HCI02", "BER-CLU01", timedelta(hours=1), "file:///reports/run/report.html")
    assert what == (
        "Drain of HCI02, cluster BER-CLU01: pauses the server and waits until its roles run elsewhere. It gives up after 1 h."
    )
    assert "file:///reports/run/report.html" in where


@pytest.mark.parametrize(
    ("step", "node", "name"),
    [("take_lock", None, "Take lock"), ("drain", "HCI02", "Drain of HCI02"), ("stop_vms", None, "Stop VMs")],
)
def test_a_step_has_a_name_that_people_read(step, node, name):
    assert name_of(step, node) == name


def test_a_decision_is_written_once_however_often_it_is_made():
    wait = Wait("HCI02 is Down", deadline=LIMIT)
    assert read(PAUSE, PAUSE, wait, wait, wait) == [
        "Does: Suspend-ClusterNode -Name HCI02 -Drain: 12 roles run on HCI02",
        "Waits: HCI02 is Down. It gives up at 03:00 UTC, in 59 min.",
    ]


def test_what_moves_is_folded_under_a_heading_that_says_it_all():
    assert read(PAUSE, moving(1), moving(2), moving(9), Done("drained"), every=timedelta(seconds=40)) == [
        "Does: Suspend-ClusterNode -Name HCI02 -Drain: 12 roles run on HCI02",
        f"{GROUP}Waits: HCI02 is being drained - drain of HCI02: 1 of 12 roles. It gives up at 03:00 UTC, in 59 min.",
        # After 40 s there was nothing to say yet: a line a minute.
        "drain of HCI02: 9 of 12 roles. It gives up at 03:00 UTC, in 58 min.",
        END,
    ]


def test_a_long_wait_gets_a_new_heading_now_and_then_for_those_who_read_only_these():
    waits = [moving(number) for number in range(12)]
    headings = [line for line in read(*waits, every=timedelta(minutes=6)) if line.startswith(GROUP)]
    assert len(headings) == 4


def test_a_wait_that_does_not_move_is_not_said_again():
    assert len(read(*[moving(3)] * 500)) == 2


def test_folded_parts_never_nest_and_are_always_closed():
    other = Wait("the storage is not whole", Progress("resync", 1, 2, "GiB"))
    lines = read(moving(1), other, PAUSE, moving(3), moving(4), other, Done("x"))
    depth = 0
    for line in lines:
        depth += line.startswith(GROUP) - (line == END)
        assert depth in (0, 1)
    assert depth == 0


@pytest.mark.parametrize(
    ("wait", "says"),
    [
        (Wait("ada holds it", patient=True), "It waits for a person and does not give up."),
        (Wait("x", deadline=NOW + timedelta(days=1)), "It gives up at 2026-11-04 02:00 UTC, in 24 h."),
    ],
)
def test_a_wait_says_when_it_gives_up(wait, says):
    assert says in read(wait)[0]


def test_a_problem_is_told_with_its_meaning_and_the_next_action():
    problem = Problem(
        title="HCI02 was not drained.", meaning="It runs.", next_action="Move SQL01.", code="5987", retry_is_safe=True
    )
    assert problem_lines(problem) == (
        "Stopped: HCI02 was not drained. (5987)",
        "What it means: It runs.",
        "What to do: Move SQL01.",
        "Trying again is safe.",
    )
    assert problem_lines(Problem(title="t", retry_is_safe=False))[-1] == "Do not simply try again."


@pytest.mark.parametrize(
    ("node", "tries", "final", "says"),
    [
        ("HCI02", 1, False, "This was attempt 1 of 4: the next one begins in 15 s."),
        ("HCI02", 4, True, "HCI02 counts as failed, after attempt 4 of 4."),
        (None, 1, True, "The run counts as failed, because trying again cannot help."),
    ],
)
def test_a_stop_says_what_comes_after_it(node, tries, final, says):
    assert after_stop(node, tries, 3, timedelta(seconds=15), final=final).startswith(says)


def test_a_first_look_says_what_is_to_be_done_and_does_not_claim_that_it_was():
    assert first_look(PAUSE, NOW) == ("To do: Suspend-ClusterNode -Name HCI02 -Drain: 12 roles run on HCI02",)
    assert first_look(moving(1), NOW)[-1] == END
    assert first_look(Done("drained"), NOW) == ()


def test_an_end_says_what_comes_next():
    assert closing({"update_node.install", "update_node.resume"}) == "Next: install, resume."
    assert closing(()) == "Nothing follows in this run."


def test_the_last_lines_of_a_run_say_what_came_of_it_and_what_a_person_has_to_do():
    night = failed_night()
    lines = verdict_lines(report_of(night.record, night.now), "file:///report.html")
    assert lines[0].startswith("The run is over, failed: Of 4 nodes: 1 failed")
    assert "Command: Enable-CauClusterRole -ClusterName BER-CLU01 -Force" in lines[1]
    assert lines[-1] == "Report: file:///report.html"
