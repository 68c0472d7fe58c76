"""windows-powershell-docs, Storage; windows-driver-docs for numbers and names."""

import pytest

from include.simulator.objects import SimObject, UInt16, UInt64
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Command, cmd

NAMESPACE = "Microsoft.Management.Infrastructure.CimInstance#ROOT/Microsoft/Windows/Storage/"


async def objects(lab: Console, host: str, *commands: Command) -> list[SimObject]:
    return [item for item in (await lab.run(host, *commands)).values if isinstance(item, SimObject)]


async def test_virtual_disk_has_numbers_and_texts() -> None:
    disk = await Console().one("HCI01", cmd("Get-VirtualDisk", FriendlyName="Volume01"))
    assert disk.type_names[0] == NAMESPACE + "MSFT_VirtualDisk"
    assert (disk.properties["HealthStatus"], disk.notes["HealthStatus"]) == (0, "Healthy")
    assert (disk.properties["OperationalStatus"], disk.notes["OperationalStatus"]) == ([2], "OK")
    assert isinstance(disk.properties["HealthStatus"], UInt16)
    assert disk.notes["PSComputerName"] == "HCI01"
    assert disk.properties["NumberOfDataCopies"] == 3


async def test_virtual_disk_while_a_node_is_away() -> None:
    lab = Console()
    lab.world.inject("node-down-at-start-on-node-4")
    disk = (await objects(lab, "HCI01", cmd("Get-VirtualDisk")))[0]
    assert (disk.properties["HealthStatus"], disk.notes["HealthStatus"]) == (1, "Warning")
    assert (disk.properties["OperationalStatus"], disk.notes["OperationalStatus"]) == ([0xD003], "Incomplete")
    assert await objects(lab, "HCI01", cmd("Get-VirtualDisk", HealthStatus="Healthy")) == []
    assert len(await objects(lab, "HCI01", cmd("Get-VirtualDisk", HealthStatus="Warning"))) == 4


async def test_unknown_virtual_disk() -> None:
    output = await Console().run("HCI01", cmd("Get-VirtualDisk", FriendlyName="Nope"))
    assert output.errors[0].fully_qualified_error_id == "CmdletizationQuery_NotFound_FriendlyName,Get-VirtualDisk"


async def test_a_joining_node_sees_copies_missing_and_the_management_host_sees_nothing() -> None:
    # azure-stack-docs, maintain-servers: a node whose cluster service is starting may show Incomplete harmlessly.
    lab = Console()
    node = lab.nodes[0]
    await lab.drain(node)
    await lab.resume(node)
    await lab.settled()
    lab.world.power.restart(node, "test")
    await lab.wait_for(lambda: node.joining)
    seen = await objects(lab, "HCI01", cmd("Get-VirtualDisk"))
    assert {disk.notes["HealthStatus"] for disk in seen} == {"Warning"}
    assert await objects(lab, "MGMT01", cmd("Get-VirtualDisk")) == []


@pytest.mark.parametrize(("primordial", "found"), [(False, ["S2D on HCI-CL01"]), (True, ["Primordial"])])
async def test_pool(primordial: bool, found: list[str]) -> None:
    lab = Console()
    pools = await objects(lab, "HCI01", cmd("Get-StoragePool", IsPrimordial=primordial))
    assert [pool.properties["FriendlyName"] for pool in pools] == found
    assert len(await objects(lab, "HCI01", cmd("Get-StoragePool"))) == 2
    assert pools[0].notes["Version"] == "Windows Server 2022"


async def test_storage_jobs_count_bytes() -> None:
    lab = Console()
    assert await objects(lab, "HCI01", cmd("Get-StorageJob")) == []
    node = lab.nodes[1]
    await lab.drain(node)
    await lab.restart(node)
    await lab.resume(node)
    await lab.wait_for(lambda: bool(lab.world.repairs.jobs))
    first = (await objects(lab, "HCI01", cmd("Get-StorageJob")))[0]
    await lab.step()
    again = (await objects(lab, "HCI01", cmd("Get-StorageJob")))[0]
    assert (first.properties["JobState"], first.notes["JobState"]) == (4, "Running")
    assert isinstance(first.properties["BytesTotal"], UInt64)
    assert first.properties["BytesProcessed"] < again.properties["BytesProcessed"] < again.properties["BytesTotal"]  # type: ignore[operator]
    assert str(first.properties["Name"]).endswith("-Repair")
    assert await objects(lab, "HCI01", cmd("Get-StorageJob", JobState="Suspended")) == []


