from __future__ import annotations

import pytest

from include.hci.cluster.nodes import ClusterGroup, ClusterNode, ClusterResource, Quorum
from include.hci.cluster.storage import FaultDomain, StorageJob, StoragePool, VirtualDisk
from include.hci.cluster.values import GroupState, NodeState
from include.hci.policy.gates import (
    StorageFacts,
    nodes_out,
    quorum_reason,
    running_roles,
    storage_reasons,
    witness_votes,
)

WELL = VirtualDisk("V1", "Healthy", ("OK",))


def job(state: str) -> StorageJob:
    return StorageJob("V1-Repair", state, 1, 2)


@pytest.mark.parametrize(
    ("storage", "reasons"),
    [
        (StorageFacts((WELL,)), ()),
        (StorageFacts((WELL,), (job("Completed"),)), ()),
        (StorageFacts((WELL,), (job("Running"),)), ("1 storage job Running",)),
        (StorageFacts((WELL,), (job("Suspended"), job("Suspended"))), ("2 storage jobs Suspended",)),
        (
            StorageFacts(
                (VirtualDisk("V1", "Warning", ("In Service",)), VirtualDisk("V2", "Warning", ("In Service",)), WELL)
            ),
            ("V1, V2 are Warning (In Service)",),
        ),
        (StorageFacts((VirtualDisk("V1", "Healthy", ()),)), ("V1 is Healthy (no operational status)",)),
        (
            StorageFacts((WELL,), domains=(FaultDomain("HCI01", "Healthy", ("In Maintenance Mode",)),)),
            ("HCI01 has its disks in maintenance mode",),
        ),
        (StorageFacts((WELL,), pools=(StoragePool("S2D", "Healthy", ("OK",), read_only=True),)), ("S2D is read-only",)),
        (StorageFacts(), ("no virtual disk is to be seen",)),
    ],
)
def test_the_storage_gate_says_why_it_is_shut(storage, reasons):
    assert storage_reasons(storage) == reasons


def node(name: str, state: NodeState = NodeState.UP, vote: int = 1) -> ClusterNode:
    return ClusterNode(name, state, vote=vote)


def test_nodes_out_of_service_without_the_one_asked_about_and_those_tolerated():
    nodes = (node("A"), node("B", NodeState.PAUSED), node("C", NodeState.DOWN), node("D", NodeState.JOINING))
    assert [item.name for item in nodes_out(nodes)] == ["B", "C", "D"]
    assert [item.name for item in nodes_out(nodes, but="b", tolerated=("c",))] == ["D"]


WITNESS = Quorum("Cloud Witness", "Majority")
ONLINE = (ClusterResource("Cloud Witness", "Cloud Witness", "Online", "Cluster Group", "A"),)
FAILED = (ClusterResource("Cloud Witness", "Cloud Witness", "Failed", "Cluster Group", "A"),)
UP, DOWN, PAUSED = NodeState.UP, NodeState.DOWN, NodeState.PAUSED


@pytest.mark.parametrize(
    ("states", "quorum", "resources", "keeps"),
    [
        ((UP, UP), WITNESS, ONLINE, True),
        ((UP, UP), WITNESS, FAILED, False),
        ((UP, UP), Quorum(), (), False),
        ((UP, UP, UP), Quorum(), (), True),
        ((UP, UP, DOWN), Quorum(), (), False),
        ((UP, UP, DOWN), WITNESS, ONLINE, False),
        ((UP, UP, UP, UP), WITNESS, FAILED, True),
        ((UP, UP, UP, DOWN), WITNESS, ONLINE, True),
        ((UP, UP, UP, DOWN), WITNESS, FAILED, False),
        ((UP, UP, UP, PAUSED), Quorum(), (), True),
        ((UP,), Quorum(), (), False),
    ],
)
def test_the_quorum_gate_counts_configured_votes(states, quorum, resources, keeps):
    nodes = [node(name, state) for name, state in zip("ABCD", states, strict=False)]
    assert (quorum_reason(nodes, "A", quorum, resources) == "") is keeps


def test_a_node_without_a_vote_may_always_leave_a_majority_behind():
    nodes = [node("A", vote=0), node("B"), node("C")]
    assert quorum_reason(nodes, "A", Quorum(), ()) == ""


def test_a_witness_that_is_not_found_does_not_count():
    assert witness_votes(WITNESS, ()) == 0


def test_roles_that_run_on_a_node_whatever_the_case():
    groups = (
        ClusterGroup("VM1", "hci01", GroupState.ONLINE, "VirtualMachine"),
        ClusterGroup("VM2", "HCI01", GroupState.OFFLINE, "VirtualMachine"),
        ClusterGroup("VM3", "HCI02", GroupState.ONLINE, "VirtualMachine"),
        ClusterGroup("VM4", "HCI01", GroupState.PENDING, "VirtualMachine"),
    )
    assert [role.name for role in running_roles(groups, "HCI01")] == ["VM1", "VM4"]
