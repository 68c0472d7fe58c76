"""The catalogue holds everything that is sent, and nothing that the vendor does not document."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from include.hci.cluster import cau, machine, nodes, policies, rollout, storage, validation, virtual_machines
from include.hci.cluster.catalogue import CATALOGUE, find_entry, outside
from include.hci.cluster.updater import CauProviderUpdater
from include.hci.powershell.command import Command, Pipeline
from tests.hci.cluster.fakes import FakeShell, obj
from tests.hci.cluster.test_updater import OURS, methods

SYNTAX = Path(__file__).parents[4] / "shared" / "reference" / "cmdlets"
VERSIONS = ("2019", "2022", "2025")


def everything_sent() -> list[Pipeline]:
    """Call every vocabulary function and the updater once and return what they sent."""
    shell = FakeShell(
        {
            "Get-Cluster": [obj(Name="C")],
            "Get-ClusterQuorum": [obj()],
            "Get-CimInstance": [obj(LastBootUpTime="2026-11-03T01:12:00Z", OrchestratorGuid=str(OURS))],
            "Get-ItemProperty": [obj(CurrentBuild="20348")],
            "Get-Volume": [obj(SizeRemaining=6 * 1024**3)],
            "Select-Object": methods("QueryString", "FeatureUpdatesOnly"),
            "Invoke-CimMethod": lambda pipeline: [
                obj(Info=(), ReturnValue=False if "RebootRequired" in pipeline.describe() else 0)
            ],
        }
    )
    for read in (
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
    storage.repair_virtual_disk(shell, "V1")
    machine.get_services(shell, ["ClusSvc"])
    rollout.get_scheduled_tasks(shell, [rollout.ADMIN_CENTER_TASK])
    validation.test_cau_setup(shell, "C")
    validation.test_cluster(shell, ["Network"])
    virtual_machines.get_virtual_machines(shell, "HCI01")
    cau.get_cau_run(shell, "C")
    cau.get_cau_cluster_role(shell, "C")
    cau.get_lock_holders(shell, "HCI01", "MSFT_CAURun")
    cau.create_lock(shell, "MSFT_CAURun", OURS)
    cau.create_lock(shell, "MSFT_CAUNode", OURS)
    cau.remove_lock(shell, "MSFT_CAURun", OURS)
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
        (Command("Stop-Cluster"), "Stop-Cluster is not in the catalogue"),
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
            missing.append(entry.name)
            continue
        known = documented[entry.name]["parameters"]
        missing += [f"{entry.name} -{name}" for name in entry.parameters if name not in known]
        assert documented[entry.name]["module"] == entry.module
    assert missing == []


def test_reading_commands_are_reading_verbs_or_marked():
    for pipeline in everything_sent():
        for command in pipeline:
            entry = find_entry(command.name)
            assert entry is not None
            assert entry.changes or not command.is_change
