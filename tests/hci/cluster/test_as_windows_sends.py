"""Objects in the CLIXML that Windows sends: enumerations, CIM numbers with the texts of types.ps1xml beside them, flattened depths."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.hci.cluster.machine import get_operating_system
from include.hci.cluster.nodes import get_cluster_groups, get_cluster_nodes, get_cluster_quorum
from include.hci.cluster.storage import get_fault_domains, get_storage_jobs, get_virtual_disks
from include.hci.cluster.values import DrainStatus, GroupState, NodeState, StatusInformation
from include.hci.powershell.clixml import read_clixml
from tests.hci.cluster.fakes import FakeShell

SPACE = "Microsoft.FailoverClusters.PowerShell."


def enumeration(name: str, kind: str, number: int, text: str, tag: str = "I32") -> str:
    return (
        f'<Obj N="{name}" RefId="9"><TN RefId="9"><T>{SPACE}{kind}</T><T>System.Enum</T><T>System.ValueType</T>'
        f"<T>System.Object</T></TN><ToString>{text}</ToString><{tag}>{number}</{tag}></Obj>"
    )


def of_cluster(kind: str, name: str, *properties: str) -> FakeShell:
    """Return a shell that gives one object of the module FailoverClusters."""
    xml = (
        f'<Obj RefId="0"><TN RefId="0"><T>{SPACE}{kind}</T><T>System.Object</T></TN><ToString>{name}</ToString>'
        f'<Props><S N="Name">{name}</S>{"".join(properties)}</Props></Obj>'
    )
    return FakeShell({f"Get-Cluster{kind.removeprefix('Cluster')}": [read_clixml(xml)]})


def of_cim(command: str, cls: str, properties: str, notes: str = "") -> FakeShell:
    """Return a shell that gives one CIM instance; ``notes`` are what the module's types make of some properties."""
    xml = (
        f'<Obj RefId="0"><TN RefId="0"><T>Microsoft.Management.Infrastructure.CimInstance#{cls}</T><T>System.Object</T></TN>'
        f'<ToString>{cls}</ToString><Props>{properties}<Nil N="PSComputerName"/></Props><MS>{notes}</MS></Obj>'
    )
    return FakeShell({command: [read_clixml(xml)]})


def numbers(name: str, *values: int) -> str:
    inner = "".join(f"<U16>{value}</U16>" for value in values)
    return f'<Obj N="{name}" RefId="5"><TN RefId="5"><T>System.UInt16[]</T><T>System.Array</T></TN><LST>{inner}</LST></Obj>'


def test_a_node_that_is_drained():
    (node,) = get_cluster_nodes(
        of_cluster(
            "ClusterNode",
            "HCI01",
            enumeration("State", "ClusterNodeState", 2, "Paused"),
            enumeration("DrainStatus", "ClusterNodeDrainStatus", 2, "Completed"),
            enumeration("StatusInformation", "ClusterNodeStatusInformation", 10, "Quarantined, DrainCompleted"),
            '<U32 N="NodeWeight">1</U32><U32 N="DynamicWeight">0</U32><S N="Cluster">CL01</S>',
        )
    )
    assert (node.state, node.drain, node.vote, node.dynamic_vote) == (NodeState.PAUSED, DrainStatus.COMPLETED, 1, 0)
    assert node.status == StatusInformation.QUARANTINED | StatusInformation.DRAIN_COMPLETED


def test_a_role_whose_status_has_no_name_for_nothing():
    (group,) = get_cluster_groups(
        of_cluster(
            "ClusterGroup",
            "SQL01",
            enumeration("State", "ClusterGroupState", 0, "Online"),
            enumeration("GroupType", "GroupType", 111, "VirtualMachine", "U32"),
            enumeration("StatusInformation", "ClusterApplicationStatusInformation", 0, "0", "U64"),
            '<S N="OwnerNode">HCI01</S><U32 N="LockedFromMoving">0</U32>',
        )
    )
    assert (group.state, group.owner, group.locked) == (GroupState.ONLINE, "HCI01", False)
    assert group.describe() == "SQL01 (VirtualMachine, Online)"


@pytest.mark.parametrize(
    ("resource", "name"),
    [('<S N="QuorumResource">Cloud Witness</S>', "Cloud Witness"), ('<Nil N="QuorumResource"/>', "")],
)
def test_a_witness_is_flattened_to_its_name(resource, name):
    kind = enumeration("QuorumType", "ClusterQuorumType", 1, "Majority")
    assert get_cluster_quorum(of_cluster("ClusterQuorum", "CL01", resource, kind)).resource == name


@pytest.mark.parametrize(
    "notes",
    [
        '<S N="HealthStatus">Warning</S><S N="OperationalStatus">In Service</S>',
        f'<S N="HealthStatus">Warning</S>{numbers("OperationalStatus", 11)}',
        "",
    ],
)
def test_a_virtual_disk_says_the_same_in_texts_and_in_numbers(notes):
    properties = f'<S N="FriendlyName">V1</S><U16 N="HealthStatus">1</U16>{numbers("OperationalStatus", 11)}<U64 N="Size">18446744073709551615</U64>'
    (disk,) = get_virtual_disks(
        of_cim("Get-VirtualDisk", "root/microsoft/windows/storage/MSFT_VirtualDisk", properties, notes)
    )
    assert disk.describe() == "V1 is Warning (In Service)"
    assert disk.size == 2**64 - 1
    assert (disk.copies, disk.resiliency) == (None, "")


@pytest.mark.parametrize("notes", ['<S N="OperationalStatus">In Maintenance Mode</S>', ""])
def test_a_server_in_maintenance_says_so_in_texts_and_in_numbers(notes):
    properties = f'<S N="FriendlyName">HCI01</S><U16 N="HealthStatus">1</U16>{numbers("OperationalStatus", 0xD016)}'
    shell = of_cim("Get-StorageFaultDomain", "root/microsoft/windows/storage/MSFT_StorageScaleUnit", properties, notes)
    assert get_fault_domains(shell)[0].in_maintenance


@pytest.mark.parametrize("notes", ['<S N="JobState">Suspended</S>', ""])
def test_a_job_without_bytes_is_suspended(notes):
    properties = '<S N="Name">V1-Repair</S><U16 N="JobState">5</U16><Nil N="BytesTotal"/><Nil N="BytesProcessed"/><U16 N="PercentComplete">0</U16>'
    (job,) = get_storage_jobs(
        of_cim("Get-StorageJob", "root/microsoft/windows/storage/MSFT_StorageJob", properties, notes)
    )
    assert (job.is_suspended, job.remaining, job.percent) == (True, 0, 0)


def test_times_of_a_server_carry_its_zone():
    properties = '<DT N="LastBootUpTime">2026-11-03T02:12:00.5000000+01:00</DT><DT N="LocalDateTime">2026-11-03T09:00:00.123+01:00</DT>'
    system = get_operating_system(of_cim("Get-CimInstance", "root/cimv2/Win32_OperatingSystem", properties))
    assert system.boot_time == datetime(2026, 11, 3, 1, 12, 0, 500000, tzinfo=UTC)
    assert system.local_time == datetime(2026, 11, 3, 8, 0, 0, 123000, tzinfo=UTC)
