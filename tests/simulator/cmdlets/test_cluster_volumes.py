"""windows-powershell-docs, Get-ClusterSharedVolumeState, Suspend- and Resume-ClusterResource."""

from include.simulator.objects import SimObject
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd

DISK = "Cluster Virtual Disk (Volume01)"


async def states(lab: Console) -> dict[str, tuple[str, ...]]:
    found = (await lab.run("HCI01", cmd("Get-ClusterSharedVolumeState", Name=DISK))).values
    return {
        str(each.get("Node")): (
            str(each.get("StateInfo")),
            str(each.get("FileSystemRedirectedIOReason")),
            str(each.get("BlockRedirectedIOReason")),
        )
        for each in found
        if isinstance(each, SimObject)
    }


async def info(lab: Console) -> SimObject:
    return await lab.one(
        "HCI01", cmd("Get-ClusterSharedVolume", Name=DISK), cmd("Select-Object", ExpandProperty="SharedVolumeInfo")
    )


async def test_refs_is_redirected_on_every_node_at_all_times() -> None:
    assert set((await states(Console())).values()) == {("FileSystemRedirected", "FileSystemReFs", "NotBlockRedirected")}


async def test_a_node_in_maintenance_reaches_its_volumes_over_the_others_and_a_lost_one_not_at_all() -> None:
    lab = Console()
    lab.world.storage.enter_maintenance(lab.nodes[1], "test")
    lab.world.membership.leave(lab.nodes[2], clean=True, reason="test")
    found = await states(lab)
    assert found["HCI02"] == ("BlockRedirected", "FileSystemReFs", "NoDiskConnectivity")
    assert "HCI03" not in found


async def test_redirected_access_is_turned_on_and_off() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Suspend-ClusterResource", Name=DISK, RedirectedAccess=None))
    assert {reason for _, reason, _ in (await states(lab)).values()} == {"UserRequest"}
    assert (str((await info(lab)).get("FaultState")), (await info(lab)).get("RedirectedAccess")) == ("NoDirectIO", True)
    again = await lab.refusal("HCI01", cmd("Suspend-ClusterResource", Name=DISK, RedirectedAccess=None))
    await lab.run("HCI01", cmd("Resume-ClusterResource", Name=DISK))
    needless = await lab.refusal("HCI01", cmd("Resume-ClusterResource", Name=DISK))
    assert (again.native_error_code, needless.native_error_code) == (5966, 5967)
    assert str((await info(lab)).get("FaultState")) == "NoFaults"


async def test_maintenance_of_a_volume_takes_what_runs_on_it_down() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Suspend-ClusterResource", Name=DISK, Force=None))
    assert (await info(lab)).get("FaultState").value == 4
    assert lab.world.groups.find("VM-1-1").vm.state == "Off"
    assert (await info(lab)).get("MaintenanceMode") is True
    assert {state for state, _, _ in (await states(lab)).values()} == {"Unavailable"}
    await lab.run("HCI01", cmd("Resume-ClusterResource", Name=DISK))
    assert (await info(lab)).get("FaultState").value == 0


async def test_an_offline_volume_has_no_access() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Stop-ClusterResource", Name=DISK))
    assert (await info(lab)).get("FaultState").value == 2
    volume = await lab.one("HCI01", cmd("Get-ClusterSharedVolume", Name=DISK))
    assert str(volume.properties["State"]) == "Offline"
