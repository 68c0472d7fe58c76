"""Failover Clustering team, "Virtual Machine Compute Resiliency"; windows-powershell-docs, Start-ClusterNode, Get-Cluster."""

from dataclasses import replace
from datetime import timedelta

import pytest

from include.simulator.world.machines import Information, Node, NodeState
from include.simulator.world.membership import FOR_EVER
from include.simulator.world.spec import demo_world
from tests.simulator.world.driver import Lab

MINUTE = timedelta(minutes=1)


def mine(lab: Lab, node: Node) -> list:
    return [group for group in lab.world.groups.on(node) if group.vm]


async def test_an_isolated_node_is_down_for_the_others_and_its_vms_run_on_unmonitored() -> None:
    lab = Lab()
    node, guests = lab.nodes[0], mine(lab, lab.nodes[0])
    lab.world.membership.isolate(node)
    assert (node.state, node.information) == (NodeState.Down, Information.Isolated)
    await lab.wait(timedelta(seconds=200))
    assert {(group.owner, group.vm.state, group.unmonitored) for group in guests} == {(node, "Running", True)}
    assert lab.world.groups.core.owner is not node, "only virtual machines stay"


async def test_after_the_resiliency_period_the_vms_start_elsewhere() -> None:
    lab = Lab()
    node, guests = lab.nodes[0], mine(lab, lab.nodes[0])
    lab.world.membership.isolate(node)
    await lab.wait(timedelta(seconds=241))
    assert node.information is Information.Normal
    assert {group.vm.state for group in guests} == {"Off"}
    await lab.wait_for(lambda: all(group.vm.state == "Running" and group.owner is not node for group in guests))


async def test_a_node_that_is_heard_again_in_time_never_interrupts_its_vms() -> None:
    lab = Lab()
    node, guests = lab.nodes[0], mine(lab, lab.nodes[0])
    lab.world.membership.isolate(node, MINUTE)
    await lab.wait_for(lambda: node.state is NodeState.Up)
    await lab.wait(timedelta(minutes=10))
    assert node.information is Information.Normal
    assert all(group.owner is node for group in guests)
    assert lab.events("vm.state") == []


@pytest.mark.parametrize(
    "resiliency", [{"resiliency_level": 1}, {"resiliency_default_period": timedelta(0)}], ids=["level 1", "no period"]
)
async def test_without_compute_resiliency_vms_fail_over_at_once(resiliency: dict) -> None:
    lab = Lab(replace(demo_world(4), **resiliency))
    node, guests = lab.nodes[0], mine(lab, lab.nodes[0])
    lab.world.membership.isolate(node)
    assert Information.Isolated not in node.information
    assert {group.vm.state for group in guests} == {"Off"}


@pytest.mark.parametrize(("variants", "state"), [((), "Running"), (("isolated-vms-pause-critical",), "PausedCritical")])
async def test_vms_of_an_isolated_node_run_on_or_pause(variants: tuple[str, ...], state: str) -> None:
    lab = Lab(replace(demo_world(4), variants=frozenset(variants)))
    node, guests = lab.nodes[0], mine(lab, lab.nodes[0])
    lab.world.membership.isolate(node, MINUTE)
    assert {group.vm.state for group in guests} == {state}
    await lab.wait_for(lambda: node.state is NodeState.Up)
    assert {group.vm.state for group in guests} == {"Running"}


async def test_the_third_isolation_within_an_hour_drains_the_vms_into_quarantine() -> None:
    lab = Lab()
    node, guests = lab.nodes[0], mine(lab, lab.nodes[0])
    for _ in range(2):
        lab.world.membership.isolate(node, MINUTE)
        await lab.wait_for(lambda: node.state is NodeState.Up)
    lab.world.membership.isolate(node, MINUTE)
    assert node.information == Information.Quarantined
    assert all(group.owner is not node and group.vm.state == "Running" for group in guests)
    assert lab.events("vm.state") == []
    await lab.wait(timedelta(minutes=30))
    assert node.state is NodeState.Down
    await lab.wait(timedelta(hours=2))
    assert node.state is NodeState.Up


async def test_leaves_an_hour_apart_do_not_add_up() -> None:
    lab = Lab()
    node = lab.nodes[0]
    for _ in range(4):
        lab.world.membership.isolate(node, MINUTE)
        await lab.wait_for(lambda: node.state is NodeState.Up)
        await lab.wait(timedelta(minutes=31))
    assert lab.events("node.state", node=node.name, information=int(Information.Quarantined)) == []


async def in_quarantine(nodes: int, flapping: int, variants: frozenset[str] = frozenset()) -> int:
    lab = Lab(replace(demo_world(nodes), variants=variants))
    for node in lab.nodes[:flapping]:
        for _ in range(3):
            lab.world.membership.isolate(node, MINUTE)
            await lab.wait(timedelta(minutes=3))
    return sum(node.quarantined for node in lab.nodes)


@pytest.mark.parametrize(("nodes", "found"), [(2, 1), (3, 1), (4, 1), (8, 2), (16, 3)])
async def test_no_more_than_a_quarter_of_the_nodes_is_quarantined(nodes: int, found: int) -> None:
    assert await in_quarantine(nodes, min(3, nodes - 1)) == found


@pytest.mark.parametrize(("nodes", "found"), [(2, 0), (3, 0), (4, 1)])
async def test_a_small_cluster_may_never_quarantine(nodes: int, found: int) -> None:
    assert await in_quarantine(nodes, 1, frozenset({"small-clusters-never-quarantine"})) == found


async def test_a_quarantine_without_end_needs_a_hand() -> None:
    lab = Lab(replace(demo_world(4), quarantine_duration=FOR_EVER))
    node = lab.nodes[0]
    lab.world.membership.leave(node, clean=False, reason="test")
    lab.world.membership.quarantine(node, lab.world.spec.quarantine_duration)
    await lab.wait(timedelta(days=30))
    assert node.quarantined
    lab.world.membership.clear_quarantine(node)
    await lab.wait_for(lambda: node.state is NodeState.Up)


async def test_a_crash_of_an_isolated_node_takes_its_vms_down() -> None:
    lab = Lab()
    node, guests = lab.nodes[0], mine(lab, lab.nodes[0])
    lab.world.membership.isolate(node)
    lab.world.power.crash(node, stay_down=True)
    assert {group.vm.state for group in guests} == {"Off"}
    await lab.wait_for(lambda: all(group.vm.state == "Running" for group in guests))


async def test_a_vm_that_was_just_starting_starts_elsewhere() -> None:
    lab = Lab()
    node, group = lab.nodes[0], mine(lab, lab.nodes[0])[0]
    lab.world.virtual_machines.stop(group, "test")
    lab.world.virtual_machines.start(group, "test")
    lab.world.membership.isolate(node)
    await lab.wait_for(lambda: group.vm.state == "Running")
    assert group.owner is not node
