"""A feature update up to its first installation, over a simulated cluster: readiness, remote management, and the vendor's tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from include.hci.cluster.catalogue import outside
from include.hci.policy.plan import Plan
from include.hci.report import events as ev
from include.hci.report.values import Check
from include.hci.settings.feature import FeatureUpdateRequest
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.firewall import REMOTE_MANAGEMENT, REMOTE_SHUTDOWN
from include.simulator.world.machines import Service
from include.simulator.world.spec import VmSpec, demo_world
from include.simulator.world.world import World
from tests.hci.steps.feature_coordinator import FeatureCoordinator, feature_options
from tests.hci.steps.judging import violations
from tests.hci.steps.simulated import Simulation

CRITICAL, WARNING, INFORMATION = "critical", "warning", "information"


def feature(simulation: Simulation, *, passes: bool = False, run_id: str = "run-1", **more: Any) -> FeatureCoordinator:
    names = {key: more.pop(key) for key in list(more) if key in FeatureUpdateRequest.model_fields}
    request = FeatureUpdateRequest.model_validate(names)
    options = feature_options(len(simulation.cluster.world.nodes), request, **more)
    run = FeatureCoordinator(simulation, options, run_id, wanted=request, passes_credentials=passes)
    run.begin()
    return run


def upgraded(simulation: Simulation, *positions: int) -> None:
    """Let nodes have the next version already."""
    for position in positions:
        node = simulation.cluster.world.nodes[position]
        node.build, node.ubr = node.os.next_build, 1
        node.installed_at = simulation.now()


def checked(run: FeatureCoordinator) -> dict[str, Check]:
    run.step("readiness", tries=1)
    found = run.record.last(ev.ReadinessChecked)
    assert found is not None
    return {check.id: check for check in found.event.checks}


def troubled(checks: dict[str, Check]) -> dict[str, str]:
    return {key: check.severity for key, check in checks.items() if check.status in ("failed", "unknown")}


def changes(run: FeatureCoordinator) -> list[str]:
    found = run.simulation.commands
    return [f"{machine}: {pipeline.describe()}" for machine, pipeline in found if pipeline.is_change]


# --- readiness -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nodes", "os"), [(3, "20H2"), (4, "21H2"), (2, "WS2022")])
def test_a_healthy_cluster_may_be_upgraded_and_how_it_was_found_is_on_record(simulate, nodes, os):
    run = feature(simulate(demo_world(nodes, os)))
    checks = checked(run)
    assert troubled(checks) == {}
    assert checks["vm-versions"].status == checks["soft-reboot"].status == checks["processor"].status == "passed"
    assert "same-build" not in checks
    assert "the step cau_setup" in checks["cau-setup"].evidence
    [taken] = run.record.all_of(ev.SnapshotTaken)
    assert {node.name for node in taken.event.nodes} == set(run.cluster.nodes)
    assert [outside(pipeline) for _, pipeline in run.simulation.commands if outside(pipeline)] == []
    assert changes(run) == []


def old_20h2(simulation: Simulation) -> None:
    simulation.cluster.world.nodes[1].ubr = 1735


def soft_reboot(simulation: Simulation) -> None:
    world = simulation.cluster.world
    world.cluster_parameters.setdefault(world.spec.cluster, {})["CauEnableSoftReboot"] = 1


def agent(version: str) -> Callable[[Simulation], None]:
    def change(simulation: Simulation) -> None:
        node = simulation.cluster.world.nodes[0]
        node.services["SCVMMAgent"] = Service("SCVMMAgent", "System Center Virtual Machine Manager Agent")
        if version:
            node.programs["vmmAgent"] = version

    return change


def networking(simulation: Simulation) -> None:
    simulation.cluster.world.nodes[0].services["NcHostAgent"] = Service("NcHostAgent", "Network Controller Host Agent")


def busy(simulation: Simulation) -> None:
    for group in simulation.cluster.world.groups.all:
        if group.vm:
            group.vm.processor_percent = 60


CONDITIONS: dict[str, tuple[Callable[[Simulation], None], dict[str, str], str]] = {
    "a node before KB5003237": (
        old_20h2,
        {"rolling-upgrade-20h2": CRITICAL, "patch-level": CRITICAL},
        "HCI02 has build 17784.1735",
    ),
    "soft reboots": (soft_reboot, {"soft-reboot": CRITICAL}, "CauEnableSoftReboot is 1"),
    "Virtual Machine Manager 2019": (agent("10.19.2591.0"), {"vmm-agent": CRITICAL}, "HCI01 has version 10.19.2591.0"),
    "Virtual Machine Manager 2022": (agent("10.22.1287.0"), {}, ""),
    "an agent that tells no version": (agent(""), {"vmm-agent": WARNING}, "taken to be of System Center 2022"),
    "software defined networking": (networking, {"network-controller": INFORMATION}, "runs on HCI01"),
    "load": (busy, {"processor": WARNING}, "% of the processors of 3 nodes"),
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_each_condition_is_reported_by_its_check(simulate, condition):
    change, expected, says = CONDITIONS[condition]
    simulation = simulate(demo_world(3, "20H2"))
    change(simulation)
    checks = checked(feature(simulation))
    assert troubled(checks) == expected
    assert all(checks[key].remediation for key in expected)
    assert says in "; ".join(checks[key].evidence for key in expected)


def test_an_old_configuration_version_keeps_the_update_from_being_begun(simulate):
    spec = demo_world(3, "20H2")
    old = VmSpec("OLD1", "HCI01", disk=spec.disks[0].name, version="5.0")
    checks = checked(feature(simulate(dataclasses.replace(spec, vms=(*spec.vms, old)))))
    assert troubled(checks) == {"vm-versions": CRITICAL}
    assert checks["vm-versions"].evidence == "OLD1 has version 5.0"


def test_nodes_with_the_new_version_stand_apart_and_the_others_are_compared_among_themselves(simulate):
    simulation = simulate(demo_world(4, "20H2"))
    upgraded(simulation, 0)
    checks = checked(feature(simulation))
    assert troubled(checks) == {}
    assert "HCI01 have the new version already (20348)" in checks["patch-level"].evidence
    assert "ahead of the cluster since" in checks["mixed-mode"].evidence
    simulation.cluster.world.nodes[3].ubr = 1800
    assert troubled(checked(feature(simulation, run_id="run-2"))) == {"patch-level": CRITICAL}


def test_two_versions_for_longer_than_four_weeks_are_a_warning(simulate):
    simulation = simulate(demo_world(4, "20H2"))
    upgraded(simulation, 0)
    simulation.cluster.world.nodes[0].installed_at = simulation.now() - timedelta(weeks=5)
    assert troubled(checked(feature(simulation))) == {"mixed-mode": WARNING}


def test_an_update_from_media_needs_the_role(simulate):
    run = feature(simulate(demo_world(3, "20H2")), source="media", media_path="\\\\files\\hci\\21H2")
    assert troubled(checked(run)) == {"media-role": CRITICAL}


def test_steps_afterwards_ask_for_one_version_and_not_for_what_installing_needs(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    soft_reboot(simulation)
    upgraded(simulation, 0, 1, 2)
    checks = checked(feature(simulation, post_steps_only=True))
    assert troubled(checks) == {}
    assert "soft-reboot" not in checks
    other = simulate(demo_world(3, "20H2"))
    upgraded(other, 0)
    found = checked(feature(other, post_steps_only=True))
    assert troubled(found) == {"patch-level": CRITICAL}
    assert "without post_steps_only" in found["patch-level"].remediation


# --- remote management ---------------------------------------------------------------------------------------------------


def test_only_the_rules_for_remote_restarts_are_opened_where_all_else_is_set_up_and_the_end_puts_them_back(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    run = feature(simulation)
    assert isinstance(run.step("readiness", tries=1), Done)
    for node in run.cluster.nodes:
        assert isinstance(run.step("remoting", node), Done)
    world = simulation.cluster.world
    assert all(world.firewall.in_effect(node, REMOTE_SHUTDOWN) for node in world.nodes)
    rules = [rule for rule in world.firewall.rules(world.nodes[0]) if rule.display_group == REMOTE_SHUTDOWN]
    assert {rule.profiles for rule in rules} == {("Domain",)}
    assert len(changes(run)) == 3
    assert isinstance(run.conclude(), Done)
    assert [(rule.enabled, rule.profiles) for rule in rules] == [(False, ("Any",)), (False, ("Any",))]
    proved = run.record.last(ev.HygieneProved)
    assert proved is not None
    assert (proved.event.remainders, proved.event.unproven) == ((), "")
    assert violations(run, with_report=False) == []
    assert [outside(pipeline) for _, pipeline in simulation.commands if outside(pipeline)] == []


def test_a_node_that_is_ready_is_not_touched(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    node = simulation.cluster.world.nodes[0]
    simulation.cluster.world.firewall.enable_group(node, REMOTE_SHUTDOWN)
    run = feature(simulation)
    assert isinstance(run.step("remoting", "HCI01"), Done)
    assert changes(run) == []


def test_powershell_that_lets_nobody_in_is_enabled_although_that_ends_the_session(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    world = simulation.cluster.world
    world.remoting.disable_powershell(world.nodes[0])
    run = feature(simulation)
    end = run.step("remoting", "HCI01")
    assert isinstance(end, Done)
    assert world.remoting.state(world.nodes[0]).powershell
    assert "Enable-PSRemoting" in end.why
    assert "stay as they are now" in end.why
    assert [line for line in changes(run) if "PSRemoting" in line] == ["HCI01: Enable-PSRemoting -Force"]
    assert any("is not known" in line for line in run.words())
    [read] = [entry.event for entry in run.record.all_of(ev.RemotingRead)]
    assert (read.lacking, read.set_up) == ((), ("Enable-PSRemoting",))


def test_winrm_is_set_up_and_its_start_type_is_put_back(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    world = simulation.cluster.world
    world.services.set_start_type(world.nodes[1], "WinRM", "Manual")
    run = feature(simulation)
    assert isinstance(run.step("remoting", "HCI02"), Done)
    assert world.nodes[1].services["WinRM"].start_type == "Automatic"
    run.conclude()
    assert world.nodes[1].services["WinRM"].start_type == "Manual"


def test_rules_that_a_missing_group_keeps_closed_are_for_a_person(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    world = simulation.cluster.world
    rules = world.firewall.rules(world.nodes[0])
    rules[:] = [rule for rule in rules if rule.display_group != REMOTE_SHUTDOWN]
    run = feature(simulation)
    end = run.step("remoting", "HCI01", tries=1)
    assert isinstance(end, Stop)
    assert "no firewall rules of the group Remote Shutdown" in end.problem.title
    assert changes(run) == []


def test_winrms_own_rules_are_enabled_in_the_domain_alone(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    world = simulation.cluster.world
    rules = [rule for rule in world.firewall.rules(world.nodes[0]) if rule.display_group == REMOTE_MANAGEMENT]
    public = next(rule for rule in rules if "Public" in rule.profiles)
    world.firewall.change(world.nodes[0], [public], enabled=False)
    run = feature(simulation)
    assert isinstance(run.step("remoting", "HCI01"), Done)
    assert not any("QuickConfig" in line for line in changes(run))


# --- Test-CauSetup -------------------------------------------------------------------------------------------------------


def opened(simulation: Simulation) -> Simulation:
    """Let other machines restart every node."""
    for node in simulation.cluster.world.nodes:
        simulation.cluster.world.firewall.enable_group(node, REMOTE_SHUTDOWN)
    return simulation


@pytest.mark.parametrize("passes", [True, False])
def test_causetup_runs_on_the_management_host_with_credssp_where_that_is_needed(simulate, passes):
    run = feature(opened(simulate(demo_world(3, "20H2"))), passes=passes)
    end = run.step("cau_setup", tries=1)
    assert isinstance(end, Done)
    assert "of CAU's rules are kept" in end.why
    machine = run.simulation.cluster.hosts["MGMT01"].machine
    assert machine.credssp is not passes
    asked = {node for node, pipeline in run.simulation.commands if "Test-CauSetup" in pipeline.describe()}
    assert asked == {"MGMT01"}
    run.conclude()
    assert not machine.credssp


def test_a_critical_finding_keeps_the_update_from_being_begun(simulate):
    simulation = opened(simulate(demo_world(3, "20H2")))
    simulation.cluster.world.policies.set(simulation.cluster.world.nodes[1], "AUOptions", 4)
    run = feature(simulation, passes=True)
    end = run.step("cau_setup", tries=1)
    assert isinstance(end, Stop)
    assert "HCI02" in end.problem.title
    assert "Automatic Updates" in end.problem.next_action


def test_without_credentials_that_reach_the_nodes_nothing_is_tested(simulate):
    run = feature(simulate(demo_world(3, "20H2")), credssp="never")
    for name in ("cau_setup", "validate", "validate_after"):
        end = run.step(name, tries=1)  # type: ignore[arg-type]
        assert isinstance(end, Stop)
        assert "MGMT01 accepts no delegated credentials" in end.problem.title
    assert changes(run) == []


def test_a_run_that_ends_with_its_preview_is_not_refused_for_what_it_would_set_up(simulate):
    run = feature(simulate(demo_world(3, "20H2")), passes=True, plan_only=True)
    assert isinstance(run.step("cau_setup", tries=1), Done)
    assert isinstance(feature(simulate(demo_world(3, "20H2")), passes=True).step("cau_setup", tries=1), Stop)


# --- cluster validation --------------------------------------------------------------------------------------------------


def sick_disk(world: World) -> None:
    world.storage.take_offline(world.storage.virtual_disks[0], "test")


def sick_drive(world: World) -> None:
    world.storage.physical_disks[0].fault = "a fault"


def test_a_clean_validation_is_kept_beside_the_record(simulate):
    run = feature(simulate(demo_world(3, "20H2")))
    end = run.step("validate", tries=1)
    assert isinstance(end, Done)
    found = run.record.last(ev.ClusterValidated)
    assert found is not None
    event = found.event
    assert (event.moment, event.host, event.judged_by) == ("before", "MGMT01", "report")
    assert (event.failed, event.not_run, event.warned) == ((), (), ())
    assert event.report.startswith("C:\\Users\\")
    assert "Verify Virtual Disks" in run.storage.read(event.kept)
    assert [outside(pipeline) for _, pipeline in run.simulation.commands if outside(pipeline)] == []


def test_a_failed_test_refuses_and_names_itself(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    sick_disk(simulation.cluster.world)
    end = feature(simulation, passes=True).step("validate", tries=1)
    assert isinstance(end, Stop)
    assert "Verify Virtual Disks" in end.problem.title
    assert "Validation Report" in end.problem.next_action


def test_what_is_new_after_the_update_is_named_and_a_new_failure_ends_the_run(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    run = feature(simulation, passes=True)
    assert isinstance(run.step("validate", tries=1), Done)
    assert isinstance(end := run.step("validate_after", tries=1), Done)
    assert "nothing is new" in end.why
    sick_drive(simulation.cluster.world)
    assert isinstance(end := run.step("validate_after", tries=1), Done)
    assert "Verify Disks (warning)" in end.why.split("new: ")[1]
    sick_disk(simulation.cluster.world)
    assert isinstance(stopped := run.step("validate_after", tries=1), Stop)
    assert "that did not fail before the update" in stopped.problem.title
    last = run.record.last(ev.ClusterValidated)
    assert last is not None
    assert "Verify Virtual Disks (failed)" in last.event.new


def test_without_a_validation_before_it_says_so(simulate):
    end = feature(simulate(demo_world(3, "20H2")), passes=True, post_steps_only=True).step("validate_after", tries=1)
    assert isinstance(end, Done)
    assert "no validation of this run before the update" in end.why


def test_a_broken_connection_during_the_validation_has_it_made_again(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    run = feature(simulation, passes=True)
    broken: list[str] = []

    def cut(machine: str, pipeline: Any) -> None:
        if "Test-Cluster" in pipeline.describe() and not broken:
            broken.append(machine)
            simulation.wires[machine].fault("reset-answer", {})

    simulation.before_command = cut
    assert isinstance(run.step("validate", tries=1), Done)
    assert len(run.record.all_of(ev.ClusterValidating)) == 2
    assert len(run.record.all_of(ev.ClusterValidated)) == 1


# --- the whole way -------------------------------------------------------------------------------------------------------


def test_what_was_set_up_for_the_update_lasts_until_its_end_and_is_put_back_then(simulate):
    simulation = simulate(demo_world(3, "20H2"))
    run = feature(simulation)
    world = simulation.cluster.world
    steps: list[tuple[Any, str | None]] = [("readiness", None), *(("remoting", node) for node in run.cluster.nodes)]
    steps += [(name, None) for name in ("cau_setup", "validate", "prepare", "preview")]
    for name, node in steps:
        end = run.step(name, node, tries=1)
        assert isinstance(end, Done), end
    assert "offered" in end.why
    run.plan = Plan.from_json(end.details["plan"])  # type: ignore[arg-type]
    for name in ("run_cau", "collect", "builds", "validate_after"):
        end = run.step(name, tries=1)  # type: ignore[arg-type]
        assert isinstance(end, Done), end
    assert len([line for line in changes(run) if "Enable-WSManCredSSP" in line]) == 1
    assert len(run.record.all_of(ev.SnapshotTaken)) == 1
    assert isinstance(run.conclude(), Done)
    assert not any(world.firewall.in_effect(node, REMOTE_SHUTDOWN) for node in world.nodes)
    assert not simulation.cluster.hosts["MGMT01"].machine.credssp
    proved = run.record.last(ev.HygieneProved)
    assert proved is not None
    assert (proved.event.remainders, proved.event.unproven) == ((), "")