async def test_maintenance_mode_by_hand_through_the_documented_pipeline() -> None:
    lab = Console(os="20H2")

    def pipeline(name: str) -> tuple[Command, ...]:
        return (
            cmd("Get-StorageFaultDomain", Type="StorageScaleUnit"),
            cmd("Where-Object", Property="FriendlyName", EQ=None, Value="HCI02"),
            cmd(name),
        )

    await lab.run("HCI01", *pipeline("Enable-StorageMaintenanceMode"))
    units = await objects(lab, "HCI01", cmd("Get-StorageFaultDomain", Type="StorageScaleUnit"))
    assert [unit.notes["OperationalStatus"] for unit in units] == ["OK", "In Maintenance Mode", "OK", "OK"]
    drives = await objects(lab, "HCI01", cmd("Get-PhysicalDisk"))
    assert len([drive for drive in drives if drive.notes["OperationalStatus"] == "In Maintenance Mode"]) == 4
    assert [event.detail["by"] for event in lab.events("maintenance")] == ["CORP\\operator"]
    await lab.run("HCI01", *pipeline("Disable-StorageMaintenanceMode"))
    unit = (await objects(lab, "HCI01", cmd("Get-StorageFaultDomain", Type="StorageScaleUnit")))[1]
    assert unit.notes["OperationalStatus"] == ["Stopping Maintenance Mode", "OK"]
    await lab.settled()


async def test_maintenance_mode_of_a_second_server_is_refused() -> None:
    lab = Console(nodes=2, os="20H2")
    lab.world.storage.enter_maintenance(lab.nodes[0], "test")
    enable = (
        cmd("Get-StorageFaultDomain", Type="StorageScaleUnit"),
        cmd("Where-Object", Property="FriendlyName", EQ=None, Value="HCI02"),
    )
    unhealthy = await lab.refusal("HCI01", *enable, cmd("Enable-StorageMaintenanceMode"))
    last_copy = await lab.refusal(
        "HCI01", *enable, cmd("Enable-StorageMaintenanceMode", ValidateVirtualDisksHealthy=False)
    )
    assert unhealthy.fully_qualified_error_id.startswith("StorageWMI ")
    assert "last copy" in last_copy.message
    assert lab.nodes[1].maintenance.name == "NONE"


async def test_health_faults_come_and_go_by_themselves() -> None:
    # windowsserverdocs, health-service-faults
    lab = Console()
    pipeline = (cmd("Get-StorageSubSystem", FriendlyName="Clustered*"), cmd("Debug-StorageSubSystem"))
    assert await objects(lab, "HCI01", *pipeline) == []
    node = lab.nodes[3]
    lab.world.power.crash(node)
    found = await objects(lab, "HCI01", *pipeline)
    kinds = {fault.properties["FaultType"] for fault in found}
    assert kinds == {"Microsoft.Health.FaultType.Server.Down", "Microsoft.Health.FaultType.VirtualDisks.NeedsRepair"}
    down = next(fault for fault in found if str(fault.properties["FaultType"]).endswith("Down"))
    assert down.properties["FaultingObjectDescription"] == "HCI04"
    assert down.properties["FaultId"] == (await objects(lab, "HCI02", *pipeline))[0].properties["FaultId"]
    await lab.wait_for(lambda: node.state.name == "Up")
    await lab.settled()
    assert await objects(lab, "HCI01", *pipeline) == []


async def test_repair_by_hand_waits_or_becomes_a_job() -> None:
    lab = Console()
    lab.world.inject("storage-degraded")
    job = await lab.one("HCI01", cmd("Repair-VirtualDisk", FriendlyName="Volume01", AsJob=None))
    assert str(job.properties["State"]) == "Running"
    assert not lab.world.storage.healthy()
    await lab.run("HCI01", cmd("Repair-VirtualDisk", FriendlyName="Volume01"))
    assert lab.world.storage.healthy()
