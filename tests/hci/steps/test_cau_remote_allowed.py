"""What a remote-updating run may do and when, and that the referee does not believe a report that says otherwise."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from include.hci.policy.plan import Plan
from include.hci.policy.plan_hash import plan_hash
from include.hci.report import events as ev
from include.hci.settings.profile import UpdatingRunProfile
from include.hci.steps.decisions import Done, Stop
from include.simulator.referee import judge
from include.simulator.world.spec import demo_world
from tests.hci.steps.cau_coordinator import CauCoordinator, options
from tests.hci.steps.judging import outcomes, report, violations

#: Simulated time begins on a Saturday at 20:00 UTC.
OPEN = {"days_of_week": ["SAT"], "opens": "19:00", "duration": "06:00:00", "timezone": "UTC"}
LATER = {"days_of_week": ["SUN"], "opens": "19:00", "duration": "06:00:00", "timezone": "UTC"}


def windows(*given: dict[str, object]) -> dict[str, object]:
    return {"windows": UpdatingRunProfile.model_validate({"windows": given}).windows}


def started(run: CauCoordinator) -> dict[str, object]:
    found = run.record.last(ev.CauRunStarting)
    return {} if found is None else dict(found.event.parameters)


def test_a_run_outside_the_windows_begins_nothing_and_says_when_it_may(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2, **windows(LATER)))
    run.run()
    found = report(run)
    assert (found.outcome, started(run)) == ("parked", {})
    assert "window" in found.headline
    parked = run.record.last(ev.Parked)
    assert parked is not None
    assert parked.event.next_opening is not None


def test_cau_is_told_to_stop_when_the_window_closes(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2, stop_after="12:00:00", **windows(OPEN)))
    assert isinstance(run.run(), Done)
    assert str(started(run)["StopAfter"]).startswith("4:5")  # from 20:0x to 01:00
    assert report(run).outcome == "succeeded"


def test_a_shorter_stop_after_is_kept(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2, stop_after="03:00:00", **windows(OPEN)))
    run.run()
    assert started(run)["StopAfter"] == "3:00:00"


@pytest.mark.parametrize("changed", [False, True])
def test_an_approval_holds_for_what_was_shown_and_for_nothing_else(simulate, changed):
    run = CauCoordinator(simulate(demo_world(2)), options(2, require_approval=True))

    def approve(name, node, decision):
        if name == "preview" and isinstance(decision, Done) and run.record.last(ev.Approved) is None:
            yes = ev.Approved(
                by="ada", plan_id=plan_hash(Plan.from_json(decision.details["plan"]), run.options.to_json())
            )
            run.record.add(yes, run.simulation.now())
            if changed:
                run.simulation.cluster.world.inject("node-already-current-on-node-2")

    run.watch = approve
    end = run.run()
    if changed:
        assert isinstance(end, Stop)
        assert "no longer offered" in end.problem.meaning
        assert started(run) == {}
        assert outcomes(run) == {"HCI01": "not-started", "HCI02": "not-started"}
    else:
        assert report(run).outcome == "succeeded"
    assert run.simulation.left == {}


@pytest.mark.parametrize(("node", "run_too", "said"), [
    ({"taken_out": False}, {}, "taken_out=False of HCI01; it was taken out"),
    ({"restarts": 0}, {}, "CAU restarted HCI01 0 times"),
    ({"outcome": "not-started"}, {"outcome": "failed"}, "HCI01 was not started; CAU took it out of service"),
    ({"updates": []}, {}, "leaves out"),
    ({}, {"outcome": "nothing-to-do"}, "there was nothing to do"),
])  # fmt: skip
def test_a_report_that_lies_about_what_cau_did_is_found_out(simulate, node, run_too, said):
    run = CauCoordinator(simulate(demo_world(2)), options(2))
    run.run()
    assert violations(run) == []
    claimed = json.loads(json.dumps(report(run).to_json()))
    claimed |= run_too
    claimed["nodes"][0] |= node
    found = [each.sentence for each in judge(run.simulation.cluster.journal.entries, claimed)]
    assert any(said in sentence for sentence in found), found


def test_a_report_that_calls_a_failed_run_of_caus_a_success_is_found_out(simulate):
    run = CauCoordinator(simulate(demo_world(2), 0, "install-fails-on-node-1"), options(2, max_retries_per_node=0))
    run.run()
    assert violations(run) == []
    claimed = json.loads(json.dumps(report(run).to_json()))
    claimed["outcome"] = "succeeded"
    for node in claimed["nodes"]:
        node["outcome"] = "updated"
    found = " ".join(each.sentence for each in judge(run.simulation.cluster.journal.entries, claimed))
    assert "CAU's run ended" in found
    assert "CAU's last word on it was failed" in found


def test_a_report_of_a_run_that_cau_still_works_on_is_found_out(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2))
    claims: list[str] = []

    def watch(name, node, decision):
        if name == "run_cau" and "HCI01 Installing" in str(decision) and not claims:
            early = report(run).to_json()
            early["outcome"] = "failed"
            entries = run.simulation.cluster.journal.entries
            claims.extend(each.sentence for each in judge(entries, json.loads(json.dumps(early))))
            run.simulation.sleep(timedelta(seconds=1))

    run.watch = watch
    run.run()
    assert any("CAU's run still goes on" in claim for claim in claims)
