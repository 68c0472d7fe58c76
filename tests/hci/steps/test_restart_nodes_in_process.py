"""Whole runs that restart nodes because they were told to: once each, drained, one at a time, whatever is installed."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from include.hci.cluster.storage import VirtualDisk
from include.hci.powershell.command import Pipeline
from include.hci.report import events as ev
from include.hci.settings import RunOptions
from include.hci.steps import restart
from include.hci.steps.decisions import Act, Done, Stop, Wait
from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.spec import demo_world
from tests.hci.steps.coordinator import Coordinator, Killed
from tests.hci.steps.judging import locks, outcomes, report, said, violations, world_nodes
from tests.hci.steps.simulated import Simulation

NODES = tuple(f"HCI0{number}" for number in range(1, 5))


def up_to_date(simulation: Simulation) -> Simulation:
    """Install everything first, so that nothing is left but what is asked for."""
    assert isinstance(Coordinator(simulation, run_id="before").run(), Done)
    return simulation


def idle(simulate: Callable[..., Simulation], seed: int, nodes: int = 4) -> Simulation:
    """Return a cluster for which there are no updates at all."""
    return simulate(dataclasses.replace(demo_world(nodes), updates=()), seed)


def asked(simulation: Simulation, nodes: tuple[str, ...] | str = "all", **more: object) -> Coordinator:
    """Return a run that is told to restart ``nodes``; the referee is told so too."""
    simulation.cluster.rule("restart", nodes=nodes if nodes == "all" else list(nodes))
    options = RunOptions.model_validate({"max_failed_nodes": 1, "restart_nodes": nodes, **more})
    return Coordinator(simulation, options, run_id="asked")


def boots(simulation: Simulation) -> dict[str, int]:
    return {node.name: node.restarts for node in simulation.cluster.world.nodes}


def restarts_since(simulation: Simulation, before: dict[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in boots(simulation).items()}


@pytest.mark.parametrize("os", ["21H2", "20H2", "WS2019"])
def test_every_node_is_restarted_once_though_nothing_is_installed(simulate, os):
    simulation = up_to_date(simulate(demo_world(4, os), 3))
    before = boots(simulation)
    run = asked(simulation)
    assert isinstance(run.run(), Done)
    assert violations(run) == []
    assert restarts_since(simulation, before) == dict.fromkeys(NODES, 1)
    assert outcomes(run) == dict.fromkeys(NODES, "restarted")
    assert (set(world_nodes(run).values()), locks(run)) == ({"Up"}, [])
    found = report(run)
    assert (found.outcome, found.headline.partition(".")[0]) == ("succeeded", "Of 4 nodes: 4 restarted")
    assert all(node.restarts == 1 and node.taken_out and node.resumed for node in found.nodes)
    assert found.plan is not None
    assert found.plan.restart_asked == NODES


def test_only_the_nodes_that_are_named_leave_service(simulate):
    simulation = idle(simulate, 5)
    before = boots(simulation)
    run = asked(simulation, ("hci02", "HCI04"))
    assert isinstance(run.run(), Done)
    assert violations(run) == []
    assert restarts_since(simulation, before) == {"HCI01": 0, "HCI02": 1, "HCI03": 0, "HCI04": 1}
    assert outcomes(run) == {
        "HCI01": "nothing-to-install", "HCI02": "restarted", "HCI03": "nothing-to-install", "HCI04": "restarted"
    }  # fmt: skip
    assert report(run).headline.startswith("Of 4 nodes: 2 restarted, 2 already up to date.")


def test_a_node_with_updates_is_not_restarted_once_more_for_the_asking(simulate):
    plain = Coordinator(simulate(seed=1))
    plain.run()
    run = asked(simulate(seed=1), ("HCI02",))
    assert isinstance(run.run(), Done)
    assert violations(run) == []
    assert boots(run.simulation) == boots(plain.simulation)
    assert set(outcomes(run).values()) == {"updated"}


def test_updates_that_need_no_restart_do_not_keep_a_node_from_the_one_that_was_asked_for(simulate):
    quiet = UpdateSpec("33333333-3333-3333-3333-333333333333", "KB5", "Definitions (KB5)", needs_restart=False)
    simulation = simulate(dataclasses.replace(demo_world(4), updates=(quiet,)), 2)
    before = boots(simulation)
    run = asked(simulation, ("HCI03",))
    assert isinstance(run.run(), Done)
    assert violations(run) == []
    assert restarts_since(simulation, before) == {"HCI01": 0, "HCI02": 0, "HCI03": 1, "HCI04": 0}
    assert set(outcomes(run).values()) == {"updated"}


COMMANDS = ("Suspend-ClusterNode", "Restart-Computer", "Resume-ClusterNode")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_that_dies_beside_a_command_restarts_no_node_twice(simulate, command, moment):
    simulation = idle(simulate, 4)
    before = boots(simulation)
    run = asked(simulation)
    killed: set[str] = set()

    def die(node: str, pipeline: Pipeline) -> None:
        # Once per node: a process that dies at the same place for ever gets nothing done.
        key = f"{node} {pipeline.describe()}"
        if command in pipeline.describe() and key not in killed:
            killed.add(key)
            raise Killed

    setattr(simulation, f"{moment}_command", die)
    assert isinstance(run.run(), Done)
    assert len(killed) >= 4
    assert violations(run) == []
    assert restarts_since(simulation, before) == dict.fromkeys(NODES, 1)
    assert outcomes(run) == dict.fromkeys(NODES, "restarted")


def test_a_process_that_dies_once_after_each_different_command_restarts_no_node_twice(simulate):
    simulation = idle(simulate, 12, nodes=2)
    before = boots(simulation)
    run = asked(simulation)
    seen: set[tuple[str, str]] = set()

    def die(node: str, pipeline: Pipeline) -> None:
        if (node, pipeline.describe()) not in seen:
            seen.add((node, pipeline.describe()))
            raise Killed

    simulation.after_command = die
    run.run()
    assert run.deaths == len(seen) > 30
    assert violations(run) == []
    assert restarts_since(simulation, before) == {"HCI01": 1, "HCI02": 1}
    assert set(outcomes(run).values()) == {"restarted"}


@pytest.mark.parametrize("seed", range(3))
def test_processes_that_die_after_any_command_restart_no_node_twice(simulate, seed):
    simulation = idle(simulate, seed)
    before, dice = boots(simulation), random.Random(seed)
    run = asked(simulation, ("HCI01", "HCI04"))

    def die(node: str, pipeline: Pipeline) -> None:
        if dice.random() < 0.02:
            raise Killed

    simulation.after_command = die
    run.run()
    assert run.deaths > 0
    assert violations(run) == []
    assert restarts_since(simulation, before) == {"HCI01": 1, "HCI02": 0, "HCI03": 0, "HCI04": 1}


def test_a_turn_that_is_begun_again_restarts_no_node_again(simulate):
    simulation = idle(simulate, 6)
    run = asked(simulation, ("HCI01",))
    run.prepare()
    assert run.update("HCI01") is True
    before = boots(simulation)
    assert run.update("HCI01") is True
    assert boots(simulation) == before
    run.conclude()
    assert violations(run) == []
    assert outcomes(run)["HCI01"] == "restarted"


def test_a_node_that_does_not_come_back_ends_the_run_and_is_left_with_the_command_to_type(simulate):
    simulation = idle(simulate, 7)
    simulation.cluster.world.inject("restart-never-comes-back-on-node-2")
    run = asked(simulation)
    run.run()
    assert violations(run) == []
    assert outcomes(run) == {
        "HCI01": "restarted", "HCI02": "failed", "HCI03": "not-started", "HCI04": "not-started"
    }  # fmt: skip
    assert report(run).outcome == "failed"
    assert any("did not come back" in line for line in said(run, "restart HCI02 Stop"))
    assert any(left.command == "Resume-ClusterNode -Name HCI02 -Failback Immediate" for left in report(run).left)


def test_a_clock_that_is_set_while_a_node_ignores_the_order_is_no_restart(simulate):
    simulation = idle(simulate, 8)
    world = simulation.cluster.world
    world.inject("no-restart-though-ordered-on-node-2")

    def set_clock(node: str, pipeline: Pipeline) -> None:
        if node == "HCI02" and "Restart-Computer" in pipeline.describe():
            world.node(node).clock_skew += timedelta(hours=1)

    simulation.before_command = set_clock
    run = asked(simulation)
    run.run()
    assert run.record.all_of(ev.RestartOrdered, "HCI02")
    assert not run.record.all_of(ev.Restarted, "HCI02")
    assert outcomes(run)["HCI02"] == "failed"
    assert set(world_nodes(run).values()) == {"Up"}


def test_a_node_that_ignores_the_order_was_not_restarted(simulate):
    simulation = idle(simulate, 8)
    simulation.cluster.world.inject("no-restart-though-ordered-on-node-2")
    run = asked(simulation)
    run.run()
    assert violations(run) == []
    assert outcomes(run)["HCI02"] == "failed"
    assert report(run).outcome == "failed"
    assert set(world_nodes(run).values()) == {"Up"}


@pytest.mark.parametrize(("point", "taken_out"), [("before-drain", False), ("before-restart", True)])
def test_a_run_that_is_cancelled_at_a_pause_point_restarts_nothing(simulate, point, taken_out):
    simulation = idle(simulate, 9)
    before = boots(simulation)
    run = asked(simulation, ("HCI01", "HCI02"), pause_points=(point,))

    def cancel(name: ev.StepName, node: str | None, decision: object) -> None:
        if run.record.facts.held and run.record.facts.cancel is None:
            run.record.add(ev.OperatorAsked(by="j.doe", action="cancel"), simulation.now())

    run.watch = cancel
    run.run()
    assert violations(run) == []
    assert boots(simulation) == before
    found = report(run)
    assert found.outcome == "cancelled"
    assert {node.name: node.outcome for node in found.nodes}["HCI01"] == "skipped"
    assert next(node for node in found.nodes if node.name == "HCI01").taken_out is taken_out
    assert (set(world_nodes(run).values()), locks(run)) == ({"Up"}, [])


def test_a_plan_names_the_restarts_and_why(simulate):
    simulation = idle(simulate, 10)
    run = asked(simulation, ("HCI03",))
    assert not isinstance(run.prepare(), Stop)
    assert run.plan is not None
    assert [(node.name, node.work) for node in run.plan.nodes if node.has_work] == [
        ("HCI03", "a restart, as asked for")
    ]
    run.update("HCI03")
    ordered = [line for line in said(run, "Restart-Computer") if "Act" in line]
    assert all("a restart was asked for, and no role runs on it" in line for line in ordered)
    assert [decision for _, _, decision in run.said if isinstance(decision, Act)]
    run.conclude()


def test_a_referee_that_was_not_told_of_it_objects(simulate):
    simulation = idle(simulate, 11)
    run = Coordinator(simulation, RunOptions(max_failed_nodes=1, restart_nodes=("HCI01",)), run_id="asked")
    run.run()
    assert violations(run) == ["I8: HCI01 was told to restart although nothing on it waited for a restart."]


@pytest.mark.parametrize("deaths", [0, 5])
def test_a_process_that_dies_while_a_restart_is_held_back_does_not_make_the_wait_begin_anew(
    simulate, monkeypatch, deaths
):
    run = asked(idle(simulate, 1, nodes=2), (NODES[0],), max_failed_nodes=0, stuck_repair_minutes=30)
    run.retries = 0
    monkeypatch.setattr(restart, "get_virtual_disks", lambda shell: (VirtualDisk("V1", "Unhealthy", ("Detached",)),))
    waited = []

    def watch(name, node, decision):
        if isinstance(decision, Wait) and "not restarted while V1" in decision.why:
            waited.append(run.simulation.now())
            if run.deaths < deaths and run.simulation.now() - waited[0] > (run.deaths + 1) * timedelta(minutes=5):
                raise Killed

    run.watch = watch
    run.run()
    assert run.deaths == deaths
    assert waited[-1] - waited[0] <= timedelta(minutes=30)
    assert run.record.facts.failed[NODES[0]].startswith("HCI01 was not restarted: V1")
    assert boots(run.simulation)[NODES[0]] == 0
