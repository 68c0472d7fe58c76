"""CAU's self-updating role over a simulated cluster: set up, compared, switched, started, and read back by the product's own steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from include.hci.cluster.catalogue import outside
from include.hci.report import events as ev
from include.hci.settings import RunOptions
from include.hci.settings.cau_role import CauRoleRequest
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.cau_schedule import Weekdays
from include.simulator.world.features import FEATURES
from include.simulator.world.firewall import REMOTE_SHUTDOWN
from include.simulator.world.spec import CauRoleSpec, demo_world
from tests.hci.steps.judging import report, violations
from tests.hci.steps.role_coordinator import EXAMPLE, ask, changes, configure, configured, schedule
from tests.hci.steps.simulated import Simulation

EXACTLY = (
    "MGMT01: Add-CauClusterRole -ClusterName 'HCI-CL01' -VirtualComputerObjectName 'CAU-VCO' -MaxFailedNodes 0"
    " -MaxRetriesPerNode 3 -CauPluginName 'Microsoft.WindowsUpdatePlugin'"
    " -CauPluginArguments @{IncludeRecommendedUpdates = 'False'} -RequireAllNodesOnline -EnableFirewallRules"
    " -StartDate '3/2/2020 3:00:00 AM' -DaysOfWeek 4 -WeeksOfMonth 3 -Verbose -Force"
)


# --- setting the role up --------------------------------------------------------------------------------------------------


def test_a_cluster_without_a_role_gets_it_with_the_parameters_of_the_vendors_example_and_it_is_proven(simulate):
    request = CauRoleRequest(schedule=schedule(), virtual_computer_object_name="CAU-VCO")
    run = configure(simulate(), request=request)
    assert isinstance(run.run(), Done)
    assert run.sent("Add-CauClusterRole") == [EXACTLY]
    assert run.role is not None
    assert run.role.next_run == datetime(2026, 11, 17, 3, tzinfo=UTC)
    assert (run.role.computer_name, run.role.prestaged) == ("CAU-VCO", True)
    assert [outside(pipeline) for _, pipeline in run.simulation.commands if outside(pipeline)] == []
    done = report(run)
    assert (done.outcome, done.nodes) == ("succeeded", ())
    times = next(section for section in done.sections if section.title.startswith("When it updates"))
    assert times.rows[0] == ("2026-11-17 03:00 UTC",)


@pytest.mark.parametrize(("allowed", "invariants"), [(True, set()), (False, {"I10", "I11"})])
def test_what_the_run_leaves_is_what_the_operator_allows(simulate, allowed, invariants):
    simulation = simulate()
    if allowed:
        simulation.cluster.rule("permission", what="cau-role")
    run = configure(simulation)
    assert isinstance(run.run(), Done)
    assert {line.partition(":")[0] for line in violations(run)} == invariants


@pytest.mark.parametrize(("nodes", "os"), [(2, "WS2019"), (3, "20H2"), (4, "22H2"), (4, "WS2022"), (2, "WS2025")])
def test_every_version_takes_the_same_parameters(simulate, nodes, os):
    run = configure(simulate(demo_world(nodes, os)))
    assert isinstance(run.run(), Done)
    assert report(run).outcome == "succeeded"


def test_a_role_with_the_schedule_that_nobody_gave_is_set_and_read_back(simulate):
    wanted = schedule(start_date="2026-11-02 22:00", days_of_week=["SAT"], interval_weeks=2)
    run = configure(simulate(None, 0, "cau-role-schedule"), request=CauRoleRequest(schedule=wanted))
    assert isinstance(run.run(), Done)
    assert changes(run) == ["Set-CauClusterRole"]
    assert "-UseDefault" in run.sent("Set-CauClusterRole")[0]
    assert run.role is not None
    found = run.role.schedule
    assert found is not None
    assert (found.days, found.interval, found.start.hour) == (Weekdays.Saturday, 2, 22)
    [setting] = [entry.event for entry in run.record.events() if isinstance(entry.event, ev.RoleChanging)]
    assert setting.before is not None
    assert setting.before["DaysOfWeek"] == "Tuesday"


def test_options_that_nobody_asked_for_go_back_to_their_defaults(simulate):
    simulation = simulate()
    configured(simulation)
    role = simulation.cluster.world.cau.role
    assert role is not None
    role.options |= {"AttemptSoftReboot": True, "RebootTimeoutMinutes": 90}
    run = configure(simulation)
    assert isinstance(run.run(), Done)
    assert not {"AttemptSoftReboot", "RebootTimeoutMinutes"} & set(role.options)


def test_a_role_that_is_right_is_not_touched(simulate):
    simulation = simulate()
    configured(simulation)
    simulation.commands.clear()
    run = configure(simulation)
    assert isinstance(run.run(), Done)
    assert not any(pipeline.is_change for _, pipeline in simulation.commands)
    assert report(run).outcome == "nothing-to-do"


def test_a_disabled_role_is_enabled_as_well(simulate):
    simulation = simulate()
    configured(simulation)
    simulation.cluster.world.cau.roles.enable(False)
    run = configure(simulation)
    assert isinstance(run.run(), Done)
    assert changes(run)[-1] == "Enable-CauClusterRole"
    assert simulation.cluster.world.cau.roles.enabled


# --- what it needs of the nodes -------------------------------------------------------------------------------------------


def test_missing_tools_are_installed_without_a_restart(simulate):
    simulation = simulate()
    world = simulation.cluster.world
    world.features.leave_out(world.nodes[1], FEATURES["rsat-clustering"])
    run = configure(simulation)
    assert isinstance(run.run(), Done)
    assert run.sent("Install-WindowsFeature") == [
        "HCI02: Install-WindowsFeature -Name 'RSAT-Clustering', 'RSAT-Clustering-PowerShell'"
    ]
    assert world.features.installed(world.nodes[1], "RSAT-Clustering-PowerShell")


def test_the_feature_itself_needs_a_restart_that_is_left_to_a_person(simulate):
    simulation = simulate()
    world = simulation.cluster.world
    world.features.leave_out(world.nodes[1], FEATURES["failover-clustering"])
    run = configure(simulation)
    end = run.run()
    assert isinstance(end, Stop)
    assert "HCI02 must restart" in end.problem.title
    assert run.sent("Install-WindowsFeature") == [
        "HCI02: Install-WindowsFeature -Name 'Failover-Clustering' -IncludeAllSubFeature -IncludeManagementTools"
    ]
    assert not any("Restart" in pipeline.describe() for _, pipeline in simulation.commands)
    assert run.role is None
    assert report(run).outcome == "failed"


def test_a_check_installs_nothing_and_opens_nothing(simulate):
    simulation = simulate()
    world = simulation.cluster.world
    world.features.leave_out(world.nodes[1], FEATURES["rsat-clustering"])
    run = ask(simulation, "check")
    assert isinstance(run.run(), Stop)
    assert not any(pipeline.is_change for _, pipeline in simulation.commands)
    needs = next(section for section in report(run).sections if section.title.startswith("What the role needs"))
    assert needs.rows[1][2:] == ("RSAT-Clustering, RSAT-Clustering-PowerShell", "disabled")


def test_firewall_rules_are_enabled_only_where_they_are_not(simulate):
    simulation = simulate()
    world = simulation.cluster.world
    world.firewall.enable_group(world.nodes[0], REMOTE_SHUTDOWN)
    run = configure(simulation)
    assert isinstance(run.run(), Done)
    assert [line.split(":")[0] for line in run.sent("Enable-NetFirewallRule")] == ["HCI02", "HCI03", "HCI04"]


def test_closed_firewalls_that_nobody_wants_opened_keep_the_role_from_being_set_up(simulate):
    run = configure(simulate(), options=RunOptions(max_failed_nodes=0))
    end = run.run()
    assert isinstance(end, Stop)
    assert "enable_firewall_rules" in end.problem.next_action
    assert changes(run) == []


def forbid_by_policy(simulation: Simulation) -> None:
    world = simulation.cluster.world
    world.firewall.force(world.nodes[2], REMOTE_SHUTDOWN, False)


def install_by_itself(simulation: Simulation) -> None:
    world = simulation.cluster.world
    world.policies.set(world.nodes[1], "AUOptions", 4)


@pytest.mark.parametrize(
    ("trouble", "said"), [(forbid_by_policy, "Remote Shutdown"), (install_by_itself, "Automatic Updates")]
)
def test_a_critical_finding_of_test_causetup_keeps_the_role_from_being_set_up(
    simulate, trouble: Callable[[Simulation], None], said: str
):
    simulation = simulate()
    trouble(simulation)
    run = configure(simulation)
    end = run.run()
    assert isinstance(end, Stop)
    assert said in end.problem.next_action
    assert changes(run) == []
    done = report(run)
    assert done.outcome == "failed"
    assert any(check.refused for check in done.checks)


def test_without_a_host_that_passes_credentials_on_test_causetup_is_left_out_with_the_reason(simulate):
    run = configure(simulate(), passes=False)
    run.run()
    [check] = report(run).checks
    assert check.status == "not-applicable"
    assert "passes no credentials on" in check.evidence


# --- where it is refused --------------------------------------------------------------------------------------------------


def test_a_cluster_whose_cadence_airflow_runs_gets_no_role(simulate):
    for action in ("configure", "enable"):
        run = ask(simulate(), action, "airflow")
        end = run.run()
        assert isinstance(end, Stop)
        assert "Airflow runs the schedule" in end.problem.title
        assert not any(pipeline.is_change for _, pipeline in run.simulation.commands)


def test_a_role_cannot_be_added_from_a_node_and_the_problem_says_what_is_missing(simulate):
    run = configure(simulate(), managed=False)
    end = run.run()
    assert isinstance(end, Stop)
    assert "management_host" in end.problem.next_action
    assert run.role is None


def test_a_role_that_can_be_added_from_a_node_is(simulate):
    spec = dataclasses.replace(demo_world(4), variants=frozenset({"cau-role-can-be-added-from-a-member"}))
    run = configure(simulate(spec), managed=False)
    assert isinstance(run.run(), Done)
    assert run.sent("Add-CauClusterRole")[0].startswith("HCI01: ")


def test_an_option_that_came_with_a_later_windows_is_refused_by_name(simulate):
    options = RunOptions.model_validate({**EXAMPLE, "attempt_soft_reboot": True})
    run = configure(simulate(demo_world(2, "WS2019")), options=options)
    end = run.run()
    assert isinstance(end, Stop)
    assert "does not know AttemptSoftReboot" in end.problem.title
    assert not any(pipeline.is_change for _, pipeline in run.simulation.commands)


def test_nothing_is_changed_while_cau_is_at_work(simulate):
    simulation = simulate()
    configured(simulation)
    simulation.cluster.world.cau.update_now("CORP\\operator")
    for action in ("configure", "disable", "remove", "update_now"):
        run = ask(simulation, action)
        run.begin()
        end = run.step("configure_role", tries=1)
        assert isinstance(end, Stop)
        assert "CAU is at work" in end.problem.title


# --- whose clocks ---------------------------------------------------------------------------------------------------------


def in_zone(simulation: Simulation, *names: str) -> None:
    nodes = simulation.cluster.world.nodes
    for position, node in enumerate(nodes):
        node.time_zone = names[min(position, len(names) - 1)]


def berlin() -> CauRoleRequest:
    return CauRoleRequest(schedule=schedule().model_copy(update={"timezone": "Europe/Berlin"}))


def test_times_are_on_the_clocks_of_the_nodes_in_summer_and_winter(simulate):
    simulation = simulate()
    in_zone(simulation, "Europe/Berlin")
    run = configure(simulation, request=berlin())
    assert isinstance(run.run(), Done)
    assert run.role is not None
    assert run.role.next_run == datetime(2026, 11, 17, 2, tzinfo=UTC)
    times = next(section for section in report(run).sections if section.title.startswith("When it updates")).rows
    assert times[0] == ("2026-11-17 03:00 Europe/Berlin (2026-11-17 02:00 UTC)",)


@pytest.mark.parametrize(
    ("zones", "node"),
    [(("UTC",), "HCI01"), (("Europe/Berlin", "Europe/London"), "HCI02"), (("Africa/Lagos",), "HCI01")],
)
def test_other_clocks_than_the_schedules_are_refused_also_where_only_the_summer_differs(simulate, zones, node):
    simulation = simulate()
    in_zone(simulation, *zones)
    run = configure(simulation, request=berlin())
    end = run.run()
    assert isinstance(end, Stop)
    assert f"on the clocks of {node}" in end.problem.title
    assert not any(pipeline.is_change for _, pipeline in simulation.commands)


# --- comparing ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run_by", "word"), [("airflow", "Airflow updates the cluster as well"), (None, "no schedule")]
)
def test_a_role_beside_airflow_is_found_and_nothing_is_changed(simulate, run_by, word):
    simulation = simulate(dataclasses.replace(demo_world(4), cau_role=CauRoleSpec()))
    run = ask(simulation, "check", run_by)
    end = run.run()
    assert isinstance(end, Stop)
    assert word in end.problem.title
    assert "third Tuesday at 03:00" in end.problem.title
    assert not any(pipeline.is_change for _, pipeline in simulation.commands)
    assert report(run).outcome == "failed"


@pytest.mark.parametrize("role", [None, CauRoleSpec(enabled=False)])
def test_beside_airflow_no_role_or_a_disabled_one_is_right(simulate, role):
    run = ask(simulate(dataclasses.replace(demo_world(4), cau_role=role)), "check", "airflow")
    assert isinstance(run.run(), Done)
    assert report(run).outcome == "nothing-to-do"


def test_a_check_names_every_difference(simulate):
    simulation = simulate()
    configured(simulation)
    role = simulation.cluster.world.cau.role
    assert role is not None
    assert role.schedule is not None
    role.schedule = dataclasses.replace(role.schedule, days=Weekdays.Friday, weeks=(1,))
    role.options["MaxFailedNodes"] = 1
    run = ask(simulation, "check")
    end = run.run()
    assert isinstance(end, Stop)
    read = run.record.last(ev.RoleRead)
    assert read is not None
    assert {(each.name, each.asked, each.found) for each in read.event.differences} == {
        ("DaysOfWeek", "Tuesday", "Friday"),
        ("WeeksOfMonth", "3", "1"),
        ("MaxFailedNodes", "0", "1"),
    }
