from __future__ import annotations

import pytest

from include.hci.cluster.nodes import ClusterGroup
from include.hci.cluster.values import GroupState
from include.hci.policy.budget import failure_budget, out_of_service
from include.hci.policy.order import order_nodes

NODES = ("HCI03", "HCI01", "HCI02", "hci04")


def roles(**owned: int) -> list[ClusterGroup]:
    return [
        ClusterGroup(f"VM-{node}-{number}", node, GroupState.ONLINE, "VirtualMachine")
        for node, count in owned.items()
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("owned", "explicit", "expected"),
    [
        ({}, (), ("HCI01", "HCI02", "HCI03", "hci04")),
        ({"HCI01": 3, "HCI02": 1}, (), ("HCI03", "hci04", "HCI02", "HCI01")),
        ({"HCI01": 3, "HCI02": 3, "HCI03": 3, "hci04": 3}, (), ("HCI01", "HCI02", "HCI03", "hci04")),
        ({"HCI01": 1}, ("HCI03", "HCI01"), ("HCI03", "HCI01", "HCI02", "hci04")),
        ({}, ("HCI04", "hci03"), ("hci04", "HCI03", "HCI01", "HCI02")),
        ({}, ("HCI09", "HCI02"), ("HCI02", "HCI01", "HCI03", "hci04")),
        ({}, ("HCI02", "HCI02"), ("HCI02", "HCI01", "HCI03", "hci04")),
        ({"hci01": 2}, (), ("HCI02", "HCI03", "hci04", "HCI01")),
    ],
)
def test_fewest_roles_first_unless_an_order_is_given(owned, explicit, expected):
    assert order_nodes(NODES, roles(**owned), explicit).nodes == expected


def test_the_clusters_own_groups_are_no_roles():
    groups = [
        ClusterGroup("Cluster Group", "HCI01", GroupState.ONLINE, "Cluster"),
        ClusterGroup("Available Storage", "HCI01", GroupState.OFFLINE, "AvailableStorage"),
        ClusterGroup("7b2e64a1-7c0e-4d1d-9a0f-1f4a7ad0c1f1", "HCI01", GroupState.ONLINE, "ClusterStoragePool"),
        ClusterGroup("Volume1", "HCI01", GroupState.ONLINE, "ClusterSharedVolume"),
        *roles(HCI02=1),
    ]
    assert order_nodes(("HCI01", "HCI02"), groups).nodes == ("HCI01", "HCI02")


def test_each_place_has_a_reason():
    order = order_nodes(NODES, roles(HCI01=1, HCI02=2), ("HCI03",))
    assert order.why == {
        "HCI03": "place 1 of node_order",
        "hci04": "0 clustered roles",
        "HCI01": "1 clustered role",
        "HCI02": "2 clustered roles",
    }


@pytest.mark.parametrize(
    ("limit", "failed", "broken", "allows"),
    [
        (0, (), (), True),
        (0, ("A",), (), False),
        (1, ("A",), (), True),
        (1, ("A", "B"), (), False),
        (1, ("A",), ("B",), False),
        (1, (), ("B",), True),
        (1, ("A",), ("a",), True),
        (2, ("A",), ("B",), True),
    ],
)
def test_one_more_than_the_limit_stops_and_broken_nodes_count(limit, failed, broken, allows):
    budget = failure_budget(limit, failed, broken)
    assert budget.allows is allows
    assert str(limit) in budget.why


@pytest.mark.parametrize(
    ("limit", "out", "allows"),
    [
        (0, (), True),
        (1, (), True),
        (1, ("A",), False),
        (2, ("A",), True),
        (2, ("A", "B"), False),
        (3, ("A", "B"), True),
    ],
)
def test_one_more_node_may_leave_beside_others_only_within_the_budget(limit, out, allows):
    assert out_of_service(limit, out).allows is allows
