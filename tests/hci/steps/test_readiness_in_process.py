"""Readiness over a simulated cluster: which check reports which condition of the world, and what a run makes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest

from include.hci.cluster.catalogue import outside
from include.hci.cluster.facade import FleetCluster, ManagementHost
from include.hci.report import events as ev
from include.hci.report.values import Check
from include.hci.settings import RunOptions
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.groups import GroupState
from include.simulator.world.policies import ASR_RULES, ASR_WMI
from include.simulator.world.rig import Condition
from include.simulator.world.spec import CauRoleSpec, VmSpec, demo_world
from include.simulator.world.world import World
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.judging import report
from tests.hci.steps.role_coordinator import schedule
from tests.hci.steps.simulated import SimulatedShell, Simulation

#: What nobody asked for in a run without scripts, required hooks and a management host.
LEFT_OUT = {"cau-setup", "validation", "update-scripts", "required-hooks"}


def checked(run: Coordinator) -> dict[str, Check]:
    """Return the checks of ``run`` by their ids, after its readiness step."""
    run.step("readiness", tries=1)
    found = run.record.last(ev.ReadinessChecked)
    assert found is not None
    return {check.id: check for check in found.event.checks}


def troubled(checks: dict[str, Check]) -> dict[str, tuple[str, str]]:
    return {
        key: (check.severity, check.status) for key, check in checks.items() if check.status in ("failed", "unknown")
    }


# --- a healthy cluster ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nodes", "os"), [(2, "WS2019"), (3, "20H2"), (4, "22H2"), (4, "WS2022"), (8, "WS2025")])
def test_a_healthy_cluster_passes_every_check(simulate, nodes, os):
    run = Coordinator(simulate(demo_world(nodes, os)))
    checks = checked(run)
    assert troubled(checks) == {}
    assert {key for key, check in checks.items() if check.status == "not-applicable"} == LEFT_OUT
    assert checks["same-build"].duration_seconds
    assert [outside(pipeline) for _, pipeline in run.simulation.commands if outside(pipeline)] == []
    assert not any(pipeline.is_change for _, pipeline in run.simulation.commands)


def test_a_node_whose_address_leads_to_another_server_is_not_taken_for_it(simulate):
    """What would be sent to the node, a restart too, would strike the other server and the roles on it."""
    run = Coordinator(simulate(demo_world(4)))
    leads = {"HCI03": "HCI02"}
    lend = run.simulation.shell
    run.cluster = FleetCluster(run.cluster.name, run.cluster.nodes, lambda name: lend(leads.get(name, name)))
    found = checked(run)["reachability"]
    assert found.status == "failed"
    assert "HCI03: the machine that answers for HCI03 is called HCI02" in found.evidence


# --- what the world is like, and which check says so ---------------------------------------------------------------------

CRITICAL, WARNING, INFORMATION = ("critical", "failed"), ("warning", "failed"), ("information", "failed")

FAULTS: dict[str, dict[str, tuple[str, str]]] = {
    "vm-with-local-iso-on-node-2": {"local-media": CRITICAL},
    "single-copy-volume": {"single-copy": CRITICAL},
    "automatic-updates-restart-node-on-node-2": {"automatic-updates": CRITICAL},
    "hand-patched-node-on-node-2": {"same-build": WARNING},
    "role-locked-on-node-2": {"locked-roles": WARNING},
    "backup-running": {"backup": WARNING},
    "csv-redirected": {"volume-access": WARNING},
    "cau-role-schedule": {"cau-role": WARNING},
    "cau-status-unreadable": {"cau-run": ("warning", "unknown")},
    "no-room-for-roles-on-node-2": {"memory": CRITICAL},
    "foreign-node-lock-on-node-2": {"lock": CRITICAL},
    "provider-class-missing-on-node-2": {"lock": ("critical", "unknown")},
    "connection-refused-on-node-2": {"reachability": CRITICAL},
    "slow-disk-is-healthy": {"health-faults": WARNING},
    "storage-query-hangs": {
        "storage": ("critical", "unknown"),
        "pools": ("warning", "unknown"),
        "single-copy": ("critical", "unknown"),
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_reported_by_its_check(simulate, fault):
    run = Coordinator(simulate(None, 1, fault))
    run.simulation.sleep(timedelta(minutes=1))
    found = troubled(checked(run))
    assert {key: found.get(key) for key in FAULTS[fault]} == FAULTS[fault]
    assert not found.keys() - FAULTS[fault].keys()


def set_policies(**values: int | str) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name, value in values.items():
            world.policies.set(world.nodes[1], name, value)

    return change


def block_wmi(world: World) -> None:
    world.registry.create(world.nodes[1], ASR_RULES)
    world.registry.set(world.nodes[1], ASR_RULES, ASR_WMI, 1)


def fill_volume(world: World) -> None:
    world.rig.add(Condition("boot-volume-full", "HCI02"))


def wait_for_restart(world: World) -> None:
    world.nodes[1].pending_restart = True


def install_something(world: World) -> None:
    world.services.set(world.nodes[1], "TrustedInstaller", "Running")


def roll_firmware_out(world: World) -> None:
    document = "<Components><Disks><Disk><TargetFirmware/></Disk></Disks></Components>"
    world.storage.settings["System.Storage.SupportedComponents.Document"] = document


def fail_role(world: World) -> None:
    group = next(group for group in world.groups.all if group.vm)
    world.groups.set_state(group, GroupState.Failed, "test")


SETTINGS: dict[str, tuple[Callable[[World], None], dict[str, tuple[str, str]]]] = {
    "a WSUS server that is not used": (set_policies(WUServer="http://wsus:8530"), {}),
    "one node with another update source": (
        set_policies(WUServer="http://wsus:8530", UseWUServer=1),
        {"update-source": WARNING},
    ),
    "scheduled installs": (set_policies(AUOptions=4), {"automatic-updates": CRITICAL}),
    "a rule against processes of WMI": (block_wmi, {"wmi-processes": WARNING}),
    "a full system volume": (fill_volume, {"free-space": CRITICAL}),
    "a restart that is owed": (wait_for_restart, {"pending-restart": INFORMATION}),
    "an installation": (install_something, {"servicing": WARNING}),
    "a firmware roll-out": (roll_firmware_out, {"firmware-rollout": WARNING}),
    "a failed role": (fail_role, {"failed-roles": CRITICAL}),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_setting_is_reported_by_its_check(simulate, setting):
    run = Coordinator(simulate())
    change, expected = SETTINGS[setting]
    change(run.simulation.cluster.world)
    assert troubled(checked(run)) == expected


def test_virtual_machines_that_do_not_fit_elsewhere_refuse_the_run(simulate):
    spec = demo_world(2)
    large = tuple(
        VmSpec(f"BIG{number}", f"HCI0{number}", memory_gib=300.0, disk=spec.disks[0].name) for number in (1, 2)
    )
    checks = checked(Coordinator(simulate(dataclasses.replace(spec, vms=large))))
    assert troubled(checks) == {"memory": CRITICAL}
    assert "BIG1 of HCI01" in checks["memory"].evidence or "HCI01 need" in checks["memory"].evidence


# --- the vendor's own tests ----------------------------------------------------------------------------------------------


def with_host(simulation: Simulation, *, delegated: bool, problem: str = "", **options: object) -> Coordinator:
    run = Coordinator(simulation, RunOptions(max_failed_nodes=1, **options))
    shell = SimulatedShell(simulation, simulation.cluster.hosts["MGMT01"], delegated)
    host = ManagementHost(None if problem else shell, delegated, problem)
    run.cluster = FleetCluster(run.cluster.name, run.cluster.nodes, simulation.shell, host)
    return run


def setup_rows(checks: dict[str, Check]) -> dict[str, str]:
    return {
        key: check.status
        for key, check in checks.items()
        if key.startswith("cau-") and key not in ("cau-run", "cau-role")
    }


def test_test_causetup_runs_on_a_management_host_that_passes_credentials_on(simulate):
    run = with_host(simulate(), delegated=True)
    checks = checked(run)
    rows = setup_rows(checks)
    # Rules 12 to 19 are about the role, which this cluster does not have.
    assert len(rows) == 11
    assert rows["cau-available"] == rows["cau-service"] == "passed"
    assert rows["cau-role-installed"] == "not-applicable"
    assert {check.severity for check in checks.values() if check.status == "failed"} <= {"information"}
    asked = {node for node, pipeline in run.simulation.commands if "Cau" in pipeline.describe().split(" ")[0]}
    assert asked == {"MGMT01"}


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ({"delegated": False}, "passes no credentials on"),
        ({"delegated": True, "check_cau_setup": False}, "check_cau_setup is off"),
        ({"delegated": False, "problem": "the connection hci_mgmt does not exist"}, "hci_mgmt does not exist"),
    ],
)
def test_test_causetup_is_left_out_with_the_reason(simulate, host, says):
    checks = checked(with_host(simulate(), **host))
    assert setup_rows(checks) == {"cau-setup": "not-applicable"}
    assert says in checks["cau-setup"].evidence
    assert troubled(checks) == {}


def test_a_management_host_that_does_not_answer_is_replaced_by_a_node(simulate):
    run = with_host(simulate(), delegated=False)
    run.simulation.wires["MGMT01"].refused = True
    assert troubled(checked(run)) == {}


def test_cluster_validation_runs_where_a_profile_asks_for_it(simulate):
    run = Coordinator(simulate(), RunOptions(max_failed_nodes=1, validate_cluster=True))
    checks = checked(run)
    assert checks["validation"].status == "passed"
    assert "Validation Report" in checks["validation"].evidence


# --- what a run makes of it ----------------------------------------------------------------------------------------------


def test_every_warning_has_to_be_accepted_where_the_profile_says_so(simulate):
    faults = ("hand-patched-node-on-node-2", "cau-role-schedule")
    run = Coordinator(simulate(None, 0, *faults), RunOptions(max_failed_nodes=1, require_acknowledgement=True))
    end = run.run()
    assert isinstance(end, Stop)
    assert "warnings are not accepted: cau-role (" in end.problem.title
    assert "same-build (" in end.problem.title
    assert "accepted_warnings (cau-role, same-build)" in end.problem.next_action
    assert [check.id for check in report(run).checks if check.refused] == ["cau-role", "same-build"]
    assert report(run).outcome == "failed"
    assert not any(pipeline.is_change for _, pipeline in run.simulation.commands)


@pytest.mark.parametrize(
    ("options", "goes_on"),
    [
        ({}, True),
        ({"require_acknowledgement": True}, False),
        ({"require_acknowledgement": True, "accepted_warnings": ("same-build",)}, True),
        ({"require_acknowledgement": True, "accepted_warnings": ("cau-role",)}, False),
    ],
)
def test_an_accepted_warning_keeps_no_run_from_starting(simulate, options, goes_on):
    run = Coordinator(simulate(None, 0, "hand-patched-node-on-node-2"), RunOptions(max_failed_nodes=1, **options))
    assert isinstance(run.step("readiness", tries=1), Done if goes_on else Stop)


@pytest.mark.parametrize(
    ("run_by", "enabled", "goes_on"),
    [("airflow", True, False), ("airflow", False, True), ("cau", True, True), (None, True, True)],
)
def test_a_role_with_a_schedule_of_its_own_beside_that_of_airflow_refuses_the_run(simulate, run_by, enabled, goes_on):
    world = dataclasses.replace(demo_world(4), cau_role=CauRoleSpec("Friday", enabled=enabled))
    options = RunOptions(max_failed_nodes=1, accepted_warnings=("cau-role",))
    run = Coordinator(simulate(world), options, schedule=run_by and schedule(run_by))
    end = run.step("readiness", tries=1)
    if goes_on:
        assert isinstance(end, Done)
        return
    assert isinstance(end, Stop)
    assert "DaysOfWeek Friday" in end.problem.title
    assert "Airflow begins runs of its own (03:00 every third Tuesday of the month (UTC))" in end.problem.title
    assert "Disable-CauClusterRole" in end.problem.next_action
    assert [check.id for check in report(run).checks if check.refused] == ["cau-role"]


def test_what_is_critical_cannot_be_accepted(simulate):
    options = RunOptions(max_failed_nodes=1, accepted_warnings=("single-copy",))
    end = Coordinator(simulate(None, 0, "single-copy-volume"), options).step("readiness", tries=1)
    assert isinstance(end, Stop)
    assert "single copy" in end.problem.title


def test_a_machine_that_is_no_role_keeps_a_run_from_starting_unless_it_may_go_down(simulate):
    simulation = simulate(demo_world())
    simulation.cluster.world.rig.add(Condition("local-vm", "HCI02", details={"name": "DC01"}))
    run = Coordinator(simulation)
    assert isinstance(run.step("readiness", tries=1), Stop)
    assert troubled(checked(run)) == {"unclustered-vms": ("critical", "failed")}
    named = Coordinator(simulation, RunOptions(max_failed_nodes=1, local_vms=("dc01",)))
    assert troubled(checked(named)) == {"local-vms": ("information", "failed")}
