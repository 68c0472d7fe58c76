"""What the watching step makes of what CAU says, as a table: no cluster, no clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.hci.cluster.cau_runs import CauRunStatus, NodeStatus
from include.hci.report import events as ev
from include.hci.report.record import RunRecord, Stamped
from include.hci.report.storage import MemoryStorage
from include.hci.steps.cau_run import CauRunFacts, RunCau
from include.hci.steps.cau_run_actions import GiveUpStart, StartCauRun, StopCauRun
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Done, Stop, Wait
from tests.hci.steps.cau_coordinator import options

AT = datetime(2026, 11, 3, 1, tzinfo=UTC)
FREE, FAILED, LOCKED = (CauRunStatus(state) for state in ("RunNotInProgress", "RunFailed", "RunLocked"))
STARTING = ev.CauRunStarting(host="MGMT01", session="s", last_report="old")
SEEN = ev.CauRunSeen(run_id="new", coordinator="MGMT01")


def on(run_id: str = "new", coordinator: str = "MGMT01", **more: Any) -> CauRunStatus:
    nodes = (NodeStatus("HCI01", "Succeeded"), NodeStatus("HCI02", "Installing"))
    return CauRunStatus("RunInProgress", run_id, coordinator, nodes=nodes, finished=1, **more)


def step(**more: Any) -> RunCau:
    context = StepContext("C", "run", options(2, **more), RunRecord(MemoryStorage()))
    return RunCau(context, lambda: AT)


def begun(status: CauRunStatus, **more: Any) -> CauRunFacts:
    return CauRunFacts(status, starting=Stamped(AT, STARTING), **more)


def watched(status: CauRunStatus, **more: Any) -> CauRunFacts:
    return begun(status, seen=Stamped(AT, SEEN), **more)


@pytest.mark.parametrize(
    ("facts", "after", "kind", "says"),
    [
        (CauRunFacts(FREE), 0, Act, "Invoke-CauRun"),
        (CauRunFacts(on(coordinator="HCI01")), 0, Stop, "HCI01 coordinates it"),
        (CauRunFacts(FAILED), 0, Stop, "RunFailed"),
        # It was begun: whatever is not seen of it is looked for, nothing is begun a second time.
        (begun(FREE, last_report="old"), 4, Wait, "not to be seen yet"),
        (begun(FREE, last_report="old"), 6, Act, "end the session"),
        (begun(FREE, last_report="new"), 6, Act, "has been and is over"),
        (begun(on()), 1, Act, "run new is on"),
        (begun(on(coordinator="HCI02")), 1, Stop, "HCI02 coordinates it"),
        # It is on.
        (watched(on()), 5, Wait, "HCI01 Succeeded, HCI02 Installing"),
        (watched(on(cancel_pending=True)), 5, Wait, "brings its present node to an end"),
        (watched(on()), 61, Wait, "nothing has changed since 01:00 UTC"),
        (watched(on(), changed_at=AT + timedelta(minutes=50)), 61, Wait, "done: 1 of 2 nodes"),
        # It is not on any more.
        (watched(FREE, last_report="new"), 90, Done, "is over"),
        (watched(FREE, last_report="old"), 90, Wait, "is looked for"),
        (watched(on("another"), last_report=""), 90, Done, "is over"),
        (watched(LOCKED), 90, Wait, "CAU says RunLocked"),
        (watched(FREE, is_over=True), 90, Done, "over"),
    ],
)
def test_every_answer_of_caus_has_its_decision(facts: CauRunFacts, after: int, kind: type, says: str):
    found = step().decide(facts, AT + timedelta(minutes=after))
    assert isinstance(found, kind), found
    assert says in str(found)


@pytest.mark.parametrize(("status", "kind"), [(FREE, Done), (LOCKED, Stop), (FAILED, Stop)])
def test_a_run_that_is_gone_is_looked_for_before_that_is_believed(status: CauRunStatus, kind: type):
    watching = step()
    assert isinstance(watching.decide(watched(status), AT), Wait)
    assert isinstance(watching.decide(watched(status), AT + timedelta(minutes=2)), Wait)
    assert isinstance(watching.decide(watched(status), AT + timedelta(minutes=3)), kind)


def test_a_run_that_is_seen_again_was_never_gone():
    watching = step()
    watching.decide(watched(FREE), AT)
    assert isinstance(watching.decide(watched(on()), AT + timedelta(minutes=2)), Wait)
    assert isinstance(watching.decide(watched(FREE), AT + timedelta(minutes=4)), Wait)


def test_cau_is_told_to_stop_where_its_own_stop_after_does_not():
    watching = step(stop_after="02:00:00", warn_after="01:00:00")
    moments = {
        minutes: watching.decide(watched(on()), AT + timedelta(minutes=minutes)) for minutes in (59, 61, 134, 136)
    }
    assert "warn_after" not in str(moments[59])
    assert "warn_after" in str(moments[61])
    assert isinstance(moments[134], Wait)
    assert isinstance(moments[136], Act)
    assert isinstance(moments[136].action, StopCauRun)
    assert "longer than stop_after" in str(moments[136])


def test_a_cancelled_run_is_told_to_stop_once_and_again_when_that_is_not_heard():
    watching = step()
    watching.context.record.add(ev.OperatorAsked(action="cancel", by="ada"), AT)
    told = Stamped(AT, ev.CauRunStopping(why="cancelled"))
    assert isinstance(watching.decide(watched(on()), AT), Act)
    assert isinstance(watching.decide(watched(on(), stopping=told), AT + timedelta(minutes=1)), Wait)
    assert isinstance(watching.decide(watched(on(), stopping=told), AT + timedelta(minutes=16)), Act)
    assert isinstance(watching.decide(watched(on(cancel_pending=True)), AT), Wait)


def test_only_what_was_not_begun_may_end_by_a_cancel():
    assert step().may_cancel(CauRunFacts(FREE), Done("x"))
    assert not step().may_cancel(begun(FREE), Done("x"))


def test_the_session_outlives_the_watching():
    found = step(stop_after="02:00:00").decide(CauRunFacts(FREE), AT)
    assert isinstance(found, Act)
    assert isinstance(found.action, StartCauRun)
    assert found.action.lasts == timedelta(hours=2, days=2)
    given_up = step().decide(begun(FREE, last_report="old"), AT + timedelta(minutes=6))
    assert isinstance(given_up, Act)
    assert isinstance(given_up.action, GiveUpStart)
