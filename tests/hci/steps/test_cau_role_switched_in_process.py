"""CAU's self-updating role switched, started, read back otherwise, and processes that die in between, over a simulated cluster."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from include.hci.steps.decisions import Done, Stop, show_problem
from include.simulator.world.cau_schedule import Weekdays
from include.simulator.world.firewall import REMOTE_SHUTDOWN
from include.simulator.world.locks import RUN
from include.simulator.world.spec import CauRoleSpec, demo_world
from tests.hci.steps.coordinator import Killed
from tests.hci.steps.judging import report
from tests.hci.steps.role_coordinator import ask, changes, configure, configured

# --- switching and starting -----------------------------------------------------------------------------------------------


def test_disable_enable_remove(simulate):
    simulation = simulate()
    configured(simulation)
    roles = simulation.cluster.world.cau.roles
    for action, state in (("disable", (True, False)), ("enable", (True, True)), ("remove", (False, False))):
        run = ask(simulation, action)
        assert isinstance(run.run(), Done)
        assert (roles.role is not None, roles.enabled) == state
        assert report(run).outcome == "succeeded"
        again = ask(simulation, action)
        if action != "enable":
            assert isinstance(again.run(), Done)
            assert report(again).outcome == "nothing-to-do"


def test_a_role_with_another_schedule_is_not_enabled(simulate):
    simulation = simulate(dataclasses.replace(demo_world(4), cau_role=CauRoleSpec("Friday", enabled=False)))
    world = simulation.cluster.world
    for node in world.nodes:
        world.firewall.enable_group(node, REMOTE_SHUTDOWN)
    run = ask(simulation, "enable")
    end = run.run()
    assert isinstance(end, Stop)
    assert "configure" in end.problem.next_action
    assert not world.cau.roles.enabled


def test_update_now_makes_the_role_update_the_cluster(simulate):
    simulation = simulate()
    configured(simulation)
    world = simulation.cluster.world
    run = ask(simulation, "update_now")
    assert isinstance(run.run(), Done)
    cau = world.cau.run
    assert cau is not None
    assert cau.by_role
    assert report(run).outcome == "succeeded"
    for _ in range(200):
        if cau.ended is not None:
            break
        simulation.sleep(timedelta(minutes=30))
    assert {str(result.status.name) for result in cau.results.values() if result.status} == {"Succeeded"}


@pytest.mark.parametrize("state", ["absent", "disabled"])
def test_a_role_that_is_not_online_cannot_be_started(simulate, state):
    simulation = simulate()
    if state == "disabled":
        configured(simulation)
        simulation.cluster.world.cau.roles.enable(False)
    else:
        for node in simulation.cluster.world.nodes:
            simulation.cluster.world.firewall.enable_group(node, REMOTE_SHUTDOWN)
    run = ask(simulation, "update_now")
    end = run.run()
    assert isinstance(end, Stop)
    assert "configure" in end.problem.next_action


def test_update_now_keeps_off_a_cluster_on_which_another_coordinator_works(simulate):
    simulation = simulate()
    configured(simulation)
    world = simulation.cluster.world
    world.locks.create(world.nodes[2], RUN, "22222222-0000-0000-0000-000000000002")
    run = ask(simulation, "update_now")
    end = run.run()
    assert isinstance(end, Stop)
    assert "HCI03" in end.problem.title
    assert world.cau.run is None


# --- what goes wrong ------------------------------------------------------------------------------------------------------


def test_a_role_that_reads_back_otherwise_fails_the_run_with_the_differences(simulate):
    simulation = simulate()

    def meddle(machine: str, pipeline: object) -> None:
        role = simulation.cluster.world.cau.role
        if role is not None and role.schedule is not None:
            role.schedule = dataclasses.replace(role.schedule, days=Weekdays.Thursday)

    simulation.after_command = meddle
    run = configure(simulation)
    end = run.run()
    assert isinstance(end, Stop)
    assert "DaysOfWeek is Thursday, asked for was Tuesday" in show_problem(end.problem)
    assert changes(run) == ["Add-CauClusterRole", "Set-CauClusterRole"]
    done = report(run)
    assert done.outcome == "failed"
    assert "DaysOfWeek is Thursday" in done.headline
    said = next(section for section in done.sections if section.title == "The role")
    assert ("DaysOfWeek", "Thursday", "asked for was Tuesday") in said.rows


@pytest.mark.parametrize(
    ("action", "command"),
    [
        ("configure", "Add-CauClusterRole"),
        ("configure", "Enable-NetFirewallRule"),
        ("disable", "Disable-CauClusterRole"),
        ("remove", "Remove-CauClusterRole"),
        ("update_now", "Set-CauClusterRole"),
    ],
)
def test_a_process_that_dies_right_after_a_command_does_it_no_second_time(simulate, action, command):
    simulation = simulate()
    if action != "configure":
        configured(simulation)
    killed = []

    def kill(machine: str, pipeline: object) -> None:
        if pipeline.commands[0].name == command and not killed:  # type: ignore[attr-defined]
            killed.append(machine)
            raise Killed

    run = ask(simulation, action)
    simulation.commands.clear()
    simulation.after_command = kill
    assert isinstance(run.run(), Done)
    assert run.deaths == 1
    sent = run.sent(command)
    assert len(sent) == len(set(sent))
    assert report(run).outcome == "succeeded"


def test_a_process_that_dies_right_before_a_command_gives_it_later(simulate):
    simulation = simulate()
    killed = []

    def kill(machine: str, pipeline: object) -> None:
        if pipeline.commands[0].name == "Add-CauClusterRole" and not killed:  # type: ignore[attr-defined]
            killed.append(machine)
            raise Killed

    simulation.before_command = kill
    run = configure(simulation)
    assert isinstance(run.run(), Done)
    assert run.role is not None


def test_an_order_of_a_run_that_leaves_no_trace_is_not_given_twice(simulate):
    simulation = simulate()
    configured(simulation)
    killed = []

    def kill(machine: str, pipeline: object) -> None:
        if "-UpdateNow" in str(pipeline) and not killed:
            killed.append(machine)
            raise Killed

    run = ask(simulation, "update_now", retries=0)
    simulation.before_command = kill
    end = run.run()
    assert isinstance(end, Stop)
    assert "no run is to be seen" in end.problem.title
    assert simulation.cluster.world.cau.run is None
    assert len(run.sent("Set-CauClusterRole -ClusterName 'HCI-CL01' -UpdateNow")) == 1
