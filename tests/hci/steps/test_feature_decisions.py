"""What the steps after a feature update decide from facts that a simulated cluster does not show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from include.hci.cluster.cau import LockHolder
from include.hci.cluster.levels import Level, Pool
from include.hci.cluster.lock import LockState
from include.hci.cluster.machine import Build, WindowsVersion
from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.values import DrainStatus, NodeState
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.settings import RunOptions
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Decision, Done, Stop, Wait
from include.hci.steps.feature_level import FunctionalLevel, LevelFacts
from include.hci.steps.feature_pool import PoolFacts, PoolVersion
from include.hci.steps.feature_raise import SETTLE, Order
from include.hci.steps.feature_reading import ClusterFacts

NOW = datetime(2026, 11, 3, 2, 0, tzinfo=UTC)
GUID = UUID(int=7)
NODES = ("HCI01", "HCI02")


def context(**given: Any) -> StepContext:
    record = RunRecord(MemoryStorage())
    request = {"post_steps_only": True, "functional_level": "yes", "pool_version": "yes", **given}
    started = ev.RunStarted(run_id="r", cluster="c", run_kind="feature-update", request=request, started_by="ada")
    record.add(started, NOW)
    return StepContext("c", "r", RunOptions(max_failed_nodes=0), record)


def node(name: str, state: NodeState = NodeState.UP) -> ClusterNode:
    return ClusterNode(name, state, DrainStatus.NOT_INITIATED, frozenset())


def cluster(level: str = "12.1", target: str | None = None, **more: Any) -> ClusterFacts:
    found: dict[str, Any] = {
        "lock": LockState(GUID, NODES, tuple(LockHolder(name, "MSFT_CAURun", GUID) for name in NODES)),
        "nodes": tuple(map(node, NODES)),
        "level": Level.parse(level),
        "target": None if target is None else Level.parse(target),
        "versions": {
            name: WindowsVersion(Build(20349, 7), "Azure Stack HCI", "ServerAzureStackHCICor") for name in NODES
        },
    }
    return ClusterFacts(**{**found, **more})


def decide(facts: LevelFacts, now: datetime = NOW, **given: Any) -> Decision:
    return FunctionalLevel(context(**given)).decide(facts, now)


def order(minutes: float, *, taken: bool = False, before: str = "12.1") -> Order:
    return Order(NOW - timedelta(minutes=minutes), before, taken)


# --- a level of which nobody can tell how high it goes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "kind", "says"),
    [
        (LevelFacts(cluster()), Act, "-WhatIf"),
        (LevelFacts(cluster(), said="fine"), Act, "-Force"),
        (
            LevelFacts(cluster("12.4"), asked_at=Level(12, 1)),
            Done,
            "by somebody else since the question was asked at 12.1",
        ),
        (LevelFacts(cluster("12.4"), order=order(1)), Done, "raised from 12.1 to 12.4"),
        (LevelFacts(cluster(), order=order(1, taken=True)), Wait, "it is still 12.1"),
        (LevelFacts(cluster(), order=order(11, taken=True)), Done, "it was as high as it goes"),
        (LevelFacts(cluster(), order=order(11)), Stop, "an outcome that nobody knows"),
    ],
)
def test_a_level_whose_end_nobody_knows(facts: LevelFacts, kind: type[Decision], says: str) -> None:
    decision = decide(facts)
    assert isinstance(decision, kind)
    assert says in str(decision)


def test_a_command_that_was_taken_without_an_effect_although_the_nodes_support_more_is_a_problem() -> None:
    decision = decide(LevelFacts(cluster(target="12.4"), order=order(11, taken=True)))
    assert isinstance(decision, Stop)
    assert "ended without an error" in decision.problem.meaning


def test_a_level_only_counts_with_its_upgrade_version() -> None:
    assert isinstance(decide(LevelFacts(cluster("12.4", "12.4"))), Done)
    assert isinstance(decide(LevelFacts(cluster("12.1", "12.4"))), Act)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"nodes": (node("HCI01"), node("HCI02", NodeState.DOWN))}, "HCI02 is Down"),
        ({"versions": {}}, "the nodes run different builds"),
        (
            {"versions": {"HCI01": WindowsVersion(Build(25398, 1), "Azure Stack HCI", "ServerAzureStackHCICor")}},
            "Azure Local",
        ),
    ],
)
def test_a_cluster_that_is_not_ready_is_refused(more: dict[str, Any], says: str) -> None:
    decision = decide(LevelFacts(cluster(target="12.4", **more)))
    assert isinstance(decision, Stop)
    assert says in decision.problem.title


def test_a_cancelled_step_says_nothing_about_the_level() -> None:
    step = FunctionalLevel(context())
    facts = LevelFacts(cluster(target="12.4"))
    assert step.may_cancel(facts, step.decide(facts, NOW))
    assert not step.may_cancel(LevelFacts(cluster(), order=order(1)), Wait("x"))
    assert step.events(facts, Done("cancelled")) == ()


# --- pools ------------------------------------------------------------------------------------------------------------------

OLD = Pool("{1}", "S2D on c", "Windows Server 2019", "Healthy", ("OK",))


def decide_pool(*pools: Pool, **orders: Order) -> Decision:
    facts = PoolFacts(cluster("12.4", "12.4"), pools, {f"{{{key[1:]}}}": order for key, order in orders.items()})
    return PoolVersion(context()).decide(facts, NOW)


@pytest.mark.parametrize(
    ("pools", "orders", "kind", "says"),
    [
        ((), {}, Wait, "no storage pool is to be seen"),
        ((OLD,), {}, Act, "Update-StoragePool S2D on c"),
        ((Pool("{1}", "p", "Windows Server 2022", "Healthy", ("OK",)),), {}, Done, "p is Windows Server 2022 already"),
        ((Pool("{1}", "p", "Windows Server 2019", "Warning", ("Degraded",)),), {}, Wait, "p is Warning (Degraded)"),
        ((Pool("{1}", "p", "22", "Healthy"),), {}, Act, "Update-StoragePool p"),
        (
            (Pool("{1}", "p", "23", "Healthy"),),
            {"p1": order(1, before="22")},
            Done,
            "p was raised from 22 to 23",
        ),
        ((Pool("{1}", "p", "22", "Healthy"),), {"p1": order(11, taken=True, before="22")}, Done, "p is 22 already"),
        ((Pool("{1}", "p", "22", "Healthy"),), {"p1": order(11, before="22")}, Stop, "is still 22"),
        (
            (Pool("{1}", "p", "23", "Healthy"), Pool("{2}", "q", "22", "Healthy")),
            {"p1": order(1, before="22")},
            Act,
            "Update-StoragePool q",
        ),
    ],
)
def test_pools(pools: tuple[Pool, ...], orders: dict[str, Order], kind: type[Decision], says: str) -> None:
    decision = decide_pool(*pools, **orders)
    assert isinstance(decision, kind)
    assert says in str(decision)


def test_a_pool_waits_for_the_level_however_it_was_wanted() -> None:
    step = PoolVersion(context())
    decision = step.decide(PoolFacts(cluster("12.1", "12.4"), (OLD,)), NOW)
    assert isinstance(decision, Done)
    assert decision.outcome == "left"
    assert "it needs the functional level raised first, which is at 12.1" in decision.why


def test_an_order_is_waited_for_as_long_as_it_may_show_an_effect() -> None:
    early, late = order(SETTLE.total_seconds() / 60 - 1), order(SETTLE.total_seconds() / 60)
    assert isinstance(decide(LevelFacts(cluster(target="12.4"), order=early)), Wait)
    assert isinstance(decide(LevelFacts(cluster(target="12.4"), order=late)), Stop)
