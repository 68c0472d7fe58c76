"""What differs between versions and sizes: azure-stack-docs, maintain-servers, release-information; windowsserverdocs."""

from dataclasses import replace

import pytest

from include.simulator.world.machines import Maintenance
from include.simulator.world.snapshot import snapshot
from include.simulator.world.spec import demo_world
from include.simulator.world.versions import VERSIONS, os_version
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Lab, cmd

#: Version, build, maintenance mode by itself, functional level, pool version, configuration version of virtual machines.
FACTS = [
    ("WS2019", 17763, False, 10, "Windows Server 2019", "9.0"),
    ("20H2", 17784, False, 10, "Windows Server 2019", "9.0"),
    ("21H2", 20348, True, 12, "Windows Server 2022", "10.0"),
    ("WS2022", 20348, True, 11, "Windows Server 2022", "10.0"),
    ("22H2", 20349, True, 12, "Windows Server 2022", "10.0"),
    ("23H2", 25398, True, 12, "Azure Stack HCI 23H2", "10.0"),
    ("WS2025", 26100, True, 12, "Windows Server 2025", "12.0"),
]


@pytest.mark.parametrize(("os", "build", "automatic", "level", "pool", "vm"), FACTS, ids=[facts[0] for facts in FACTS])
async def test_a_node_through_maintenance(os: str, build: int, automatic: bool, level: int, pool: str, vm: str) -> None:
    lab = Console(os=os)
    node = lab.nodes[0]
    assert node.build == build
    await lab.drain(node)
    if not automatic:
        assert node.maintenance is Maintenance.NONE
        lab.world.storage.enter_maintenance(node, "operator")
    assert node.maintenance is Maintenance.IN
    assert (await lab.one("HCI02", cmd("Get-VirtualDisk", FriendlyName="Volume01"))).notes["HealthStatus"] == "Warning"
    await lab.restart(node)
    if not automatic:
        lab.world.storage.leave_maintenance(node, "operator")
    await lab.resume(node)
    await lab.settled()
    state = snapshot(lab.world)
    assert (state["functional_level"], state["pool_version"]) == (level, pool)
    assert set(state["vm_versions"].values()) == {vm}  # type: ignore[attr-defined]
    assert node.maintenance is Maintenance.NONE


@pytest.mark.parametrize(("nodes", "copies"), [(2, 2), (3, 3), (4, 3), (8, 3), (16, 3)])
async def test_one_node_of_any_number_goes_and_comes_back(nodes: int, copies: int) -> None:
    lab = Lab(demo_world(nodes, vms_per_node=1))
    node = lab.nodes[-1]
    assert {disk.copies for disk in lab.world.storage.virtual_disks} == {copies}
    await lab.drain(node)
    await lab.restart(node)
    assert lab.world.quorum.has_quorum
    assert all(disk.attached for disk in lab.world.storage.virtual_disks)
    await lab.resume(node)
    await lab.settled()
    assert lab.events("vm.state") == []


async def test_a_whole_rolling_upgrade_ends_with_level_pool_and_virtual_machines_raised() -> None:
    lab = Console(demo_world(3, "20H2", vms_per_node=1))
    for node in lab.nodes:
        await lab.drain(node)
        node.build = 20348
        await lab.restart(node)
        lab.world.storage.leave_maintenance(node, "operator")
        await lab.resume(node)
        await lab.settled()
    await lab.run("HCI01", cmd("Update-ClusterFunctionalLevel", Force=None))
    await lab.run("HCI01", cmd("Update-StoragePool", FriendlyName="S2D on HCI-CL01", Confirm=False))
    for group in lab.world.groups.all:
        if group.vm:
            await lab.run(group.owner, cmd("Stop-VM", Name=group.name))
            await lab.run(group.owner, cmd("Update-VMVersion", Name=group.name, Force=None))
            await lab.run(group.owner, cmd("Start-VM", Name=group.name))
    state = lab.world.snapshot()
    assert (state["functional_level"], state["upgrade_version"]) == (12, 1)
    assert state["pool_version"] == "Windows Server 2022"
    assert set(state["vm_versions"].values()) == {"10.0"}  # type: ignore[attr-defined]
    assert {group.vm.state for group in lab.world.groups.all if group.vm} == {"Running"}


async def test_the_offline_update_in_the_order_of_mslab() -> None:
    lab = Console(demo_world(3, vms_per_node=1))
    lab.session.delegated = True
    guests = [group for group in lab.world.groups.all if group.vm]
    for group in guests:
        await lab.run(group.owner, cmd("Stop-VM", Name=group.name))
    disks = [disk.resource_name for disk in lab.world.storage.virtual_disks]
    for name in (*disks, "Cluster Pool 1"):
        await lab.run("HCI01", cmd("Stop-ClusterResource", Name=name))
    await lab.run("HCI01", cmd("Stop-Cluster", Force=None))
    for node in lab.nodes:
        node.services["ClusSvc"].start_type = "Disabled"
        await lab.run(node, cmd("Restart-Computer", Force=None))
    await lab.wait_for(lambda: all(node.restarts == 1 for node in lab.nodes))
    assert not any(node.member for node in lab.nodes)
    for node in lab.nodes:
        node.services["ClusSvc"].start_type = "Automatic"
    await lab.run("HCI01", cmd("Start-Cluster", Name="HCI01"))
    await lab.wait_for(lambda: all(node.state.name == "Up" for node in lab.nodes))
    assert not any(disk.attached for disk in lab.world.storage.virtual_disks), (
        "they stay offline until they are started"
    )
    for name in ("Cluster Pool 1", *disks):
        await lab.run("HCI01", cmd("Start-ClusterResource", Name=name))
    failed = [group for group in guests if group.configuration_failed]
    assert failed == guests
    for group in guests:
        await lab.run("HCI01", cmd("Start-ClusterResource", Name=f"Virtual Machine Configuration {group.name}"))
        await lab.run("HCI01", cmd("Start-ClusterGroup", Name=group.name))
    assert {group.vm.state for group in guests} == {"Running"}
    await lab.settled()


def test_the_snapshot_tells_what_a_node_s_information_says() -> None:
    lab = Lab()
    lab.world.membership.isolate(lab.nodes[1])
    nodes = snapshot(lab.world)["nodes"]
    assert [node["information"] for node in nodes] == [0, 1, 0, 0]  # type: ignore[attr-defined,index]


def test_versions_are_found_by_name() -> None:
    assert os_version("ws2022") is VERSIONS["WS2022"]
    with pytest.raises(ValueError, match="WS2012"):
        os_version("WS2012")


def test_a_vm_may_start_with_an_older_version() -> None:
    spec = demo_world(2)
    old = replace(spec.vms[0], version="9.0")
    lab = Lab(replace(spec, vms=(old, *spec.vms[1:])))
    assert lab.world.groups.find(old.name).vm.version == "9.0"
