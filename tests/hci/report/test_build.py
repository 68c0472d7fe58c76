from __future__ import annotations

import json
from datetime import timedelta

import pytest

from include.hci.report import events as ev
from include.hci.report.build import build_report, report_of
from include.hci.report.model import NodeReport, RunReport
from include.hci.report.record import Entry
from include.hci.report.values import Check, Problem, UpdateRef
from tests.hci.report.example import (
    CUMULATIVE,
    FRAMEWORK,
    GUID,
    NEW,
    NODES,
    OLD,
    START,
    Night,
    bad,
    begin,
    drain,
    failed_night,
    good,
    quiet_night,
    update_well,
)


def report(night: Night) -> RunReport:
    return report_of(night.record, night.now)


def node(found: RunReport, name: str) -> NodeReport:
    return next(item for item in found.nodes if item.name == name)


def finish(night: Night, **concluded: object) -> RunReport:
    night.after(1, ev.LockReleased(guid=GUID))
    night.after(1, ev.Concluded.model_validate(concluded))
    return report(night)


def test_a_night_with_a_failure_is_told_as_it_was():
    found = report(failed_night())
    assert (found.outcome, found.cluster, found.started_by) == ("failed", "BER-CLU01", "schedule")
    assert found.headline.startswith(
        "Of 4 nodes: 1 failed, 2 updated, 1 not started. vm-03-2 was not Online for a while. KB5046616 failed on"
    )
    assert [(item.name, item.outcome) for item in found.nodes] == [
        ("HCI03", "updated"), ("HCI01", "updated"), ("HCI02", "failed"), ("HCI04", "not-started"),
    ]  # fmt: skip
    well, failed, waiting = node(found, "HCI03"), node(found, "HCI02"), node(found, "HCI04")
    assert (well.build_before, well.build_after, well.restarts, well.resumed) == (OLD, NEW, 1, True)
    assert [(update.kb, update.result) for update in well.updates] == [
        ("KB5046616", "succeeded"),
        ("KB5045993", "succeeded"),
    ]
    assert (failed.build_after, failed.restarts, failed.taken_out, failed.resumed) == (OLD, 0, True, True)
    assert (failed.error, failed.failed_step) == ("KB5046616 failed on HCI02 after 3 tries.", "install")
    assert [(update.result, update.hresult) for update in failed.updates] == [
        ("failed", "0x800F0922"), ("succeeded", "0x00000000"),
    ]  # fmt: skip
    assert failed.updates[0].meaning
    assert [(update.result, update.hresult) for update in waiting.updates] == [("not-started", None)] * 2
    assert (waiting.taken_out, waiting.resumed, waiting.error) == (False, False, None)
    assert (found.lock.guid, found.lock.released) == (GUID, True)
    assert [undone.node for undone in found.undone] == ["HCI02"]
    assert [left.command for left in found.left] == ["Enable-CauClusterRole -ClusterName BER-CLU01 -Force"]
    assert found.plan is not None
    assert (found.plan.approved_by, found.plan.order, found.plan.max_failed_nodes) == ("j.doe", NODES, 0)
    assert found.storage_before is not None
    assert found.storage_after is not None
    assert [disk.health for disk in found.storage_after.virtual_disks] == ["Healthy", "Warning", "Healthy"]


def test_the_json_has_the_keys_that_readers_rely_on():
    data = json.loads(report(failed_night()).to_text())
    assert next(iter(data)) == "schema"
    assert {key: data[key] for key in ("schema", "run_id", "cluster", "outcome", "lock")} == {
        "schema": 1,
        "run_id": "scheduled__2026-11-03T01:00:00+00:00",
        "cluster": "BER-CLU01",
        "outcome": "failed",
        "lock": {"guid": GUID, "released": True},
    }
    first = data["nodes"][0]
    assert {key: first[key] for key in ("name", "outcome", "resumed", "restarts", "build_before", "build_after", "error")} == {
        "name": "HCI03", "outcome": "updated", "resumed": True, "restarts": 1,
        "build_before": OLD, "build_after": NEW, "error": None,
    }  # fmt: skip
    assert {key: first["updates"][0][key] for key in ("update_id", "kb", "title", "result", "hresult")} == {
        "update_id": CUMULATIVE.update_id, "kb": "KB5046616", "title": CUMULATIVE.title,
        "result": "succeeded", "hresult": "0x00000000",
    }  # fmt: skip
    assert (len(data["undone"]), len(data["left"])) == (1, 1)
    assert data["started_at"] == "2026-11-03T01:00:00Z"


