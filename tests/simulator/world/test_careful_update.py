from dataclasses import replace
from datetime import timedelta

import pytest

from include.simulator.referee import judge
from include.simulator.world.spec import demo_world
from tests.simulator.world.careful import GUID, update_node
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Lab, cmd


@pytest.mark.parametrize(
    ("nodes", "os"),
    [(4, "21H2"), (2, "WS2022"), (3, "22H2"), (4, "WS2019"), (2, "20H2"), (8, "WS2025"), (16, "21H2"), (4, "23H2")],
)
async def test_careful_update_of_a_whole_cluster_keeps_every_vm_up(nodes: int, os: str) -> None:
    lab = Lab(demo_world(nodes, os, vms_per_node=2))
    owners = {group.name: group.owner.name for group in lab.world.groups.all if group.vm}
    before = {node.name: (node.build, node.ubr) for node in lab.nodes}

    restarts = [await update_node(lab, node) for node in lab.nodes]

    # The second wave needs a restart of its own; a separate servicing stack lets last month's update in first.
    assert restarts == [3 if lab.world.spec.os.separate_ssu else 2] * nodes
    assert lab.events("vm.state") == []
    assert {group.name: group.owner.name for group in lab.world.groups.all if group.vm} == owners
    assert all((node.build, node.ubr) == (before[node.name][0], before[node.name][1] + 283) for node in lab.nodes)
    assert all(event.detail["has_quorum"] for event in lab.events("quorum"))
    assert not [event for event in lab.events("disk.health") if "Detached" in event.detail["operational_status"]]
    assert lab.world.storage.healthy()
    assert [node.state.name for node in lab.nodes] == ["Up"] * nodes
    assert all(not node.locks and not node.pending_restart for node in lab.nodes)
    away = set()
    for event in lab.events("node.state"):
        (away.discard if event.detail["state"] == "Up" else away.add)(event.detail["node"])
        assert len(away) <= 1


async def take_all(lab: Lab) -> None:
    for node in lab.nodes:
        await lab.take(node, "MSFT_CAURun", GUID)


@pytest.mark.parametrize(("nodes", "os"), [(4, "21H2"), (2, "20H2")])
async def test_a_careful_update_at_the_console_leaves_the_referee_nothing_to_say(nodes: int, os: str) -> None:
    lab = Console(nodes=nodes, os=os)
    await take_all(lab)
    for node in lab.nodes:
        await update_node(lab, node)
    assert lab.events("lock.expired") == []
    for node in lab.nodes:
        await lab.release(node, "MSFT_CAURun", GUID)
    assert judge(lab.journal.entries) == []


async def test_an_impatient_update_gives_the_referee_something_to_say() -> None:
    lab = Console(replace(demo_world(2), drain_on_shutdown=False))
    await take_all(lab)
    first, second = lab.nodes
    await lab.drain(first)
    await lab.restart(first)
    await lab.resume(first)
    await lab.wait_for(lambda: bool(lab.world.repairs.jobs))
    await lab.run(second, cmd("Restart-Computer", Force=None))
    await lab.wait(timedelta(hours=1))
    assert {"I3", "I4", "I5"} <= {violation.invariant for violation in judge(lab.journal.entries)}


async def test_the_same_seed_tells_the_same_story() -> None:
    stories = []
    for _ in range(2):
        lab = Lab(demo_world(3, "22H2"), seed=7)
        await update_node(lab, lab.nodes[0])
        stories.append([(event.at, event.op, event.node, dict(event.detail)) for event in lab.recorder.events])
    assert stories[0] == stories[1]
    other = Lab(demo_world(3, "22H2"), seed=8)
    await update_node(other, other.nodes[0])
    assert [event.at for event in other.recorder.events] != [story[0] for story in stories[0]]
