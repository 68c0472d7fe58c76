"""Whole runs in which nodes are updated through SYSTEM tasks: nothing is begun twice, and nothing is left behind."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import timedelta

import pytest

from include.hci.cluster.system_task.protocol import FOLDER
from include.hci.policy.outlook import make_outlook
from include.hci.powershell.command import Pipeline
from include.hci.report import events as ev
from include.hci.report.plan_text import plan_markdown
from include.hci.settings import RunOptions
from include.hci.steps.decisions import Decision, Done, Stop, Wait
from include.simulator.world.policies import ASR_RULES, ASR_WMI
from include.simulator.world.rig import Condition
from include.simulator.world.spec import demo_world
from tests.hci.steps.coordinator import Coordinator, Killed
from tests.hci.steps.judging import locks, outcomes, report, said, violations, world_nodes
from tests.hci.steps.simulated import Simulation

TASKS = RunOptions(max_failed_nodes=1, node_updater="system_task")
AUTO = RunOptions(max_failed_nodes=1)


def leftovers(run: Coordinator) -> list[str]:
    """Return every task and file that is on a node now."""
    world = run.simulation.cluster.world
    found = [f"{node.name}: {task.name}" for node in world.nodes for task in world.tasks.all(node)]
    return found + [f"{node.name}: {path}" for node in world.nodes for path in world.files.paths(node)]


def sent(simulation: Simulation, name: str) -> list[str]:
    return [node for node, pipeline in simulation.commands if pipeline.commands[-1].name == name]


def installs(run: Coordinator) -> Counter[str]:
    """Return how often every update was installed on every node, as the world saw it."""
    return Counter(
        f"{entry.detail['node']} {entry.detail['kb']}"
        for entry in run.simulation.cluster.journal.entries
        if entry.op == "update.installed"
    )


def modes(run: Coordinator, node: str) -> list[str]:
    return [stamped.event.mode for stamped in run.record.all_of(ev.UpdateTaskStarting, node)]


def is_well(run: Coordinator) -> None:
    """Everything is updated, the referee is silent, and nothing is left behind."""
    assert violations(run) == []
    assert set(outcomes(run).values()) == {"updated"}
    assert report(run).outcome == "succeeded"
    assert (leftovers(run), locks(run)) == ([], [])
    assert set(world_nodes(run).values()) == {"Up"}
    assert run.record.facts.changes == ()
    assert set(installs(run).values()) == {1}


# --- runs without faults ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nodes", "os"), [(2, "21H2"), (4, "21H2"), (2, "20H2"), (2, "WS2025")])
def test_every_node_is_updated_through_its_own_tasks(simulate, nodes, os):
    run = Coordinator(simulate(demo_world(nodes, os), 3), TASKS)
    assert isinstance(run.run(), Done)
    is_well(run)
    assert {node.node_updater for node in report(run).nodes} == {"system_task"}
    started = sent(run.simulation, "Start-ScheduledTask")
    assert started == sent(run.simulation, "Register-ScheduledTask")
    assert (
        len(started)
        == len(sent(run.simulation, "Unregister-ScheduledTask"))
        == len(run.record.all_of(ev.UpdateTaskEnded))
    )
    assert "Invoke-CimMethod" not in {pipeline.commands[-1].name for _, pipeline in run.simulation.commands}


def test_the_results_are_those_that_the_provider_gives(simulate):
    def results(options: RunOptions) -> list[list[tuple[str, str | None, str, bool]]]:
        run = Coordinator(simulate(demo_world(2), 5), options)
        run.run()
        return [
            [(item.update_id, item.kb, item.result, item.reboot_required) for item in node.updates]
            for node in report(run).nodes
        ]

    assert results(TASKS) == results(RunOptions(max_failed_nodes=1, node_updater="cau_provider"))


def test_a_wait_tells_which_update_it_is_at_and_how_many_there_are(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    run.run()
    waits = [
        str(decision.progress) for name, _, decision in run.said if name == "install" and isinstance(decision, Wait)
    ]
    assert any("KB5099101" in text and "0 of 3 updates" in text for text in waits)
    assert any("1 of 3 updates" in text for text in waits)


def test_what_varies_reaches_the_node_as_data_only(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    run.run()
    written = [
        pipeline.commands[0] for _, pipeline in run.simulation.commands if pipeline.commands[0].name == "Set-Content"
    ]
    registered = [p.commands[0] for _, p in run.simulation.commands if p.commands[0].name == "Register-ScheduledTask"]
    assert len({command.parameters["Xml"] for command in registered}) == 1
    searches = {text for command in written for text in json.loads(str(command.parameters["Value"]))["searches"]}
    assert TASKS.query_string in searches
    assert not any(text in str(command.parameters["Xml"]) for text in searches for command in registered)


# --- which one it is -------------------------------------------------------------------------------------------------------


def chosen(run: Coordinator) -> dict[str, tuple[str, str]]:
    found = {node.name: run.record.last(ev.NodeUpdaterChosen, node.name) for node in run.simulation.cluster.world.nodes}
    return {name: (stamped.event.updater, stamped.event.why) for name, stamped in found.items() if stamped}


def test_where_defender_blocks_the_provider_the_task_is_chosen_and_the_reason_is_on_record(simulate):
    simulation = simulate(demo_world(2))
    world = simulation.cluster.world
    world.registry.create(world.nodes[1], ASR_RULES)
    world.registry.set(world.nodes[1], ASR_RULES, ASR_WMI, 1)
    run = Coordinator(simulation, AUTO)
    assert isinstance(run.run(), Done)
    is_well(run)
    assert chosen(run)["HCI01"] == ("cau_provider", "the node's CAU provider has every method")
    updater, why = chosen(run)["HCI02"]
    assert updater == "system_task"
    assert "Defender blocks the processes that WMI starts" in why
    assert "the Task Scheduler runs" in why
    assert {node.name: node.node_updater_why for node in report(run).nodes}["HCI02"] == why
    assert run.plan is not None
    shown = plan_markdown(run.plan, make_outlook(run.plan, run.simulation.now()), "0" * 64)
    assert "**Installed by a scheduled task**\n\n- HCI02: Defender blocks the processes that WMI starts" in shown
    assert "HCI01: Defender" not in shown


def test_a_provider_that_is_refused_when_it_is_tried_gives_way_to_the_task(simulate):
    run = Coordinator(simulate(demo_world(2), 0, "asr-blocks-wmi-on-node-1"), AUTO)
    assert isinstance(run.run(), Done)
    is_well(run)
    assert {name: updater for name, (updater, _) in chosen(run).items()} == {
        "HCI01": "system_task",
        "HCI02": "cau_provider",
    }


def test_whoever_wants_the_provider_gets_no_task(simulate):
    options = RunOptions(max_failed_nodes=0, node_updater="cau_provider")
    run = Coordinator(simulate(demo_world(2), 0, "asr-blocks-wmi-on-node-1"), options)
    assert isinstance(run.step("scan", "HCI01"), Stop)
    assert sent(run.simulation, "Register-ScheduledTask") == []


def test_without_a_task_scheduler_the_scan_says_what_is_missing(simulate):
    simulation = simulate(demo_world(2))
    simulation.cluster.world.services.set(simulation.cluster.world.nodes[0], "Schedule", "Stopped")
    run = Coordinator(simulation, TASKS)
    end = run.step("scan", "HCI01")
    assert isinstance(end, Stop)
    assert "the Task Scheduler does not run" in str(end)
    assert leftovers(run) == []


# --- crashes and everything else -------------------------------------------------------------------------------------------


def working_install(decision: Decision) -> bool:
    return isinstance(decision, Wait) and "installs updates through its scheduled task" in decision.why


def test_a_coordinator_that_dies_in_mid_install_finds_the_task_again(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    dying = [2, 5]

    def watch(name: str, node: str | None, decision: Decision) -> None:
        if working_install(decision):
            dying[:] = [left - 1 for left in dying]
            if dying and dying[0] == 0:
                dying.pop(0)
                raise Killed

    run.watch = watch
    assert isinstance(run.run(), Done)
    assert run.deaths == 2
    is_well(run)
    passes = len(run.record.all_of(ev.InstallStarted, "HCI01"))
    assert modes(run, "HCI01").count("install") == passes


@pytest.mark.parametrize("seed", range(6))
def test_a_run_that_is_killed_again_and_again_begins_no_job_twice_and_arrives(simulate, seed):
    run = Coordinator(simulate(demo_world(2), seed), TASKS)
    chance = random.Random(seed)

    def maybe(node: str, pipeline: Pipeline) -> None:
        if chance.random() < 0.004 * (12 if pipeline.is_change else 1):
            raise Killed

    run.simulation.before_command = run.simulation.after_command = maybe
    assert isinstance(run.run(), Done)
    assert run.deaths > 3
    is_well(run)


@pytest.mark.parametrize("seed", range(8))
def test_a_run_that_is_cut_off_anywhere_leaves_neither_task_nor_file(simulate, seed):
    run = Coordinator(simulate(demo_world(2), seed), TASKS, cancellable=True)
    last, count = random.Random(seed).randrange(100, 2500), 0

    def cut(node: str, pipeline: Pipeline) -> None:
        nonlocal count
        count += 1
        if count == last:
            raise Killed

    run.simulation.before_command = cut
    run.simulation.after_command = cut
    with pytest.raises(Killed):
        run.run()
    run.record = type(run.record)(run.storage)
    end = run.conclude()
    assert isinstance(end, Done)
    assert end.outcome == "clean", end
    assert leftovers(run) == []
    assert [item for item in violations(run, with_report=False) if not item.startswith("I4")] == []


@pytest.mark.parametrize("mode", ["scan", "download", "install"])
def test_a_task_that_is_killed_is_cleared_away_and_done_again(simulate, mode):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    world = run.simulation.cluster.world
    killed: list[str] = []

    def watch(name: str, node: str | None, decision: Decision) -> None:
        works = isinstance(decision, Wait) and decision.progress is not None and "scheduled task" in decision.why
        if works and not killed and modes(run, str(node))[-1] == mode:
            killed.append(str(node))
            for task in world.tasks.all(world.node(killed[0])):
                world.tasks.stop(task)

    run.watch = watch
    assert isinstance(run.run(), Done)
    assert killed
    is_well(run)
    broken = [
        stamped.event.why for stamped in run.record.all_of(ev.UpdateTaskEnded) if "broken off" in stamped.event.why
    ]
    assert len(broken) == 1
    assert "ended from outside (0x00041306)" in broken[0]


def test_a_task_that_is_killed_every_time_is_an_error_that_says_so(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    world = run.simulation.cluster.world

    def watch(name: str, node: str | None, decision: Decision) -> None:
        if isinstance(decision, Wait):
            for task in world.tasks.all(world.node("HCI01")):
                world.tasks.stop(task)

    run.watch = watch
    end = run.step("scan", "HCI01", tries=1)
    assert isinstance(end, Stop)
    assert "broke off 3 times: the task has not finished: it was ended from outside" in str(end)
    assert leftovers(run) == []


def test_an_answer_that_is_cut_off_is_not_believed(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    run.simulation.cluster.world.rig.add(Condition("task-answer-corrupt", "HCI02", 2))
    assert isinstance(run.run(), Done)
    is_well(run)
    why = [stamped.event.why for stamped in run.record.all_of(ev.UpdateTaskEnded, "HCI02")]
    assert sum("holds no valid answer" in text for text in why) == 2


def test_a_restart_in_mid_install_ends_the_task_and_the_run_goes_on(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    world = run.simulation.cluster.world
    restarted: list[str] = []

    def watch(name: str, node: str | None, decision: Decision) -> None:
        if working_install(decision) and not restarted:
            restarted.append(str(node))
            world.power.restart(world.node(str(node)), "somebody")

    run.watch = watch
    run.run()
    assert restarted
    assert leftovers(run) == []
    assert locks(run) == []
    assert set(world_nodes(run).values()) == {"Up"}
    assert [item for item in violations(run) if item.startswith(("I8", "I10", "I11", "I12"))] == []


def test_a_failed_search_is_the_error_that_the_agent_gave(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    run.simulation.cluster.world.rig.add(Condition("scan-fails", "HCI01", None, {"hresult": "0x8024402C"}))
    end = run.step("scan", "HCI01", tries=1)
    assert isinstance(end, Stop)
    assert "0x8024402C" in str(end)
    assert leftovers(run) == []


def test_a_search_that_had_errors_counts_and_is_said_to_be_incomplete(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    run.simulation.cluster.world.rig.add(Condition("search-with-errors", "HCI01", 1))
    found, whole = run.step("scan", "HCI01"), run.step("scan", "HCI02")
    assert isinstance(found, Done)
    assert isinstance(whole, Done)
    assert "the search had errors, so updates may be missing" in found.why
    assert "had errors" not in whole.why
    assert found.details["updates"]


def test_an_install_that_fails_is_told_with_its_hresult(simulate):
    run = Coordinator(simulate(demo_world(2), 0, "install-fails-on-node-1"), TASKS)
    run.run()
    (failed,) = [item for node in report(run).nodes for item in node.updates if item.result == "failed"]
    assert failed.hresult == "0x800F0922"
    assert leftovers(run) == []
    assert violations(run) == []


def test_another_installation_is_waited_for(simulate):
    run = Coordinator(simulate(demo_world(2), 0, "another-install-in-progress-on-node-2"), TASKS)
    assert isinstance(run.run(), Done)
    is_well(run)


def test_a_folder_that_is_somebody_elses_is_left_alone(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    world = run.simulation.cluster.world
    world.files.make_folder(world.nodes[0], FOLDER)
    world.files.write(world.nodes[0], FOLDER + "\\arguments.json", json.dumps({"format": 1}))
    found = leftovers(run)
    end = run.step("scan", "HCI01", tries=3)
    assert isinstance(end, Stop)
    assert FOLDER in str(end)
    run.conclude()
    assert leftovers(run) == found


def test_a_run_gives_up_a_task_that_never_ends_and_removes_it(simulate):
    options = RunOptions(max_failed_nodes=1, node_updater="system_task", install_timeout_minutes=40)
    run = Coordinator(simulate(demo_world(2), 0, "install-hangs-on-node-1"), options)
    run.run()
    assert said(run, "has not finished its install within 40 min")
    assert outcomes(run)["HCI01"] == "failed"
    assert leftovers(run) == []
    assert locks(run) == []
    assert [item for item in violations(run) if item.startswith("I10")] == []
    run.simulation.sleep(timedelta(minutes=5))
    assert set(world_nodes(run).values()) == {"Up"}


def test_a_task_that_cannot_be_removed_is_named_with_the_command_that_does(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    world = run.simulation.cluster.world

    def watch(name: str, node: str | None, decision: Decision) -> None:
        if working_install(decision) and node == "HCI01":
            world.services.set(world.node("HCI01"), "Schedule", "Stopped")

    run.watch = watch
    run.run()
    done = report(run)
    (left,) = [item for item in done.left if item.node == "HCI01"]
    assert "Unregister-ScheduledTask -TaskName HciUpdate-" in str(left.command)
    assert outcomes(run) == {"HCI01": "failed", "HCI02": "updated"}
    assert set(world_nodes(run).values()) == {"Up"}
    assert violations(run) == []
    # Without the report nobody would know of it.
    assert [item[:3] for item in violations(run, with_report=False)] == ["I10"]


def test_a_task_that_was_never_started_is_given_a_minute_and_then_begun_again(simulate):
    run = Coordinator(simulate(demo_world(2)), TASKS)
    died: list[str] = []

    def die(node: str, pipeline: Pipeline) -> None:
        if pipeline.commands[-1].name == "Start-ScheduledTask" and not died:
            died.append(node)
            raise Killed

    run.simulation.before_command = die
    assert isinstance(run.step("scan", "HCI01"), Done)
    assert said(run, "was started and does not run yet")
    (first, *_) = run.record.all_of(ev.UpdateTaskEnded, "HCI01")
    assert "it was never started" in first.event.why
    assert modes(run, "HCI01") == ["scan", "scan"]
    assert leftovers(run) == []