def test_the_same_record_gives_the_same_report():
    night = failed_night()
    assert report(night).to_text() == report(night).to_text()


def test_a_run_that_found_nothing_touched_nothing():
    found = report(quiet_night())
    assert found.outcome == "nothing-to-do"
    assert found.headline == "All 4 nodes are up to date. Nothing was changed."
    assert {item.outcome for item in found.nodes} == {"nothing-to-install"}
    assert not any(item.taken_out or item.resumed or item.updates for item in found.nodes)


def test_a_run_in_which_every_node_ended_well_has_succeeded():
    night = Night()
    begin(night)
    for position, name in enumerate(NODES, 1):
        update_well(night, name, position, 10)
    found = finish(night)
    assert found.outcome == "succeeded"
    assert found.headline == "Of 4 nodes: 4 updated. 14 VMs moved, all Online at every reading."


PREFIXES = range(1, len(failed_night().record.events()))


@pytest.mark.parametrize("length", PREFIXES)
def test_a_run_cut_off_anywhere_shows_what_it_may_have_left_and_never_claims_success(length: int):
    entries = failed_night().record.events()[:length]
    live = build_report(entries, entries[-1].at)
    assert live.outcome == "running"
    ended = build_report((*entries, concluded_after(entries[-1])), entries[-1].at)
    assert ended.outcome == "failed"
    left = " ".join(item.what for item in ended.left)
    for name in NODES:
        announced = [entry.name for entry in entries if entry.node == name and entry.name in ("pausing", "resumed")]
        is_out = bool(announced) and announced[-1] == "pausing"
        assert (f"{name} may still be paused" in left) is is_out
        assert (
            node(ended, name).resumed is ("resumed" in announced)
            if name in [item.name for item in ended.nodes]
            else True
        )
    locked = any(entry.name == "lock_taking" for entry in entries) and not any(
        e.name == "lock_released" for e in entries
    )
    assert ended.lock.released is not locked
    assert (GUID in left) is locked


def concluded_after(last: Entry) -> Entry:
    return Entry(
        at=last.at + timedelta(seconds=1),
        sequence=last.sequence + 1,
        file="events/z",
        step="conclude",
        node=None,
        kind="outcome",
        name="concluded",
        data={},
        event=ev.Concluded(),
    )


def test_a_node_left_in_maintenance_mode_is_named_with_the_command_that_ends_it():
    night = Night()
    begin(night)
    night.after(1, ev.MaintenanceEntering(node="HCI03"))
    found = finish(night)
    assert "HCI03 | Disable-StorageMaintenanceMode" in (found.left[0].command or "")
    assert found.outcome == "failed"


def test_what_the_run_noted_as_left_is_not_told_twice():
    night = Night()
    begin(night)
    night.after(1, ev.Pausing(node="HCI03"))
    night.after(
        1, ev.Left(node="HCI03", what="HCI03 is still paused: it does not answer.", command="Resume-ClusterNode")
    )
    assert [left.what for left in finish(night).left] == ["HCI03 is still paused: it does not answer."]


