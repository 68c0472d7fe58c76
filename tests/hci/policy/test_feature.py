from __future__ import annotations

import pytest

from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.updates import Update
from include.hci.cluster.values import NodeState
from include.hci.policy.feature import NodeOffer, judge_offers, judge_versions

NEW, OTHER = Update("u21H2", "Feature update to 21H2"), Update("u22H2", "Feature update to 22H2")
OLD_BUILD, NEW_BUILD = "17784.1737", "20348.1"


def node(name: str, state: NodeState = NodeState.UP) -> ClusterNode:
    return ClusterNode(name=name, state=state)


def offer(name: str, build: str = OLD_BUILD, *updates: Update, state: NodeState = NodeState.UP) -> NodeOffer:
    return NodeOffer(node(name, state), build, updates)


def test_one_and_the_same_for_every_node_is_what_it_takes():
    found = judge_offers([offer("A", OLD_BUILD, NEW), offer("B", OLD_BUILD, NEW)])
    assert (found.problem, found.update, found.waiting, found.upgraded) == ("", NEW, ("A", "B"), ())


def test_nodes_that_have_the_new_version_are_left_out():
    found = judge_offers([offer("A", NEW_BUILD), offer("B", OLD_BUILD, NEW)])
    assert (found.problem, found.waiting, found.upgraded) == ("", ("B",), ("A",))


def test_nothing_offered_to_nodes_of_one_version_leaves_nothing_to_install():
    found = judge_offers([offer("A", "20348.1"), offer("B", "20348.2113")])
    assert (found.problem, found.update, found.waiting) == ("", None, ())


@pytest.mark.parametrize(
    ("nodes", "problem"),
    [
        ([offer("A", OLD_BUILD, NEW), offer("B", OLD_BUILD, OTHER)], "one and the same"),
        ([offer("A", OLD_BUILD, NEW, OTHER), offer("B", OLD_BUILD, NEW, OTHER)], "one and the same"),
        ([offer("A", OLD_BUILD, NEW), offer("B", OLD_BUILD)], "B is not upgraded"),
        ([offer("A", NEW_BUILD, NEW), offer("B", OLD_BUILD, NEW)], "different versions"),
        ([offer("A", NEW_BUILD), offer("B", OLD_BUILD)], "do not run one version"),
        ([offer("A", OLD_BUILD, NEW), offer("B", "", state=NodeState.DOWN)], "B cannot be asked"),
        ([offer("A", OLD_BUILD, NEW), offer("B", "")], "build of B"),
        # After 22H2 comes Azure Local, which is left to its own orchestrator, from the first node on.
        ([offer("A", "20349.2340", NEW), offer("B", "20349.2340", NEW)], "A, B would become Azure Local"),
    ],
)
def test_anything_else_stops_it(nodes: list[NodeOffer], problem: str):
    found = judge_offers(nodes)
    assert problem in found.problem
    assert found.update is None


@pytest.mark.parametrize(
    "nodes",
    [
        # Three versions in one cluster: the one that is upgraded already is offered the next one.
        [offer("A", NEW_BUILD, OTHER), offer("B", OLD_BUILD, NEW)],
        [offer("A", NEW_BUILD, NEW, OTHER), offer("B", OLD_BUILD, NEW)],
        # A node of an older version than the others, offered nothing.
        [offer("A", NEW_BUILD, OTHER), offer("B", OLD_BUILD)],
        # What is later still may be Azure Local.
        [offer("A", "20349.2340", OTHER), offer("B", NEW_BUILD, NEW)],
    ],
)
def test_a_half_upgraded_cluster_whose_first_nodes_are_offered_more_gets_the_advice_that_helps(nodes: list[NodeOffer]):
    found = judge_offers(nodes)
    assert found.problem == "A already has a later version than B, and is offered one that is later still"
    assert "hide it on A, and start the run again" in found.advice
    assert "bring B to the version of A by hand" in found.advice
    assert "post_steps_only" in found.advice
    assert (found.update, found.waiting) == (None, ())


def test_who_is_offered_what_can_be_said():
    assert offer("A", OLD_BUILD, NEW, OTHER).describe() == (
        "A (17784.1737) is offered 'Feature update to 21H2' and 'Feature update to 22H2'"
    )
    assert offer("B", OLD_BUILD).describe() == "B (17784.1737) is offered nothing"
    assert offer("C", "", state=NodeState.DOWN).describe() == "C is Down"


@pytest.mark.parametrize(
    ("builds", "before", "says"),
    [
        ({"A": NEW_BUILD, "B": NEW_BUILD}, {"A": OLD_BUILD, "B": OLD_BUILD}, ""),
        # Nothing was to be installed: every node had the version already, at whatever patch level.
        ({"A": NEW_BUILD, "B": "20348.2113"}, {}, ""),
        ({"A": NEW_BUILD, "B": OLD_BUILD}, {"A": OLD_BUILD, "B": OLD_BUILD}, "A is on 20348.1; B is on 17784.1737"),
        ({"A": OLD_BUILD, "B": OLD_BUILD}, {"A": OLD_BUILD, "B": OLD_BUILD}, "no node has another version"),
        ({"A": NEW_BUILD}, {"A": OLD_BUILD, "B": OLD_BUILD}, "the build of B cannot be read"),
    ],
)
def test_the_versions_are_settled_once_every_node_has_the_new_one(builds, before, says):
    found = judge_versions([node("A"), node("B")], builds, before)
    assert found == says or (says and says in found)


def test_a_node_that_is_not_up_keeps_the_versions_open():
    nodes = [node("A"), node("B", NodeState.PAUSED)]
    assert judge_versions(nodes, {"A": NEW_BUILD, "B": NEW_BUILD}, {}) == "B is Paused"
