"""The calendar at a node's turn: windows, blackouts and stop_after, in the decision and over whole simulated runs."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from include.hci.report import events as ev
from include.hci.settings import RunOptions
from include.hci.steps.decisions import Act, Done, Stop, Wait
from include.hci.steps.drain import Drain
from include.hci.steps.turn import Turn
from include.simulator.world.spec import demo_world
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.facts import DRAINED, ME, NOW, context, others, plan
from tests.hci.steps.judging import locks, outcomes, report, violations, world_nodes
from tests.hci.steps.test_decisions import drain, turn

# NOW is a Tuesday, 01:00 UTC; a node takes two hours at the most where nothing is known.
OPEN = {"days_of_week": ["MON"], "opens": "22:00", "duration": "06:00:00", "timezone": "UTC"}
CLOSING = OPEN | {"duration": "04:30:00"}
SHUT = OPEN | {"days_of_week": ["SAT"]}
DARK = {"begins": "2026-11-03", "timezone": "UTC", "reason": "closing of the books"}
SOON = {"begins": "2026-11-03 02:00", "ends": "2026-11-03 04:00", "timezone": "UTC"}


@pytest.mark.parametrize(
    ("options", "outcome", "why"),
    [
        ({}, "go", "may leave"),
        ({"windows": [OPEN]}, "go", "may leave"),
        ({"windows": [SHUT]}, "parked", "no maintenance window is open"),
        ({"windows": [CLOSING]}, "parked", "the window closes"),
        ({"windows": [SHUT, OPEN]}, "go", "may leave"),
        ({"blackouts": [DARK]}, "parked", "closing of the books"),
        ({"windows": [OPEN], "blackouts": [SOON]}, "parked", "a blackout begins"),
        ({"stop_after": "01:30:00"}, "go", "may leave"),
        ({"stop_after": "01:00:00"}, "parked", "stop_after"),
    ],
)
def test_a_node_is_begun_only_when_the_calendar_leaves_room_for_it(options, outcome, why):
    step = Turn(
        dataclasses.replace(context(), options=RunOptions.model_validate({"max_failed_nodes": 1, **options})), ME
    )
    facts = turn(began_at=NOW - timedelta(hours=1))
    decision = step.decide(facts, NOW)
    assert isinstance(decision, Done)
    assert decision.outcome == outcome
    assert why in decision.why
    events = step.events(facts, decision)
    assert [type(event) for event in events] == ([ev.TurnGiven] if outcome == "go" else [ev.Parked, ev.Skipped])


def test_a_node_for_which_no_window_is_ever_long_enough_fails_the_run_instead_of_parking_it_for_ever():
    options = RunOptions.model_validate({"max_failed_nodes": 1, "windows": [CLOSING]})
    facts = turn(plan=plan(longest_node=timedelta(hours=13)))
    decision = Turn(dataclasses.replace(context(), options=options), ME).decide(facts, NOW)
    assert isinstance(decision, Stop)
    assert "a node takes up to 13 h" in decision.problem.title
    assert "Lengthen the 'duration' of a window" in decision.problem.next_action
    assert decision.problem.retry_is_safe is False


@pytest.mark.parametrize(
    ("let_go", "options", "outcome"),
    [
        (True, {"windows": [SHUT]}, "parked"),
        (True, {"windows": [OPEN]}, "act"),
        (True, {"stop_after": "00:30:00"}, "parked"),
        # Seconds after its turn nothing has changed: what the turn allowed is not asked for once more.
        (False, {"windows": [SHUT]}, "act"),
    ],
)
def test_a_node_that_a_person_has_held_is_drained_only_while_there_is_still_room_for_it(let_go, options, outcome):
    step = Drain(
        dataclasses.replace(context(), options=RunOptions.model_validate({"max_failed_nodes": 1, **options})), ME
    )
    facts = drain(let_go=let_go, began_at=NOW - timedelta(hours=1))
    decision = step.decide(facts, NOW)
    assert (decision.outcome if isinstance(decision, Done) else "act" if isinstance(decision, Act) else "") == outcome
    if isinstance(decision, Done):
        assert [type(event) for event in step.events(facts, decision)] == [ev.Parked, ev.Skipped]


def test_a_node_that_is_out_of_service_already_is_brought_to_its_end_whatever_the_calendar_says():
    options = RunOptions.model_validate({"max_failed_nodes": 1, "windows": [SHUT]})
    facts = turn(nodes=(DRAINED, *others()), ours=frozenset({ME.lower()}))
    decision = Turn(dataclasses.replace(context(), options=options), ME).decide(facts, NOW)
    assert isinstance(decision, Done)
    assert decision.outcome == "go"


# The simulated runs begin on a Saturday at 20:00 UTC.
WINDOW = {"days_of_week": ["SAT"], "opens": "20:00", "duration": "03:30:00", "timezone": "UTC"}


def test_a_run_parks_when_its_window_closes_and_the_next_one_goes_on(simulate):
    simulation = simulate(demo_world(3), 5)
    options = RunOptions.model_validate({"max_failed_nodes": 0, "windows": [WINDOW]})
    first = Coordinator(simulation, options)
    first.run()
    assert violations(first) == []
    done = report(first)
    assert done.outcome == "parked"
    assert "the window closes at" in done.headline
    states = list(outcomes(first).values())
    assert states.count("updated") >= 1
    assert set(states) == {"updated", "skipped"}
    assert set(world_nodes(first).values()) == {"Up"}
    assert locks(first) == []

    simulation.sleep(timedelta(days=7) - (simulation.now() - done.started_at))
    second = Coordinator(simulation, options, run_id="run-2")
    second.run()
    assert violations(second) == []
    assert report(second).outcome == "succeeded"
    assert {node.name for node in report(second).nodes if node.outcome == "updated"} == {
        name for name, outcome in outcomes(first).items() if outcome == "skipped"
    }


def test_a_run_that_is_let_go_after_its_window_has_closed_takes_no_node_out(simulate):
    simulation = simulate(demo_world(2))
    options = RunOptions.model_validate({"max_failed_nodes": 0, "windows": [WINDOW], "pause_points": ["before-drain"]})
    run = Coordinator(simulation, options)

    def go_home(name, node, decision):
        if isinstance(decision, Wait) and decision.why.startswith("held"):
            simulation.sleep(timedelta(hours=9))
            run.record.add(ev.OperatorAsked(action="continue", by="ada"), simulation.now())

    run.watch = go_home
    run.run()
    assert violations(run) == []
    assert report(run).outcome == "parked"
    assert set(outcomes(run).values()) == {"skipped"}
    assert set(world_nodes(run).values()) == {"Up"}
    assert not any("Suspend-ClusterNode" in pipeline.describe() for _, pipeline in simulation.commands)


def test_a_blackout_lets_nothing_begin(simulate):
    dark = {"begins": "2026-11-07", "timezone": "UTC"}
    run = Coordinator(simulate(demo_world(2)), RunOptions.model_validate({"max_failed_nodes": 0, "blackouts": [dark]}))
    run.run()
    assert violations(run) == []
    assert report(run).outcome == "parked"
    assert not any("Suspend-ClusterNode" in pipeline.describe() for _, pipeline in run.simulation.commands)