@pytest.mark.parametrize(
    ("events", "outcome", "error"),
    [
        (
            (ev.Skipped(step="turn", node="HCI03", reason="paused by somebody else"),),
            "skipped",
            "paused by somebody else",
        ),
        (
            (ev.Failed(step="drain", node="HCI03", problem=Problem(title="vm1 does not move")),),
            "failed",
            "vm1 does not move",
        ),
        (
            (
                ev.Failed(step="restart", node="HCI03", problem=Problem(title="did not come back")),
                ev.Failed(step="restart", node="HCI03", problem=Problem(title="still did not come back")),
                ev.Failed(step="resume", node="HCI03", problem=Problem(title="could not be resumed")),
            ),
            "failed",
            "still did not come back",
        ),
        (
            (
                ev.Failed(step="drain", node="HCI03", problem=Problem(title="an earlier turn")),
                ev.TurnGiven(node="HCI03", position=3, total=4),
                ev.Failed(step="resync", node="HCI03", problem=Problem(title="no bytes")),
            ),
            "failed",
            "no bytes",
        ),
        (
            (ev.Pausing(node="HCI03"), ev.InstallStarted(node="HCI03", install_pass=1)),
            "failed",
            "The run ended while HCI03 was installing: how that ended is not known.",
        ),
        (
            (ev.Pausing(node="HCI03"), ev.RestartOrdered(node="HCI03", boot_time_before=START)),
            "failed",
            "The run ended before HCI03 was seen to restart.",
        ),
        (
            (ev.Pausing(node="HCI03"), ev.Resumed(node="HCI03")),
            "failed",
            "KB5046616, KB5045993: not installed on HCI03.",
        ),
        (
            (ev.Pausing(node="HCI03"), ev.PauseRefused(node="HCI03")),
            "failed",
            "KB5046616, KB5045993: not installed on HCI03.",
        ),
        (
            (
                ev.Pausing(node="HCI03"),
                ev.InstallStarted(node="HCI03", install_pass=1),
                ev.InstallFinished(node="HCI03", install_pass=1, results=(bad(CUMULATIVE), good(FRAMEWORK))),
                ev.Resumed(node="HCI03"),
            ),
            "failed",
            "KB5046616: not installed on HCI03.",
        ),
        (
            (
                ev.Pausing(node="HCI03"),
                ev.InstallStarted(node="HCI03", install_pass=1),
                ev.InstallFinished(node="HCI03", install_pass=1, results=(bad(CUMULATIVE), good(FRAMEWORK))),
                ev.InstallStarted(node="HCI03", install_pass=2),
                ev.InstallFinished(node="HCI03", install_pass=2, results=(good(CUMULATIVE),)),
                ev.Resumed(node="HCI03"),
            ),
            "updated",
            None,
        ),
    ],
)
def test_what_became_of_a_node(events: tuple[ev.RunEvent, ...], outcome: str, error: str | None):
    night = Night()
    begin(night)
    for event in events:
        night.after(5, event)
    found = node(finish(night), "HCI03")
    assert (found.outcome, found.error) == (outcome, error)


def test_a_node_that_failed_and_was_then_updated_in_another_turn_is_updated():
    night = Night()
    begin(night)
    drain(night, "HCI03", 1)
    night.after(9, ev.Failed(step="install", node="HCI03", problem=Problem(title="no")))
    update_well(night, "HCI03", 1, 10)
    found = node(report(night), "HCI03")
    assert (found.outcome, found.error, found.problem) == ("updated", None, None)


@pytest.mark.parametrize(("remaining", "outcome"), [((), "updated"), ((FRAMEWORK,), "failed")])
def test_an_update_that_was_replaced_by_another_one_is_not_missing(remaining: tuple[UpdateRef, ...], outcome: str):
    night = Night()
    begin(night)
    night.after(1, ev.Pausing(node="HCI03"))
    night.after(1, ev.InstallStarted(node="HCI03", install_pass=1))
    night.after(1, ev.InstallFinished(node="HCI03", install_pass=1, results=(good(CUMULATIVE),)))
    night.after(1, ev.Resumed(node="HCI03"))
    night.after(1, ev.Verified(node="HCI03", remaining=remaining))
    assert node(finish(night), "HCI03").outcome == outcome


def test_a_refused_pause_took_nothing_out_of_service():
    night = Night()
    begin(night)
    night.after(1, ev.Pausing(node="HCI03"))
    night.after(1, ev.PauseRefused(node="HCI03", why="storage degraded", code="5987"))
    found = node(finish(night), "HCI03")
    assert (found.taken_out, found.resumed) == (False, False)


