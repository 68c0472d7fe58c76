"""windowsserverdocs, cluster-operating-system-rolling-upgrade; windows-powershell-docs, Update-ClusterFunctionalLevel."""

from dataclasses import replace

import pytest

from include.simulator.world.levels import version_of
from include.simulator.world.spec import NodeSpec, WorldSpec, demo_world
from include.simulator.world.versions import os_version, running
from tests.simulator.world.driver import Lab


def mixed(*versions: str, cluster: str = "21H2") -> WorldSpec:
    nodes = tuple(NodeSpec(f"HCI{number:02d}", os=os) for number, os in enumerate(versions, 1))
    return replace(demo_world(len(versions), cluster), nodes=nodes)


@pytest.mark.parametrize(
    ("os", "level", "upgrade"),
    [
        ("WS2019", 10, 1),
        ("20H2", 10, 2),
        ("WS2022", 11, 4),
        ("21H2", 12, 1),
        ("22H2", 12, 4),
        ("23H2", 12, 32774),
        ("WS2025", 12, 32776),
    ],
)
def test_a_new_cluster_is_at_the_level_of_its_version(os: str, level: int, upgrade: int) -> None:
    levels = Lab(demo_world(2, os)).world.levels
    assert (levels.functional_level, levels.upgrade_version) == (level, upgrade)
    assert not levels.pending
    assert not levels.update()


@pytest.mark.parametrize(
    ("variant", "os", "pair"),
    [
        ("functional-level-of-2019-is-11", "WS2019", (11, 1)),
        ("functional-level-of-21h2-is-11", "21H2", (11, 4)),
        ("upgrade-versions-count-on", "23H2", (12, 6)),
    ],
)
def test_the_other_reading_of_a_level(variant: str, os: str, pair: tuple[int, int]) -> None:
    levels = Lab(replace(demo_world(2, os), variants=frozenset({variant}))).world.levels
    assert (levels.functional_level, levels.upgrade_version) == pair


def test_a_cluster_keeps_its_level_until_every_node_is_upgraded() -> None:
    world = Lab(mixed("21H2", "22H2")).world
    assert world.levels.mixed
    assert (world.functional_level, world.levels.target) == (12, (12, 1))
    refusal = world.levels.refusal()
    assert refusal is not None
    assert refusal.code == 5973
    assert "HCI01 10.0.20348" in refusal.reason


def test_all_nodes_upgraded_wait_for_the_level() -> None:
    lab = Lab(demo_world(2, "20H2"))
    for node in lab.nodes:
        node.build = 20348
    levels = lab.world.levels
    assert levels.pending
    assert levels.refusal() is None
    assert levels.update()
    assert (levels.functional_level, levels.upgrade_version) == (12, 1)
    assert lab.events("cluster.functional_level")[0].detail == {
        "before": 10,
        "after": 12,
        "what_if": False,
        "upgrade_version": 1,
    }
    assert not levels.update(), "it rises once"


@pytest.mark.parametrize("away", ["paused", "down"])
def test_a_node_that_is_not_up_stands_against_it(away: str) -> None:
    lab = Lab(demo_world(2, "20H2"))
    for node in lab.nodes:
        node.build = 20348
    if away == "paused":
        lab.world.membership.pause(lab.nodes[1])
    else:
        lab.world.membership.leave(lab.nodes[1], clean=True, reason="test")
    refusal = lab.world.levels.refusal()
    assert refusal is not None
    assert (refusal.code, "HCI02" in refusal.reason) == (5050, True)


@pytest.mark.parametrize(
    ("installed", "build", "now"),
    [
        ("20H2", 20348, "21H2"),
        ("WS2019", 20348, "WS2022"),
        ("21H2", 20349, "22H2"),
        ("22H2", 25398, "23H2"),
        ("23H2", 26100, "24H2"),
        ("WS2022", 26100, "WS2025"),
        ("21H2", 99999, "21H2"),
    ],
)
def test_edition_and_build_tell_the_version(installed: str, build: int, now: str) -> None:
    assert running(os_version(installed), build).key == now


def test_a_node_counts_by_what_it_runs() -> None:
    node = Lab(mixed("21H2", "22H2")).nodes[1]
    assert version_of(node).key == "22H2"


@pytest.mark.parametrize(
    ("cluster", "node", "admitted"),
    [
        ("20H2", "20H2", True),
        ("20H2", "21H2", True),
        ("20H2", "22H2", False),
        ("21H2", "20H2", False),
        ("WS2019", "WS2022", True),
        ("WS2019", "WS2025", False),
        ("WS2019", "21H2", True),
    ],
)
def test_a_cluster_spans_two_versions_at_the_most(cluster: str, node: str, admitted: bool) -> None:
    lab = Lab(replace(mixed(node, node, cluster=node), formed_with=cluster))
    assert lab.world.levels.admits(lab.nodes[0]) is admitted
