from __future__ import annotations

from datetime import timedelta

import pytest

from include.hci.report import events as ev
from include.hci.report.facts import Asked, RunFacts, fold_facts
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.steps.hold import hold_at, time_held
from tests.hci.steps.facts import NOW

ADA = Asked(NOW, "ada", "storage team is at work")
ALL = ("before-drain", "before-restart", "after-resume")


@pytest.mark.parametrize(
    ("facts", "configured", "held"),
    [
        (RunFacts(), (), None),
        (RunFacts(), ("before-restart",), None),
        (RunFacts(), ("before-drain",), "pause point"),
        (RunFacts(passed=frozenset({("HCI02", "before-drain")})), ALL, None),
        (RunFacts(passed=frozenset({("HCI01", "before-drain")})), ALL, "pause point"),
        (RunFacts(pause=ADA), (), "ada at 01:00 UTC (storage team is at work)"),
        (RunFacts(pause=ADA, passed=frozenset({("HCI02", "before-drain")})), ALL, "ada"),
        (RunFacts(pause=ADA, cancel=ADA), ALL, None),
    ],
)
def test_where_a_run_is_held(facts, configured, held):
    found = hold_at("before-drain", "HCI02", facts, configured)
    if held is None:
        assert found is None
    else:
        assert found is not None
        assert held in found.why
        assert "Continue" in found.why


def story(*steps):
    """Return (time, event) pairs, a minute apart."""
    return [(NOW + timedelta(minutes=number), event) for number, event in enumerate(steps)]


def asked(action):
    return ev.OperatorAsked(action=action, by="ada")


HELD = ev.Held(step="drain", node="HCI02", point="before-drain", why="ada asked")
TURN = ev.TurnGiven(node="HCI02", position=2, total=4, why="it may leave")


@pytest.mark.parametrize(
    ("events", "pause", "cancel", "held", "passed"),
    [
        ([asked("pause")], True, False, False, False),
        ([asked("pause"), asked("continue")], False, False, False, False),
        ([asked("pause"), HELD], True, False, True, False),
        ([asked("pause"), HELD, asked("continue")], False, False, False, True),
        ([HELD, asked("continue"), asked("pause")], True, False, False, True),
        # Continuing one node lets no other one pass, and a new turn of a node is held again.
        ([HELD, asked("continue"), TURN], False, False, False, False),
        ([asked("cancel"), asked("continue")], False, True, False, False),
    ],
)
def test_what_a_person_asked_is_folded_from_the_record(events, pause, cancel, held, passed):
    facts = fold_facts(story(*events))
    assert (facts.pause is not None, facts.cancel is not None) == (pause, cancel)
    assert (bool(facts.held), bool(facts.passed)) == (held, passed)


@pytest.mark.parametrize(
    ("events", "minutes"),
    [
        ([TURN], 0),
        ([TURN, HELD], 9),
        ([TURN, HELD, HELD, asked("continue")], 2),
        ([TURN, HELD, asked("continue"), HELD, asked("cancel")], 2),
        ([HELD, asked("continue"), TURN], 0),
        ([TURN, ev.Held(step="restart", node="HCI02", point="before-restart", why="x")], 0),
    ],
)
def test_how_long_a_step_was_held_in_its_present_turn(events, minutes):
    record = RunRecord(MemoryStorage())
    for at, event in story(*events):
        record.add(event, at)
    assert time_held(record.events(), "drain", NOW + timedelta(minutes=10)) == timedelta(minutes=minutes)
