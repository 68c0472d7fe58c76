"""windowsserverdocs, health-service-faults, health-service-settings, update-firmware, storage-spaces-states."""

from dataclasses import replace

import pytest

from include.simulator.objects import SimObject
from include.simulator.world.spec import DiskSpec, demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd

DIAGNOSE = (cmd("Get-StorageSubSystem", FriendlyName="Clustered*"), cmd("Debug-StorageSubSystem"))


async def kinds(lab: Console, *commands: tuple) -> set[str]:
    found = (await lab.run("HCI01", *(commands or DIAGNOSE))).values
    return {
        str(each.get("FaultType")).removeprefix("Microsoft.Health.FaultType.")
        for each in found
        if isinstance(each, SimObject)
    }


def isolated(lab: Console) -> None:
    lab.world.membership.isolate(lab.nodes[1])


def lost_witness(lab: Console) -> None:
    lab.world.quorum.set_witness(online=False)


def failed_drive(lab: Console) -> None:
    lab.world.storage.physical_disks[0].fault = "Failed Media"


def full_volume(lab: Console) -> None:
    lab.world.storage.virtual_disks[0].used = 0.85


def detached(lab: Console) -> None:
    lab.world.storage.take_offline(lab.world.storage.virtual_disks[0], "test")


@pytest.mark.parametrize(
    ("trouble", "fault"),
    [
        (isolated, "Server.Isolated"),
        (lost_witness, "ClusterQuorumWitness.Error"),
        (failed_drive, "PhysicalDisk.FailedMedia"),
        (full_volume, "Volume.Capacity"),
        (detached, "VirtualDisks.Detached"),
    ],
)
async def test_every_trouble_has_its_fault_and_faults_go_by_themselves(trouble, fault: str) -> None:
    lab = Console()
    assert await kinds(lab) == set()
    trouble(lab)
    assert fault in await kinds(lab)


async def test_the_drives_of_a_lost_server_are_explained_by_the_server() -> None:
    lab = Console()
    lab.world.storage.physical_disks[0].fault = "Failed Media"
    lab.world.power.crash(lab.nodes[0], stay_down=True)
    lab.world.advance()
    found = {str(each.get("FaultType")) for each in (await lab.run("HCI02", *DIAGNOSE)).values}
    assert "Microsoft.Health.FaultType.Server.Down" in found
    assert not [kind for kind in found if "PhysicalDisk" in kind]


async def test_a_fault_keeps_its_id() -> None:
    lab = Console()
    full_volume(lab)
    first, again = [(await lab.one("HCI01", *DIAGNOSE)).get("FaultId") for _ in range(2)]
    assert first == again


@pytest.mark.parametrize(
    ("fault", "health", "status"),
    [
        ("Abnormal Latency", "Healthy", ["OK", "Abnormal Latency"]),
        ("Predictive Failure", "Warning", "Predictive Failure"),
        ("IO Error", "Warning", "IO Error"),
        ("Failed Media", "Unhealthy", "Failed Media"),
    ],
)
async def test_what_a_drive_s_fault_looks_like(fault: str, health: str, status: object) -> None:
    lab = Console()
    lab.world.storage.physical_disks[0].fault = fault
    serial = lab.world.storage.physical_disks[0].serial_number
    drive = await lab.one("HCI01", cmd("Get-PhysicalDisk", SerialNumber=serial))
    assert (drive.notes["HealthStatus"], drive.notes["OperationalStatus"]) == (health, status)


async def test_one_volume_is_asked_for_by_its_label() -> None:
    lab = Console()
    full_volume(lab)
    assert await kinds(lab, cmd("Debug-Volume", FileSystemLabel="Volume01")) == {"Volume.Capacity"}
    assert await kinds(lab, cmd("Debug-Volume", FileSystemLabel="Volume02")) == set()


@pytest.mark.parametrize("variants", [(), ("get-health-fault-exists",)])
async def test_get_healthfault_is_there_only_where_it_is_taken_to_be(variants: tuple[str, ...]) -> None:
    lab = Console(replace(demo_world(4), variants=frozenset(variants)))
    full_volume(lab)
    if variants:
        assert await kinds(lab, cmd("Get-HealthFault")) == {"Volume.Capacity"}
    else:
        record = await lab.refusal("HCI01", cmd("Get-HealthFault"))
        assert record.fully_qualified_error_id.startswith("CommandNotFoundException")


async def test_the_firmware_rollout_of_the_health_service_is_a_setting() -> None:
    name = "System.Storage.PhysicalDisk.AutoFirmwareUpdate.RollOut.Enabled"
    lab = Console()
    subsystem = cmd("Get-StorageSubSystem", FriendlyName="Clustered*")
    read = (subsystem, cmd("Get-StorageHealthSetting", Name=name))
    assert (await lab.one("HCI01", *read)).properties["Value"] == "True"
    await lab.run("HCI01", subsystem, cmd("Set-StorageHealthSetting", Name=name, Value="False"))
    assert (await lab.one("HCI02", *read)).properties["Value"] == "False"
    await lab.run("HCI01", subsystem, cmd("Remove-StorageHealthSetting", Name=name))
    assert (await lab.run("HCI01", *read)).values == []


async def test_a_drive_s_firmware_is_read_and_updated() -> None:
    lab = Console()
    drive = lab.world.storage.physical_disks[0]
    pick = cmd("Get-PhysicalDisk", SerialNumber=drive.serial_number)
    before = await lab.one("HCI01", pick, cmd("Get-StorageFirmwareInformation"))
    assert (before.properties["SupportsUpdate"], before.properties["FirmwareVersionInSlot"]) == (True, ["0107"])
    began = lab.clock.now()
    await lab.run("HCI01", pick, cmd("Update-StorageFirmware", ImagePath="C:\\ClusterStorage\\0109.bin", SlotNumber=0))
    assert 5 <= (lab.clock.now() - began).total_seconds() <= 30
    assert (await lab.one("HCI01", pick)).properties["FirmwareVersion"] == "0109"
    assert lab.events("firmware")[0].detail["before"] == "0107"
    bad = await lab.refusal("HCI01", pick, cmd("Update-StorageFirmware", ImagePath="nothing", SlotNumber=0))
    assert bad.fully_qualified_error_id.startswith("StorageWMI ")


async def test_a_volume_that_is_full_from_the_start() -> None:
    spec = demo_world(4)
    lab = Console(replace(spec, disks=(*spec.disks[:3], DiskSpec("Volume04", 2048, 3, used=0.95))))
    fault = await lab.one("HCI01", *DIAGNOSE)
    assert (fault.get("FaultingObjectDescription"), fault.properties["PerceivedSeverity"]) == ("Volume04", 6)


@pytest.mark.parametrize(
    ("variants", "texts"),
    [((), ("Major", "Critical")), (("severities-of-the-health-service",), ("Warning", "Error"))],
)
async def test_the_severity_has_two_vocabularies(variants: tuple[str, ...], texts: tuple[str, str]) -> None:
    lab = Console(replace(demo_world(4), variants=frozenset(variants)))
    lab.world.storage.virtual_disks[0].used = 0.85
    lab.world.storage.virtual_disks[1].used = 0.95
    found = (await lab.run("HCI01", *DIAGNOSE)).values
    assert tuple(each.notes["PerceivedSeverity"] for each in found) == texts
    assert [each.properties["PerceivedSeverity"] for each in found] == [5, 6]
