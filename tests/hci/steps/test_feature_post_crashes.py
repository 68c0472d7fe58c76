"""What comes after a feature update, with a process that dies before or after each of its commands."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from include.hci.powershell.command import Pipeline
from include.hci.report.record import RunRecord
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.spec import demo_world
from tests.hci.steps.cau_coordinator import host_of
from tests.hci.steps.coordinator import Killed
from tests.hci.steps.judging import locks, violations
from tests.hci.steps.post_coordinator import PostCoordinator, permitted, request

EVERYTHING: dict[str, Any] = {
    "functional_level": "yes",
    "pool_version": "yes",
    "vm_versions": "yes",
    "running_vms": "restart",
}
ALLOWED = ("functional-level", "pool-version", "vm-version", "vm-power")
LEVEL, POOL = "Update-ClusterFunctionalLevel -Force", "Update-StoragePool"
COMMANDS = (
    "New-CimInstance",
    "Update-ClusterFunctionalLevel -WhatIf",
    LEVEL,
    POOL,
    "Stop-VM",
    "Update-VMVersion",
    "Start-ClusterGroup",
    "Enable-WSManCredSSP",
    "Move-ClusterVirtualMachineRole",
    "Disable-WSManCredSSP",
    "Remove-CimInstance",
)
#: Raised once and for good: where nobody can tell whether the order arrived, a person has to look before it is given again.
ONCE = (LEVEL, POOL)


def begun(run_id: str = "run-1", before: PostCoordinator | None = None) -> PostCoordinator:
    if before is not None:
        return PostCoordinator(before.simulation, feature=request(**EVERYTHING), run_id=run_id)
    spec = dataclasses.replace(demo_world(2, "21H2", vms_per_node=1), formed_with="20H2")
    return PostCoordinator(permitted(spec, *ALLOWED), feature=request(**EVERYTHING), run_id=run_id)


def dies_at(run: PostCoordinator, command: str, *, arrived: bool) -> None:
    died: list[str] = []

    def kill(node: str, pipeline: Pipeline) -> None:
        if command in pipeline.describe() and not died:
            died.append(node)
            raise Killed

    if arrived:
        run.simulation.after_command = kill
    else:
        run.simulation.before_command = kill


def lives(run: PostCoordinator) -> None:
    run.simulation.before_command = run.simulation.after_command = lambda node, pipeline: None


def sent(run: PostCoordinator, words: str) -> int:
    return sum(words in pipeline.describe() for _, pipeline in run.simulation.commands)


def raised(run: PostCoordinator) -> tuple[int, str, set[str]]:
    world = run.simulation.cluster.world
    machines = {group.vm.version for group in world.groups.all if group.vm}
    return world.functional_level, world.storage.pool_version, machines


def assert_well(run: PostCoordinator) -> None:
    """Nothing is left, every machine runs on its own node, and the referee has nothing to say."""
    groups = run.simulation.cluster.world.groups.all
    assert {group.name: (group.vm.state, group.owner.name) for group in groups if group.vm} == {
        "VM-1-1": ("Running", "HCI01"),
        "VM-2-1": ("Running", "HCI02"),
    }
    assert violations(run) == []
    assert locks(run) == []
    assert run.record.facts.changes == ()
    assert not host_of(run.simulation).credssp


@pytest.mark.parametrize("arrived", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_process_that_dies_and_is_begun_again_goes_on_where_it_was(command: str, arrived: bool) -> None:
    run = begun()
    dies_at(run, command, arrived=arrived)
    end = run.run()
    assert run.deaths == 1
    if command in ONCE and not arrived:
        assert isinstance(end, Stop)
        assert sent(run, command) == 1
    else:
        assert isinstance(end, Done)
        assert raised(run) == (12, "Windows Server 2022", {"10.0"})
        assert (sent(run, LEVEL), sent(run, POOL)) == (1, 1)
    assert_well(run)


@pytest.mark.parametrize("arrived", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("command", COMMANDS[:-2])
def test_a_run_that_died_is_made_safe_from_its_record_alone_and_the_next_one_does_the_rest(
    command: str, arrived: bool
) -> None:
    run = begun()
    run.cancellable = True
    dies_at(run, command, arrived=arrived)
    with pytest.raises(Killed):
        run.run()
    lives(run)
    run.simulation.sleep(timedelta(minutes=2))
    run.record = RunRecord(run.storage)
    end = run.conclude()
    assert isinstance(end, Done)
    assert end.outcome == "clean"
    assert_well(run)
    later = begun("run-2", run)
    assert isinstance(later.run(), Done)
    assert raised(later) == (12, "Windows Server 2022", {"10.0"})
    world_says = [entry.op for entry in run.simulation.cluster.journal.entries]
    assert (world_says.count("cluster.functional_level"), world_says.count("pool.version")) == (1, 1)
    assert_well(later)
