"""Whole fast offline updates over a simulated cluster on a virtual clock, judged by the simulated world's own journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from include.hci.powershell.command import Pipeline
from include.hci.report import events as ev
from include.hci.report.offline_downtime import measure
from include.hci.report.record import RunRecord
from include.hci.settings import RunOptions
from include.hci.settings.offline import OfflineRequest
from include.hci.steps.decisions import Done, Stop
from include.simulator.referee import judge
from include.simulator.world.rig import Condition
from include.simulator.world.spec import WorldSpec, demo_world, without_witness
from tests.hci.steps.coordinator import Killed
from tests.hci.steps.judging import locks, outcomes, report, said, violations, world_nodes
from tests.hci.steps.offline_coordinator import OfflineCoordinator, offline_simulation

#: What the clock of a run and the world may differ by: the run sees a machine run at its next poll.
SEEN_LATE = timedelta(seconds=30)


def update(spec: WorldSpec | None = None, **more: object) -> OfflineCoordinator:
    permitted = bool(more.pop("permitted", True))
    return OfflineCoordinator(offline_simulation(spec or demo_world(4), 3, permitted=permitted), **more)  # type: ignore[arg-type]


def vms(run: OfflineCoordinator) -> dict[str, str]:
    groups = run.simulation.cluster.world.groups.all
    return {group.name: group.vm.state for group in groups if group.vm}


def start_types(run: OfflineCoordinator) -> set[tuple[str, str]]:
    services = [node.services["ClusSvc"] for node in run.simulation.cluster.world.nodes if node.up]
    return {(service.start_type, service.status) for service in services}


def assert_back_as_found(run: OfflineCoordinator) -> None:
    assert set(vms(run).values()) == {"Running"}
    assert set(world_nodes(run).values()) == {"Up"}
    assert start_types(run) == {("Automatic", "Running")}
    assert all(disk.attached for disk in run.simulation.cluster.world.storage.virtual_disks)
    assert locks(run) == []
    assert run.record.facts.changes == ()
    assert violations(run) == []


def world_downtime(run: OfflineCoordinator) -> timedelta:
    entries = [entry for entry in run.simulation.cluster.journal.entries if entry.op == "vm.state"]
    down = [entry.at for entry in entries if entry.detail["state"] in ("Off", "Saved")]
    back = [entry.at for entry in entries if entry.detail["state"] == "Running"]
    return max(back) - min(down)


def sent(run: OfflineCoordinator, command: str) -> list[str]:
    return [node for node, pipeline in run.simulation.commands if command in pipeline.describe()]


# --- runs without trouble ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [2, 4, 16])
def test_every_server_is_updated_at_once_and_everything_is_back(nodes: int) -> None:
    run = update(demo_world(nodes))
    assert isinstance(run.run(), Done)
    assert_back_as_found(run)
    done = report(run)
    assert (done.outcome, set(outcomes(run).values())) == ("succeeded", {"updated"})
    assert len({node.build_after for node in done.nodes}) == 1


@pytest.mark.parametrize("os", ["20H2", "WS2019", "22H2", "WS2025"])
def test_other_versions_of_windows(os: str) -> None:
    run = update(demo_world(3, os))
    assert isinstance(run.run(), Done)
    assert_back_as_found(run)


def test_the_downtime_of_the_report_is_what_the_world_saw_and_the_sum_of_its_parts() -> None:
    run = update(demo_world(4))
    run.run()
    down = measure(run.record.events(), run.simulation.now())
    assert down is not None
    assert down.is_over
    seen = world_downtime(run)
    first_guest = run.simulation.cluster.world.spec.timings.shutdown * 1.2
    assert timedelta(0) <= timedelta(seconds=down.seconds) - seen <= first_guest + SEEN_LATE
    assert sum(seconds for _, seconds in down.parts) == pytest.approx(down.seconds)
    assert all(seconds > 0 for _, seconds in down.parts)
    titles = {section.title: section for section in report(run).sections}
    assert titles["Downtime"].rows[-1][0] == "Together"
    assert len(titles["Virtual machines"].rows) == 12


def test_servers_work_at_the_same_time() -> None:
    """Sixteen servers take little longer than two, although each one takes the same work."""
    took = []
    for nodes in (2, 16):
        run = update(demo_world(nodes))
        run.run()
        took.append(world_downtime(run))
    assert took[1] < took[0] * 1.3


def test_without_the_operators_permission_the_referee_calls_it_what_it_is() -> None:
    run = update(demo_world(3), permitted=False)
    run.run()
    run.simulation.cluster.snapshot("world")
    broken = {violation.invariant for violation in judge(run.simulation.cluster.journal.entries, report(run).to_json())}
    assert {"I1", "I5"} <= broken


def test_machines_are_saved_when_asked_and_those_that_were_off_stay_off() -> None:
    spec = demo_world(3)
    idle = replace(spec.vms[0], running=False)
    run = update(replace(spec, vms=(idle, *spec.vms[1:])), request=OfflineRequest(vm_action="save"))
    assert isinstance(run.run(), Done)
    assert vms(run).pop(idle.name) == "Off"
    assert sent(run, "Stop-VM") == []
    assert len(sent(run, "Save-VM")) == 8
    assert violations(run) == []


def test_a_cluster_without_virtual_machines() -> None:
    run = update(demo_world(2, vms_per_node=0))
    assert isinstance(run.run(), Done)
    assert violations(run) == []


def test_installing_before_leaves_only_the_restarts_to_the_downtime() -> None:
    before = update(request=OfflineRequest(install_before=True))
    assert isinstance(before.run(), Done)
    assert_back_as_found(before)
    after = update()
    after.run()
    assert world_downtime(before) < world_downtime(after) - timedelta(minutes=10)
    cleared = before.record.last(ev.DowntimeCleared)
    installs = before.record.all_of(ev.InstallStarted)
    assert cleared is not None
    assert {entry.event.node for entry in installs if entry.event.step == "install_before"} == set(before.cluster.nodes)


# --- what is refused -------------------------------------------------------------------------------------------------------


def test_a_plan_that_is_refused_leaves_everything_untouched() -> None:
    run = update(approved=False)
    run.run()
    changes = {"Stop-VM", "Save-VM", "Stop-Cluster", "Set-Service", "Restart-Computer", "Stop-ClusterResource"}
    assert not any(command.name in changes for _, pipeline in run.simulation.commands for command in pipeline)
    assert set(vms(run).values()) == {"Running"}
    assert run.record.facts.changes == ()


def test_a_machine_that_nobody_approved_to_stop_keeps_the_downtime_from_beginning() -> None:
    spec = demo_world(2)
    idle = replace(spec.vms[0], running=False)
    run = update(replace(spec, vms=(idle, *spec.vms[1:])))
    world = run.simulation.cluster.world
    group = world.groups.find(idle.name)
    assert group is not None

    def start_by_hand(name: str) -> None:
        if name == "downtime_gate":
            world.virtual_machines.start(group, "by hand")
            run.simulation.sleep(timedelta(minutes=2))

    run.before_step = start_by_hand
    end = run.run()
    assert isinstance(end, Stop)
    assert f"{idle.name} runs, and nobody has approved to stop it" in end.problem.title
    assert set(vms(run).values()) == {"Running"}


def test_a_window_that_is_too_short_for_the_whole_downtime_parks_the_run() -> None:
    spec = demo_world(2)
    run = update(spec)
    now = run.simulation.now()
    window = {
        "days_of_week": ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"],
        "opens": f"{now:%H:%M}",
        "duration": "01:00",
        "timezone": "UTC",
    }
    run.options = RunOptions.from_json({**run.options.to_json(), "windows": [window]})
    end = run.run()
    assert isinstance(end, Done)
    assert end.outcome == "parked"
    assert "the whole cluster takes up to" in end.why
    assert report(run).outcome == "parked"
    assert set(vms(run).values()) == {"Running"}
    assert sent(run, "Stop-VM") == []


# --- virtual machines that do not heed it ----------------------------------------------------------------------------------


def stubborn(**more: object) -> OfflineCoordinator:
    run = update(demo_world(2), **more)
    condition = Condition("guest-ignores-shutdown", "HCI01", details={"vm": "VM-1-2", "minutes": 1})
    run.simulation.cluster.world.rig.add(condition)
    return run


def test_a_guest_that_does_not_shut_down_is_saved_after_its_time() -> None:
    run = stubborn()
    assert isinstance(run.run(), Done)
    assert_back_as_found(run)
    rows = {row[0]: row[2] for section in report(run).sections for row in section.rows if row[0] == "VM-1-2"}
    assert rows == {"VM-1-2": "saved, it did not shut down in time"}
    asked = next(entry for entry in run.record.all_of(ev.Changing) if entry.event.subject == "VM-1-2")
    saved = [entry for entry in run.record.all_of(ev.Changing) if entry.event.after == "Saved"]
    assert [entry.event.subject for entry in saved] == ["VM-1-2"]
    assert saved[0].at - asked.at >= timedelta(minutes=10)


def test_or_the_run_ends_there_and_starts_again_what_it_has_stopped() -> None:
    run = stubborn(request=OfflineRequest(vm_fallback="stop_run"))
    run.run()
    assert set(vms(run).values()) == {"Running"}
    assert sent(run, "Stop-Cluster") == []
    assert report(run).outcome == "failed"
    assert said(run, "did not shut down within 10 min")
    assert violations(run) == []


# --- servers in trouble ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [2, 4])
def test_a_server_that_does_not_come_back_is_left_and_the_others_are_brought_up(nodes: int) -> None:
    run = update(demo_world(nodes))
    run.simulation.cluster.world.rig.add(Condition("never-comes-back", "HCI02", times=1))
    run.run()
    states = world_nodes(run)
    assert states.pop("HCI02") == "Down"
    assert set(states.values()) == {"Up"}
    assert set(vms(run).values()) == {"Running"}
    done = report(run)
    assert (done.outcome, outcomes(run)["HCI02"]) == ("failed", "failed")
    left = {item.node for item in done.left}
    assert left == {"HCI02"}
    assert any("Set-Service ClusSvc -StartupType Automatic" in str(item.command) for item in done.left)
    # Nobody waits for a pool that cannot be healthy without that server.
    back = next(row[1] for section in done.sections for row in section.rows if row[0].startswith("Cluster started"))
    assert "s" in back.split()
    assert "Still down: ClusSvc of HCI02" in done.headline
    assert violations(run) == []


def test_a_failed_install_does_not_leave_the_cluster_down() -> None:
    run = update(demo_world(3))
    condition = Condition("install-fails", "HCI02", details={"hresult": "0x80070643", "title": ""})
    run.simulation.cluster.world.rig.add(condition)
    run.run()
    assert set(world_nodes(run).values()) == {"Up"}
    assert set(vms(run).values()) == {"Running"}
    assert outcomes(run) == {"HCI01": "updated", "HCI02": "failed", "HCI03": "updated"}
    assert report(run).outcome == "failed"
    assert start_types(run) == {("Automatic", "Running")}
    assert violations(run) == []


def test_a_failed_install_before_the_downtime_stops_no_machine() -> None:
    run = update(demo_world(2), request=OfflineRequest(install_before=True))
    condition = Condition("install-fails", "HCI02", details={"hresult": "0x80070643", "title": ""})
    run.simulation.cluster.world.rig.add(condition)
    run.run()
    assert sent(run, "Stop-VM") == []
    assert report(run).outcome == "failed"
    assert violations(run) == []


# --- cancelled and killed --------------------------------------------------------------------------------------------------

PHASES = ["downtime_gate", "stop_vms", "stop_cluster", "install_offline", "start_cluster", "start_vms"]


@pytest.mark.parametrize("phase", PHASES)
def test_a_cancelled_run_ends_with_everything_back(phase: str) -> None:
    run = update(demo_world(3))

    def cancel(name: str) -> None:
        if name == phase:
            run.record.add(ev.OperatorAsked(action="cancel", by="ops"), run.simulation.now())

    run.before_step = cancel
    run.run()
    assert_back_as_found(run)
    assert report(run).outcome == "cancelled"
    assert bool(sent(run, "Restart-Computer")) == (phase in ("start_cluster", "start_vms"))


def test_a_cancel_in_the_midst_of_installing_finishes_what_was_begun() -> None:
    run = update(demo_world(3))

    def cancel(node: str, pipeline: Pipeline) -> None:
        if "InstallUpdates" in pipeline.describe() and run.record.facts.cancel is None:
            run.record.add(ev.OperatorAsked(action="cancel", by="ops"), run.simulation.now())

    run.simulation.before_command = cancel
    run.run()
    assert_back_as_found(run)
    assert report(run).outcome == "cancelled"


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("Stop-VM", 2),
        ("Stop-ClusterResource", 2),
        ("Stop-Cluster -Force", 1),
        ("Set-Service", 1),
        ("Set-Service", 3),
        ("InstallUpdates", 2),
        ("Restart-Computer", 2),
        ("Set-Service", 5),
        ("Start-Service", 2),
        ("Start-ClusterResource", 2),
        ("Start-ClusterGroup", 3),
    ],
)
@pytest.mark.parametrize("arrived", [False, True], ids=["before", "after"])
def test_a_run_that_died_anywhere_is_made_safe_from_its_record_alone(command: str, number: int, arrived: bool) -> None:
    run = update(demo_world(3), cancellable=True)
    count = [0]

    def kill(node: str, pipeline: Pipeline) -> None:
        if command in pipeline.describe():
            count[0] += 1
        if count[0] >= number:
            raise Killed

    if arrived:
        run.simulation.after_command = kill
    else:
        run.simulation.before_command = kill
    with pytest.raises(Killed):
        run.run()
    run.simulation.before_command = run.simulation.after_command = lambda node, pipeline: None
    run.simulation.sleep(timedelta(minutes=2))
    run.record = RunRecord(run.storage)
    assert run.record.facts.changes
    end = run.conclude()
    assert isinstance(end, Done)
    assert end.outcome == "clean"
    assert_back_as_found(run)


@pytest.mark.parametrize(
    "command", ["Stop-VM", "Stop-Cluster -Force", "Set-Service", "InstallUpdates", "Start-Service"]
)
def test_a_process_that_dies_and_is_begun_again_goes_on_where_it_was(command: str) -> None:
    run = update(demo_world(2))
    killed: list[str] = []

    def kill(node: str, pipeline: Pipeline) -> None:
        if command in pipeline.describe() and not killed:
            killed.append(node)
            raise Killed

    run.simulation.after_command = kill
    assert isinstance(run.run(), Done)
    assert run.deaths == 1
    assert_back_as_found(run)
    assert report(run).outcome == "succeeded"


def killed_at(run: OfflineCoordinator, command: str) -> None:
    def kill(node: str, pipeline: Pipeline) -> None:
        if command in pipeline.describe():
            raise Killed

    run.simulation.before_command = kill
    with pytest.raises(Killed):
        run.run()
    run.simulation.before_command = lambda node, pipeline: None
    run.record = RunRecord(run.storage)


def test_a_server_in_the_midst_of_servicing_is_not_started_and_holds_up_nobody() -> None:
    run = update(demo_world(3), cancellable=True)
    killed_at(run, "InstallUpdates")
    world = run.simulation.cluster.world
    lasts = timedelta(minutes=25)
    world.updates.foreign_install(world.node("HCI02"), lasts)
    begun = run.simulation.now()
    run.conclude()
    assert_back_as_found(run)
    entries = run.simulation.cluster.journal.entries
    started = {
        entry.detail["node"]: entry.at - begun
        for entry in entries
        if entry.op == "service" and entry.detail["name"] == "ClusSvc" and entry.detail["status"] == "Running"
    }
    assert started["HCI01"] < timedelta(minutes=2)
    assert started["HCI02"] >= lasts
    running = [entry.at - begun for entry in entries if entry.op == "vm.state" and entry.detail["state"] == "Running"]
    assert max(running) < timedelta(minutes=8)


def test_a_server_that_is_off_for_ever_is_named_with_what_to_do_there() -> None:
    run = update(demo_world(4), cancellable=True)
    killed_at(run, "InstallUpdates")
    run.simulation.cluster.world.power.crash(run.simulation.cluster.world.node("HCI04"), stay_down=True)
    run.conclude()
    assert set(vms(run).values()) == {"Running"}
    left = {item.node: item.command for item in report(run).left if item.command and "Set-Service" in item.command}
    assert left == {"HCI04": "On HCI04: Set-Service ClusSvc -StartupType Automatic"}


def test_without_enough_servers_for_a_quorum_the_run_says_what_is_still_down() -> None:
    run = update(without_witness(demo_world(4)))
    for name in ("HCI02", "HCI03", "HCI04"):
        run.simulation.cluster.world.rig.add(Condition("never-comes-back", name, times=1))
    run.run()
    done = report(run)
    assert done.outcome == "failed"
    assert "Still down:" in done.headline
    assert "VM-1-1" in done.headline
    commands = {item.command for item in done.left}
    assert "Start-ClusterGroup -Name 'VM-1-1'" in commands
    assert any(
        command.endswith("Name -eq 'Cluster Virtual Disk (Volume01)' | Start-ClusterResource")
        for command in commands
        if command
    )
    assert run.record.facts.open_changes("vm-stopped")


def test_a_run_that_left_servers_behind_is_finished_when_they_are_back() -> None:
    run = update(demo_world(3))
    world = run.simulation.cluster.world
    world.rig.add(Condition("never-comes-back", "HCI02", times=1))
    run.run()
    assert run.record.facts.changes
    world.power.start(world.node("HCI02"))
    run.simulation.sleep(timedelta(minutes=20))
    run.conclude()
    assert run.record.facts.changes == ()
    assert set(world_nodes(run).values()) == {"Up"}
    assert start_types(run) == {("Automatic", "Running")}


def test_the_fleet_file_may_spell_the_nodes_otherwise_than_the_cluster():
    run = update(demo_world(2))
    run.spell_nodes(str.lower)
    assert isinstance(run.run(), Done)
    assert set(outcomes(run).values()) == {"updated"}
    assert set(vms(run).values()) == {"Running"}
    assert start_types(run) == {("Automatic", "Running")}
    assert (locks(run), run.record.facts.changes) == ([], ())
