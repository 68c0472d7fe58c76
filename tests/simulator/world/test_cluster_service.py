"""MSLab, "S2D and Emergency Patching"; windowsserverdocs, manage-cluster-quorum."""

import pytest

from include.simulator.world.cluster_service import ServiceDisabledError
from include.simulator.world.machines import NodeState
from include.simulator.world.spec import demo_world, without_witness
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Lab, cmd


async def test_a_stopped_service_saves_vms_and_starts_them_elsewhere() -> None:
    lab = Lab()
    node = lab.nodes[0]
    guests = [group for group in lab.world.groups.on(node) if group.vm]
    lab.world.cluster_service.stop(node)
    assert node.state is NodeState.Down
    assert node.services["ClusSvc"].status == "Stopped"
    assert {group.vm.state for group in guests} == {"Saved"}
    await lab.wait_for(lambda: all(group.vm.state == "Running" and group.owner is not node for group in guests))
    assert not [event for event in lab.events("vm.state") if event.detail["state"] == "Off"]


async def test_a_started_service_joins_again() -> None:
    lab = Lab()
    node = lab.nodes[0]
    lab.world.cluster_service.stop(node)
    lab.world.cluster_service.start(node)
    assert node.state is NodeState.Joining
    await lab.wait_for(lambda: node.state is NodeState.Up)


def test_a_disabled_service_does_not_start() -> None:
    lab = Lab()
    node = lab.nodes[0]
    lab.world.cluster_service.stop(node)
    node.services["ClusSvc"].start_type = "Disabled"
    with pytest.raises(ServiceDisabledError):
        lab.world.cluster_service.start(node)


@pytest.mark.parametrize("nodes", [2, 3, 4, 8, 16])
async def test_nodes_stop_one_by_one_down_to_the_last(nodes: int) -> None:
    lab = Lab(demo_world(nodes, vms_per_node=1))
    for node in lab.nodes[:-1]:
        assert not lab.world.cluster_service.would_lose_quorum(node)
        lab.world.cluster_service.stop(node)
        assert lab.world.quorum.has_quorum
    assert lab.world.cluster_service.would_lose_quorum(lab.nodes[-1])


async def test_the_whole_cluster_stops_and_comes_back_with_what_ran() -> None:
    lab = Lab()
    off = next(group for group in lab.world.groups.all if group.vm)
    lab.world.virtual_machines.stop(off, "test")
    lab.world.cluster_service.stop_cluster()
    assert {node.state for node in lab.nodes} == {NodeState.Down}
    assert {group.vm.state for group in lab.world.groups.all if group.vm} == {"Saved", "Off"}
    assert lab.events("cluster.stopped")
    lab.world.cluster_service.start_cluster(lab.nodes)
    await lab.wait_for(lambda: all(node.state is NodeState.Up for node in lab.nodes))
    guests = [group for group in lab.world.groups.all if group.vm and group is not off]
    await lab.wait_for(lambda: all(group.vm.state == "Running" for group in guests))
    assert off.vm.state == "Off", "its persistent state is offline"


async def test_ignoring_the_persistent_state_leaves_roles_offline() -> None:
    lab = Lab()
    lab.world.cluster_service.stop_cluster()
    lab.world.cluster_service.start_cluster(lab.nodes, ignore_persistent_state=True)
    await lab.wait_for(lambda: all(node.state is NodeState.Up for node in lab.nodes))
    assert {group.vm.state for group in lab.world.groups.all if group.vm} == {"Saved"}


async def test_forced_quorum_lets_one_node_of_many_form_the_cluster() -> None:
    lab = Lab(without_witness(demo_world(4)))
    lab.world.cluster_service.stop_cluster()
    first = lab.nodes[0]
    lab.world.cluster_service.force_quorum(first)
    await lab.wait_for(lambda: first.state is NodeState.Up)
    assert lab.world.quorum.has_quorum
    assert lab.world.quorum.forced
    for node in lab.nodes[1:]:
        lab.world.cluster_service.start(node)
    await lab.wait_for(lambda: all(node.state is NodeState.Up for node in lab.nodes))
    assert not lab.world.quorum.forced


async def test_a_stopped_cluster_counts_as_started_when_it_forms_by_whatever_command() -> None:
    lab = Console(demo_world(3, vms_per_node=0))
    await lab.run("HCI01", cmd("Stop-Cluster", Force=None))
    for node in lab.nodes:
        await lab.run(node, cmd("Start-Service", Name="ClusSvc"))
    await lab.wait_for(lambda: all(node.member for node in lab.nodes))
    told = [entry.op for entry in lab.journal.entries if entry.op in ("cluster.stopped", "cluster.started")]
    assert told == ["cluster.stopped", "cluster.started"]
