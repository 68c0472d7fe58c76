"""windows-powershell-docs, Hyper-V: Get-VM, Start-VM, Stop-VM, Save-VM, Update-VMVersion, Get-VMHostSupportedVersion."""

import dataclasses

import pytest

from include.simulator.objects import SimObject
from include.simulator.world.rig import Condition
from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd


async def test_a_host_knows_its_own_vms_only() -> None:
    lab = Console()
    found = (await lab.run("HCI02", cmd("Get-VM"))).values
    assert [each.get("Name") for each in found if isinstance(each, SimObject)] == ["VM-2-1", "VM-2-2", "VM-2-3"]
    missing = (await lab.run("HCI02", cmd("Get-VM", Name="VM-1-1"))).errors[0]
    assert missing.fully_qualified_error_id == "InvalidParameter,Microsoft.HyperV.PowerShell.Commands.GetVM"


@pytest.mark.parametrize(
    ("command", "state"),
    [
        (cmd("Stop-VM", Name="VM-1-1"), "Off"),
        (cmd("Stop-VM", Name="VM-1-1", TurnOff=None), "Off"),
        (cmd("Stop-VM", Name="VM-1-1", Save=None), "Saved"),
        (cmd("Save-VM", Name="VM-1-1"), "Saved"),
    ],
    ids=["Stop-VM", "Stop-VM -TurnOff", "Stop-VM -Save", "Save-VM"],
)
async def test_stopped_and_started(command: tuple, state: str) -> None:
    lab = Console()
    await lab.run("HCI01", command)
    vm = await lab.one("HCI01", cmd("Get-VM", Name="VM-1-1"))
    assert str(vm.properties["State"]) == state
    group = await lab.one("HCI01", cmd("Get-ClusterGroup", Name="VM-1-1"))
    assert str(group.properties["State"]) == "Offline"
    started = await lab.one("HCI01", cmd("Get-VM", Name="VM-1-1"), cmd("Start-VM", Passthru=None))
    assert str(started.properties["State"]) == "Running"


async def test_the_wrong_state_is_an_error_beside_the_others() -> None:
    lab = Console()
    output = await lab.run("HCI01", cmd("Start-VM", Name=["VM-1-1"]))
    assert output.errors[0].fully_qualified_error_id == "InvalidState,Microsoft.HyperV.PowerShell.Commands.StartVM"
    running = await lab.run("HCI01", cmd("Update-VMVersion", Name="VM-1-*", Force=None, Passthru=None))
    assert [error.target for error in running.errors] == ["VM-1-1", "VM-1-2", "VM-1-3"]


async def test_the_configuration_version_rises_after_the_level_and_asks() -> None:
    lab = Console(demo_world(2, "20H2"))
    for node in lab.nodes:
        node.build = 20348
    await lab.run("HCI01", cmd("Stop-VM", Name="VM-1-1"))
    assert (await lab.refusal("HCI01", cmd("Update-VMVersion", Name="VM-1-1"))).category == "InvalidOperation"
    vm = await lab.one("HCI01", cmd("Get-VM", Name="VM-1-1"), cmd("Update-VMVersion", Force=None, Passthru=None))
    assert vm.properties["Version"] == "10.0"
    assert [event.detail["after"] for event in lab.events("vm.version")] == ["10.0"]


async def test_what_if_upgrades_nothing() -> None:
    lab = Console(demo_world(2, "20H2"))
    lab.nodes[0].build = 20348
    await lab.run("HCI01", cmd("Stop-VM", Name="VM-1-1"))
    await lab.run("HCI01", cmd("Update-VMVersion", Name="VM-1-1", WhatIf=None))
    assert lab.world.groups.find("VM-1-1").vm.version == "9.0"


@pytest.mark.parametrize(
    ("os", "versions"),
    [
        ("WS2019", ["8.0", "9.0"]),
        ("21H2", ["8.0", "9.0", "10.0"]),
        ("WS2022", ["8.0", "9.0", "10.0"]),
        ("WS2025", ["8.0", "9.0", "10.0", "12.0"]),
    ],
)
async def test_what_a_host_supports(os: str, versions: list[str]) -> None:
    lab = Console(nodes=2, os=os)
    found = (await lab.run("HCI01", cmd("Get-VMHostSupportedVersion"))).values
    assert [each.get("Version") for each in found if isinstance(each, SimObject)] == versions
    default = await lab.one("HCI01", cmd("Get-VMHostSupportedVersion", Default=None))
    assert (default.properties["Version"], default.properties["IsDefault"]) == (versions[-1], True)


async def test_a_role_s_vm_comes_down_the_pipeline() -> None:
    lab = Console()
    vm = await lab.one("HCI01", cmd("Get-ClusterGroup", Name="VM-3-1"), cmd("Get-VM"))
    assert (vm.properties["Name"], vm.properties["ComputerName"]) == ("VM-3-1", "HCI03")


async def test_a_host_tells_its_memory() -> None:
    host = await Console().one("HCI01", cmd("Get-VMHost"))
    assert host.properties["MemoryCapacity"] == 512 * 1024**3


async def test_a_dvd_drive_tells_what_is_in_it() -> None:
    lab = Console()
    lab.world.inject("vm-with-local-iso-on-node-1")
    found = (await lab.run("HCI01", cmd("Get-VM"), cmd("Get-VMDvdDrive"))).values
    drives = {each.get("VMName"): each for each in found if isinstance(each, SimObject)}
    assert {name: str(each.get("DvdMediaType")) for name, each in drives.items()} == {
        "VM-1-1": "ISO",
        "VM-1-2": "None",
        "VM-1-3": "None",
    }
    assert drives["VM-1-1"].get("Path") == "C:\\ISO\\tools.iso"
    missing = (await lab.run("HCI02", cmd("Get-VMDvdDrive", VMName="VM-1-1"))).errors[0]
    assert missing.target == "VM-1-1"


async def test_a_guest_that_does_not_shut_down_is_an_error_after_a_while_and_can_still_be_saved() -> None:
    lab = Console(demo_world(2, vms_per_node=1))
    lab.world.rig.add(Condition("guest-ignores-shutdown", "HCI01", details={"minutes": 1}))
    begun = lab.world.now
    refused = (await lab.run("HCI01", cmd("Stop-VM", Name="VM-1-1"))).errors
    assert ["failed to shut down" in error.message for error in refused] == [True]
    group = lab.world.groups.find("VM-1-1")
    assert group is not None
    assert group.vm is not None
    assert group.vm.state == "Running"
    assert (lab.world.now - begun).total_seconds() >= 60
    await lab.run("HCI01", cmd("Save-VM", Name="VM-1-1"))
    assert group.vm.state == "Saved"


async def test_a_machine_uses_processors_while_it_runs() -> None:
    spec = demo_world(4)
    busy = dataclasses.replace(spec.vms[0], processor_percent=35)
    lab = Console(dataclasses.replace(spec, vms=(busy, *spec.vms[1:])))
    assert (await lab.one(busy.node, cmd("Get-VM", Name=busy.name))).get("CPUUsage") == 35
    await lab.run(busy.node, cmd("Stop-VM", Name=busy.name, Force=None))
    assert (await lab.one(busy.node, cmd("Get-VM", Name=busy.name))).get("CPUUsage") == 0
