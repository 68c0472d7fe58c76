"""The proof that roles move after a feature update, over a simulated cluster: there and home again, whatever happens on the way."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from include.hci.cluster.catalogue import outside
from include.hci.powershell.command import Pipeline
from include.hci.powershell.errors import OutcomeUnknown, command_failed
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.post_sections import post_sections
from include.hci.report.record import RunRecord
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.machines import Power
from include.simulator.world.rig import Condition
from include.simulator.world.spec import demo_world
from tests.hci.steps.cau_coordinator import host_of
from tests.hci.steps.coordinator import Killed
from tests.hci.steps.judging import locks, violations
from tests.hci.steps.post_coordinator import PostCoordinator, permitted, request

PROOF: dict[str, Any] = {"functional_level": "no", "pool_version": "no", "vm_versions": "no"}
MOVE = "Move-ClusterVirtualMachineRole"


def proof(nodes: int = 3, **given: Any) -> PostCoordinator:
    return PostCoordinator(permitted(demo_world(nodes)), feature=request(**{**PROOF, **given}))


def owners(run: PostCoordinator) -> dict[str, str]:
    return {group.name: group.owner.name for group in run.simulation.cluster.world.groups.all}


def moves(run: PostCoordinator) -> list[tuple[str, str, str]]:
    found = [entry.event for entry in run.record.all_of(ev.RoleMoved)]
    return [(each.role, each.source, each.target) for each in found]


def sent(run: PostCoordinator, words: str) -> int:
    return sum(words in pipeline.describe() for _, pipeline in run.simulation.commands)


def is_well(run: PostCoordinator) -> bool:
    return (
        violations(run) == []
        and locks(run) == []
        and run.record.facts.changes == ()
        and not host_of(run.simulation).credssp
    )


def test_the_smallest_machine_goes_live_to_another_node_and_comes_home() -> None:
    run = proof()
    found = owners(run)
    assert isinstance(run.run(), Done)
    groups = {group.name: group for group in run.simulation.cluster.world.groups.all}
    (role, home, away), (_, back_from, back) = moves(run)
    assert (back_from, back, found[role]) == (away, home, home)
    assert home != away
    machine = groups[role].vm
    assert machine is not None
    assert machine.memory_gib == min(group.vm.memory_gib for group in groups.values() if group.vm)
    assert owners(run) == found
    assert "Online at every reading" in str(run.ends["move_role"])
    assert not [entry for entry in run.simulation.cluster.journal.entries if entry.op == "vm.state"]
    assert [outside(pipeline) for _, pipeline in run.simulation.commands if outside(pipeline)] == []
    assert is_well(run)


def test_the_report_tells_both_ways_and_how_long_they_took() -> None:
    run = proof(move_role="VM-2-2")
    run.run()
    section = next(each for each in post_sections(run.record.events()) if each.title == "Proof that roles move")
    assert [row[:3] for row in section.rows] == [("VM-2-2", "HCI02", section.rows[0][2]), section.rows[1][:3]]
    assert section.rows[1][1:3] == (section.rows[0][2], "HCI02")
    assert "was Online whenever it was read" in section.sentences[0]


def test_a_role_that_is_no_virtual_machine_moves_as_the_cluster_does_it() -> None:
    run = proof(move_role="cluster group")
    home = owners(run)["Cluster Group"]
    assert isinstance(run.run(), Done)
    assert run.outcome("move_role") == "moved"
    assert sent(run, "Move-ClusterGroup") == 2
    assert sent(run, MOVE) == sent(run, "Enable-WSManCredSSP") == 0
    assert owners(run)["Cluster Group"] == home
    assert is_well(run)


def test_a_connection_that_passes_credentials_on_needs_no_credssp() -> None:
    run = PostCoordinator(permitted(demo_world(2)), feature=request(**PROOF), passes_credentials=True)
    assert isinstance(run.run(), Done)
    assert run.outcome("move_role") == "moved"
    assert sent(run, "Enable-WSManCredSSP") == 0
    assert is_well(run)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"move_role": "SQL99"}, "the cluster has no role SQL99"),
        ({"move_role": "VM-1-1", "credssp": "never"}, "credssp is never"),
    ],
)
def test_what_cannot_be_moved_is_said_and_no_failure(given: dict[str, Any], says: str) -> None:
    run = proof(**given)
    assert isinstance(run.run(), Done)
    assert run.outcome("move_role") == "unproven"
    assert says in str(run.ends["move_role"])
    section = next(each for each in post_sections(run.record.events()) if each.title == "Proof that roles move")
    assert says in section.sentences[0]
    assert sent(run, "Move-Cluster") == 0
    assert is_well(run)


def test_a_management_host_that_is_away_proves_nothing_and_fails_nothing() -> None:
    run = proof(nodes=2)
    run.before_step = lambda name: setattr(host_of(run.simulation), "power", Power.OFF) if name == "move_role" else None
    assert isinstance(run.run(), Done)
    assert "the management host does not answer" in str(run.ends["move_role"])
    assert moves(run) == []


def test_a_management_host_that_refuses_credssp_proves_nothing_and_fails_nothing() -> None:
    run = proof(nodes=2)

    def refuse(node: str, pipeline: Pipeline) -> None:
        if "Enable-WSManCredSSP" in pipeline.describe():
            records = [ErrorRecord(message="The policy forbids it.")]
            raise command_failed(records, node=node, command=pipeline.describe())

    run.simulation.before_command = refuse
    assert isinstance(run.run(), Done)
    assert "does not let this run switch CredSSP on: The policy forbids it." in str(run.ends["move_role"])
    assert is_well(run)


def test_a_cluster_without_a_management_host_has_no_session_that_could_migrate() -> None:
    run = PostCoordinator(permitted(demo_world(2)), feature=request(**PROOF), managed=False)
    assert isinstance(run.run(), Done)
    assert "no management_host" in str(run.ends["move_role"])


def test_a_machine_that_does_not_run_or_fits_nowhere_is_not_chosen() -> None:
    run = proof(nodes=2)
    for group in run.simulation.cluster.world.groups.all:
        if group.vm:
            run.simulation.cluster.world.virtual_machines.stop(group, "by hand", "Off")
    assert isinstance(run.run(), Done)
    assert run.outcome("move_role") == "unproven"
    assert is_well(run)


def test_a_role_that_is_locked_is_not_moved_and_the_next_smallest_is() -> None:
    run = proof(nodes=2)
    groups = sorted(
        (group for group in run.simulation.cluster.world.groups.all if group.vm),
        key=lambda group: (group.vm.memory_gib if group.vm else 0, group.name),
    )
    groups[0].locked = True
    assert isinstance(run.run(), Done)
    assert moves(run)[0][0] == groups[1].name
    locked = proof(nodes=2, move_role=groups[0].name)
    next(group for group in locked.simulation.cluster.world.groups.all if group.name == groups[0].name).locked = True
    assert isinstance(locked.run(), Done)
    assert "is locked from moving" in str(locked.ends["move_role"])


def test_a_machine_that_is_tied_to_its_node_is_not_chosen() -> None:
    run = proof(nodes=2, move_role="VM-1-1")
    group = next(group for group in run.simulation.cluster.world.groups.all if group.name == "VM-1-1")
    assert group.vm is not None
    group.vm.disc = r"D:\ISO\setup.iso"
    assert isinstance(run.run(), Done)
    assert "VM-1-1 holds something that only its node has" in str(run.ends["move_role"])
    assert moves(run) == []


def test_a_machine_that_does_not_migrate_fails_the_proof_and_stays_where_it_is() -> None:
    spec = demo_world(2)
    vms = tuple(dataclasses.replace(vm, blocked="the processors differ") for vm in spec.vms)
    run = PostCoordinator(permitted(dataclasses.replace(spec, vms=vms)), feature=request(**PROOF), retries=0)
    found = owners(run)
    end = run.run()
    assert isinstance(end, Stop)
    assert "The proof that roles move failed" in end.problem.title
    assert owners(run) == found
    assert is_well(run)


def test_a_migration_that_hangs_is_broken_off() -> None:
    run = proof(nodes=2)
    run.retries = 0
    for node in ("HCI01", "HCI02"):
        run.simulation.cluster.world.rig.add(Condition("migration-hangs", node))
    end = run.run()
    assert isinstance(end, Stop)
    assert "within 15 min" in end.problem.title
    assert sent(run, "-Cancel") == 1
    assert is_well(run)


@pytest.mark.parametrize("arrived", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", [1, 2])
def test_an_unknown_outcome_is_found_out_by_reading(number: int, arrived: bool) -> None:
    run = proof(nodes=2)
    count = [0]

    def strike(node: str, pipeline: Pipeline) -> None:
        if MOVE in pipeline.describe():
            count[0] += 1
            if count[0] == number:
                raise OutcomeUnknown("the connection broke", node=node)

    if arrived:
        run.simulation.after_command = strike
    else:
        run.simulation.before_command = strike
    found = owners(run)
    run.run()
    run.simulation.sleep(timedelta(minutes=5))
    assert owners(run) == found
    assert is_well(run)


@pytest.mark.parametrize("arrived", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("command", ["Enable-WSManCredSSP", MOVE, "Move 2"])
def test_a_process_that_dies_on_the_way_is_begun_again_and_brings_the_role_home(command: str, arrived: bool) -> None:
    run = proof(nodes=2)
    found = owners(run)
    killing(run, command, arrived=arrived)
    assert isinstance(run.run(), Done)
    assert run.deaths == 1
    assert len(moves(run)) == 2
    assert owners(run) == found
    assert is_well(run)


@pytest.mark.parametrize("arrived", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("command", ["Enable-WSManCredSSP", MOVE, "Move 2"])
def test_a_run_that_died_on_the_way_is_made_safe_from_its_record_alone(command: str, arrived: bool) -> None:
    run = proof(nodes=2)
    run.cancellable = True
    found = owners(run)
    killing(run, command, arrived=arrived)
    with pytest.raises(Killed):
        run.run()
    run.simulation.sleep(timedelta(minutes=2))
    run.record = RunRecord(run.storage)
    assert run.record.facts.changes
    end = run.conclude()
    assert isinstance(end, Done)
    assert end.outcome == "clean"
    assert owners(run) == found
    assert is_well(run)


def test_a_home_that_goes_down_meanwhile_is_named_with_the_command_that_brings_the_role_back() -> None:
    run = proof(nodes=3, move_role="VM-1-1")
    world, count = run.simulation.cluster.world, [0]
    run.retries = 0

    def crash(node: str, pipeline: Pipeline) -> None:
        if MOVE in pipeline.describe():
            count[0] += 1
            if count[0] == 2:
                world.power.crash(world.node("HCI01"), stay_down=True)

    run.simulation.before_command = crash
    end = run.run()
    assert isinstance(end, Stop)
    assert "HCI01, where VM-1-1 was found, is Down" in end.problem.meaning
    concluded = [decision for name, _, decision in run.said if name == "conclude"][-1]
    assert isinstance(concluded, Done)
    assert concluded.outcome == "left-work"
    assert "-Name 'VM-1-1' -Node HCI01 -MigrationType Live" in str(concluded.details)
    assert owners(run)["VM-1-1"] != "HCI01"


def killing(run: PostCoordinator, command: str, *, arrived: bool) -> None:
    """Let the process die at the command, once; 'Move 2' is the way home."""
    count, wanted = [0], 2 if command == "Move 2" else 1
    words = MOVE if command == "Move 2" else command

    def kill(node: str, pipeline: Pipeline) -> None:
        if words in pipeline.describe():
            count[0] += 1
            if count[0] == wanted:
                raise Killed

    if arrived:
        run.simulation.after_command = kill
    else:
        run.simulation.before_command = kill
