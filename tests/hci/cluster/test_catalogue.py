"""The catalogue holds everything that is sent, and nothing that the vendor does not document."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from include.hci.cluster import (
    agents,
    as_found,
    cau,
    cau_role,
    cau_runs,
    cluster_power,
    credssp,
    features,
    firewall,
    levels,
    machine,
    nodes,
    policies,
    preview_channel,
    remoting,
    role_moves,
    rollout,
    scheduled_tasks,
    scripts,
    services,
    soft_reboot,
    storage,
    time_zone,
    validation,
    virtual_machines,
    vm_power,
    vm_versions,
    volumes,
)
from include.hci.cluster.catalogue import CATALOGUE, find_entry, outside
from include.hci.cluster.system_task import job as system_task_job
from include.hci.cluster.system_task.updater import SystemTaskUpdater
from include.hci.cluster.updater import CauProviderUpdater
from include.hci.policy.cau_options import WS2022, WS2025, too_new
from include.hci.powershell.command import Command, Pipeline
from tests.hci.cluster.fakes import FakeShell, obj
from tests.hci.cluster.system_task.jobs import JOB
from tests.hci.cluster.test_updater import OURS, methods

SYNTAX = Path(__file__).parents[4] / "shared" / "reference" / "cmdlets"
VERSIONS = ("2019", "2022", "2025")
#: ServerManager comes with every version; only the pages of the last one are here. The preview channel's cmdlets have none at all.
ELSEWHERE = {"Get-WindowsFeature", "Install-WindowsFeature", "Get-PreviewChannel", "Set-PreviewChannel"}
#: The page of this version runs two parameters into one: -SeparateReboots takes the type of the one behind it.
SLIPS = {("2025", "Set-CauClusterRole -SiteAwareUpdatingOrder")}


def everything_sent() -> list[Pipeline]:
    """Call every vocabulary function and the updater once and return what they sent."""
    shell = FakeShell(
        {
            "Get-Cluster": [obj(Name="C")],
            "Get-VMHostSupportedVersion": [obj(Version="10.0")],
            "Get-ClusterQuorum": [obj()],
            "Get-CimInstance": [obj(LastBootUpTime="2026-11-03T01:12:00Z", OrchestratorGuid=str(OURS), Bias=60)],
            "Install-WindowsFeature": [obj(Success=True)],
            "Get-PreviewChannel": [obj(Enabled=False)],
            "Set-PreviewChannel": [obj(Succeeded=True, RestartRequired=True, ExitCode=0)],
            "Get-ItemProperty": [obj(CurrentBuild="20348")],
            "Get-Item": [obj(Value="false"), obj(Value="true")],
            "Get-CauRun": [obj("RunInProgress"), obj(RunId="r")],
            "Get-Volume": [obj(SizeRemaining=6 * 1024**3)],
            "Select-Object": methods("QueryString", "FeatureUpdatesOnly"),
            "Invoke-CimMethod": lambda pipeline: [
                obj(Info=(), ReturnValue=False if "RebootRequired" in pipeline.describe() else 0)
            ],
        }
    )
    for read in (
        as_found.count_installed_updates,
        as_found.get_credssp,
        as_found.get_firewall_groups,
        as_found.get_our_tasks,
        as_found.get_session_configurations,
        as_found.get_start_types,
        nodes.get_cluster,
        nodes.get_cluster_nodes,
        nodes.get_cluster_groups,
        nodes.get_cluster_resources,
        nodes.get_cluster_quorum,
        nodes.get_cluster_shared_volumes,
        storage.get_virtual_disks,
        storage.get_storage_pools,
        storage.get_storage_jobs,
        storage.get_fault_domains,
        storage.get_physical_disks,
        storage.get_health_faults,
        machine.get_free_space,
        machine.get_operating_system,
        nodes.get_cluster_shared_volume_states,
        policies.get_pending_restart,
        policies.get_update_policy,
        policies.blocks_wmi_processes,
        rollout.get_firmware_rollout,
        virtual_machines.get_dvd_drives,
        machine.get_windows_version,
        machine.restart_computer,
    ):
        read(shell)
    nodes.suspend_cluster_node(shell, "HCI01")
    for failback in ("Immediate", "NoFailback", "Policy"):
        nodes.resume_cluster_node(shell, "HCI01", failback)
    storage.enable_storage_maintenance_mode(shell, "HCI01")
    storage.disable_storage_maintenance_mode(shell, "HCI01")
    storage.release_drives(shell, "HCI01")
    storage.repair_virtual_disk(shell, "V1")
    machine.get_services(shell, ["ClusSvc"])
    rollout.get_admin_center_tasks(shell)
    scripts.script_exists(shell, r"C:\Scripts\pre.ps1")
    scripts.command_exists(shell, "Set-Maintenance")
    validation.test_cau_setup(shell, "C")
    validation.test_cluster(shell, ["Network"])
    validation.test_cluster(shell, ["Network"], "C")
    virtual_machines.get_virtual_machines(shell, "HCI01")
    vm_power.shut_down_vm(shell, "VM1", timedelta(minutes=1))
    vm_power.save_vm(shell, "VM1")
    levels.get_supported_levels(shell)
    levels.try_functional_level(shell)
    levels.update_functional_level(shell)
    levels.get_pools(shell)
    levels.update_storage_pool(shell, "{pool}")
    role_moves.live_migrate(shell, "C", "VM1", "HCI02")
    role_moves.cancel_migration(shell, "C", "VM1")
    role_moves.move_cluster_group(shell, "FS", "HCI02")
    vm_versions.get_default_version(shell)
    vm_versions.get_supported_versions(shell)
    vm_versions.update_vm_version(shell, "VM1")
    cluster_power.stop_cluster(shell)
    cluster_power.stop_cluster_resource(shell, "Cluster Virtual Disk (V1)")
    cluster_power.start_cluster_resource(shell, "Cluster Virtual Disk (V1)")
    cluster_power.stop_cluster_resource(shell, "Cluster Virtual Disk (V1)", shared=True)
    cluster_power.start_cluster_resource(shell, "Cluster Virtual Disk (V1)", shared=True)
    cluster_power.get_disk_resources(shell, ())
    cluster_power.start_cluster_group(shell, "VM1")
    for start_type in ("Automatic", "Manual", "Disabled"):
        services.set_start_type(shell, "ClusSvc", start_type)
    services.start_service(shell, "ClusSvc")
    volumes.get_volumes(shell)
    cau.get_cau_run(shell, "C")
    cau.get_cau_cluster_role(shell, "C")
    cau.get_lock_holders(shell, "HCI01", "MSFT_CAURun")
    cau.create_lock(shell, "MSFT_CAURun", OURS)
    cau.create_lock(shell, "MSFT_CAUNode", OURS)
    cau.remove_lock(shell, "MSFT_CAURun", OURS)
    cau_runs.get_cau_status(shell, "C")
    cau_runs.invoke_cau_scan(shell, "C", dict.fromkeys(cau_runs.SCAN_PARAMETERS, "x"))
    cau_runs.leave_cau_run(shell, "C", dict.fromkeys(cau_runs.RUN_PARAMETERS, "x"), OURS, timedelta(hours=1))
    cau_runs.recover_cau(shell, "C")
    cau_runs.stop_cau_run(shell, "C")
    cau_runs.get_cau_plugins(shell)
    cau_runs.get_last_report_id(shell, "C")
    asked = dict.fromkeys((*cau_role.ROLE_SCHEDULE, *cau_role.ROLE_OPTIONS), "x")
    cau_role.add_cau_cluster_role(shell, "C", asked, "CAU-VCO", "Updates")
    cau_role.set_cau_cluster_role(shell, "C", asked)
    cau_role.start_role_run(shell, "C")
    cau_role.enable_cau_cluster_role(shell, "C")
    cau_role.disable_cau_cluster_role(shell, "C")
    cau_role.remove_cau_cluster_role(shell, "C")
    features.get_windows_features(shell)
    features.install_windows_features(shell, ("Failover-Clustering", "RSAT-Clustering", "RSAT-Clustering-PowerShell"))
    preview_channel.get_preview_channel(shell)
    preview_channel.set_preview_channel(shell)
    firewall.allow_remote_shutdown(shell)
    time_zone.get_time_zone(shell)
    credssp.enable_credssp_server(shell)
    credssp.disable_credssp_server(shell)
    firewall.forbid_remote_shutdown(shell)
    firewall.open_remote_shutdown(shell)
    firewall.restore_rules(shell, (firewall.FirewallRule("R1", enabled=False),))
    shell.replies["Get-Service"] = [obj(Name="WinRM", Status="Running"), obj(Name="SCVMMAgent", Status="Running")]
    agents.get_agents(shell)
    shell.replies["Get-Service"] = [obj(Name="WinRM", Status="Running")]
    remoting.get_remote_management(shell)
    remoting.set_wsman_quick_config(shell)
    remoting.enable_ps_remoting(shell)
    soft_reboot.get_soft_reboot(shell)
    there = iter((False, True, True, False))  # the folder: not there yet, then there, then gone
    shell.replies["Test-Path"] = lambda pipeline: [next(there, False)]
    tasks = iter(([], [obj(TaskName=JOB.task_name, State="Running")]))
    shell.replies["Get-ScheduledTask"] = lambda pipeline: next(tasks, [])
    shell.replies["Get-ScheduledTaskInfo"] = [obj(LastTaskResult=0)]
    system_task_job.begin(shell, JOB)
    shell.replies["Get-Content"] = [JOB.arguments.model_dump_json()]
    system_task_job.look(shell, JOB)
    system_task_job.tidy(shell, JOB)
    scheduled_tasks.get_last_result(shell, JOB.task_name)
    SystemTaskUpdater(shell, lambda mode, searches: JOB).probe()
    updater, hour = CauProviderUpdater(shell, "HCI01", OURS), timedelta(hours=1)
    updater.probe()
    updater.scan("IsInstalled=0")
    updater.download("IsInstalled=0", hour)
    updater.install("IsInstalled=0", hour)
    updater.restart_needed()
    updater.release()
    return shell.sent


def test_nothing_is_sent_that_the_catalogue_does_not_have():
    assert [problem for pipeline in everything_sent() for problem in outside(pipeline)] == []


def test_nothing_is_in_the_catalogue_that_is_never_sent():
    sent = [command for pipeline in everything_sent() for command in pipeline]
    names = {command.name for command in sent}
    parameters = {(command.name, name) for command in sent for name in command.parameters}
    assert {entry.name for entry in CATALOGUE} == names
    assert {(entry.name, name) for entry in CATALOGUE for name in entry.parameters} == parameters


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (Command("Remove-ClusterNode"), "Remove-ClusterNode is not in the catalogue"),
        (Command("Suspend-ClusterNode", {"ForceDrain": True}), "Suspend-ClusterNode -ForceDrain is not"),
        (Command("Resume-ClusterNode", {"Failback": "Later"}), "-Failback 'Later' is not"),
        (Command("Invoke-CimMethod", {"MethodName": "RunUpdateInstaller"}), "'RunUpdateInstaller' is not"),
        (Command("Get-ClusterNode", changes=True), "catalogued as reading"),
    ],
)
def test_what_is_outside_is_named(command, said):
    assert any(said in problem for problem in outside(command))


def test_names_are_found_whatever_the_case():
    assert find_entry("get-clusternode") is find_entry("Get-ClusterNode")
    assert find_entry("Get-Nothing") is None


@pytest.mark.parametrize("version", VERSIONS)
def test_the_vendor_documents_every_command_and_parameter(version):
    path = SYNTAX / f"windows-server-{version}.json"
    if not path.exists():
        pytest.skip(f"the vendor's syntax is not here ({path.name})")
    documented = json.loads(path.read_text(encoding="utf-8"))["cmdlets"]
    missing = []
    for entry in CATALOGUE:
        if entry.name not in documented:
            missing += [entry.name] if entry.name not in ELSEWHERE else []
            continue
        known = documented[entry.name]["parameters"]
        build = {"2019": 17763, "2022": WS2022, "2025": WS2025}[version]
        missing += [
            f"{entry.name} -{name}"
            for name in entry.parameters
            if name not in known and name not in too_new({name: 1}, build)
            if not (name == "Verbose" and documented[entry.name]["common"])
            if (version, f"{entry.name} -{name}") not in SLIPS
        ]
        assert documented[entry.name]["module"] == entry.module
    assert missing == []


def test_reading_commands_are_reading_verbs_or_marked():
    for pipeline in everything_sent():
        for command in pipeline:
            entry = find_entry(command.name)
            assert entry is not None
            assert entry.changes or not command.is_change
