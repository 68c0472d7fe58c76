"""Judging itself: who is judged, journals of any age and condition, and verdicts with their reasons."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.simulator.journal import Entry, read_journal
from include.simulator.referee import INVARIANTS, judge, verdicts
from tests.simulator.referee.coordinator import Coordinator
from tests.simulator.referee.journals import ACTOR, Script, careful_run, make_snapshot, true_report

PERSON = "CONTOSO\\alice"


def outcomes(script: Script, report: dict[str, Any] | None = None) -> dict[str, tuple[str, str]]:
    return {each.invariant: (each.outcome, each.reason) for each in verdicts(script.entries, report)}


# --- verdicts ------------------------------------------------------------------------------------------------------


def test_every_invariant_gets_a_verdict_in_order() -> None:
    made = verdicts(careful_run().entries, true_report())
    assert [each.invariant for each in made] == list(INVARIANTS)
    assert {each.outcome for each in made} == {"held", "not judged"}


@pytest.mark.parametrize(
    ("invariant", "reason"),
    [
        ("I2", "the journal does not say how many votes there were"),
        ("I6", "there is no window and no blackout; there is no approval"),
        ("I10", "there is no snapshot after the run's last command, and no report"),
        ("I11", "there are no two snapshots to compare"),
        ("I12", "there is no report"),
    ],
)
def test_what_cannot_be_judged_says_why(invariant: str, reason: str) -> None:
    assert outcomes(careful_run())[invariant] == ("not judged", reason)


def test_a_run_that_still_has_its_lock_has_not_ended() -> None:
    script = Script().take_lock().drain("HCI01").add("world.snapshot", **make_snapshot())
    for node in script.entries[-1].detail["nodes"]:
        node["locks"] = {"MSFT_CAURun": "5d0c6a8e-0000-5000-8000-0000000000aa"}
    outcome, reason = outcomes(script)["I10"]
    assert (outcome, "has not ended" in reason) == ("not judged", True)


def test_windows_are_judged_without_approvals_and_say_so() -> None:
    script = Script().add("rule", None, kind="window", opens="2026-11-03T00:00:00+00:00", closes="2026-11-04T00:00:00")
    assert outcomes(script.take_lock().drain("HCI01"))["I6"] == ("held", "there is no approval")


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "window", "opens": "tonight", "closes": "tomorrow"},
        {"kind": "window"},
        {"kind": "blackout", "begins": "2026-11-03T02:00:00+00:00", "ends": "2026-11-03T01:00:00+00:00"},
        {"kind": "budget", "nodes_out": "some"},
        {"kind": "moon"},
        {},
    ],
)
def test_a_rule_that_nobody_can_read_is_no_permission(rule: dict[str, Any]) -> None:
    script = Script().add("rule", None, "event", **rule).take_lock().drain("HCI01")
    outcome, reason = outcomes(script)["I6"]
    assert (outcome, "a rule is unreadable" in reason) == ("not judged", True)
    with pytest.raises(ValueError, match=r"is no rule"):
        Coordinator(nodes=2).cluster.rule(str(rule.get("kind", "")), **{k: v for k, v in rule.items() if k != "kind"})


# --- who is judged -------------------------------------------------------------------------------------------------


def _someone_else(script: Script) -> Script:
    """A person without the lock drains and restarts another node meanwhile, takes a lock away and stops a machine."""
    script.by(PERSON).drain("HCI02").order_restart("HCI02").invoke("Stop-Computer", "HCI03", Force=True)
    return script.by(ACTOR)


def test_what_somebody_else_does_is_not_held_against_the_run() -> None:
    assert judge(_someone_else(Script().take_lock().drain("HCI01")).entries) == []


def test_without_a_request_for_the_lock_everybody_is_judged() -> None:
    found = {violation.invariant for violation in judge(_someone_else(Script().drain("HCI01")).entries)}
    assert {"I1", "I3", "I7"} <= found


def test_the_report_says_which_of_two_runs_is_judged() -> None:
    script = Script().take_lock().release_lock().by(PERSON).take_lock("77777777-0000-5000-8000-0000000000cc")
    script.drain("HCI01").drain("HCI02").by(ACTOR)
    report = {"lock": {"guid": true_report()["lock"]["guid"], "released": True}, "outcome": "failed", "nodes": []}
    assert judge(script.entries, report) == []
    report["lock"] = {"guid": "77777777-0000-5000-8000-0000000000cc", "released": False}
    assert "I1" in {violation.invariant for violation in judge(script.entries, report)}


def test_windows_own_restarts_and_those_of_cluster_aware_updating_are_nobodys_orders() -> None:
    script = Script()
    for by in ("NT AUTHORITY\\SYSTEM (Automatic Updates)", "Cluster-Aware Updating"):
        script.add("node.restart", "HCI01", node="HCI01", by=by, ordered=True)
    assert judge(script.entries) == []


# --- journals of any age and condition -----------------------------------------------------------------------------


def test_a_journal_of_an_early_format_is_judged() -> None:
    snapshot = {"nodes": [{"name": "HCI01", "state": "Up"}, {"name": "HCI02"}], "groups": [], "virtual_disks": []}
    script = Script()
    script.entries[1] = replace(script.entries[1], detail=snapshot)
    script.add("node.state", "HCI01", node="HCI01", state="Paused").add("something.new", None, anything=[1])
    script.add("command", "HCI02", "invoke", command="Restart-Computer").add("command", "HCI02", "ok")
    script.add("world.snapshot", **snapshot)
    assert {violation.invariant for violation in judge(script.entries, {"outcome": "failed", "nodes": []})} <= {"I7"}


def test_a_torn_last_line_is_judged_without_it(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    text = "".join(entry.to_json() + "\n" for entry in Script().take_lock().drain("HCI01").drain("HCI02").entries)
    path.write_text(text[:-30])
    assert [violation.invariant for violation in judge(read_journal(path))] == ["I1"]


# --- what only looks changes nothing -------------------------------------------------------------------------------

_LOOKS = (
    "Get-ClusterNode",
    "Get-StorageJob",
    "Where-Object",
    "Get-CimInstance",
    "Test-WSMan",
    "cmd.exe",
    "Select-Object",
)


@cache
def _careless_run() -> Script:
    """A run that breaks much, so that there is a verdict to change."""
    script = Script().add("rule", None, kind="budget", nodes_out=1)
    script.add("rule", None, kind="blackout", begins="2026-11-03T01:20:00+00:00", ends="2026-11-03T01:40:00+00:00")
    script.take_lock().update("HCI01").drain("HCI02").order_restart("HCI02").power_cycle("HCI02")
    script.invoke("Stop-VM", "HCI03", Name=["vm-HCI03"])
    script.add("vm.state", None, vm="vm-HCI03", owner="HCI03", state="Off", reason="stopped")
    script.by(PERSON).drain("HCI03").by(ACTOR).drain("HCI01").add("world.snapshot", **make_snapshot())
    return script


def _verdict(entries: list[Entry]) -> Counter[tuple[str, str | None, str]]:
    return Counter((each.invariant, each.node, each.sentence) for each in judge(entries, true_report()))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.sampled_from(_LOOKS),
            st.sampled_from([ACTOR, PERSON, "CONTOSO\\monitoring"]),
            st.sampled_from(["HCI01", "HCI02", "HCI03", "MGMT01"]),
            st.sampled_from(["ok", "fail", "unknown", None]),
        ),
        max_size=40,
    )
)
def test_commands_that_only_look_never_change_the_verdict(
    looks: list[tuple[float, str, str, str, str | None]],
) -> None:
    entries = list(_careless_run().entries)
    for number, (where, command, actor, node, outcome) in enumerate(looks):
        place = 1 + int(where * (len(entries) - 1))
        at = entries[place - 1].at
        detail = {"command": command, "parameters": {"Name": ["HCI02"]}, "activity": f"look{number}"}
        made = [Entry(0, at, "command", "invoke", actor, node, detail)]
        if outcome:
            made.append(Entry(0, at, "command", outcome, actor, node, {k: detail[k] for k in ("command", "activity")}))
        entries[place:place] = made
    entries = [replace(entry, seq=number) for number, entry in enumerate(entries, start=1)]
    expected = _verdict(list(_careless_run().entries))
    assert {invariant for invariant, _, _ in expected} >= {"I1", "I4", "I5", "I6", "I8", "I12"}
    assert _verdict(entries) == expected
