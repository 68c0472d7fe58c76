"""windows-powershell-docs, Update-StoragePool, Optimize-StoragePool, Connect- and Disconnect-VirtualDisk."""

from dataclasses import replace

import pytest

from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.test_levels import mixed

POOL = "S2D on HCI-CL01"
UPDATE = cmd("Update-StoragePool", FriendlyName=POOL, Confirm=False)


def upgraded(os: str = "20H2", build: int = 20348) -> Console:
    lab = Console(demo_world(2, os))
    for node in lab.nodes:
        node.build = build
    return lab


async def version(lab: Console) -> str:
    pool = await lab.one("HCI01", cmd("Get-StoragePool", IsPrimordial=False))
    return str(pool.notes["Version"])


async def test_the_pool_rises_once_and_for_good() -> None:
    lab = upgraded()
    assert await version(lab) == "Windows Server 2019"
    await lab.run("HCI01", UPDATE)
    await lab.run("HCI01", UPDATE)
    assert await version(lab) == "Windows Server 2022"
    assert [event.detail for event in lab.events("pool.version")] == [
        {"pool": POOL, "before": "Windows Server 2019", "after": "Windows Server 2022"}
    ]
    assert lab.world.functional_level == 10, "the cluster's level is another matter"


async def test_the_pool_goes_no_further_than_the_oldest_node() -> None:
    lab = Console(mixed("20H2", "21H2", cluster="20H2"))
    await lab.run("HCI01", UPDATE)
    assert await version(lab) == "Windows Server 2019"
    assert lab.events("pool.version") == []


async def test_it_asks_and_what_if_changes_nothing() -> None:
    lab = upgraded()
    assert (await lab.refusal("HCI01", cmd("Update-StoragePool", FriendlyName=POOL))).category == "InvalidOperation"
    await lab.run("HCI01", cmd("Update-StoragePool", FriendlyName=POOL, WhatIf=None))
    assert await version(lab) == "Windows Server 2019"


async def test_the_pool_comes_down_the_pipeline() -> None:
    lab = upgraded()
    pipeline = (cmd("Get-StoragePool", IsPrimordial=False), cmd("Update-StoragePool", Confirm=False, PassThru=None))
    pool = await lab.one("HCI01", *pipeline)
    assert pool.notes["Version"] == "Windows Server 2022"


async def test_the_pool_is_found_by_its_unique_id_and_no_other_is() -> None:
    lab = upgraded()
    identity = (await lab.one("HCI01", cmd("Get-StoragePool", IsPrimordial=False))).properties["UniqueId"]
    other = await lab.run("HCI01", cmd("Update-StoragePool", UniqueId="{another}", Confirm=False))
    assert other.errors[0].fully_qualified_error_id == "CmdletizationQuery_NotFound_UniqueId,Update-StoragePool"
    assert await version(lab) == "Windows Server 2019"
    await lab.run("HCI01", cmd("Update-StoragePool", UniqueId=identity, Confirm=False))
    assert await version(lab) == "Windows Server 2022"


async def test_an_unknown_pool() -> None:
    output = await Console().run("HCI01", cmd("Update-StoragePool", FriendlyName="S2D on Nothing", Confirm=False))
    assert output.errors[0].fully_qualified_error_id == "CmdletizationQuery_NotFound_FriendlyName,Update-StoragePool"


@pytest.mark.parametrize(
    ("variants", "numbers"),
    [((), {"20H2": 0, "21H2": 0, "23H2": 0}), (("pool-version-number-counts-on",), {"20H2": 5, "21H2": 6, "23H2": 7})],
)
async def test_the_number_under_the_version(variants: tuple[str, ...], numbers: dict[str, int]) -> None:
    for os, number in numbers.items():
        lab = Console(replace(demo_world(2, os), variants=frozenset(variants)))
        pool = await lab.one("HCI01", cmd("Get-StoragePool", IsPrimordial=False))
        assert pool.properties["Version"] == number


async def test_optimizing_is_a_job_that_leaves_disks_healthy() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Optimize-StoragePool", FriendlyName=POOL, AsJob=None))
    job = await lab.one("HCI01", cmd("Get-StorageJob"))
    assert (job.properties["Name"], job.notes["JobState"]) == ("Optimize", "Running")
    assert lab.world.storage.healthy()
    await lab.wait_for(lambda: not lab.world.repairs.jobs)


async def test_optimizing_waits_without_asjob_and_can_be_stopped() -> None:
    lab = Console()
    began = lab.clock.now()
    await lab.run("HCI01", cmd("Optimize-StoragePool", FriendlyName=POOL))
    assert lab.clock.now() > began
    await lab.run("HCI01", cmd("Optimize-StoragePool", FriendlyName=POOL, AsJob=None))
    await lab.run("HCI01", cmd("Get-StorageJob", JobState="Running"), cmd("Stop-StorageJob", Confirm=False))
    assert lab.events("repair.state", job="Optimize", state="Killed")


async def test_a_virtual_disk_is_detached_and_attached() -> None:
    lab = Console()
    disk = await lab.one("HCI01", cmd("Disconnect-VirtualDisk", FriendlyName="Volume01", PassThru=None))
    assert (disk.notes["OperationalStatus"], disk.notes["DetachedReason"]) == ("Detached", "By Policy")
    again = await lab.refusal("HCI01", cmd("Disconnect-VirtualDisk", FriendlyName="Volume01"))
    disk = await lab.one("HCI01", cmd("Connect-VirtualDisk", FriendlyName="Volume01", PassThru=None))
    assert disk.notes["OperationalStatus"] == "OK"
    needless = await lab.refusal("HCI01", cmd("Connect-VirtualDisk", FriendlyName="Volume01"))
    assert again.fully_qualified_error_id.startswith("StorageWMI ")
    assert needless.fully_qualified_error_id.startswith("StorageWMI ")


async def test_nothing_attaches_while_copies_are_missing() -> None:
    lab = Console(nodes=2)
    lab.world.storage.enter_maintenance(lab.nodes[0], "test")
    lab.world.storage.enter_maintenance(lab.nodes[1], "test", validate=False)
    record = await lab.refusal("HCI01", cmd("Connect-VirtualDisk", FriendlyName="Volume01"))
    assert "Majority Disks Unhealthy" in record.message


async def test_the_pool_is_read_only_while_most_drives_are_gone() -> None:
    lab = Console()
    for node in lab.nodes[2:]:
        lab.world.membership.leave(node, clean=True, reason="test")
    pool = await lab.one("HCI01", cmd("Get-StoragePool", IsPrimordial=False))
    assert (pool.notes["HealthStatus"], pool.properties["IsReadOnly"]) == ("Unknown", True)
    assert (pool.notes["ReadOnlyReason"], pool.notes["OperationalStatus"]) == ("Incomplete", "Read-only")
    assert "read-only" in (await lab.refusal("HCI01", UPDATE)).message
