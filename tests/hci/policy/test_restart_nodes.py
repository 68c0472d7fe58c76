"""Restarts that a run is told to make: in the plan, its hash and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.updates import Update
from include.hci.cluster.values import NodeState
from include.hci.policy.order import order_nodes
from include.hci.policy.outlook import make_outlook
from include.hci.policy.plan import Plan, PlannedNode, make_plan
from include.hci.policy.plan_hash import NowFacts, differences, plan_hash
from include.hci.report.plan_text import plan_markdown

NOW = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
NAMES = ("HCI01", "HCI02", "HCI03")
MEMBERS = (ClusterNode("HCI01", NodeState.UP), ClusterNode("HCI02", NodeState.DOWN), ClusterNode("HCI03", NodeState.UP))
UPDATE = Update("11111111-1111-1111-1111-111111111111", "Cumulative (KB5044288)")


def scan(node: str, *updates: Update) -> dict[str, object]:
    offered = [{"update_id": each.update_id, "title": each.title, "kb": each.kb} for each in updates]
    known = {"excluded": {}, "build": "20348.1", "restart_pending": False, "manual_maintenance": False}
    return {"node": node, "updates": offered, **known}


def plan(restart_nodes: tuple[str, ...] | str = ()) -> Plan:
    scans = {"HCI01": scan("HCI01"), "HCI03": scan("HCI03", UPDATE)}
    return make_plan("C", NOW, MEMBERS, scans, order_nodes(NAMES), 1, restart_nodes=restart_nodes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "work"),
    [
        ((), ["nothing to install", "HCI02 is Down, so this run leaves it alone", "1 update"]),
        (("hci01",), ["a restart, as asked for", "HCI02 is Down, so this run leaves it alone", "1 update"]),
        ("all", ["a restart, as asked for", "HCI02 is Down, so this run leaves it alone", "1 update and a restart, as asked for"]),
    ],
)  # fmt: skip
def test_a_node_that_is_to_be_restarted_has_work_unless_it_is_out(asked, work):
    made = plan(asked)
    assert [node.work for node in made.nodes] == work
    assert [node.has_work for node in made.nodes] == [bool(asked), False, True]
    assert Plan.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_a_plan_that_an_earlier_version_kept_asks_for_no_restart():
    kept = plan().to_json()
    for node in kept["nodes"]:
        del node["restart_asked"]
    assert Plan.from_json(kept) == plan()


def test_a_pending_restart_is_called_so():
    assert PlannedNode("A", restart_pending=True).work == "a restart that is pending"
    assert PlannedNode("A", (UPDATE, UPDATE), restart_pending=True, restart_asked=True).work == (
        "2 updates and a restart, as asked for"
    )


def test_what_a_person_approves_names_the_restarts():
    assert plan_hash(plan(("HCI01",)), {}) != plan_hash(plan(), {})
    assert plan_hash(plan("all"), {}) != plan_hash(plan(("HCI01",)), {})
    # An approval that was given before there was such an option holds where nothing is asked for.
    assert plan_hash(plan(), {"restart_nodes": []}) == plan_hash(plan(), {})


@pytest.mark.parametrize(
    ("then", "now", "differ"),
    [
        ({}, {"restart_nodes": [], "query_string": "a"}, 1),
        ({"query_string": "a"}, {"restart_nodes": [], "query_string": "a"}, 0),
        ({"restart_nodes": ["HCI01"]}, {"restart_nodes": ["HCI01"]}, 0),
        ({"restart_nodes": ["HCI01"]}, {"restart_nodes": "all"}, 1),
    ],
)
def test_a_run_that_is_told_otherwise_has_another_plan(then, now, differ):
    made = replace(plan(), nodes=())
    assert len(differences(made, NowFacts(MEMBERS, options=now), then)) == differ


def test_the_outlook_counts_the_nodes_and_says_that_nothing_waits_for_them():
    found = make_outlook(plan(("HCI01",)), NOW)
    assert found.run == found.node.times(2)
    assert "HCI01 leaves service only to be restarted, as asked for: nothing waits for it." in found.risks


def test_the_text_for_the_approval_says_who_is_restarted():
    made = plan(("HCI01", "HCI03"))
    text = plan_markdown(made, make_outlook(made, NOW), "0" * 64)
    assert "| **HCI01** | 20348.1 | a restart, as asked for |" in text
    assert "KB5044288<br>a restart, as asked for |" in text
    assert "(2 of 3 have something to do)" in text
