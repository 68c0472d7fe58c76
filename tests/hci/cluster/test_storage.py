from __future__ import annotations

import pytest

from include.hci.cluster.storage import (
    disable_storage_maintenance_mode,
    enable_storage_maintenance_mode,
    get_fault_domains,
    get_health_faults,
    get_physical_disks,
    get_storage_jobs,
    get_storage_pools,
    get_virtual_disks,
    release_drives,
    repair_virtual_disk,
)
from tests.hci.cluster.fakes import FakeShell, obj


@pytest.mark.parametrize(
    ("health", "operational", "well"),
    [
        ("Healthy", "OK", True),
        (0, (2,), True),
        ("Healthy", ("OK",), True),
        ("Warning", "OK", False),
        ("Healthy", ("OK", "In Service"), False),
        (1, (11,), False),
        ("Healthy", (), False),
        ("Unhealthy", ("No Redundancy",), False),
        ("Unknown", ("OK",), False),
        (0, (0xD002,), False),
    ],
)
def test_a_virtual_disk_is_well_only_when_healthy_and_ok(health, operational, well):
    shell = FakeShell({"Get-VirtualDisk": [obj(FriendlyName="V1", HealthStatus=health, OperationalStatus=operational)]})
    (disk,) = get_virtual_disks(shell)
    assert disk.is_well is well


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"FriendlyName": "V1", "UniqueId": "1A2B"}, "V1"),
        ({"FriendlyName": None, "UniqueId": "1A2B"}, "1A2B"),
        ({}, "unnamed"),
    ],
)
def test_a_virtual_disk_without_a_name_is_judged_all_the_same(names, expected):
    shell = FakeShell({"Get-VirtualDisk": [obj(HealthStatus="Warning", OperationalStatus="Degraded", **names)]})
    (disk,) = get_virtual_disks(shell)
    assert disk.describe() == f"{expected} is Warning (Degraded)"


def test_numbers_are_shown_as_the_vendor_names_them():
    shell = FakeShell({"Get-VirtualDisk": [obj(FriendlyName="V1", HealthStatus=1, OperationalStatus=(0xD003, 11, 99))]})
    (disk,) = get_virtual_disks(shell)
    assert disk.describe() == "V1 is Warning (Incomplete, In Service, 99)"


@pytest.mark.parametrize(
    ("state", "over", "suspended"),
    [
        ("Running", False, False),
        (4, False, False),
        (5, False, True),
        ("Suspended", False, True),
        (7, True, False),
        ("Killed", True, False),
    ],
)
def test_a_job_is_over_or_suspended_by_its_state(state, over, suspended):
    shell = FakeShell({"Get-StorageJob": [obj(Name="Repair", JobState=state, BytesProcessed=10, BytesTotal=40)]})
    (job,) = get_storage_jobs(shell)
    assert (job.is_over, job.is_suspended, job.remaining) == (over, suspended, 30)


@pytest.mark.parametrize(
    ("operational", "expected"),
    [
        ("OK", False),
        ("In Maintenance Mode", True),
        ("Stopping Maintenance Mode", True),
        ((2, 0xD016), True),
        (0xD01C, True),
        (53277, True),
        ((2, 53286), False),
        (("OK", "InMaintenanceMode"), True),
    ],
)
def test_a_fault_domain_tells_maintenance_mode(operational, expected):
    shell = FakeShell(
        {"Get-StorageFaultDomain": [obj(FriendlyName="HCI01", HealthStatus="Healthy", OperationalStatus=operational)]}
    )
    assert get_fault_domains(shell)[0].in_maintenance is expected
    assert shell.lines == ["Get-StorageFaultDomain -Type 'StorageScaleUnit'"]


@pytest.mark.parametrize(
    ("operational", "enters", "leaves"),
    [
        ("Starting Maintenance Mode", True, False),
        (("In Maintenance Mode", "Starting Maintenance Mode"), True, False),
        ("In Maintenance Mode", False, False),
        (0xD01D, False, True),
        ("OK", False, False),
    ],
)
def test_a_fault_domain_on_its_way_into_maintenance_is_told_from_one_that_is_there(operational, enters, leaves):
    found = [obj(FriendlyName="HCI01", HealthStatus="Warning", OperationalStatus=operational)]
    (domain,) = get_fault_domains(FakeShell({"Get-StorageFaultDomain": found}))
    assert (domain.enters_maintenance, domain.leaves_maintenance) == (enters, leaves)


def test_pools_and_drives_are_read():
    shell = FakeShell(
        {
            "Get-StoragePool": [obj(FriendlyName="S2D on C", HealthStatus=0, OperationalStatus=2, IsReadOnly=True)],
            "Get-PhysicalDisk": [
                obj(FriendlyName="NVMe", SerialNumber="X1", HealthStatus=0, OperationalStatus=("OK",))
            ],
        }
    )
    assert get_storage_pools(shell)[0].read_only
    assert get_physical_disks(shell)[0].serial == "X1"
    assert shell.lines[0] == "Get-StoragePool -IsPrimordial $false"


def test_maintenance_mode_by_hand_concerns_one_node_only():
    shell = FakeShell({})
    enable_storage_maintenance_mode(shell, "HCI02")
    disable_storage_maintenance_mode(shell, "HCI02")
    start = "Get-StorageFaultDomain -Type 'StorageScaleUnit' | Where-Object -Property 'FriendlyName' -EQ -Value 'HCI02'"
    assert shell.lines == [f"{start} | Enable-StorageMaintenanceMode", f"{start} | Disable-StorageMaintenanceMode"]


def test_only_drives_in_maintenance_mode_are_released():
    shell = FakeShell({})
    release_drives(shell, "HCI02")
    assert shell.lines == [
        "Get-StorageFaultDomain -Type 'StorageScaleUnit' | Where-Object -Property 'FriendlyName' -EQ -Value 'HCI02'"
        " | Get-StorageFaultDomain -Type 'PhysicalDisk'"
        " | Where-Object -Property 'OperationalStatus' -EQ -Value 'In Maintenance Mode' | Disable-StorageMaintenanceMode"
    ]


def test_a_repair_is_started_as_a_job():
    shell = FakeShell({})
    repair_virtual_disk(shell, "Volume 2")
    assert shell.lines == ["Repair-VirtualDisk -FriendlyName 'Volume 2' -AsJob"]


def test_faults_come_worst_first_and_are_only_read():
    shell = FakeShell(
        {
            "Debug-StorageSubSystem": [
                obj(PerceivedSeverity="Minor", Reason="small"),
                obj(PerceivedSeverity=6, Reason="big"),
                obj(PerceivedSeverity="Odd", FaultType="Microsoft.Health.FaultType.X"),
            ]
        }
    )
    assert get_health_faults(shell) == ("big", "small", "Microsoft.Health.FaultType.X")
    assert not shell.sent[0].is_change
