"""Whatever is done to a world, it stays one that could exist, and it heals when it is left alone."""

import random
from datetime import timedelta

import pytest

from include.simulator.world.machines import Maintenance, Node, Power
from include.simulator.world.power import ShutdownInProgressError
from include.simulator.world.storage import LastCopyError
from tests.simulator.world.driver import Lab


def disturb(lab: Lab, dice: random.Random) -> None:
    node = dice.choice(lab.nodes)
    deed = dice.choice((drain, resume, restart, crash, maintenance, leave_maintenance, install))
    deed(lab, node)


def drain(lab: Lab, node: Node) -> None:
    if node.member:
        lab.world.drains.start(node)


def resume(lab: Lab, node: Node) -> None:
    if node.member and node.paused:
        lab.world.drains.abort(node)
        lab.world.membership.unpause(node)
        lab.world.storage.leave_maintenance(node, "test")
        lab.world.drains.fail_back(node)


def restart(lab: Lab, node: Node) -> None:
    try:
        lab.world.power.restart(node, "test")
    except ShutdownInProgressError:
        assert node.power is not Power.ON


def crash(lab: Lab, node: Node) -> None:
    lab.world.power.crash(node)


def maintenance(lab: Lab, node: Node) -> None:
    try:
        lab.world.storage.enter_maintenance(node, "test")
    except LastCopyError:
        assert node.maintenance is not Maintenance.IN


def leave_maintenance(lab: Lab, node: Node) -> None:
    lab.world.storage.leave_maintenance(node, "test")


def install(lab: Lab, node: Node) -> None:
    if node.power is Power.ON and not lab.world.updates.installing(node):
        lab.world.updates.start(node, "install", list(lab.world.spec.updates), "guid")


def check(lab: Lab) -> None:
    world = lab.world
    for group in world.groups.all:
        if group.state.name == "Online":
            assert group.owner.member, group.name
        if group.vm and group.vm.state == "Running":
            assert group.state.name == "Online", group.name
            assert world.storage.serves(group.vm.disk), group.name
    for disk in world.storage.virtual_disks:
        assert disk.attached is (
            len(set(disk.missing) | set(disk.stale)) < disk.copies and len(disk.missing) * 2 <= len(lab.nodes)
        )
        assert all(0 <= stale <= disk.size for stale in disk.stale.values())
    for job in world.repairs.jobs:
        assert 0 <= job.processed <= job.total
    for node in lab.nodes:
        assert not (node.member and node.joining)
        assert node.up or not node.member
        assert world.groups.free_memory(node) >= 0
    if any(node.member for node in lab.nodes):
        assert world.quorum.up_votes * 2 > world.quorum.votes
    assert world.next_event() is None or world.next_event() >= lab.clock.now()


@pytest.mark.parametrize("seed", range(40))
async def test_turmoil(seed: int) -> None:
    dice = random.Random(seed)
    lab = Lab(nodes=dice.choice((2, 3, 4, 8)), os=dice.choice(("20H2", "21H2")), seed=seed)
    for _ in range(60):
        disturb(lab, dice)
        check(lab)
        limit = lab.clock.now() + timedelta(seconds=dice.choice((1, 20, 200, 2000)))
        while lab.clock.now() < limit:
            await lab.step(limit)
            check(lab)

    await lab.wait(timedelta(hours=3))
    for node in lab.nodes:
        resume(lab, node)
        leave_maintenance(lab, node)
    await lab.wait(timedelta(hours=8))
    check(lab)
    assert [node.state.name for node in lab.nodes] == ["Up"] * len(lab.nodes)
    assert lab.world.storage.healthy()
    assert not lab.world.repairs.jobs
    assert {group.vm.state for group in lab.world.groups.all if group.vm} == {"Running"}
