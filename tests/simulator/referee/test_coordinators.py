"""The referee against the world itself: a careful coordinator passes, and each way of being careless is caught."""

from __future__ import annotations

from typing import Any

import pytest

from include.simulator.journal import Entry
from include.simulator.referee import judge
from tests.simulator.referee.coordinator import Coordinator, play

OTHER_GUID = "99999999-0000-5000-8000-0000000000bb"


def broken(coordinator: Coordinator, report: dict[str, Any] | None = None) -> set[str]:
    return {violation.invariant for violation in judge(coordinator.cluster.journal.entries, report)}


async def careful(coordinator: Coordinator) -> None:
    await coordinator.take_lock()
    for node in coordinator.nodes:
        await coordinator.update(node)
    await coordinator.release_lock()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_careful_coordinator_breaks_nothing(seed: int) -> None:
    coordinator = Coordinator(nodes=3, seed=seed)
    play(coordinator, careful(coordinator))
    assert judge(coordinator.cluster.journal.entries) == []
    assert {node.restarts for node in coordinator.cluster.world.nodes} == {1}


@pytest.mark.parametrize("minutes", [1, 30, 45])
def test_a_crash_in_the_middle_of_a_careful_run_is_not_held_against_it(minutes: int) -> None:
    coordinator = Coordinator(nodes=4)
    coordinator.cluster.world.inject("node-crashes", node="HCI04", after=minutes)
    play(coordinator, careful_but_late(coordinator))
    lost = [
        entry
        for entry in coordinator.cluster.journal.entries
        if entry.op == "vm.state" and entry.detail["state"] == "Off"
    ]
    assert lost  # the crash took virtual machines down
    assert judge(coordinator.cluster.journal.entries) == []


async def careful_but_late(coordinator: Coordinator) -> None:
    """Two nodes only, the first of them once the cluster has had time to settle."""
    await coordinator.take_lock()
    for node in coordinator.nodes[:2]:
        await coordinator.wait(40 if node == "HCI01" else 1)
        await coordinator.touch_lock()
        await coordinator.resync(node)
        await coordinator.update(node)
    await coordinator.release_lock()


def _report(coordinator: Coordinator) -> dict[str, Any]:
    """What somebody would write who watched the world while the careful run went on."""
    entries: list[Entry] = coordinator.cluster.journal.entries
    snapshots = [entry for entry in entries if entry.op == "world.snapshot"]
    builds = [
        {node["name"]: f"{node['build']}.{node['ubr']}" for node in each.detail["nodes"]}
        for each in (snapshots[0], snapshots[-1])
    ]
    installed = [entry.detail for entry in entries if entry.op == "update.installed"]
    nodes = [
        {
            "name": name,
            "outcome": "updated",
            "resumed": True,
            "restarts": 1,
            "build_before": builds[0][name],
            "build_after": builds[1][name],
            "updates": [
                {
                    "update_id": each["update_id"],
                    "kb": each["kb"],
                    "title": each["title"],
                    "result": "succeeded",
                    "hresult": each["hresult"],
                }
                for each in installed
                if each["node"] == name
            ],
            "error": None,
        }
        for name in coordinator.nodes
    ]
    lock = {"guid": coordinator.guid, "released": True}
    return {"schema": 1, "outcome": "succeeded", "lock": lock, "nodes": nodes, "undone": [], "left": []}


def test_a_true_report_passes_and_a_false_one_does_not() -> None:
    coordinator = Coordinator(nodes=2)
    play(coordinator, careful(coordinator))
    report = _report(coordinator)
    assert report["nodes"][0]["updates"]
    assert report["nodes"][0]["build_before"] != report["nodes"][0]["build_after"]
    assert broken(coordinator, report) == set()
    report["nodes"][1]["updates"][0]["result"] = "failed"
    assert broken(coordinator, report) == {"I12"}


async def two_at_once(coordinator: Coordinator) -> None:
    await coordinator.take_lock()
    await coordinator.drain("HCI01")
    await coordinator.install("HCI02")
    await coordinator.restart("HCI02")


async def never_waits_for_the_drain(coordinator: Coordinator) -> None:
    await coordinator.take_lock()
    await coordinator.install("HCI01")
    await coordinator.drain("HCI01", wait=False)
    await coordinator.restart("HCI01")


async def never_waits_for_the_storage(coordinator: Coordinator) -> None:
    await coordinator.take_lock()
    await coordinator.drain("HCI01")
    await coordinator.install("HCI01")
    await coordinator.restart("HCI01")
    await coordinator.resume("HCI01")
    await coordinator.restart("HCI02")


async def crashes_vms(coordinator: Coordinator) -> None:
    """Restarts a node whose virtual machine cannot move, so that it goes down with it."""
    coordinator.cluster.world.inject("drain-blocked-by-vm", node="HCI01")
    await coordinator.take_lock()
    await coordinator.install("HCI01")
    await coordinator.restart("HCI01")


async def takes_no_lock(coordinator: Coordinator) -> None:
    await coordinator.drain("HCI01")


async def ignores_a_foreign_lock(coordinator: Coordinator) -> None:
    coordinator.cluster.world.inject("foreign-lock", node="HCI02")
    await coordinator.take_lock(["HCI01"])


async def installs_without_the_lock(coordinator: Coordinator) -> None:
    await coordinator.take_lock()
    await coordinator.install("HCI01", OTHER_GUID)


async def lets_its_lock_expire(coordinator: Coordinator) -> None:
    await coordinator.take_lock()
    await coordinator.wait(61)
    await coordinator.drain("HCI01")


async def restarts_for_nothing(coordinator: Coordinator) -> None:
    await coordinator.take_lock()
    await coordinator.drain("HCI01")
    await coordinator.restart("HCI01")


@pytest.mark.parametrize(
    ("work", "invariant"),
    [
        (two_at_once, "I1"),
        (never_waits_for_the_drain, "I3"),
        (never_waits_for_the_storage, "I4"),
        (crashes_vms, "I5"),
        (takes_no_lock, "I7"),
        (ignores_a_foreign_lock, "I7"),
        (installs_without_the_lock, "I7"),
        (lets_its_lock_expire, "I7"),
        (restarts_for_nothing, "I8"),
    ],
)
def test_a_careless_coordinator_is_caught(work: Any, invariant: str) -> None:
    coordinator = Coordinator()
    play(coordinator, work(coordinator))
    assert invariant in broken(coordinator)
