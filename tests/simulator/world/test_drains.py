from datetime import timedelta
from itertools import pairwise

from include.simulator.world.machines import DrainStatus, Information, NodeState
from include.simulator.world.rig import Condition
from include.simulator.world.spec import NodeSpec, VmSpec, WorldSpec, demo_world
from tests.simulator.world.driver import Lab


async def test_paused_as_soon_as_the_drain_starts() -> None:
    # MSLab, AzSHCI and Dell Servers Update: Paused alone is not success.
    lab = Lab()
    node = lab.nodes[0]
    lab.world.drains.start(node)
    assert (node.state, node.drain_status) == (NodeState.Paused, DrainStatus.InProgress)
    assert node.information == Information.DrainInProgress
    assert lab.world.groups.on(node)
    await lab.wait_for(lambda: node.drain_status is DrainStatus.Completed)
    assert node.information == Information.DrainCompleted
    assert not lab.world.groups.on(node)


async def test_virtual_machines_move_one_after_another_by_memory() -> None:
    lab = Lab()
    node = lab.nodes[0]
    memory = {group.name: group.vm.memory_gib for group in lab.world.groups.on(node) if group.vm}
    lab.world.drains.start(node)
    await lab.wait_for(lambda: node.drain_status is DrainStatus.Completed)
    moves = [event for event in lab.events("group.moved") if event.detail["type"] == "VirtualMachine"]
    for earlier, later in pairwise(moves):
        taken = (later.at - earlier.at).total_seconds()
        assert taken >= memory[str(later.detail["group"])] * 0.9
    assert {str(event.detail["how"]) for event in moves} == {"drain, live migration"}
    assert lab.events("vm.state") == []


async def test_core_groups_move_too_and_nothing_goes_to_a_paused_node() -> None:
    lab = Lab()
    first, second = lab.nodes[:2]
    lab.world.membership.pause(second)
    await lab.drain(first)
    assert lab.world.groups.core.owner in lab.nodes[2:]
    assert {event.detail["destination"] for event in lab.events("group.moved")} <= {"HCI03", "HCI04"}


async def test_drain_fails_where_no_node_has_the_memory_and_the_vm_stays_up() -> None:
    spec = demo_world(2)
    spec = WorldSpec(
        "HCI-CL02",
        spec.os,
        (NodeSpec("HCI01", 256), NodeSpec("HCI02", 64)),
        (VmSpec("SQL01", "HCI01", 200), VmSpec("WEB01", "HCI01", 8)),
        (),
        (),
    )
    lab = Lab(spec)
    node = lab.nodes[0]
    await lab.drain(node)
    assert node.drain_status is DrainStatus.Failed
    assert node.information == Information.DrainFailed
    assert node.state is NodeState.Paused
    assert [group.name for group in lab.world.groups.on(node)] == ["SQL01"]
    assert lab.events("vm.state") == []
    assert "5005" in str(lab.events("group.state")[-1].detail["reason"])


async def test_failback_brings_home_what_the_drain_took() -> None:
    lab = Lab()
    node = lab.nodes[0]
    mine = {group.name for group in lab.world.groups.on(node) if group.vm}
    await lab.drain(node)
    await lab.resume(node, "Immediate")
    await lab.settled()
    assert {group.name for group in lab.world.groups.on(node) if group.vm} == mine
    assert node.information == Information.Normal


async def test_no_failback_leaves_roles_where_they_are() -> None:
    lab = Lab()
    node = lab.nodes[0]
    await lab.drain(node)
    await lab.resume(node, "NoFailback")
    await lab.wait(timedelta(minutes=10))
    assert not [group for group in lab.world.groups.on(node) if group.vm]


async def test_resume_in_the_middle_ends_the_drain() -> None:
    lab = Lab()
    node = lab.nodes[0]
    lab.world.rig.add(Condition("migration-hangs", node.name))
    lab.world.drains.start(node)
    await lab.wait(timedelta(minutes=5))
    assert node.drain_status is DrainStatus.InProgress
    await lab.resume(node)
    assert (node.state, node.drain_status) == (NodeState.Up, DrainStatus.NotInitiated)
    assert not any(group.moving_to for group in lab.world.groups.all)


async def test_forced_drain_takes_down_what_cannot_move() -> None:
    # windows-powershell-docs, Invoke-CauRun: ForcePauseAndDrain takes roles that cannot move down and moves them.
    lab = Lab()
    node = lab.nodes[0]
    blocked = next(group for group in lab.world.groups.on(node) if group.vm)
    blocked.vm.blocked = "a local ISO is attached"
    lab.world.drains.start(node, force=True)
    await lab.wait_for(lambda: node.drain_status is DrainStatus.Completed)
    assert [event.detail["state"] for event in lab.events("vm.state", vm=blocked.name)] == ["Off"]
    await lab.wait_for(lambda: blocked.vm.state == "Running")
    assert blocked.owner is not node
