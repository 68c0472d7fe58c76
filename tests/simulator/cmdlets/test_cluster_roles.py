"""windows-powershell-docs, Move-ClusterGroup, Move-ClusterVirtualMachineRole, Stop- and Start-ClusterResource."""

from dataclasses import replace

import pytest

from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd

DISK = "Cluster Virtual Disk (Volume01)"


@pytest.mark.parametrize(
    ("variants", "states"), [((), ["Saved", "Running"]), (("move-clustergroup-migrates-live",), [])]
)
async def test_move_clustergroup_saves_a_vm_on_its_way(variants: tuple[str, ...], states: list[str]) -> None:
    lab = Console(replace(demo_world(4), variants=frozenset(variants)))
    group = await lab.one("HCI02", cmd("Move-ClusterGroup", Name="VM-1-1", Node="HCI03"))
    assert group.properties["OwnerNode"] == "HCI03"
    await lab.wait_for(lambda: lab.world.groups.find("VM-1-1").vm.state == "Running")
    assert [event.detail["state"] for event in lab.events("vm.state", vm="VM-1-1")] == states


@pytest.mark.parametrize(("kind", "states"), [("Live", []), ("Quick", ["Saved"]), ("Shutdown", ["Off"])])
async def test_a_vm_role_moves_as_the_migration_type_says(kind: str, states: list[str]) -> None:
    lab = Console()
    lab.session.delegated = True
    move = cmd("Move-ClusterVirtualMachineRole", Name="VM-1-1", Node="HCI03", MigrationType=kind)
    group = await lab.one("HCI02", move)
    assert group.properties["OwnerNode"] == "HCI03"
    assert [event.detail["state"] for event in lab.events("vm.state", vm="VM-1-1")] == states


async def test_without_waiting_the_role_is_on_its_way_and_can_be_called_back() -> None:
    lab = Console()
    lab.session.delegated = True
    group = await lab.one("HCI02", cmd("Move-ClusterVirtualMachineRole", Name="VM-1-1", Node="HCI03", Wait=0))
    assert group.properties["OwnerNode"] == "HCI01"
    busy = await lab.refusal("HCI02", cmd("Move-ClusterGroup", Name="VM-1-1", Node="HCI02"))
    assert busy.native_error_code == 5908
    await lab.run("HCI02", cmd("Move-ClusterVirtualMachineRole", Name="VM-1-1", Cancel=None))
    assert lab.world.groups.find("VM-1-1").moving_to is None


async def test_a_vm_with_a_local_iso_does_not_migrate() -> None:
    lab = Console()
    lab.session.delegated = True
    lab.world.groups.find("VM-1-1").vm.blocked = "The ISO 'C:\\setup.iso' is not on shared storage (0x80070002)."
    record = await lab.refusal("HCI02", cmd("Move-ClusterVirtualMachineRole", Name="VM-1-1", Node="HCI03"))
    assert "C:\\setup.iso" in record.message
    assert lab.world.groups.find("VM-1-1").vm.state == "Running"


async def test_a_locked_role_stays_unless_the_lock_is_ignored() -> None:
    lab = Console()
    group = lab.world.groups.find("VM-1-1")
    group.locked = True
    resource = await lab.one("HCI02", cmd("Get-ClusterResource", Name="Virtual Machine VM-1-1"))
    assert resource.properties["LockedFromMoving"] == 1
    move = cmd("Move-ClusterGroup", Name="VM-1-1", Node="HCI03")
    assert (await lab.refusal("HCI02", move)).native_error_code == 5960
    assert (await lab.refusal("HCI02", cmd("Stop-ClusterGroup", Name="VM-1-1"))).native_error_code == 5960
    stop = cmd("Stop-ClusterResource", Name="Virtual Machine VM-1-1")
    assert (await lab.refusal("HCI02", stop)).native_error_code == 5960
    moved = await lab.one("HCI02", cmd("Move-ClusterGroup", Name="VM-1-1", Node="HCI03", IgnoreLocked=None))
    assert moved.properties["OwnerNode"] == "HCI03"


async def test_a_role_is_stopped_and_started() -> None:
    lab = Console()
    stopped = await lab.one("HCI02", cmd("Stop-ClusterGroup", Name="VM-1-1"))
    assert (str(stopped.properties["State"]), stopped.properties["PersistentState"]) == ("Offline", 0)
    assert lab.world.groups.find("VM-1-1").vm.state == "Saved"
    started = await lab.one("HCI02", cmd("Start-ClusterGroup", Name="VM-1-1"))
    assert (str(started.properties["State"]), started.properties["PersistentState"]) == ("Online", 1)


async def test_a_role_starts_on_the_best_node() -> None:
    lab = Console()
    await lab.run("HCI02", cmd("Stop-ClusterGroup", Name="VM-1-1"))
    lab.nodes[0].memory_gib = 60
    started = await lab.one("HCI02", cmd("Start-ClusterGroup", Name="VM-1-1", ChooseBestNode=None))
    assert started.properties["OwnerNode"] != "HCI01"


async def test_a_disk_resource_goes_offline_and_online_with_its_name() -> None:
    lab = Console()
    resource = await lab.one("HCI02", cmd("Stop-ClusterResource", Name=DISK))
    assert (str(resource.properties["State"]), resource.properties["PersistentState"]) == ("Offline", 0)
    disk = await lab.one("HCI01", cmd("Get-VirtualDisk", FriendlyName="Volume01"))
    assert disk.notes["HealthStatus"] == "Unknown"
    assert (disk.notes["OperationalStatus"], disk.notes["DetachedReason"]) == ("Detached", "By Policy")
    assert (disk.properties["OperationalStatus"], disk.properties["DetachedReason"]) == ([0xD002], 2)
    lost = await lab.refusal("HCI02", cmd("Start-ClusterGroup", Name="VM-1-1"))
    assert lost.native_error_code == 5006
    resource = await lab.one("HCI02", cmd("Start-ClusterResource", Name=DISK))
    assert str(resource.properties["State"]) == "Online"


@pytest.mark.parametrize(
    ("variants", "state"), [((), (130, "OfflinePending")), (("core-states-with-gaps",), (128, "Pending"))]
)
async def test_a_resource_on_its_way(variants: tuple[str, ...], state: tuple[int, str]) -> None:
    lab = Console(replace(demo_world(4), variants=frozenset(variants)))
    resource = await lab.one("HCI02", cmd("Stop-ClusterResource", Name=DISK, Wait=0))
    found = resource.properties["State"]
    assert (found.value, found.name) == state


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (cmd("Move-ClusterGroup", Name="Nope", Node="HCI02"), 5013),
        (cmd("Stop-ClusterGroup", Name="Nope"), 5013),
        (cmd("Stop-ClusterResource", Name="Nope"), 5007),
        (cmd("Move-ClusterGroup", Name="VM-1-1", Node="HCI77"), 5042),
    ],
)
async def test_what_there_is_not(command: tuple, code: int) -> None:
    assert (await Console().refusal("HCI01", command)).native_error_code == code


async def test_roles_and_resources_by_the_id_of_their_vm() -> None:
    lab = Console()
    vm = lab.world.groups.find("VM-2-1").vm
    group = await lab.one("HCI01", cmd("Get-ClusterGroup", VMId=str(vm.id)))
    assert group.properties["Name"] == "VM-2-1"
    found = (await lab.run("HCI01", cmd("Get-ClusterResource", VMId=str(vm.id)))).values
    assert {each.properties["OwnerGroup"] for each in found} == {"VM-2-1"}