def test_a_refusal_before_anything_was_touched_says_why():
    night = Night()
    checks = (
        Check(id="lock", status="passed", evidence="free"),
        Check(
            id="quorum",
            status="failed",
            severity="critical",
            evidence="Losing one node would lose quorum",
            remediation="Add a witness.",
            refused=True,
        ),
    )
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=NODES))
    night.after(1, ev.ReadinessChecked(checks=checks))
    night.after(1, ev.Concluded())
    found = report(night)
    assert (found.outcome, found.lock.guid, found.lock.released) == ("failed", None, True)
    assert found.headline == "Of 4 nodes: 4 not started. Losing one node would lose quorum."


def test_a_plan_that_was_refused_is_a_cancelled_run():
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=NODES))
    night.after(1, ev.Planned(order=NODES))
    night.after(1, ev.Approved(by="j.doe", accepted=False))
    night.after(1, ev.Concluded())
    found = report(night)
    assert (found.outcome, found.headline.split(". ")[-1]) == ("cancelled", "The plan was refused by j.doe.")
    assert found.plan is not None
    assert found.plan.approved_by is None


def test_a_run_that_missed_its_window_is_called_so_and_says_why():
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=NODES))
    night.after(0, ev.WindowMissed(due=START, why="This run was due at 03:00 and began 9 h late."))
    night.after(1, ev.Concluded(why="The run ended before it took the lock; nothing was changed."))
    found = report(night)
    assert (found.outcome, found.headline) == ("missed", "This run was due at 03:00 and began 9 h late.")
    assert {item.outcome for item in found.nodes} == {"not-started"}


def test_a_run_that_failed_before_it_was_cleared_too_late_has_still_failed():
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=NODES))
    night.after(0, ev.Failed(step="readiness", problem=Problem(title="The storage is not healthy.")))
    night.after(600, ev.WindowMissed(due=START, why="late"))
    assert finish(night).outcome == "failed"


def test_a_cancelled_run_is_called_so():
    night = Night()
    begin(night)
    assert finish(night, cancelled=True, why="Stopped by j.doe.").outcome == "cancelled"


@pytest.mark.parametrize(
    ("mode", "updates", "problem", "outcome"),
    [
        ("plan-only", {"HCI01": (CUMULATIVE,)}, None, "planned"),
        ("stage-only", {"HCI01": (CUMULATIVE,)}, None, "staged"),
        ("plan-only", {"HCI01": ()}, None, "nothing-to-do"),
        ("stage-only", {"HCI01": (CUMULATIVE,)}, "HCI01 could not download.", "failed"),
        ("update", {"HCI01": (CUMULATIVE,)}, None, "failed"),
    ],
)
def test_a_run_that_was_not_to_go_all_the_way_ends_well_where_it_was_to_end(mode, updates, problem, outcome):
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=NODES, mode=mode))
    night.after(1, ev.Planned(order=NODES, updates=updates))
    if problem:
        night.after(1, ev.Failed(step="stage", node="HCI01", problem=Problem(title=problem)))
    assert finish(night).outcome == outcome


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ((), "1 not started."),
        ((ev.OperatorAsked(action="pause", by="ada"),), "Goes on to its next pause point, as asked by ada"),
        ((ev.Held(step="drain", node="HCI01", point="before-drain", why="x"),), "Held at HCI01 (before drain)."),
        ((ev.OperatorAsked(action="cancel", by="ada", comment="too late"),), "Being cancelled by ada"),
    ],
)
def test_a_run_that_goes_on_says_what_people_asked_of_it(asked, says):
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("HCI01",)))
    for event in asked:
        night.after(1, event)
    assert says in report(night).headline


def test_a_run_stopped_as_a_whole_has_failed_with_its_problem():
    night = Night()
    begin(night)
    for position, name in enumerate(NODES, 1):
        update_well(night, name, position, 10)
    night.after(1, ev.Failed(step="verify", problem=Problem(title="Builds differ.", next_action="Look.")))
    found = finish(night)
    assert found.outcome == "failed"
    assert found.headline == "Of 4 nodes: 4 updated. 14 VMs moved, all Online at every reading. Builds differ."


