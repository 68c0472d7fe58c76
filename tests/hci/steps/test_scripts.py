from __future__ import annotations

from datetime import timedelta

import pytest

from include.hci.policy.scripts import Next, ScriptState
from include.hci.powershell.errors import (
    ChangeDeadlineExceeded,
    CommandFailed,
    CommandNotAvailable,
    EndpointRefused,
    NodeUnreachable,
    OutcomeUnknown,
)
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.result import Result
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.steps.decisions import Scene
from include.hci.steps.scripts import RunScript, ScriptFacts, script_problem, script_state, shorten
from tests.hci.cluster.fakes import FakeCluster, FakeShell
from tests.hci.steps.facts import NOW

PATH = r"C:\s\pre.ps1"
FACTS = ScriptFacts("pre-update", PATH, "", timedelta(minutes=10), ScriptState(), Next.RUN)
DENIED = ErrorRecord("access is denied", fully_qualified_error_id="Denied")


def start(script: str = "pre-update") -> ev.ScriptStarting:
    return ev.ScriptStarting(step="drain", node="HCI02", script=script, path=PATH)


def end(result: str, script: str = "pre-update") -> ev.ScriptEnded:
    return ev.ScriptEnded(step="drain", node="HCI02", script=script, path=PATH, result=result, why="why")


TURN = ev.TurnGiven(node="HCI02", position=1, total=2)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), (0, "")),
        ((start(),), (1, "unknown")),
        ((start(), end("succeeded")), (1, "succeeded")),
        ((start(), end("failed"), start(), end("succeeded")), (2, "succeeded")),
        ((start(), end("not-begun")), (0, "")),
        ((start(), end("failed"), start(), end("not-begun")), (1, "")),
        ((start("post-update"), end("failed", "post-update")), (0, "")),
        ((start(), end("failed"), TURN), (0, "")),
    ],
)
def test_how_a_script_stands_in_the_present_turn(events, expected):
    state = script_state(events, "pre-update")
    assert (state.starts, state.result) == expected


def perform(reply: object, there: object = (True,)) -> list[ev.RunEvent]:
    record = RunRecord(MemoryStorage())
    shell = FakeShell({PATH: reply, "Test-Path": there}, "HCI02")
    try:
        RunScript("HCI02", FACTS, "drain").perform(Scene(FakeCluster({"HCI02": shell}), record, lambda: NOW))
    finally:
        found = [entry.event for entry in record.events() if entry.event is not None]
    return found


@pytest.mark.parametrize(
    ("reply", "there", "result", "why"),
    [
        (["one", 2], [True], "succeeded", ""),
        (["one"], CommandNotAvailable([ErrorRecord("no Test-Path")]), "succeeded", ""),
        ([], [False], "failed", "does not find it"),
        (CommandFailed([DENIED]), [True], "failed", "access is denied"),
        (Result((), (DENIED,)), [True], "failed", "access is denied"),
        (ChangeDeadlineExceeded("late"), [True], "timed-out", "not over after 10 min"),
        (OutcomeUnknown("reset"), [True], "unknown", "reset"),
    ],
)
def test_every_end_of_a_script_is_on_record(reply, there, result, why):
    started, ended = perform(reply, there)
    assert isinstance(started, ev.ScriptStarting)
    assert isinstance(ended, ev.ScriptEnded)
    assert (ended.result, why in ended.why) == (result, True)
    assert ended.output == ("one\n2" if reply == ["one", 2] else "one" if reply == ["one"] else ended.output)


@pytest.mark.parametrize("error", [NodeUnreachable("no route"), EndpointRefused("no rights")])
def test_what_cannot_have_arrived_is_not_counted_as_run(error):
    record = RunRecord(MemoryStorage())
    scene = Scene(FakeCluster({"HCI02": FakeShell({PATH: error, "Test-Path": [True]}, "HCI02")}), record, lambda: NOW)
    with pytest.raises(type(error)):
        RunScript("HCI02", FACTS, "drain").perform(scene)
    assert script_state((entry.event for entry in record.events()), "pre-update") == ScriptState(0, "", error.detail)


def test_a_node_that_cannot_be_reached_beforehand_leaves_nothing_on_record():
    record = RunRecord(MemoryStorage())
    shell = FakeShell({"Test-Path": NodeUnreachable("no route")}, "HCI02")
    with pytest.raises(NodeUnreachable):
        RunScript("HCI02", FACTS, "drain").perform(Scene(FakeCluster({"HCI02": shell}), record, lambda: NOW))
    assert record.events() == ()


@pytest.mark.parametrize(
    ("part", "result", "retry", "says"),
    [
        ("pre-update", "failed", True, "The pre-update script failed on HCI02"),
        ("pre-update", "unknown", False, "may have run or not on HCI02"),
        ("pre-update", "timed-out", False, "was not over in time on HCI02"),
        ("post-update", "failed", False, "The post-update script failed on HCI02"),
    ],
)
def test_only_a_first_script_that_is_known_to_have_failed_is_tried_again_by_itself(part, result, retry, says):
    problem = script_problem(ScriptFacts(part, PATH, state=ScriptState(1, result, "why"), next=Next.GIVE_UP), "HCI02")
    assert problem.retry_is_safe is retry
    assert says in problem.title
    assert PATH in (problem.next_action or "")


def test_long_output_keeps_its_beginning_and_its_end():
    text = shorten("a" * 5000 + "b" * 5000)
    assert text.startswith("a" * 2000)
    assert text.endswith("b" * 2000)
    assert "6000 characters left out" in text
    assert shorten("short") == "short"
