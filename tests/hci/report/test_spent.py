from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.model import TimeReport
from include.hci.report.values import UpdateRef
from tests.hci.report.example import Night, failed_night


def spent(*steps: tuple[float, ev.RunEvent], poll: float | None = None) -> TimeReport:
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A", "B"), poll_seconds=poll))
    for seconds, event in steps:
        night.after(seconds, event)
    found = report_of(night.record, night.now).time
    assert found is not None
    return found


def wait(node: str = "A", step: ev.StepName = "resync") -> ev.Decided:
    return ev.Decided(step=step, node=node, decision="wait", why="w")


def done(node: str = "A", step: ev.StepName = "resync") -> ev.Decided:
    return ev.Decided(step=step, node=node, decision="done", why="d", outcome="o")


def act(node: str = "A", step: ev.StepName = "scan") -> ev.Decided:
    return ev.Decided(step=step, node=node, decision="act", why="w", action="a")


@pytest.mark.parametrize(
    ("steps", "parts"),
    [
        # Between two tasks nothing happens.
        ([(60, ev.Concluded())], (0, 0, 60)),
        # What was announced goes on until something says that it is over.
        ([(10, ev.Pausing(node="A")), (90, ev.Drained(node="A")), (5, ev.Concluded())], (90, 0, 15)),
        # A wait is the cluster's.
        ([(10, wait()), (300, done()), (5, ev.Concluded())], (300, 0, 15)),
        # A command goes on until the step says the next thing.
        ([(10, act()), (40, done(step="scan")), (5, ev.Concluded())], (40, 0, 15)),
        # What goes on at the same time counts once.
        (
            [(10, act("A")), (10, act("B")), (30, done("A", "scan")), (10, done("B", "scan")), (5, ev.Concluded())],
            (50, 0, 15),
        ),
        # The approval is a person's, from the plan on.
        ([(10, ev.Planned(order=("A",))), (600, ev.Approved(by="ada")), (5, ev.Concluded())], (0, 600, 15)),
        # A run that nobody had to approve waits for nobody.
        ([(10, ev.Planned(order=("A",))), (600, ev.Concluded())], (0, 0, 610)),
        # So is a question of its own, up to its answer.
        (
            [
                (10, ev.PostAsked(step="approve_functional_level", identity="a")),
                (600, ev.PostAnswered(step="approve_functional_level", identity="a", by="ada", accepted=True)),
                (5, ev.Concluded()),
            ],
            (0, 600, 15),
        ),
        # A rolling update in between is the cluster's work.
        (
            [
                (10, ev.UpdatingBegun(step="further_updates", dag_id="d", started_run="r")),
                (
                    900,
                    ev.UpdatingEnded(step="further_updates", dag_id="d", started_run="r", state="success", good=True),
                ),
                (5, ev.Concluded()),
            ],
            (900, 0, 15),
        ),
        # Being held is a person's, whatever the step itself says.
        (
            [
                (10, ev.Held(step="drain", node="A", point="before-drain", why="ada")),
                (0, wait(step="drain")),
                (900, ev.OperatorAsked(action="continue", by="ada")),
                (10, done(step="drain")),
                (5, ev.Concluded()),
            ],
            (10, 900, 15),
        ),
        # What still lasts lasts until the end.
        ([(10, ev.Held(step="drain", node="A", point="before-drain", why="ada")), (50, ev.Concluded())], (0, 50, 10)),
    ],
)
def test_every_second_is_somebodys(steps, parts):
    found = spent(*steps)
    assert (found.cluster_seconds, found.people_seconds, found.coordinator_seconds) == parts
    assert found.wall_seconds == sum(parts)


def test_the_end_of_a_wait_is_seen_a_reading_later_at_most():
    steps = [(10, wait()), (300, done()), (10, wait("B")), (300, done("B"))]
    assert spent(*steps, poll=15).noticed_late_seconds == 30
    assert spent(*steps).noticed_late_seconds is None
    assert spent((1, wait()), (2, done()), poll=15).noticed_late_seconds == 2


def test_a_run_that_has_not_begun_has_no_time():
    night = Night()
    assert report_of(night.record, night.now).time is None


def test_the_coordinators_part_is_a_share_of_the_whole():
    assert spent((10, wait()), (90, done())).coordinator_percent == 10
    assert spent().coordinator_percent == 0


EVENTS = st.sampled_from(
    [
        wait(),
        done(),
        wait("B", "drain"),
        act(),
        act("B", "install"),
        ev.Pausing(node="A"),
        ev.Drained(node="A"),
        ev.PauseRefused(node="A"),
        ev.Held(step="drain", node="A", point="before-drain", why="x"),
        ev.OperatorAsked(action="continue", by="a"),
        ev.OperatorAsked(action="pause", by="a"),
        ev.Planned(order=("A",)),
        ev.Approved(by="a"),
        ev.Concluded(),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5000), EVENTS), max_size=25), st.floats(0, 60))
def test_whatever_happened_the_parts_add_up_and_none_is_negative(steps, poll):
    found = spent(*steps, poll=poll)
    parts = (found.cluster_seconds, found.people_seconds, found.coordinator_seconds)
    assert min(parts) >= -0.001
    assert abs(sum(parts) - found.wall_seconds) < 0.001
    assert found.noticed_late_seconds is not None
    assert 0 <= found.noticed_late_seconds <= found.cluster_seconds


def test_a_night_with_a_failure_adds_up_too():
    night = failed_night()
    found = report_of(night.record, night.now).time
    assert found is not None
    assert found.people_seconds == 60
    assert night.now - night.record.events()[0].at == timedelta(seconds=found.wall_seconds)


def test_a_question_that_nobody_has_answered_yet_is_people_s_time():
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A",), options={"require_approval": True}))
    night.after(10, ev.Planned(order=("A",), updates={"A": (UpdateRef(update_id="u"),)}))
    night.now += timedelta(hours=1)
    found = report_of(night.record, night.now).time
    assert found is not None
    assert (found.people_seconds, found.coordinator_seconds) == (3600, 10)