def test_a_run_that_goes_on_says_which_node_is_at_it():
    night = Night()
    begin(night)
    update_well(night, "HCI03", 1, 10)
    drain(night, "HCI01", 2)
    found = report(night)
    assert (found.outcome, found.ended_at, found.left) == ("running", None, ())
    assert [item.outcome for item in found.nodes] == ["updated", "in-progress", "not-started", "not-started"]


def test_what_is_still_offered_and_what_was_left_out_is_told():
    night = Night()
    begin(night)
    update_well(night, "HCI03", 1, 10)
    night.after(1, ev.Verified(node="HCI03", build=NEW, remaining=(UpdateRef(update_id="x", title="Defender"),)))
    found = node(report(night), "HCI03")
    assert [update.title for update in found.remaining] == ["Defender"]
    assert [update.why for update in found.excluded] == ["a feature update is never part of an updating run"]


def test_parts_of_the_record_that_cannot_be_read_are_told():
    night = quiet_night()
    night.record.storage.write("events/broken.json", "{")
    assert [part.partition(":")[0] for part in report(night).unreadable] == ["events/broken.json"]


def test_an_empty_record_is_a_report_as_well():
    night = Night()
    found = report_of(night.record, START, run_id="r", cluster="c")
    assert (found.run_id, found.cluster, found.outcome, found.nodes, found.started_at) == (
        "r",
        "c",
        "running",
        (),
        None,
    )


def test_updates_that_wait_for_their_restart_are_not_done():
    night = Night()
    begin(night)
    drain(night, "HCI03", 1)
    night.after(3, ev.InstallStarted(node="HCI03", install_pass=1, updates=(CUMULATIVE,)))
    night.after(900, ev.InstallFinished(node="HCI03", install_pass=1, results=(good(CUMULATIVE, reboot=True),)))
    night.after(5, ev.Resumed(node="HCI03"))
    found = node(finish(night), "HCI03")
    assert found.outcome == "failed"
    assert found.error == "The updates on HCI03 are installed, but the restart that finishes them was not made."


def test_a_lock_that_was_named_as_left_is_not_named_twice():
    night = Night()
    begin(night)
    night.after(
        5, ev.Left(node=NODES[0], what=f"the run lock on {NODES[0]}", why="the node is Down", command="Remove it")
    )
    night.after(1, ev.Concluded())
    told = [left.what for left in report(night).left]
    assert told[0] == f"the run lock on {NODES[0]}"
    assert not any(NODES[0] in what for what in told[1:])


def test_what_a_run_had_left_is_not_left_any_more_once_it_was_made_safe():
    night = Night()
    begin(night)
    night.after(1, ev.Pausing(node="HCI03"))
    night.after(1, ev.Left(node="HCI03", what="HCI03 is paused by this run", why="it is Down"))
    night.after(1, ev.LockReleased(guid="x"))
    night.after(1, ev.Concluded())
    assert [left.what for left in report(night).left] == ["HCI03 is paused by this run"]
    night.after(60, ev.Resumed(node="HCI03"))
    assert report(night).left
    night.after(1, ev.Concluded(why="HCI03 was resumed"))
    # A run that had left something has not succeeded.
    assert (report(night).left, report(night).outcome) == ((), "failed")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([], ["in-progress", "in-progress"]),
        ([("HCI03", 1, [good(CUMULATIVE)], None)], ["succeeded", "in-progress"]),
        ([("HCI03", 2, [good(CUMULATIVE)], True)], ["succeeded", "not-started"]),
    ],
    ids=["nothing was heard", "a scan told of one of them", "a later install answered for all"],
)
def test_an_install_of_which_nobody_heard_the_end_is_not_called_not_started(answers, expected):
    night = Night()
    begin(night)
    night.after(1, ev.InstallStarted(node="HCI03", install_pass=1, updates=(CUMULATIVE, FRAMEWORK)))
    for name, number, results, restart in answers:
        done = ev.InstallFinished(node=name, install_pass=number, results=tuple(results), restart_needed=restart)
        night.after(1, done)
    found = node(finish(night), "HCI03")
    assert [update.result for update in found.updates] == expected
    unheard = [update for update in found.updates if update.result == "in-progress"]
    assert all("nobody heard" in str(update.meaning) for update in unheard)
