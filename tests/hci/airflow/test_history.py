from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from include.hci.airflow.history import RUNS, keep_history, read_history
from include.hci.airflow.storage import open_cluster_storage
from include.hci.policy.estimates import FIRST_GUESS, estimate_node_range
from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.history import phase_seconds
from include.hci.report.spent import time_with_people
from include.hci.report.values import Problem
from tests.hci.report.example import CUMULATIVE, NODES, Night, begin, failed_night, good, quiet_night, update_well


@pytest.fixture(autouse=True)
def reports(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())


def night(run: int = 0):
    made = Night()
    begin(made)
    for position, name in enumerate(NODES, 1):
        update_well(made, name, position, 10 + run)
    return report_of(made.record, made.now, f"run-{run}", "demo")


def test_only_nodes_that_were_updated_teach_how_long_a_phase_takes():
    seconds = phase_seconds(night(), ("drain", "install"))
    assert len(seconds["drain"]) == len(NODES)
    assert all(value > 0 for value in seconds["install"])
    unfinished = failed_night()
    found = phase_seconds(report_of(unfinished.record, unfinished.now), ("install",))
    assert len(found["install"]) < len(NODES)


def held_night(hours: float) -> Night:
    """Return a night in which a person lets one node go on after so many hours at each of its pause points."""
    made, node = Night(), NODES[0]

    def hold(step: ev.StepName, point: ev.PausePoint) -> None:
        made.after(1, ev.Held(step=step, node=node, point=point, why="held"))
        made.wait(0, step, node, "held")
        made.after(hours * 3600, ev.OperatorAsked(action="continue", by="op1"))

    begin(made)
    made.after(1, ev.TurnGiven(node=node, position=1, total=4))
    hold("drain", "before-drain")
    made.after(1, ev.Pausing(node=node))
    made.after(200, ev.Drained(node=node))
    made.after(3, ev.InstallStarted(node=node, install_pass=1, updates=(CUMULATIVE,)))
    made.after(900, ev.InstallFinished(node=node, install_pass=1, results=(good(CUMULATIVE, reboot=True),)))
    hold("restart", "before-restart")
    made.after(4, ev.RestartOrdered(node=node, boot_time_before=made.now, why="it asks for it"))
    made.after(500, ev.Restarted(node=node, boot_time=made.now + timedelta(seconds=300)))
    made.after(4, ev.Resuming(node=node))
    made.after(25, ev.Resumed(node=node))
    made.wait(2, "resync", node, "the storage is not whole")
    made.after(600, ev.Decided(step="resync", node=node, decision="wait", why="a few more reads"))
    hold("resync", "after-resume")
    made.after(1, ev.Resynced(node=node, gib=10, seconds=600))
    return made


def test_the_hours_in_which_a_person_held_the_run_say_nothing_about_how_long_a_phase_takes():
    seconds = [
        phase_seconds(report_of(made.record, made.now), FIRST_GUESS, time_with_people(made.record.events(), made.now))
        for made in (held_night(0), held_night(9))
    ]
    assert seconds[0] == seconds[1]
    assert set(seconds[0]) == set(FIRST_GUESS)
    held = held_night(9)
    blown_up = phase_seconds(report_of(held.record, held.now), FIRST_GUESS)
    assert {phase for phase, (value,) in blown_up.items() if value > 9 * 3600} == {"drain", "restart", "resync"}


def test_a_phase_that_went_wrong_at_first_says_nothing_about_how_long_it_takes():
    made = Night()
    begin(made)
    made.after(1, ev.TurnGiven(node=NODES[0], position=1, total=4))
    made.wait(1, "resync", NODES[0], "the storage is not whole")
    made.after(12 * 3600, ev.Failed(step="resync", node=NODES[0], problem=Problem(title="The storage does not move.")))
    update_well(made, NODES[0], 1, 10)
    seconds = phase_seconds(report_of(made.record, made.now), ("install", "resync"))
    assert set(seconds) == {"install"}


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"drain": ["soon"]}', '{"drain": 7}'])
def test_a_file_of_the_history_that_cannot_be_read_keeps_no_run_from_being_planned(text):
    keep_history("demo", night())
    before = read_history("demo")
    open_cluster_storage("demo").write("history+/20990101T000000-broken.json", text)
    assert read_history("demo") == before


def test_the_last_runs_are_remembered_oldest_first_and_empty_ones_are_not():
    first = night()
    idle = quiet_night()
    keep_history("demo", report_of(idle.record, idle.now))
    assert read_history("demo") == {}
    for run in range(RUNS + 2):
        moved = {"run_id": f"run-{run}", "started_at": first.started_at + timedelta(days=run)}
        keep_history("demo", _with(night(run), moved))
    seen = read_history("demo")
    assert len(seen["install"]) == RUNS * len(NODES)
    assert estimate_node_range(seen).from_history
    assert read_history("other") == {}


def _with(report, changes: dict[str, str | datetime]):
    from dataclasses import replace

    return replace(report, **changes)
