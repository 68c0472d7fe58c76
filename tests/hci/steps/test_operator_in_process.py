"""What an operator asks of a run in its midst, over a simulated cluster on a virtual clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.hci.report import events as ev
from include.hci.settings import RunOptions
from include.hci.steps.decisions import Done, Wait
from include.simulator.world.spec import demo_world
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.judging import locks, report, violations, world_nodes


def ask(run: Coordinator, action: str) -> None:
    run.record.add(ev.OperatorAsked(action=action, by="ada"), run.simulation.now())


@pytest.mark.parametrize(("point", "step"), [("before-drain", "drain"), ("before-restart", "restart")])
def test_a_run_is_held_at_its_pause_points_until_somebody_lets_it_go_on(simulate, point, step):
    run = Coordinator(simulate(demo_world(2)), RunOptions(max_failed_nodes=0, pause_points=(point,)))
    held: dict[str, int] = {}

    def wait_a_day(name, node, decision):
        if isinstance(decision, Wait) and decision.why.startswith("held"):
            assert name == step
            held[node] = held.get(node, 0) + 1
            run.simulation.sleep(timedelta(hours=6))
            if held[node] % 4 == 0:
                ask(run, "continue")

    run.watch = wait_a_day
    assert isinstance(run.run(), Done)
    assert violations(run) == []
    assert report(run).outcome == "succeeded"
    assert held == {"HCI01": 4, "HCI02": 4}


def test_a_pause_between_two_nodes_leaves_every_node_in_service(simulate):
    run = Coordinator(simulate(demo_world(2)))
    seen: list[set[str]] = []

    def watch(name, node, decision):
        if (name, node) == ("resume", "HCI01") and isinstance(decision, Done):
            ask(run, "pause")
        if isinstance(decision, Wait) and decision.why.startswith("held"):
            seen.append(set(world_nodes(run).values()))
            assert (name, node) == ("resync", "HCI01")
            ask(run, "continue")

    run.watch = watch
    assert isinstance(run.run(), Done)
    assert violations(run) == []
    assert seen == [{"Up"}]


@pytest.mark.parametrize(
    ("step", "first", "second", "restarts"),
    [
        ("turn", "skipped", "skipped", 0),
        ("drain", "skipped", "skipped", 0),
        ("install", "updated", "skipped", 2),
        ("restart", "updated", "skipped", 2),
        ("resync", "updated", "skipped", 2),
    ],
)
def test_cancelling_brings_the_present_node_to_a_safe_end_and_begins_no_other(simulate, step, first, second, restarts):
    run = Coordinator(simulate(demo_world(3)))

    def cancel(name, node, decision):
        if run.record.facts.cancel is None and name == step and isinstance(decision, Done):
            ask(run, "cancel")

    run.watch = cancel
    run.run()
    assert violations(run) == []
    found = report(run)
    assert found.outcome == "cancelled"
    assert set(world_nodes(run).values()) == {"Up"}
    assert locks(run) == []
    nodes = {node.name: node for node in found.nodes}
    assert (nodes["HCI01"].outcome, nodes["HCI02"].outcome) == (first, second)
    assert nodes["HCI01"].restarts == restarts
    assert any("ada" in node.error for node in found.nodes if node.error)
