"""Whatever a fault makes stand can be ended, and a world that is left alone afterwards is well again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.simulator.faults.catalogue import FaultRow, catalogue
from include.simulator.faults.engine import Stage
from include.simulator.faults.registry import heals
from include.simulator.faults.scenarios import healable
from tests.simulator.faults.night import Night
from tests.simulator.world.driver import Lab

HEALABLE = [row for row in catalogue().values() if all(heals(effect) for effect in row.effects)]


def ailing(lab: Lab) -> list[str]:
    """Everything that is not as it was on the first day, installed updates and locks of others excepted."""
    world = lab.world
    found = [
        f"{node.name} is {node.state.name}, {node.information.name}"
        for node in world.nodes
        if (node.state.name, int(node.information)) != ("Up", 0)
    ]
    found += [f"{node.name} is {node.power.value}" for node in world.nodes if not node.up]
    found += [f"{node.name} has its disks in maintenance" for node in world.nodes if node.maintenance.name != "NONE"]
    found += [f"{node.name} is off by {node.clock_skew}" for node in world.nodes if node.clock_skew]
    found += [f"{node.name} delegates" for node in world.nodes if node.credssp]
    found += [
        f"{disk.name} is {disk.operational_status}"
        for disk in world.storage.virtual_disks
        if disk.operational_status != ("OK",)
    ]
    found += [f"{disk.name} is redirected" for disk in world.storage.virtual_disks if disk.redirected or disk.backup]
    found += [f"a drive is {drive.fault}" for drive in world.storage.physical_disks if drive.fault]
    found += [f"the pool is {world.storage.pool_read_only}"] * bool(world.storage.pool_read_only)
    found += [f"{job.name} is {job.state}" for job in world.repairs.jobs]
    found += [
        f"{group.name} is {group.vm.state}" for group in world.groups.all if group.vm and group.vm.state != "Running"
    ]
    found += [
        f"{group.name} cannot move" for group in world.groups.all if group.locked or (group.vm and group.vm.blocked)
    ]
    found += [f"{len(world.nodes)} nodes, {len(world.storage.virtual_disks)} disks"] * (
        (len(world.nodes), len(world.storage.virtual_disks)) != (4, 4)
    )
    found += [f"{node.name} has {world.policies.values(node)}" for node in world.nodes if world.policies.values(node)]
    found += [
        f"{node.name} has ClusSvc {node.services['ClusSvc'].start_type}"
        for node in world.nodes
        if node.services["ClusSvc"].start_type != "Automatic"
    ]
    found += ["the witness is away"] * (not world.quorum.witness_online)
    found += [f"{condition.kind} waits" for condition in world.rig.conditions]
    found += [f"{name} has {wires}" for name, wires in world.faults.wires.items() if wires]
    return found


async def test_a_world_without_faults_ails_nothing() -> None:
    lab = Lab()
    assert ailing(lab) == []
    await lab.wait(timedelta(hours=12))
    assert ailing(lab) == []


@pytest.mark.parametrize("row", [row for row in HEALABLE if healable(row)], ids=lambda row: row.id)
async def test_a_world_in_which_a_fault_was_healed_is_well_again(row: FaultRow) -> None:
    lab = Lab(seed=3)
    injection = lab.world.faults.inject(row.id, node=2 if row.node == "required" else None)
    assert injection.stage is Stage.STANDING
    await lab.wait(timedelta(minutes=25))
    if injection.stage is Stage.STANDING and row.lasts is None:
        assert lab.world.faults.heal(row.id) == [injection]
        assert injection.stage is Stage.HEALED
    assert lab.world.faults.heal(row.id) == [] or row.lasts is not None
    await lab.wait(timedelta(hours=14))
    assert ailing(lab) == []


@pytest.mark.parametrize("row", [row for row in HEALABLE if row.theme != "wire"], ids=lambda row: row.id)
async def test_a_night_whose_fault_was_healed_in_time_is_an_ordinary_one(row: FaultRow) -> None:
    night = Night()
    injection = night.world.faults.inject(row.id, node=2 if row.node == "required" else None)
    night.world.faults.heal(number=injection.number)
    night.world.advance()
    harmless = row.when is not None or all(effect["effect"] == "condition" for effect in row.effects)
    await night.pass_by()
    assert "fault.injected" in [entry.op for entry in night.console.journal.entries] or row.when is not None
    if harmless:
        assert night.differences(await Night().pass_by()) == set()
    await night.console.wait(timedelta(hours=6))
    assert [each for each in ailing(night.console) if "Paused" not in each] == []


# Healing one of several.


async def test_healing_one_fault_of_the_connection_leaves_the_others() -> None:
    lab = Lab()
    heard: list[tuple[str, str]] = []
    lab.world.on_wire_fault(lambda name, kind, _: heard.append((name, kind)))
    lab.world.inject("slow-node-on-node-1")
    lab.world.inject("connection-refused-on-node-1")
    lab.world.inject("slow-node-on-node-2")
    lab.world.faults.heal("connection-refused", node=1)
    assert heard == [("HCI01", "slow"), ("HCI01", "refuse"), ("HCI02", "slow"), ("HCI01", "heal"), ("HCI01", "slow")]
    assert [each.row.id for each in lab.world.faults.heal()] == ["slow-node", "slow-node"]
    assert heard[-2:] == [("HCI01", "heal"), ("HCI02", "heal")]


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ({}, []),
        ({"fault": "slow-node"}, [4]),
        ({"fault": "slow-node-on-node-2"}, [1, 3, 4]),
        ({"fault": "slow-node", "node": "HCI02"}, [1, 3, 4]),
        ({"node": 1}, [2, 3, 4]),
        ({"number": 4}, [1, 2, 3]),
        ({"fault": "witness-lost"}, [1, 2, 3]),
    ],
)
def test_what_is_healed_can_be_named(arguments: dict[str, object], left: list[int]) -> None:
    lab = Lab()
    for fault in ("slow-node-on-node-1", "slow-node-on-node-2", "slow-node", "witness-lost"):
        lab.world.inject(fault)
    lab.world.faults.heal(**arguments)  # type: ignore[arg-type]
    assert [each.number for each in lab.world.faults.injections if each.stage is Stage.STANDING] == left


async def test_a_fault_that_still_waits_is_called_off() -> None:
    lab = Lab()
    lab.world.inject("node-crashes-on-node-1", after=30)
    lab.world.inject("node-crashes-on-node-2", phase="drain", delay=60)
    lab.world.inject("connection-reset", per_hour=10)
    lab.world.drains.start(lab.nodes[1])
    await lab.wait(timedelta(seconds=30))
    lab.world.faults.heal()
    before = len(lab.events("fault.injected"))
    await lab.wait(timedelta(hours=5))
    assert len(lab.events("fault.injected")) == before
    assert all(node.up for node in lab.nodes)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"fault": "nonsense"}, "There is no fault 'nonsense'"),
        ({"node": 9}, "There is no node 9"),
        ({"node": "HCI09"}, "There is no node 'HCI09'"),
    ],
)
def test_what_does_not_exist_cannot_be_healed(arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Lab().world.faults.heal(**arguments)  # type: ignore[arg-type]


# What healing lets go on.


async def test_migrations_that_hung_go_on() -> None:
    lab = Lab()
    lab.world.inject("drain-never-ends-on-node-2")
    lab.world.drains.start(lab.nodes[1])
    await lab.wait(timedelta(hours=2))
    assert lab.nodes[1].drain_status.name == "InProgress"
    lab.world.faults.heal()
    await lab.wait(timedelta(minutes=5))
    assert lab.nodes[1].drain_status.name == "Completed"
    assert [group for group in lab.world.groups.on(lab.nodes[1]) if group.vm] == []


async def test_an_evicted_node_comes_back_with_its_share_and_its_vote() -> None:
    lab = Lab()
    lab.world.inject("node-evicted-on-node-3")
    await lab.wait(timedelta(minutes=30))
    assert [node.name for node in lab.nodes] == ["HCI01", "HCI02", "HCI04"]
    assert not lab.world.storage.healthy()
    assert (await lab.run("HCI01", ("Get-ClusterNode", {}))).values != []
    lab.world.faults.heal()
    await lab.wait(timedelta(hours=3))
    assert [(node.name, node.state.name) for node in lab.nodes] == [(f"HCI0{number}", "Up") for number in (1, 2, 3, 4)]
    assert ailing(lab) == []
