from dataclasses import replace
from datetime import timedelta

import pytest

from include.simulator.world.rig import Condition
from include.simulator.world.spec import demo_world
from tests.simulator.world.driver import Lab


async def away(lab: Lab, minutes: float) -> None:
    node = lab.nodes[0]
    lab.world.storage.enter_maintenance(node, "test")
    await lab.wait(timedelta(minutes=minutes))
    lab.world.storage.leave_maintenance(node, "test")
    await lab.wait_for(lambda: len(lab.world.repairs.jobs) == len(lab.world.storage.virtual_disks))


async def test_the_longer_away_the_more_there_is_to_copy() -> None:
    totals = []
    for minutes in (10, 40):
        lab = Lab(seed=3)
        await away(lab, minutes)
        totals.append(sum(job.total for job in lab.world.repairs.jobs))
    assert 3.5 < totals[1] / totals[0] < 4.2


async def test_stale_data_never_exceeds_the_share_of_the_node() -> None:
    lab = Lab(demo_world(2))
    await away(lab, 60 * 24 * 30)
    for job in lab.world.repairs.jobs:
        assert job.total == job.disk.size


async def test_progress_is_steady_and_ends() -> None:
    lab = Lab()
    await away(lab, 30)
    seen = []
    for _ in range(3):
        await lab.wait(timedelta(seconds=20))
        lab.world.repairs.settle()
        seen.append(sum(job.processed for job in lab.world.repairs.jobs))
    rate = lab.world.spec.timings.repair_mib_per_second * 1024**2
    assert abs(seen[1] - seen[0] - 20 * rate) < rate
    assert abs(seen[2] - seen[1] - 20 * rate) < rate
    await lab.settled()
    states = [event.detail["state"] for event in lab.events("repair.state", job="Volume01-Repair")]
    assert states == ["Running", "Completed"]


async def test_completed_jobs_stay_listed_for_a_moment() -> None:
    lab = Lab()
    await away(lab, 5)
    await lab.wait_for(lambda: all(job.state == "Completed" for job in lab.world.repairs.jobs))
    assert lab.world.repairs.jobs
    await lab.wait(timedelta(minutes=3))
    assert not lab.world.repairs.jobs


async def test_a_job_whose_node_goes_again_is_killed_and_its_rest_remembered() -> None:
    lab = Lab()
    await away(lab, 60)
    await lab.wait(timedelta(seconds=30))
    disk = lab.world.storage.virtual_disks[0]
    lab.world.storage.enter_maintenance(lab.nodes[0], "test")
    assert not lab.world.repairs.jobs
    killed = lab.events("repair.state", virtual_disk=disk.name, state="Killed")[0].detail
    rest = int(killed["bytes_total"]) - int(killed["bytes_processed"])
    assert abs(disk.stale[lab.nodes[0].name] - rest) <= 1
    assert 0 < int(killed["bytes_processed"]) < int(killed["bytes_total"])


async def test_a_suspended_job_goes_on_with_repair_virtual_disk() -> None:
    # MSLab: jobs only Suspended while a virtual disk is unhealthy call for Repair-VirtualDisk.
    lab = Lab()
    lab.world.rig.add(Condition("repair-suspended", lab.nodes[0].name))
    await away(lab, 10)
    await lab.wait(timedelta(hours=1))
    assert {job.state for job in lab.world.repairs.jobs} == {"Suspended"}
    assert {disk.operational_status for disk in lab.world.storage.virtual_disks} == {("Degraded",)}
    for disk in lab.world.storage.virtual_disks:
        lab.world.repairs.repair(disk)
    assert {disk.operational_status for disk in lab.world.storage.virtual_disks} == {("InService",)}
    await lab.settled()


async def test_jobs_of_a_detached_disk_wait_until_it_is_attached_again() -> None:
    lab = Lab()
    await away(lab, 30)
    disk = lab.world.storage.virtual_disks[0]
    job = next(job for job in lab.world.repairs.jobs if job.disk is disk)
    lab.world.storage.take_offline(disk, "test")
    copied = job.processed
    await lab.wait(timedelta(hours=1))
    lab.world.repairs.settle()
    assert (job.state, job.processed) == ("Suspended", copied)
    lab.world.storage.bring_online(disk, "test")
    assert (job.state, disk.operational_status) == ("Running", ("InService",))
    await lab.settled()


@pytest.mark.parametrize(("depth", "factor"), [(1, 0.25), (4, 1.0), (16, 4.0)])
async def test_the_repair_queue_depth_sets_the_pace(depth: int, factor: float) -> None:
    # azure-stack-docs, storage-repair-speed
    lab = Lab(replace(demo_world(4), repair_queue_depth=depth))
    await away(lab, 30)
    rate = sum(job.rate for job in lab.world.repairs.jobs)
    assert rate == lab.world.spec.timings.repair_mib_per_second * 1024**2 * factor
