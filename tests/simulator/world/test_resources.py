"""ClusAPI resource states; MSLab, "S2D and Emergency Patching" for the order of an offline update."""

from dataclasses import replace

import pytest

from include.simulator.world.resources import Resource, ResourceRefusedError, ResourceState
from include.simulator.world.spec import CauRoleSpec, DiskSpec, demo_world
from tests.simulator.world.driver import Lab

DISK = "Cluster Virtual Disk (Volume01)"


async def put(lab: Lab, name: str, state: str) -> Resource:
    resource = lab.world.resources.find(name)
    assert resource is not None
    if state == "Offline":
        lab.world.resources.stop(resource, "test")
    else:
        lab.world.resources.start(resource, "test")
    await lab.wait_for(lambda: lab.world.resources.settled(name))
    found = lab.world.resources.find(name)
    assert found is not None
    assert found.state.name == state
    return found


async def test_a_resource_on_its_way_says_so() -> None:
    lab = Lab()
    resource = lab.world.resources.find(DISK)
    lab.world.resources.stop(resource, "test")
    assert lab.world.resources.find(DISK).state is ResourceState.OfflinePending
    await lab.wait_for(lambda: lab.world.resources.find(DISK).state is ResourceState.Offline)


async def test_a_virtual_disk_taken_offline_is_detached_by_policy() -> None:
    lab = Lab()
    await put(lab, DISK, "Offline")
    disk = lab.world.storage.find("Volume01")
    assert (disk.health.name, disk.operational_status, disk.detached_reason) == ("Unknown", ("Detached",), "By Policy")
    assert not lab.world.storage.healthy()
    await put(lab, DISK, "Online")
    assert (disk.health.name, disk.operational_status, disk.detached_reason) == ("Healthy", ("OK",), "None")


async def test_what_runs_on_a_disk_goes_down_with_it_and_its_configuration_fails() -> None:
    lab = Lab()
    group = next(each for each in lab.world.groups.all if each.vm and each.vm.disk == "Volume01")
    await put(lab, DISK, "Offline")
    assert group.vm.state == "Off"
    states = {each.type: each.state.name for each in lab.world.resources.of(group)}
    assert states == {"Virtual Machine": "Failed", "Virtual Machine Configuration": "Failed"}
    with pytest.raises(ResourceRefusedError):
        lab.world.resources.start(lab.world.resources.of(group)[1], "too early")


async def test_the_pool_takes_its_virtual_disks_along() -> None:
    lab = Lab()
    await put(lab, "Cluster Pool 1", "Offline")
    assert not any(disk.attached for disk in lab.world.storage.virtual_disks)
    with pytest.raises(ResourceRefusedError):
        lab.world.resources.start(lab.world.resources.find(DISK), "too early")
    await put(lab, "Cluster Pool 1", "Online")
    assert all(disk.attached for disk in lab.world.storage.virtual_disks)


async def test_disks_stay_offline_over_a_restart_of_the_cluster() -> None:
    lab = Lab()
    await put(lab, DISK, "Offline")
    lab.world.cluster_service.stop_cluster()
    lab.world.cluster_service.start_cluster(lab.nodes)
    await lab.wait_for(lambda: all(node.member for node in lab.nodes))
    assert lab.world.resources.find(DISK).state is ResourceState.Offline
    assert lab.world.resources.find("Cluster Virtual Disk (Volume02)").state is ResourceState.Online


async def test_the_witness_gives_its_vote_away_with_its_resource() -> None:
    lab = Lab()
    assert lab.world.quorum.witness_weight == 1
    await put(lab, "Cloud Witness", "Offline")
    assert lab.world.quorum.witness_weight == 0
    await put(lab, "Cloud Witness", "Online")
    assert lab.world.quorum.witness_weight == 1


async def test_a_lost_witness_is_a_failed_resource() -> None:
    lab = Lab()
    lab.world.quorum.set_witness(online=False)
    assert lab.world.resources.find("Cloud Witness").state is ResourceState.Failed


async def test_the_virtual_machine_of_a_role_is_saved_and_comes_back() -> None:
    lab = Lab()
    await put(lab, "Virtual Machine VM-1-1", "Offline")
    group = lab.world.groups.find("VM-1-1")
    assert (group.vm.state, group.wanted) == ("Saved", False)
    lab.world.resources.start(lab.world.resources.find("Virtual Machine VM-1-1"), "test")
    await lab.wait_for(lambda: group.vm.state == "Running")


async def test_performance_history_is_a_disk_that_is_no_shared_volume() -> None:
    spec = demo_world(4)
    lab = Lab(replace(spec, disks=(*spec.disks, DiskSpec("ClusterPerformanceHistory", 21, 3, shared=False))))
    found = lab.world.resources.find("Cluster Virtual Disk (ClusterPerformanceHistory)")
    assert (found.type, found.group) == ("Physical Disk", "SDDC Group")


def test_every_kind_of_resource_has_its_place() -> None:
    lab = Lab(replace(demo_world(2), cau_role=CauRoleSpec()))
    kinds = {each.type: each.group for each in lab.world.resources.all()}
    assert kinds["Cloud Witness"] == kinds["Network Name"] == "Cluster Group"
    assert kinds["SDDC Management"] == "SDDC Group"
    assert kinds["ClusterAwareUpdatingResource"].startswith("CAU")
