"""windows-powershell-docs, Get-Volume, Get-StorageEnclosure, Get-StorageNode; azure-stack-docs, maintain-servers."""

import pytest

from include.simulator.objects import SimObject
from include.simulator.world.rig import Condition
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Command, cmd


async def read(lab: Console, name: str, *commands: Command) -> list[object]:
    found = (await lab.run("HCI01", *commands)).values
    return [each.get(name) for each in found if isinstance(each, SimObject)]


async def test_volumes_of_disks_and_the_boot_volume() -> None:
    lab = Console()
    labels = await read(lab, "FileSystemLabel", cmd("Get-Volume"))
    assert labels == ["", "Volume01", "Volume02", "Volume03", "Volume04"]
    volume = await lab.one("HCI01", cmd("Get-Volume", FileSystemLabel="Volume01"))
    assert (volume.notes["HealthStatus"], volume.notes["FileSystemType"]) == ("Healthy", "CSVFS_ReFS")
    assert volume.properties["SizeRemaining"] < volume.properties["Size"]  # type: ignore[operator]


async def test_a_full_boot_volume() -> None:
    lab = Console()
    lab.world.rig.add(Condition("boot-volume-full", "HCI02", details={"gib": 4}))
    sizes = [
        int((await lab.one(host, cmd("Get-Volume", DriveLetter="C"))).properties["SizeRemaining"])  # type: ignore[call-overload]
        for host in ("HCI01", "HCI02")
    ]
    assert [size > 5 * 1024**3 for size in sizes] == [True, False]


async def test_a_detached_disk_has_no_volume() -> None:
    lab = Console()
    lab.world.storage.take_offline(lab.world.storage.virtual_disks[0], "test")
    output = await lab.run("HCI01", cmd("Get-Volume", FileSystemLabel="Volume01"))
    assert output.values == []
    assert output.errors[0].fully_qualified_error_id == "CmdletizationQuery_NotFound_FileSystemLabel,Get-Volume"


async def test_storage_nodes_have_the_state_of_the_node() -> None:
    lab = Console()
    lab.world.membership.pause(lab.nodes[1])
    lab.world.membership.leave(lab.nodes[2], clean=True, reason="test")
    assert await read(lab, "OperationalStatus", cmd("Get-StorageNode")) == [[2], [5], [3], [2]]
    found = (await lab.run("HCI01", cmd("Get-StorageNode"))).values
    assert [each.notes["OperationalStatus"] for each in found] == ["Up", "Paused", "Down", "Up"]


async def test_the_enclosure_of_a_lost_node_is_lost() -> None:
    lab = Console()
    lab.world.membership.leave(lab.nodes[2], clean=True, reason="test")
    found = (await lab.run("HCI01", cmd("Get-StorageEnclosure"))).values
    assert [each.notes["OperationalStatus"] for each in found] == ["OK", "OK", "Lost Communication", "OK"]


@pytest.mark.parametrize(
    ("kind", "count"),
    [("StorageScaleUnit", 4), ("StorageEnclosure", 4), ("PhysicalDisk", 16), ("StorageRack", 0), ("StorageSite", 0)],
)
async def test_fault_domains_by_kind(kind: str, count: int) -> None:
    assert len((await Console().run("HCI01", cmd("Get-StorageFaultDomain", Type=kind))).values) == count


async def test_drives_by_their_place() -> None:
    command = cmd("Get-StorageFaultDomain", Type="PhysicalDisk", PhysicalLocation="HCI02*")
    assert len((await Console().run("HCI01", command)).values) == 4


@pytest.mark.parametrize(("kind", "count"), [("PhysicalDisk", 4), ("StorageEnclosure", 1), ("StorageScaleUnit", 0)])
async def test_what_one_server_holds(kind: str, count: int) -> None:
    server = (
        cmd("Get-StorageFaultDomain", Type="StorageScaleUnit"),
        cmd("Where-Object", Property="FriendlyName", EQ=None, Value="HCI02"),
    )
    found = (await Console().run("HCI01", *server, cmd("Get-StorageFaultDomain", Type=kind))).values
    assert len(found) == count


@pytest.mark.parametrize("os", ["20H2", "WS2019"])
async def test_the_shorter_documented_way_into_maintenance_mode(os: str) -> None:
    lab = Console(os=os)
    unit = cmd("Get-StorageScaleUnit", FriendlyName="HCI02")
    await lab.run("HCI01", unit, cmd("Enable-StorageMaintenanceMode"))
    assert (await lab.one("HCI01", unit)).notes["OperationalStatus"] == "In Maintenance Mode"
    await lab.run("HCI01", unit, cmd("Disable-StorageMaintenanceMode"))
    await lab.settled()
    assert (await lab.one("HCI01", unit)).notes["OperationalStatus"] == "OK"
