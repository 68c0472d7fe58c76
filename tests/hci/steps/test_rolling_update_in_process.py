"""Whole runs over a simulated cluster on a virtual clock: every step for real, judged by the simulated world's own journal."""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta

import pytest

from include.hci.cluster.nodes import resume_cluster_node
from include.hci.powershell.command import Pipeline
from include.hci.settings import RunOptions
from include.hci.steps.decisions import Act, Done, Stop, Wait
from include.simulator.referee import judge
from include.simulator.world.spec import WorldSpec, demo_world
from tests.hci.steps.coordinator import Coordinator, Killed
from tests.hci.steps.judging import locks, outcomes, report, said, violations, world_nodes
from tests.hci.steps.simulated import Simulation

ALL_UPDATED = {f"HCI0{number}": "updated" for number in range(1, 5)}


# --- runs without faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_every_node_is_updated_and_everything_is_left_as_found(simulate, seed):
    run = Coordinator(simulate(seed=seed))
    assert isinstance(run.run(), Done)
    assert violations(run) == []
    assert outcomes(run) == ALL_UPDATED
    assert set(world_nodes(run).values()) == {"Up"}
    assert locks(run) == []
    done = report(run)
    assert done.outcome == "succeeded"
    assert len({node.build_after for node in done.nodes}) == 1
    assert all(node.resumed and node.restarts == 2 for node in done.nodes)


@pytest.mark.parametrize(
    ("nodes", "os"), [(2, "21H2"), (3, "22H2"), (4, "20H2"), (4, "WS2019"), (2, "WS2025"), (8, "WS2022")]
)
def test_other_clusters_are_updated_the_same_way(simulate, nodes, os):
    run = Coordinator(simulate(demo_world(nodes, os), 7))
    assert isinstance(run.run(), Done)
    assert violations(run) == []
    assert report(run).outcome == "succeeded"


@pytest.mark.parametrize("os", ["21H2", "20H2"])
def test_the_fleet_file_may_spell_the_nodes_otherwise_than_the_cluster(simulate, os):
    run = Coordinator(simulate(demo_world(3, os), 1))
    run.spell_nodes(str.lower)
    assert isinstance(run.run(), Done)
    # The referee itself holds the report's names against the world's own spelling.
    assert [found for found in violations(run) if not found.startswith("I12")] == []
    assert (report(run).outcome, set(outcomes(run).values())) == ("succeeded", {"updated"})
    assert locks(run) == []


def test_before_windows_2022_the_disks_enter_and_leave_maintenance_by_hand(simulate):
    run = Coordinator(simulate(demo_world(2, "20H2"), 1))
    run.run()
    journal = [
        (entry.detail["command"], entry.detail["input"])
        for entry in run.simulation.cluster.journal.entries
        if entry.op == "command"
        and entry.status == "invoke"
        and "StorageMaintenanceMode" in str(entry.detail["command"])
    ]
    assert [command for command, _ in journal] == [
        "Enable-StorageMaintenanceMode",
        "Disable-StorageMaintenanceMode",
    ] * 2
    assert all(len(given) == 1 for _, given in journal)


def test_from_windows_2022_on_maintenance_mode_is_the_systems_own(simulate):
    run = Coordinator(simulate(demo_world(2, "21H2"), 1))
    run.run()
    assert not any("StorageMaintenanceMode" in pipeline.describe() for _, pipeline in run.simulation.commands)


def test_a_cluster_with_nothing_to_install_is_not_touched(simulate):
    simulation = simulate()
    first = Coordinator(simulation)
    first.run()
    before = len(simulation.cluster.journal.entries)
    second = Coordinator(simulation, run_id="run-2")
    assert isinstance(second.run(), Done)
    sent = {
        entry.detail["command"]
        for entry in simulation.cluster.journal.since(before)
        if entry.op == "command" and entry.status == "invoke"
    }
    assert not sent & {"Suspend-ClusterNode", "Resume-ClusterNode", "Restart-Computer"}
    assert report(second).outcome == "nothing-to-do"
    assert locks(second) == []


def test_feature_updates_are_left_out_and_said_so(simulate):
    run = Coordinator(simulate())
    run.run()
    excluded = [item for node in report(run).nodes for item in node.excluded]
    assert excluded
    assert all("feature update" in item.why for item in excluded)


def test_nodes_go_in_the_order_asked_for(simulate):
    run = Coordinator(simulate(), RunOptions(max_failed_nodes=1, node_order=("HCI03", "HCI01")))
    run.run()
    assert [node.name for node in report(run).nodes] == ["HCI03", "HCI01", "HCI02", "HCI04"]
    drained = [line.split()[1] for line in said(run, "Suspend-ClusterNode")]
    assert drained == ["HCI03", "HCI01", "HCI02", "HCI04"]


