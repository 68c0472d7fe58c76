from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.updates import Update
from include.hci.cluster.values import NodeState
from include.hci.policy.interference import Fingerprint
from include.hci.policy.order import order_nodes
from include.hci.policy.plan import Plan, PlannedNode, make_plan

NOW = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
MEMBERS = (
    ClusterNode("HCI01", NodeState.UP),
    ClusterNode("HCI02", NodeState.PAUSED),
    ClusterNode("HCI03", NodeState.UP),
    ClusterNode("HCI04", NodeState.UP),
)


def scan(node: str, *titles: str, pending: bool = False) -> dict[str, object]:
    return {
        "node": node,
        "updates": [{"update_id": f"{node}-{title}", "title": title, "kb": None} for title in titles],
        "excluded": {},
        "build": "20348.1",
        "restart_pending": pending,
        "manual_maintenance": False,
    }


def plan() -> Plan:
    scans = {"HCI01": scan("HCI01", "KB5044288"), "HCI02": scan("HCI02", "KB5044288"), "HCI03": scan("HCI03")}
    return make_plan("C", NOW, MEMBERS, scans, order_nodes([node.name for node in MEMBERS]), 1, timedelta(hours=1))


def test_a_node_has_work_when_it_has_updates_or_a_restart_to_make_up_for():
    assert PlannedNode("A", (Update("u"),)).has_work
    assert PlannedNode("A", restart_pending=True).has_work
    assert not PlannedNode("A").has_work
    assert not PlannedNode("A", (Update("u"),), skip="it is down").has_work


def test_nodes_out_or_not_scanned_are_passed_over_with_the_reason():
    made = plan()
    assert [(node.name, node.has_work) for node in made.nodes] == [
        ("HCI01", True),
        ("HCI02", False),
        ("HCI03", False),
        ("HCI04", False),
    ]
    assert made.node("HCI02").skip == "HCI02 is Paused, so this run leaves it alone"
    assert made.node("HCI04").skip == "HCI04 was not scanned"
    assert made.already_out == ("HCI02",)


def test_a_plan_survives_json():
    found = Fingerprint(("HCI01",), cau_run="RunNotInProgress", builds={"HCI01": "20348.1"}, unread=("a (b)",))
    for made in (plan(), replace(plan(), options={"failback_mode": "Policy"}, fingerprint=found)):
        assert Plan.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_a_plan_that_an_earlier_version_kept_has_nothing_to_be_compared_with():
    kept = plan().to_json()
    del kept["options"], kept["fingerprint"]
    assert Plan.from_json(kept) == plan()


def test_a_node_is_found_whatever_the_case_and_a_stranger_is_named():
    assert plan().node("hci01").name == "HCI01"
    with pytest.raises(KeyError, match="HCI09"):
        plan().node("HCI09")
