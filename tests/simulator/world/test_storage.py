"""azure-stack-docs, maintain-servers; windowsserverdocs, storage-spaces-states."""

from dataclasses import replace
from datetime import timedelta

import pytest

from include.simulator.world.machines import Maintenance
from include.simulator.world.spec import DiskSpec, NodeSpec, VmSpec, WorldSpec, demo_world
from include.simulator.world.storage import LastCopyError
from include.simulator.world.versions import os_version
from tests.simulator.world.driver import Lab


def status(lab: Lab) -> set[tuple[str, tuple[str, ...]]]:
    return {(disk.health.name, disk.operational_status) for disk in lab.world.storage.virtual_disks}


async def test_what_a_virtual_disk_looks_like_through_a_maintenance() -> None:
    lab = Lab()
    node = lab.nodes[0]
    seen = [status(lab)]
    await lab.drain(node)
    seen.append(status(lab))
    lab.world.power.restart(node, "test")
    await lab.wait_for(lambda: not node.member)
    seen.append(status(lab))
    await lab.wait_for(lambda: node.member)
    await lab.resume(node)
    await lab.wait_for(lambda: len(lab.world.repairs.jobs) == 4)
    seen.append(status(lab))
    await lab.settled()
    seen.append(status(lab))
    assert seen == [
        {("Healthy", ("OK",))},
        {("Warning", ("Degraded",))},
        {("Warning", ("Incomplete",))},
        {("Warning", ("InService",))},
        {("Healthy", ("OK",))},
    ]


@pytest.mark.parametrize(("os", "automatic"), [("20H2", False), ("WS2019", False), ("21H2", True), ("WS2022", True)])
async def test_maintenance_mode_comes_and_goes_with_the_drain_from_21h2_on(os: str, automatic: bool) -> None:
    lab = Lab(demo_world(4, os))
    node = lab.nodes[0]
    await lab.drain(node)
    assert (node.maintenance is Maintenance.IN) is automatic
    await lab.resume(node)
    await lab.wait(timedelta(minutes=1))
    assert node.maintenance is Maintenance.NONE
    assert [event.detail["by"] for event in lab.events("maintenance")] == (["drain", "resume"] if automatic else [])


async def test_maintenance_by_hand_stays_after_a_resume_on_20h2() -> None:
    lab = Lab(demo_world(4, "20H2"))
    node = lab.nodes[0]
    await lab.drain(node)
    lab.world.storage.enter_maintenance(node, "operator")
    await lab.restart(node)
    await lab.resume(node)
    await lab.wait(timedelta(hours=1))
    assert node.maintenance is Maintenance.IN
    assert not lab.world.repairs.jobs, "nothing is repaired while the disks are kept out"
    assert status(lab) == {("Warning", ("Degraded",))}
    lab.world.storage.leave_maintenance(node, "operator")
    await lab.settled()
    assert status(lab) == {("Healthy", ("OK",))}


def spec(nodes: int, copies: int) -> WorldSpec:
    names = [f"N{number}" for number in range(1, nodes + 1)]
    return WorldSpec(
        "CL",
        os_version("21H2"),
        tuple(NodeSpec(name) for name in names),
        (VmSpec("VM1", names[-1], disk="V"),),
        (DiskSpec("V", 1024, copies),),
        (),
    )


@pytest.mark.parametrize(("nodes", "copies", "survives"), [(2, 2, 1), (4, 2, 1), (4, 3, 2), (5, 3, 2)])
async def test_a_mirror_survives_one_loss_less_than_it_has_copies(nodes: int, copies: int, survives: int) -> None:
    lab = Lab(spec(nodes, copies))
    disk = lab.world.storage.virtual_disks[0]
    for node in lab.nodes[:survives]:
        lab.world.membership.leave(node, clean=True, reason="test")
    assert disk.attached
    lab.world.membership.leave(lab.nodes[survives], clean=True, reason="test")
    assert not disk.attached
    assert disk.health.name == "Unknown", "windowsserverdocs, storage-spaces-states: detached"
    assert lab.events("vm.state", vm="VM1", state="Off")


async def test_the_second_node_before_the_resync_of_the_first_detaches_a_two_node_mirror() -> None:
    # MicrosoftDocs/azure-docs 55106
    lab = Lab(replace(demo_world(2), drain_on_shutdown=False))
    first, second = lab.nodes
    await lab.drain(first)
    await lab.restart(first)
    await lab.resume(first)
    await lab.wait_for(lambda: bool(lab.world.repairs.jobs))
    lab.world.power.restart(second, "impatient")
    await lab.wait_for(lambda: not second.member)
    assert not any(disk.attached for disk in lab.world.storage.virtual_disks)
    assert lab.events("vm.state", state="Off")
    await lab.wait_for(lambda: second.member and first.member)
    await lab.wait_for(lambda: all(group.vm.state == "Running" for group in lab.world.groups.all if group.vm))
    assert all(disk.attached for disk in lab.world.storage.virtual_disks)


async def test_maintenance_of_the_last_copy_is_refused() -> None:
    # windows-powershell-docs, Enable-StorageMaintenanceMode
    lab = Lab(demo_world(2))
    lab.world.storage.enter_maintenance(lab.nodes[0], "operator")
    with pytest.raises(LastCopyError):
        lab.world.storage.enter_maintenance(lab.nodes[1], "operator")
    lab.world.storage.enter_maintenance(lab.nodes[1], "operator", validate=False)
    assert not any(disk.attached for disk in lab.world.storage.virtual_disks)