def test_a_wait_for_the_storage_tells_how_far_it_is_and_when_it_is_over(simulate):
    run = Coordinator(simulate())
    run.run()
    waits = [decision for name, _, decision in run.said if name == "resync" and isinstance(decision, Wait)]
    telling = [str(wait.progress) for wait in waits if wait.progress and wait.progress.left]
    assert telling
    assert all("GiB" in text and "left" in text and "/s" in text for text in telling)


# --- faults --------------------------------------------------------------------------------------------------------------

RECOVERED = [
    "install-fails-once-on-node-2",
    "another-install-in-progress-on-node-2",
    "repair-suspended-on-node-2",
    "lock-expires-on-node-2",
    "connection-reset-during-install-on-node-2",
    "silent-node-on-node-2",
    "refusing-node-on-node-2",
    "slow-node-on-node-2",
    "witness-lost",
    "cau-role-schedule",
]


@pytest.mark.parametrize("fault", RECOVERED)
@pytest.mark.parametrize("seed", [11])
def test_a_run_gets_over(simulate, fault, seed):
    run = Coordinator(simulate(None, seed, fault))
    end = run.run()
    assert isinstance(end, Done), end
    assert violations(run) == []
    assert outcomes(run) == ALL_UPDATED
    assert locks(run) == []


