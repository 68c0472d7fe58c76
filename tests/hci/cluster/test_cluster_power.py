from __future__ import annotations

from datetime import timedelta

import pytest

from include.hci.cluster import cluster_power, services, vm_power, volumes
from include.hci.cluster.nodes import ClusterResource
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord
from tests.hci.cluster.fakes import FakeShell, enum, obj


def resource(name: str, kind: str, state: str = "Online") -> ClusterResource:
    return ClusterResource(name, kind, state, "SQL01", "HCI01")


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (cluster_power.stop_cluster, "Stop-Cluster -Force"),
        (lambda shell: cluster_power.stop_cluster_resource(shell, "D1"), "Stop-ClusterResource -Name 'D1'"),
        (lambda shell: cluster_power.start_cluster_resource(shell, "D1"), "Start-ClusterResource -Name 'D1'"),
        (
            lambda shell: cluster_power.stop_cluster_resource(shell, "D1", shared=True),
            "Get-ClusterSharedVolume -Name 'D1' | Stop-ClusterResource",
        ),
        (
            lambda shell: cluster_power.start_cluster_resource(shell, "D1", shared=True),
            "Get-ClusterSharedVolume -Name 'D1' | Start-ClusterResource",
        ),
        (lambda shell: cluster_power.start_cluster_group(shell, "VM1"), "Start-ClusterGroup -Name 'VM1' -Wait 0"),
        (
            lambda shell: services.set_start_type(shell, "ClusSvc", "Disabled"),
            "Set-Service -Name 'ClusSvc' -StartupType 'Disabled'",
        ),
        (lambda shell: services.start_service(shell, "ClusSvc"), "Start-Service -Name 'ClusSvc'"),
        (
            lambda shell: vm_power.shut_down_vm(shell, "VM1", timedelta(minutes=2)),
            "Get-ClusterGroup -Name 'VM1' | Get-VM | Stop-VM",
        ),
        (lambda shell: vm_power.save_vm(shell, "VM1"), "Get-ClusterGroup -Name 'VM1' | Get-VM | Save-VM"),
    ],
)
def test_what_is_sent(call, line):
    shell = FakeShell({})
    call(shell)
    assert [sent.replace("'", "") for sent in shell.lines] == [line.replace("'", "")]
    assert shell.sent[0].is_change


def test_a_machine_runs_when_its_own_resource_is_online_whatever_its_role_says():
    found = vm_power.clustered_vms(
        [
            resource("Virtual Machine SQL01", "Virtual Machine", "Offline"),
            resource("Virtual Machine Configuration SQL01", "Virtual Machine Configuration", "Online"),
            resource("Cluster IP", "IP Address"),
        ]
    )
    assert [(vm.name, vm.node, vm.is_running) for vm in found] == [("SQL01", "HCI01", False)]


@pytest.mark.parametrize(
    ("state", "running"), [("Online", True), ("OfflinePending", True), ("OnlinePending", True), ("Failed", False)]
)
def test_a_machine_on_its_way_counts_as_running(state, running):
    [vm] = vm_power.clustered_vms([resource("Virtual Machine SQL01", "Virtual Machine", state)])
    assert vm.is_running is running


def test_the_disks_of_the_cluster_are_its_shared_volumes_and_its_physical_disks():
    shell = FakeShell({"Get-ClusterSharedVolume": [obj(Name="V1", State=enum(2, "Online"), OwnerNode="HCI02")]})
    given = [resource("P", "Physical Disk"), resource("Pool", "Storage Pool"), resource("VM", "Virtual Machine")]
    found = cluster_power.get_disk_resources(shell, given)
    assert [(disk.name, disk.kind, disk.state) for disk in found] == [
        ("V1", cluster_power.SHARED_VOLUME, "Online"),
        ("P", "Physical Disk", "Online"),
    ]


def test_a_shared_volume_that_is_given_as_a_resource_too_counts_once():
    shell = FakeShell({"Get-ClusterSharedVolume": [obj(Name="V1", State="Online", OwnerNode="HCI02")]})
    found = cluster_power.get_disk_resources(shell, [resource("v1", "Physical Disk")])
    assert [disk.kind for disk in found] == [cluster_power.SHARED_VOLUME]


def test_volumes_and_their_health():
    shell = FakeShell({"Get-Volume": [obj(FileSystemLabel="Volume1", HealthStatus=enum(1, "Warning"))]})
    assert volumes.get_volumes(shell) == (volumes.Volume("Volume1", "Warning"),)


def test_a_refusal_is_raised():
    shell = FakeShell({"Stop-VM": CommandFailed([ErrorRecord("failed to shut down")], node="HCI01")})
    with pytest.raises(CommandFailed, match="failed to shut down"):
        vm_power.shut_down_vm(shell, "VM1", timedelta(minutes=2))
