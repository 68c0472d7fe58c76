"""The configuration versions of virtual machines after a feature update: off, running, saved, and on the way in between."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.hci.cluster.catalogue import outside
from include.hci.powershell.command import Pipeline
from include.hci.powershell.errors import OutcomeUnknown
from include.hci.report import events as ev
from include.hci.report.post_sections import post_sections
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.rig import Condition
from include.simulator.world.virtual_machines import VmStateError
from tests.hci.steps.judging import locks, violations
from tests.hci.steps.post_coordinator import PostCoordinator, permitted, request, upgraded

VMS: dict[str, Any] = {
    "functional_level": "yes",
    "pool_version": "no",
    "vm_versions": "yes",
    "verify_move": False,
}
ALL = ("functional-level", "vm-version")
RESTART = (*ALL, "vm-power")


def run_with(*permissions: str, os: str = "21H2", formed_with: str = "20H2", **given: Any) -> PostCoordinator:
    run = PostCoordinator(permitted(upgraded(2, os, formed_with), *permissions), feature=request(**{**VMS, **given}))
    stop(run, "VM-1-1", "Off")
    return run


def stop(run: PostCoordinator, name: str, state: str) -> None:
    """Take a machine down before the run begins, as somebody else would."""
    world = run.simulation.cluster.world
    group = next(group for group in world.groups.all if group.name == name)
    world.virtual_machines.stop(group, "by hand", state)


def machines(run: PostCoordinator) -> dict[str, tuple[str, str]]:
    groups = run.simulation.cluster.world.groups.all
    return {group.name: (group.vm.version, group.vm.state) for group in groups if group.vm}


def results(run: PostCoordinator) -> dict[str, str]:
    settled = [entry.event for entry in run.record.all_of(ev.VersionSettled)]
    return {each.subject: each.result for each in settled if each.step == "vm_versions"}


def sent(run: PostCoordinator, words: str) -> int:
    return sum(words in pipeline.describe() for _, pipeline in run.simulation.commands)


def is_well(run: PostCoordinator) -> bool:
    return violations(run) == [] and locks(run) == [] and run.record.facts.changes == ()


def test_only_machines_that_are_off_are_raised_and_what_runs_is_left_and_named() -> None:
    run = run_with(*ALL)
    stop(run, "VM-2-1", "Saved")
    assert isinstance(run.run(), Done)
    found = machines(run)
    assert found["VM-1-1"] == ("10.0", "Off")
    assert found["VM-2-1"] == ("9.0", "Saved")
    assert found["VM-1-2"] == ("9.0", "Running")
    assert results(run) == {"VM-1-1": "raised", **{name: "left" for name in found if name != "VM-1-1"}}
    section = next(each for each in post_sections(run.record.events()) if "virtual machines" in each.title)
    rows = {row[0]: row for row in section.rows}
    assert rows["VM-1-1"] == ("VM-1-1", "HCI01", "9.0", "10.0", "raised")
    assert "it is Saved" in rows["VM-2-1"][4]
    assert "it runs" in rows["VM-1-2"][4]
    assert sent(run, "Stop-VM") == 0
    assert is_well(run)


def test_running_machines_are_shut_down_one_by_one_and_run_again_where_they_were() -> None:
    run = run_with(*RESTART, running_vms="restart")
    stop(run, "VM-2-1", "Saved")
    owners = {group.name: group.owner.name for group in run.simulation.cluster.world.groups.all}
    down: list[int] = []

    def count(node: str, pipeline: Pipeline) -> None:
        down.append(sum(state != "Running" for _, state in machines(run).values()))

    run.simulation.before_command = count
    assert isinstance(run.run(), Done)
    found = machines(run)
    assert {name for name, (version, _) in found.items() if version == "9.0"} == {"VM-2-1"}
    assert {name for name, (_, state) in found.items() if state != "Running"} == {"VM-1-1", "VM-2-1"}
    assert max(down) == 3  # the two that were down before, and one at a time
    assert {group.name: group.owner.name for group in run.simulation.cluster.world.groups.all} == owners
    assert [outside(pipeline) for _, pipeline in run.simulation.commands if outside(pipeline)] == []
    assert is_well(run)


def test_only_the_machines_that_were_named_are_touched() -> None:
    run = run_with(*RESTART, running_vms="restart", vm_names=["vm-1-2"])
    assert isinstance(run.run(), Done)
    assert {name for name, (version, _) in machines(run).items() if version == "10.0"} == {"VM-1-2"}
    assert results(run) == {"VM-1-2": "raised"}
    assert is_well(run)


def test_a_name_that_no_machine_has_stops_the_step_before_anything_is_touched() -> None:
    run = run_with(*RESTART, running_vms="restart", vm_names=["VM-1-2", "SQL99"])
    end = run.run()
    assert isinstance(end, Stop)
    assert end.problem.title == "The cluster has no virtual machine SQL99."
    assert {version for version, _ in machines(run).values()} == {"9.0"}
    assert is_well(run)


def test_hosts_that_give_new_machines_no_newer_version_leave_nothing_to_do() -> None:
    run = run_with(*ALL, os="22H2", formed_with="21H2")
    assert isinstance(run.run(), Done)
    assert set(results(run).values()) == {"already"}
    assert sent(run, "Update-VMVersion") == 0
    assert is_well(run)


def test_no_machine_is_raised_before_the_level_is() -> None:
    run = run_with(*ALL, functional_level="no")
    assert isinstance(run.run(), Done)
    assert run.outcome("vm_versions") == "left"
    assert "needs the functional level raised first" in str(run.ends["vm_versions"])
    assert sent(run, "Update-VMVersion") == 0
    assert is_well(run)


def test_a_guest_that_does_not_shut_down_is_left_running_and_the_others_are_raised() -> None:
    run = run_with(*RESTART, running_vms="restart")
    condition = Condition("guest-ignores-shutdown", "HCI01", details={"vm": "VM-1-2", "minutes": 1})
    run.simulation.cluster.world.rig.add(condition)
    assert isinstance(run.run(), Done)
    assert machines(run)["VM-1-2"] == ("9.0", "Running")
    assert results(run)["VM-1-2"] == "left"
    assert {name for name, result in results(run).items() if result == "raised"} == machines(run).keys() - {"VM-1-2"}
    assert sent(run, "TurnOff") == 0
    assert is_well(run)


def test_a_yes_is_to_the_machines_that_were_shown_and_to_no_other() -> None:
    run = run_with(*ALL, vm_versions="ask")
    run.reactions = {"vm_versions": "yes"}
    world = run.simulation.cluster.world
    group = next(group for group in world.groups.all if group.name == "VM-2-2")
    assert group.vm is not None
    group.vm.version = "10.0"  # it was raised by hand before, so that it is not in the question

    def lower(name: str) -> None:
        if name == "vm_versions" and group.vm is not None:
            group.vm.version = "9.0"  # and a machine of the same name, made anew, is another one

    run.between = lower
    run.before_step = lambda name: stop(run, "VM-2-2", "Off") if name == "vm_versions" else None
    assert isinstance(run.run(), Done)
    assert results(run)["VM-1-1"] == "raised"
    assert results(run)["VM-2-2"] == "left"


def test_an_unknown_outcome_is_found_out_by_reading() -> None:
    run = run_with(*ALL)
    lost: list[str] = []

    def strike(node: str, pipeline: Pipeline) -> None:
        if "Update-VMVersion" in pipeline.describe() and not lost:
            lost.append(node)
            raise OutcomeUnknown("the connection broke", node=node)

    run.simulation.after_command = strike
    assert isinstance(run.run(), Done)
    assert results(run)["VM-1-1"] == "raised"
    assert sent(run, "Update-VMVersion") == 1
    assert is_well(run)


def test_a_machine_that_refuses_is_told_twice_and_keeps_nobody_else_from_it() -> None:
    run = run_with(*ALL)
    stop(run, "VM-1-2", "Off")
    world = run.simulation.cluster.world
    real = world.virtual_machines.update_version

    def refuse(group: Any) -> None:
        if group.name == "VM-1-1":
            raise VmStateError("'VM-1-1' has a checkpoint.")
        real(group)

    world.virtual_machines.update_version = refuse  # type: ignore[method-assign]
    assert isinstance(run.run(), Done)
    assert (results(run)["VM-1-1"], results(run)["VM-1-2"]) == ("failed", "raised")
    assert sent(run, "Update-VMVersion") == 3
    assert is_well(run)


@pytest.mark.parametrize("command", ["Stop-VM", "Update-VMVersion", "Start-ClusterGroup"])
def test_a_run_that_is_cancelled_in_between_starts_again_what_it_has_stopped(command: str) -> None:
    run = run_with(*RESTART, running_vms="restart")

    def cancel(node: str, pipeline: Pipeline) -> None:
        if command in pipeline.describe() and run.record.facts.cancel is None:
            run.record.add(ev.OperatorAsked(action="cancel", by="ada"), run.simulation.now())

    run.simulation.after_command = cancel
    run.run()
    run.simulation.sleep(timedelta(minutes=1))
    states = {name: state for name, (_, state) in machines(run).items()}
    assert states.pop("VM-1-1") == "Off"
    assert set(states.values()) == {"Running"}
    assert is_well(run)