REFUSED = {
    "foreign-lock-on-node-2": "holds MSFT_CAURun on HCI02",
    "cau-run-in-progress": "CAU reports RunInProgress",
    "storage-degraded-on-node-2": "Volume01 is Warning (Degraded)",
    "node-down-at-start-on-node-2": "Failed",
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_run_is_refused_before_anything_is_touched(simulate, fault):
    run = Coordinator(simulate(None, 0, fault))
    end = run.run()
    assert isinstance(end, Stop)
    assert REFUSED[fault] in end.problem.title
    assert end.problem.next_action
    assert violations(run) == []
    changes = [pipeline.describe() for _, pipeline in run.simulation.commands if pipeline.is_change]
    assert changes == []


def test_azure_local_is_refused(simulate):
    end = Coordinator(simulate(demo_world(2, "23H2"))).run()
    assert isinstance(end, Stop)
    assert "build 25398" in end.problem.title


FAILED = {
    "install-fails-on-node-2": "0x800F0922",
    "download-fails-on-node-2": "0x80240022",
    "scan-fails-on-node-2": "0x8024402C",
    "drain-blocked-by-vm-on-node-2": "VM-2-1",
    "drain-leaves-one-role-on-node-2": "VM-2-",
    "drain-never-ends-on-node-2": "VM-2-",
    "restart-takes-40-minutes-on-node-2": "did not come back within 15 min",
}


@pytest.mark.parametrize("fault", FAILED)
def test_a_node_fails_with_a_reason_is_resumed_and_the_others_go_on(simulate, fault):
    run = Coordinator(simulate(None, 3, fault))
    run.run()
    assert violations(run) == []
    assert outcomes(run) == {**ALL_UPDATED, "HCI02": "failed"}
    assert any(FAILED[fault] in line for line in said(run, "HCI02 Stop"))
    assert set(world_nodes(run).values()) == {"Up"}
    assert locks(run) == []


def test_more_failed_nodes_than_allowed_end_the_run(simulate):
    run = Coordinator(simulate(None, 0, "install-fails"), RunOptions(max_failed_nodes=1))
    run.run()
    assert violations(run) == []
    found = outcomes(run)
    assert list(found.values()).count("failed") == 2
    assert list(found.values()).count("not-started") == 2
    assert set(world_nodes(run).values()) == {"Up"}


def test_a_slow_server_is_waited_for_when_the_timeout_says_so(simulate):
    options = RunOptions(max_failed_nodes=1, reboot_timeout_minutes=60)
    run = Coordinator(simulate(None, 0, "restart-takes-40-minutes-on-node-2"), options)
    assert isinstance(run.run(), Done)
    assert violations(run) == []


def test_a_node_that_never_comes_back_stops_the_run_and_is_left_with_the_command_to_type(simulate):
    run = Coordinator(simulate(None, 0, "restart-never-comes-back-on-node-2"))
    run.run()
    assert violations(run) == []
    assert outcomes(run) == {"HCI01": "updated", "HCI02": "failed", "HCI03": "not-started", "HCI04": "not-started"}
    assert any("did not come back" in line and "left paused" in line for line in said(run, "restart HCI02 Stop"))
    assert any(left.command == "Resume-ClusterNode -Name HCI02 -Failback Immediate" for left in report(run).left)
    assert all(kind.endswith("HCI02") for kind in locks(run))


def test_a_node_that_ignores_the_order_is_told_by_its_boot_time(simulate):
    run = Coordinator(simulate(None, 0, "no-restart-though-ordered-on-node-2"))
    run.run()
    assert violations(run) == []
    assert outcomes(run)["HCI02"] == "failed"
    assert any("boot time is still" in line for line in said(run, "restart HCI02 Stop"))
    assert set(world_nodes(run).values()) == {"Up"}


def test_a_quarantined_node_stops_the_run_and_is_not_cleared(simulate):
    run = Coordinator(simulate(None, 0, "node-quarantined-after-restart-on-node-2"))
    run.run()
    assert violations(run) == []
    assert outcomes(run) == {"HCI01": "updated", "HCI02": "failed", "HCI03": "not-started", "HCI04": "not-started"}
    assert not any("ClearQuarantine" in pipeline.describe() for _, pipeline in run.simulation.commands)
    assert any("ClearQuarantine" in (left.command or "") for left in report(run).left)


def test_a_repair_that_moves_no_bytes_is_stuck_and_no_other_node_leaves(simulate):
    run = Coordinator(simulate(None, 0, "repair-never-moves-on-node-2"), retries=0)
    run.run()
    assert violations(run) == []
    assert any("Nothing has changed for 30 min" in line for line in said(run, "resync HCI02 Stop"))
    assert outcomes(run)["HCI03"] == "not-started"


@pytest.mark.parametrize("minutes", [20, 45, 70, 100, 140])
def test_another_node_crashing_at_any_time_never_takes_two_nodes_out_by_our_hand(simulate, minutes):
    simulation = simulate(None, 2)
    simulation.cluster.world.inject("node-crashes-on-node-3", after=minutes)
    run = Coordinator(simulation)
    run.run()
    assert [item for item in violations(run) if not item.startswith("I12")] == []
    assert set(world_nodes(run).values()) == {"Up"}
    assert locks(run) == []


# --- other people --------------------------------------------------------------------------------------------------------


def with_paused(nodes: int, name: str) -> WorldSpec:
    spec = demo_world(nodes)
    paused = tuple(dataclasses.replace(node, paused=node.name == name) for node in spec.nodes)
    return dataclasses.replace(spec, nodes=paused)


def test_a_node_that_somebody_else_paused_refuses_the_run_where_the_budget_is_one(simulate):
    run = Coordinator(simulate(with_paused(4, "HCI02")), RunOptions(max_failed_nodes=1))
    end = run.run()
    assert isinstance(end, Stop)
    assert "HCI02 is Paused" in end.problem.title
    assert world_nodes(run)["HCI02"] == "Paused"
    assert [pipeline.describe() for _, pipeline in run.simulation.commands if pipeline.is_change] == []


def test_a_node_that_somebody_else_paused_is_left_as_found_where_the_budget_allows_one_more(simulate):
    run = Coordinator(simulate(with_paused(6, "HCI02")), RunOptions(max_failed_nodes=2))
    assert isinstance(run.run(), Done)
    run.simulation.cluster.snapshot("world")
    assert judge(run.simulation.cluster.journal.entries, report(run).to_json(), budget=2) == []
    assert world_nodes(run) == {f"HCI0{number}": "Paused" if number == 2 else "Up" for number in range(1, 7)}
    assert not any("HCI02" in pipeline.describe() for _, pipeline in run.simulation.commands if pipeline.is_change)


def test_another_coordinator_that_takes_the_lock_after_ours_expired_ends_the_run(simulate):
    run = Coordinator(simulate())
    theirs = "22222222-2222-2222-2222-222222222222"

    def steal(name, node, decision):
        if (name, node) == ("resync", "HCI01") and isinstance(decision, Done):
            world = run.simulation.cluster.world
            for member in world.nodes:
                world.locks.expire(member, "MSFT_CAURun")
                world.locks.create(member, "MSFT_CAURun", theirs)

    run.watch = steal
    run.run()
    (stop,) = said(run, "turn HCI02 Stop")
    assert f"not as the plan found it: Another coordinator ({theirs}) has taken MSFT_CAURun on HCI01, HCI02" in stop
    assert {node.locks["MSFT_CAURun"].guid for node in run.simulation.cluster.world.nodes} == {theirs}
    drained = said(run, "Suspend-ClusterNode")
    assert len(drained) == 1
    assert set(world_nodes(run).values()) == {"Up"}


def test_a_person_who_resumes_our_node_stops_the_install(simulate):
    run = Coordinator(simulate(), retries=0)

    def resume(name, node, decision):
        if (name, node) == ("drain", "HCI01") and isinstance(decision, Done):
            resume_cluster_node(run.simulation.shell("HCI03"), "HCI01", "Immediate")

    run.watch = resume
    run.run()
    assert any("not Paused and Completed" in line for line in said(run, "install HCI01 Stop"))
    assert not any(
        "Restart-Computer" in pipeline.describe() for node, pipeline in run.simulation.commands if node == "HCI01"
    )


# --- crashes and cancels -------------------------------------------------------------------------------------------------


class Reaper:
    """Kills the process that runs the steps, before or after a command, with probability ``rate``."""

    def __init__(self, simulation: Simulation, seed: int, rate: float) -> None:
        self.random = random.Random(seed)
        self.rate = rate
        simulation.before_command = self.maybe
        simulation.after_command = self.maybe

    def maybe(self, node: str, pipeline: Pipeline) -> None:
        # A change is where a crash hurts most.
        if self.random.random() < self.rate * (20 if pipeline.is_change else 1):
            raise Killed


@pytest.mark.parametrize("seed", range(8))
def test_a_run_that_is_killed_again_and_again_does_nothing_twice_and_arrives(simulate, seed):
    run = Coordinator(simulate(seed=seed))
    Reaper(run.simulation, seed, 0.004)
    end = run.run()
    assert run.deaths > 5
    assert isinstance(end, Done), end
    assert violations(run) == []
    assert outcomes(run) == ALL_UPDATED
    assert locks(run) == []


@pytest.mark.parametrize("seed", range(16))
def test_a_run_that_is_cancelled_anywhere_leaves_nothing_behind(simulate, seed):
    run = Coordinator(simulate(demo_world(3), seed))
    last = random.Random(seed).randrange(40, 1500)
    count = 0

    def cancel(node: str, pipeline: Pipeline) -> None:
        nonlocal count
        count += 1
        if count == last:
            raise Killed

    run.simulation.before_command = cancel
    run.simulation.after_command = cancel
    try:
        run.cancellable = True
        run.run()
    except Killed:
        end = run.conclude()
        assert isinstance(end, Done)
        assert end.outcome == "clean", end
    found = violations(run, with_report=False)
    # A cancelled run may leave the storage to resynchronise by itself; it must not leave a node out of service.
    assert [item for item in found if not item.startswith("I4")] == []
    run.simulation.sleep(timedelta(minutes=20))
    assert set(world_nodes(run).values()) == {"Up"}
    assert locks(run) == []


def test_every_action_is_on_record_before_it_is_done(simulate):
    run = Coordinator(simulate(demo_world(2)))
    simulation = run.simulation
    missing: list[str] = []

    def check(node: str, pipeline: Pipeline) -> None:
        text = pipeline.describe()
        facts = run.record.facts
        if "Suspend-ClusterNode" in text and not facts.paused:
            missing.append(text)
        if "Restart-Computer" in text and node not in facts.restarting:
            missing.append(text)
        if "Invoke-CimMethod -MethodName 'InstallUpdates'" in text and node not in facts.installing:
            missing.append(text)
        if "New-CimInstance" in text and "MSFT_CAURun" in text and node not in facts.lock_nodes:
            missing.append(text)

    simulation.before_command = check
    run.run()
    assert missing == []
    assert any(isinstance(decision, Act) for _, _, decision in run.said)


def test_a_node_that_lets_nobody_in_any_more_keeps_no_other_one_out_of_service(simulate):
    run = Coordinator(simulate(demo_world(4), 1))

    def shut_out(node: str, pipeline: Pipeline) -> None:
        if node == "HCI02" and "Invoke-CimMethod -MethodName 'InstallUpdates'" in pipeline.describe():
            run.simulation.wires["HCI01"].rotated = True

    run.simulation.before_command = shut_out
    run.run()
    assert world_nodes(run)["HCI02"] == "Up"
    # What stands on the node that cannot be asked is named; everywhere else nothing is left.
    assert locks(run) == ["MSFT_CAURun on HCI01"]
    assert report(run).outcome == "failed"


def test_a_scan_that_fails_keeps_no_later_run_from_the_node(simulate):
    run = Coordinator(simulate(demo_world(2), 1))
    run.simulation.cluster.world.inject("scan-fails-on-node-2")
    run.simulation.sleep(timedelta(minutes=2))
    # A run that ends before it has the lock has no task that would take anything back.
    run.prepare()
    taken = {f"MSFT_CAUNode on {node.name}" for node in run.simulation.cluster.world.nodes}
    assert isinstance(run.step("scan", "HCI02", tries=1), Stop)
    assert not taken & set(locks(run))
