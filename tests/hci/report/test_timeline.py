from __future__ import annotations

from datetime import timedelta

import pytest

from include.hci.report import events as ev
from include.hci.report.timeline import duration_text, node_timeline, progress_text, waits
from include.hci.report.values import Problem, Progress
from tests.hci.report.example import START, Night


def minutes(value: float) -> timedelta:
    return timedelta(minutes=value)


def test_steps_follow_each_other_and_a_wait_lasts_until_something_happens():
    night = Night()
    night.after(0, ev.Pausing(node="A"))
    night.after(60, ev.Drained(node="A"))
    night.after(60, ev.InstallStarted(node="A", install_pass=1))
    night.after(60, ev.Decided(step="install", node="A", decision="wait", why="installing"))
    night.after(60, ev.RestartOrdered(node="A", boot_time_before=START))
    end = START + minutes(10)
    found = node_timeline(night.record.events(node="A"), end)
    assert [(phase.step, phase.started_at - START, phase.ended_at - START, phase.state) for phase in found] == [
        ("drain", minutes(0), minutes(1), "done"),
        ("install", minutes(2), minutes(4), "unfinished"),
        ("restart", minutes(4), minutes(10), "unfinished"),
    ]
    assert found[1].waited_for == ("installing",)
    assert found[2].duration == minutes(6)


def test_a_step_that_failed_or_was_skipped_is_marked():
    night = Night()
    night.after(0, ev.Pausing(node="A"))
    night.after(60, ev.Failed(step="drain", node="A", problem=Problem(title="t")))
    night.after(60, ev.Skipped(step="install", node="A", reason="r"))
    night.after(60, ev.Decided(step="resume", node="A", decision="stop", why="x", problem=Problem(title="t")))
    found = node_timeline(night.record.events(node="A"), night.now)
    assert [phase.state for phase in found] == ["failed", "skipped", "failed"]


def test_waits_for_the_same_thing_are_one_wait_with_the_last_progress():
    night = Night()
    for number, done in enumerate((10, 20)):
        progress = Progress(subject="", done=done, total=100, unit="GiB")
        night.wait(60, "resync", "A", f"resync of Volume1: {number} min", progress)
    night.wait(60, "resync", "A", "waiting for three stable reads")
    night.wait(60, "turn", "B", "A is not finished")
    night.after(60, ev.Resynced(node="A"))
    found = waits(night.record.events(), START + minutes(9))
    assert [(wait.node, wait.why, wait.started_at - START, wait.duration, wait.progress) for wait in found] == [
        ("A", "resync of Volume1: 1 min", minutes(1), minutes(2), "20 of 100 GiB"),
        ("A", "waiting for three stable reads", minutes(3), minutes(2), ""),
        ("B", "A is not finished", minutes(4), minutes(5), ""),
    ]


def test_the_same_wait_at_another_time_is_another_wait():
    night = Night()
    night.wait(60, "drain", "A", "vm1 moves")
    night.after(60, ev.Decided(step="drain", node="A", decision="act", why="again"))
    night.wait(60, "drain", "A", "vm1 moves")
    assert len(waits(night.record.events(), night.now)) == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (200, "3 min 20 s"), (605, "10 min"), (3600, "1 h 00 min"),
     (7500, "2 h 05 min"), (97200, "1 d 03 h"), (-5, "0 s")],
)  # fmt: skip
def test_durations_are_said_as_people_say_them(seconds: float, text: str):
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (None, ""),
        (Progress(subject="resync of Volume2", done=412, total=1024, unit="GiB", per_second=3.1, seconds_left=197),
         "resync of Volume2: 412 of 1,024 GiB, 3.1 GiB/s, about 3 min 17 s left"),
        (Progress(subject="roles moved", done=1, total=2), "roles moved: 1 of 2"),
        (Progress(subject="", done=0.5, unit="GiB"), "0.5 GiB"),
        (Progress(subject="starting"), "starting"),
        (Progress(subject="x", done=0, total=5, per_second=0), "x: 0 of 5"),
    ],
)  # fmt: skip
def test_progress_is_said_in_words(progress: Progress | None, text: str):
    assert progress_text(progress) == text
