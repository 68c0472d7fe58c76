from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.hci.report import events as ev
from include.hci.report.facts import RunFacts, fold_facts
from include.hci.report.values import Problem

T0 = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
BOOT = T0 - timedelta(days=30)


def fold(*events: ev.AnyEvent) -> RunFacts:
    return fold_facts((T0 + timedelta(minutes=number), event) for number, event in enumerate(events))


def test_nothing_done_is_nothing_open():
    assert fold() == RunFacts()
    assert fold(ev.Drained(node="A"), ev.FoundPaused(node="B")) == RunFacts()


@pytest.mark.parametrize("confirmed", [False, True])
def test_the_lock_counts_as_taken_from_its_announcement_until_its_release(confirmed: bool):
    taken = [ev.LockTaking(guid="g", nodes=("A", "B"))] + [ev.LockTaken(guid="g", nodes=("A", "B"))] * confirmed
    assert (fold(*taken).lock_guid, fold(*taken).lock_nodes) == ("g", ("A", "B"))
    partly = fold(*taken, ev.LockReleased(guid="g", nodes=("A",)))
    assert (partly.lock_guid, partly.lock_nodes) == ("g", ("B",))
    for nodes in ((), ("A", "B")):
        released = fold(*taken, ev.LockReleased(guid="g", nodes=nodes))
        assert (released.lock_guid, released.lock_nodes) == (None, ())


def test_a_pause_is_open_from_its_announcement_until_the_resume_or_the_refusal():
    assert fold(ev.Pausing(node="A"), ev.Drained(node="A")).paused == {"A": T0}
    assert fold(ev.Pausing(node="A"), ev.Pausing(node="A")).paused == {"A": T0}
    assert fold(ev.Pausing(node="A"), ev.Resuming(node="A")).paused == {"A": T0}
    assert fold(ev.Pausing(node="A"), ev.Resumed(node="A")).paused == {}
    assert fold(ev.Pausing(node="A"), ev.PauseRefused(node="A")).paused == {}
    assert fold(ev.Pausing(node="A"), ev.Resumed(node="B")).paused == {"A": T0}


def test_a_pause_is_unseen_until_something_shows_that_its_order_arrived():
    assert fold(ev.Pausing(node="A")).pause_unseen == {"A"}
    for after in (ev.Paused, ev.Drained, ev.PauseRefused, ev.Resumed):
        assert fold(ev.Pausing(node="A"), after(node="A")).pause_unseen == frozenset()
    # What is ordered again on a node that is paused already takes nothing back.
    assert fold(ev.Pausing(node="A"), ev.Paused(node="A"), ev.Pausing(node="A")).pause_unseen == frozenset()
    assert fold(ev.Pausing(node="A"), ev.Resumed(node="A"), ev.Pausing(node="A")).pause_unseen == {"A"}


@pytest.mark.parametrize(
    "event",
    [
        ev.InstallStarted(node="A", install_pass=1, updates=()),
        ev.RestartOrdered(node="A", boot_time_before=BOOT, why=""),
        ev.MaintenanceEntering(node="A"),
    ],
)
def test_a_node_that_is_worked_on_was_seen_paused(event: ev.AnyEvent):
    assert fold(ev.Pausing(node="A"), event).pause_unseen == frozenset()


@pytest.mark.parametrize("before", [ev.PauseRefused(node="A"), ev.Resumed(node="A")])
def test_an_order_that_arrives_after_the_node_was_found_up_is_open_again(before: ev.AnyEvent):
    facts = fold(ev.Pausing(node="A"), before, ev.Paused(node="A"))
    assert (list(facts.paused), facts.pause_unseen) == (["A"], frozenset())


def test_maintenance_mode_is_open_until_it_was_left():
    assert fold(ev.MaintenanceEntering(node="A")).in_maintenance == {"A": T0}
    assert fold(ev.MaintenanceEntering(node="A"), ev.MaintenanceLeft(node="A")).in_maintenance == {}


def test_a_restart_is_open_until_it_was_seen_and_counts_once():
    ordered = ev.RestartOrdered(node="A", boot_time_before=BOOT)
    restarted = ev.Restarted(node="A", boot_time=T0)
    facts = fold(ordered)
    assert (facts.restarting["A"].boot_time_before, facts.restarting["A"].ordered_at, facts.restarts) == (BOOT, T0, {})
    assert (fold(ordered, restarted).restarting, fold(ordered, restarted).restarts) == ({}, {"A": 1})
    assert fold(ordered, ordered, restarted, restarted).restarts == {"A": 1}
    assert fold(ordered, restarted, ordered, restarted).restarts == {"A": 2}
    assert fold(restarted).restarts == {}


def test_an_install_is_open_until_it_ended_and_passes_are_counted_per_turn():
    first, second = (ev.InstallStarted(node="A", install_pass=number) for number in (1, 2))
    facts = fold(first, ev.InstallFinished(node="A", install_pass=1), second)
    assert (facts.installing, facts.passes) == ({"A": 2}, {"A": 2})
    assert fold(first, first).passes == {"A": 1}
    assert fold(first, second, ev.TurnGiven(node="A", position=1, total=2)).passes == {}


def test_a_node_that_was_given_up_is_no_longer_so_in_its_next_turn():
    failed = ev.Failed(step="install", node="A", problem=Problem(title="t"))
    skipped = ev.Skipped(step="turn", node="B", reason="r")
    facts = fold(failed, skipped, ev.Failed(step="turn", problem=Problem(title="run")))
    assert (facts.failed, facts.skipped) == ({"A": "t"}, {"B": "r"})
    again = fold(failed, skipped, *(ev.TurnGiven(node=node, position=1, total=2) for node in "AB"))
    assert (again.failed, again.skipped) == ({}, {})


def test_a_missed_window_holds_until_the_run_is_let_begin_after_all():
    missed = ev.WindowMissed(due=T0, why="9 h late")
    assert fold(missed).missed == "9 h late"
    assert fold(missed, ev.ReadinessChecked(checks=())).missed == ""
