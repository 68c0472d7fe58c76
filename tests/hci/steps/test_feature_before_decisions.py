"""What the steps before a feature update decide about facts that a simulated cluster does not give by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from include.hci.cluster.firewall import FirewallRule, show_rules
from include.hci.cluster.machine import Service
from include.hci.cluster.remoting import RemoteManagement
from include.hci.cluster.validation import ClusterValidation
from include.hci.cluster.validation_report import TestResult
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.settings import RunOptions
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Done, Scene, Stop
from include.hci.steps.feature_reach import Reach
from include.hci.steps.feature_remoting import Remoting, RemotingFacts
from include.hci.steps.feature_validate import MOST_BYTES, Outcome, RunValidation, Validate, ValidateAfter, Validation
from tests.hci.cluster.fakes import FakeCluster, FakeShell, obj

NOW = datetime(2026, 11, 3, tzinfo=UTC)
REPORT = r"C:\Temp\Validation Report.htm"
SUMMARY = "\r\nTestergebnis:\r\n{}\r\nDie Tests sind fertig.\r\n"
ROW = '<tr><td><a href="#1">{}</a></td><td><result><IMG name="{}"></result></td></tr>'


def context() -> StepContext:
    record = RunRecord(MemoryStorage())
    record.add(ev.RunStarted(run_id="r", cluster="HCI-CL01", nodes=("HCI01",), run_kind="feature-update"), NOW)
    return StepContext("HCI-CL01", "r", RunOptions(max_failed_nodes=0), record)


# --- cluster validation --------------------------------------------------------------------------------------------------


def validated(*warnings: str, results: tuple[TestResult, ...] = (), report: str = REPORT) -> Validation:
    return Validation("MGMT01", ClusterValidation(report, warnings), results, not_kept="it is gone")


@pytest.mark.parametrize(
    ("made", "judged_by", "passes"),
    [
        (validated(results=(TestResult("A", "passed"),)), "report", True),
        (validated("Warnung", results=(TestResult("A", "warned"),)), "report", True),
        (
            validated(SUMMARY.format("ClusterConditionallyApproved"), results=(TestResult("A", "failed"),)),
            "report",
            False,
        ),
        (validated(results=(TestResult("A", "not-run"),)), "report", False),
        (validated("Warnung", SUMMARY.format("HadUnselectedTests, ClusterConditionallyApproved")), "flags", True),
        (validated("Warnung", SUMMARY.format("HadFailures, ClusterNotApproved")), "flags", False),
        (validated(SUMMARY.format("HadUnselectedTests")), "flags", False),
        (validated(), "silence", True),
        (validated("Warnung"), "nothing", False),
        (validated(report=""), "nothing", False),
    ],
)
def test_a_validation_is_judged_by_its_report_then_by_its_flags_and_never_by_words(made, judged_by, passes):
    assert made.judged_by == judged_by
    for step in (Validate(context()), ValidateAfter(context())):
        assert isinstance(step.judge(made), Done if passes else Stop)


def test_what_was_there_before_the_update_does_not_end_the_run_after_it():
    step = ValidateAfter(context())
    before = ev.ClusterValidated(moment="before", host="MGMT01", failed=("A",), warned=("B", "C"))
    step.context.record.add(before, NOW)
    results = (TestResult("A", "failed"), TestResult("B", "warned"), TestResult("D", "warned"))
    end = step.judge(validated(results=results))
    assert isinstance(end, Done)
    assert "new: D (warning); gone: C (warning)" in end.why
    worse = step.judge(validated(results=(*results, TestResult("C", "failed"))))
    assert isinstance(worse, Stop)
    assert worse.problem.title.endswith("that did not fail before the update: C.")


def test_a_validation_that_is_made_is_not_made_again():
    step = Validate(context())
    step.outcome.made = validated(results=(TestResult("A", "passed"),))
    assert isinstance(step.decide(step.observe(FakeCluster({"HCI01": FakeShell({})})), NOW), Done)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("length", "text", "kept", "why"),
    [
        (100, [ROW.format("A", "SuccessImg")], "validation/before.htm", ""),
        (None, [ROW.format("A", "SuccessImg")], "validation/before.htm", ""),
        (MOST_BYTES + 1, [ROW.format("A", "SuccessImg")], "", "bytes"),
        (100, [], "", "nothing in it"),
    ],
)
def test_the_report_is_kept_beside_the_record_unless_it_is_too_large_or_gone(length, text, kept, why):
    shell = FakeShell({"Test-Cluster": [obj("V.htm", FullName=REPORT, Length=length)], "Get-Content": text})
    run, outcome = context(), Outcome()
    scene = Scene(FakeCluster({"HCI01": shell}), run.record, lambda: NOW)  # type: ignore[arg-type]
    RunValidation("validate", "before", "MGMT01", shell, outcome).perform(scene)
    assert outcome.made is not None
    assert (outcome.made.kept, outcome.made.found.report) == (kept, REPORT)
    assert why in outcome.made.not_kept
    assert ("validation/before.htm" in run.record.storage.list("validation")) is bool(kept)


def test_the_report_is_kept_without_secrets():
    record = RunRecord(MemoryStorage())
    record.keep("validation/before.htm", "<p>password=Secret123!</p>")
    assert "Secret123!" not in record.storage.read("validation/before.htm")


def test_without_a_machine_that_reaches_the_nodes_there_is_no_validation():
    step = Validate(context())
    end = step.decide(replace(_no_facts(), reach=Reach(why="the cluster has no management_host")), NOW)
    assert isinstance(end, Stop)
    assert "has no management_host" in end.problem.title


def _no_facts() -> Any:
    return Validate(context()).observe(FakeCluster({"HCI01": FakeShell({})}))  # type: ignore[arg-type]


# --- remote management ---------------------------------------------------------------------------------------------------

OPEN, CLOSED = (FirewallRule("R1", True),), (FirewallRule("R1", False),)


def remoting(
    own: tuple[FirewallRule, ...] = OPEN,
    shutdown: tuple[FirewallRule, ...] = OPEN,
    start: str = "Automatic",
    *,
    listens: bool = True,
    lets_in: bool = True,
) -> RemotingFacts:
    return RemotingFacts(RemoteManagement(Service("WinRM", "Running", start), listens, lets_in), own, shutdown)


@pytest.mark.parametrize(
    ("facts", "command"),
    [
        (remoting(start="Manual"), "Set-WSManQuickConfig"),
        (remoting(listens=False), "Set-WSManQuickConfig"),
        (remoting(own=CLOSED), "Set-WSManQuickConfig"),
        (remoting(own=CLOSED, shutdown=CLOSED, lets_in=False), "Set-WSManQuickConfig"),
        (remoting(lets_in=False), "Enable-PSRemoting"),
        (remoting(shutdown=CLOSED, lets_in=False), "Enable-PSRemoting"),
        (remoting(shutdown=CLOSED), "Set-NetFirewallRule"),
    ],
)
def test_what_is_lacking_is_set_up_in_the_order_of_the_vendor(facts, command):
    decision = Remoting(context(), "HCI01").decide(facts, NOW)
    assert isinstance(decision, Act)
    assert decision.action.describe().startswith(command)


def test_another_rule_of_winrm_may_stay_disabled():
    rules = (*OPEN, FirewallRule("WINRM-HTTP-In-TCP-NoScope", False, ("Domain",)))
    assert isinstance(Remoting(context(), "HCI01").decide(remoting(own=rules), NOW), Done)


def test_every_rule_for_remote_restarts_has_to_be_enabled():
    rules = (*OPEN, FirewallRule("R2", False, ("Domain",)))
    assert isinstance(Remoting(context(), "HCI01").decide(remoting(shutdown=rules), NOW), Act)


def test_a_command_that_changes_nothing_is_given_twice_and_then_left_to_a_person():
    step, facts = Remoting(context(), "HCI01"), remoting(shutdown=CLOSED)
    shell = FakeShell({})
    scene = Scene(FakeCluster({"HCI01": shell}), step.context.record, lambda: NOW)  # type: ignore[arg-type]
    for _ in range(2):
        decision = step.decide(facts, NOW)
        assert isinstance(decision, Act)
        decision.action.perform(scene)
    end = step.decide(facts, NOW)
    assert isinstance(end, Stop)
    assert "a group policy may say otherwise" in end.problem.meaning
    [change] = step.context.record.facts.changes
    assert (change.kind, change.before) == ("firewall-group", show_rules(CLOSED))
