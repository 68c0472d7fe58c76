"""Deliberately careless coordinators drive the simulated world: each invariant catches its own, and lets the careful one pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from include.simulator.cluster import DEFAULT_START
from include.simulator.referee import judge
from include.simulator.world.spec import demo_world, without_witness
from tests.simulator.referee.coordinator import ACCOUNT, NAMESPACE, PERSON, Coordinator, play

Work = Callable[[Coordinator], Awaitable[None]]
FIREWALL = "Remote Shutdown"


def sentences(coordinator: Coordinator, invariant: str, **options: Any) -> list[str]:
    found = judge(coordinator.cluster.journal.entries, **options)
    return [violation.sentence for violation in found if violation.invariant == invariant]


def broken(coordinator: Coordinator, **options: Any) -> set[str]:
    return {violation.invariant for violation in judge(coordinator.cluster.journal.entries, **options)}


def run(work: Work, **cluster: Any) -> Coordinator:
    coordinator = Coordinator(**cluster)
    play(coordinator, work(coordinator))  # type: ignore[arg-type]
    return coordinator


def locked(work: Work) -> Work:
    """The work, with the lock taken before and released after it."""

    async def inside(coordinator: Coordinator) -> None:
        await coordinator.take_lock()
        await work(coordinator)
        await coordinator.release_lock()

    return inside


async def pause(coordinator: Coordinator, node: str, user: str = ACCOUNT) -> None:
    """Pause a node and leave its roles on it, which degraded storage does not prevent."""
    await coordinator.send("HCI01", ("Suspend-ClusterNode", {"Name": node}), user=user)


async def update_the_first(coordinator: Coordinator) -> None:
    await coordinator.update("HCI01")


# --- I1 ------------------------------------------------------------------------------------------------------------


async def stops_the_cluster(coordinator: Coordinator) -> None:
    await coordinator.send("HCI01", ("Stop-Cluster", {"Force": None}))


async def two_at_once(coordinator: Coordinator) -> None:
    await pause(coordinator, "HCI01")
    await pause(coordinator, "HCI02")


@pytest.mark.parametrize("work", [two_at_once, stops_the_cluster])
def test_i1_sending_everybody_away(work: Work) -> None:
    assert "I1" in broken(run(locked(work) if work is two_at_once else work))


@pytest.mark.parametrize(("nodes_out", "verdict"), [(1, {"I1"}), (2, set())])
def test_i1_the_operators_budget(nodes_out: int, verdict: set[str]) -> None:
    async def work(coordinator: Coordinator) -> None:
        coordinator.cluster.rule("budget", nodes_out=nodes_out)
        await two_at_once(coordinator)

    assert broken(run(locked(work))) & {"I1"} == verdict


# --- I2 ------------------------------------------------------------------------------------------------------------


def lost_witness(work: Work) -> Work:
    async def inside(coordinator: Coordinator) -> None:
        coordinator.cluster.world.inject("witness-lost")
        await work(coordinator)

    return inside


def crashed(node: str, work: Work) -> Work:
    async def inside(coordinator: Coordinator) -> None:
        loses_power(coordinator, node)
        await coordinator.wait(5)
        await work(coordinator)

    return inside


def loses_power(coordinator: Coordinator, node: str) -> None:
    world = coordinator.cluster.world
    world.power.crash(world.node(node), stay_down=True)


async def pause_the_first(coordinator: Coordinator) -> None:
    await pause(coordinator, "HCI01")
    await coordinator.send("HCI01", ("Resume-ClusterNode", {"Name": "HCI01"}))


@pytest.mark.parametrize(
    ("nodes", "witness", "work", "caught"),
    [
        (2, True, pause_the_first, False),
        (2, False, pause_the_first, True),
        (2, True, lost_witness(pause_the_first), True),
        (3, True, pause_the_first, False),
        (3, False, pause_the_first, False),
        (3, True, lost_witness(pause_the_first), False),
        (3, True, crashed("HCI03", pause_the_first), False),
        (3, False, crashed("HCI03", pause_the_first), True),
        (4, False, pause_the_first, False),
        (4, False, crashed("HCI04", pause_the_first), False),
    ],
)
def test_i2_the_next_node_and_the_quorum(nodes: int, witness: bool, work: Work, caught: bool) -> None:
    spec = demo_world(nodes, "22H2")
    found = sentences(run(work, spec=spec if witness else without_witness(spec)), "I2")
    assert bool(found) is caught
    assert len(found) <= 1


def test_i2_nobody_is_blamed_for_a_crash_or_for_somebody_elses_drain() -> None:
    async def work(coordinator: Coordinator) -> None:
        await coordinator.take_lock()
        coordinator.cluster.world.inject("witness-lost")
        await pause(coordinator, "HCI01", PERSON)
        loses_power(coordinator, "HCI02")
        await coordinator.wait(10)

    assert broken(run(work, nodes=2)) == set()


# --- I3 and I5 under the operator's permissions ----------------------------------------------------------------------


async def restarts_with_roles(coordinator: Coordinator) -> None:
    coordinator.cluster.world.inject("drain-blocked-by-vm", node="HCI01")
    await coordinator.install("HCI01")
    await coordinator.restart("HCI01")
    await coordinator.wait(20)


async def stops_a_vm(coordinator: Coordinator) -> None:
    await coordinator.send("HCI01", ("Stop-VM", {"Name": "VM-1-1", "Force": None}))
    await coordinator.wait(1)
    await coordinator.send("HCI01", ("Start-VM", {"Name": "VM-1-1"}))
    await coordinator.wait(5)


@pytest.mark.parametrize(
    ("work", "invariant", "permission"),
    [
        (restarts_with_roles, "I3", "restart-with-roles"),
        (restarts_with_roles, "I5", "vm-power"),
        (stops_a_vm, "I5", "vm-power"),
    ],
)
def test_what_needs_a_permission(work: Work, invariant: str, permission: str) -> None:
    async def allowed(coordinator: Coordinator) -> None:
        coordinator.cluster.rule("permission", what=permission)
        await work(coordinator)

    assert invariant in broken(run(locked(work)))
    assert invariant not in broken(run(locked(allowed)))


# --- I6 ------------------------------------------------------------------------------------------------------------


def ruled(kind: str, first: float, last: float, work: Work = update_the_first) -> Work:
    """The work under a window or blackout, in minutes from the beginning."""

    async def inside(coordinator: Coordinator) -> None:
        begin, end = (DEFAULT_START + timedelta(minutes=each) for each in (first, last))
        span: dict[str, Any] = {"opens": begin, "closes": end} if kind == "window" else {"begins": begin, "ends": end}
        coordinator.cluster.rule(kind, **span)
        await work(coordinator)

    return locked(inside)


async def stops_a_vm_later(coordinator: Coordinator) -> None:
    await coordinator.wait(30)
    await stops_a_vm(coordinator)


@pytest.mark.parametrize(
    ("work", "caught"),
    [
        (ruled("window", -60, 600), False),
        (ruled("window", 30, 600), True),
        (ruled("window", -60, -1), True),
        (ruled("window", -60, 1), False),  # the node that was begun is finished after the window has closed
        (ruled("blackout", -60, 600), True),
        (ruled("blackout", 600, 700), False),
        (ruled("blackout", 5, 600), False),  # begun before the blackout
        (ruled("window", -60, 10, stops_a_vm_later), True),
    ],
)
def test_i6_windows_and_blackouts(work: Work, caught: bool) -> None:
    assert ("I6" in broken(run(work))) is caught


def test_i6_the_next_node_after_the_window_has_closed() -> None:
    async def two_nodes(coordinator: Coordinator) -> None:
        await coordinator.update("HCI01")
        await coordinator.touch_lock()
        await coordinator.update("HCI02")

    [sentence] = sentences(run(ruled("window", -60, 10, two_nodes)), "I6")
    assert sentence.startswith("HCI02 was drained outside every window")


@pytest.mark.parametrize(
    ("approved", "first", "followed", "caught"),
    [("a1", True, "a1", False), ("a1", True, "b2", True), ("a1", False, "a1", True), ("a1", True, None, False)],
)
def test_i6_an_approval_for_another_plan(approved: str, first: bool, followed: str | None, caught: bool) -> None:
    async def work(coordinator: Coordinator) -> None:
        if first:
            coordinator.cluster.rule("approval", plan_hash=approved)
        await coordinator.drain("HCI01")
        await coordinator.resume("HCI01")
        if not first:
            coordinator.cluster.rule("approval", plan_hash=approved)

    coordinator = run(locked(work))
    report = {"lock": {"guid": coordinator.guid, "released": True}, "outcome": "failed", "nodes": []}
    for names_it in ({"plan_hash": followed}, {"plan": {"order": ["HCI01"], "plan_hash": followed}}):
        assert bool(sentences(coordinator, "I6", report=report | names_it)) is caught
    assert sentences(coordinator, "I6") == []


# --- I7 ------------------------------------------------------------------------------------------------------------


def test_i7_stealing_a_lock() -> None:
    async def steal(coordinator: Coordinator) -> None:
        coordinator.cluster.world.inject("foreign-lock", node="HCI02")
        there: dict[str, object] = {"Namespace": NAMESPACE, "ClassName": "MSFT_CAURun"}
        await coordinator.send("HCI02", ("Get-CimInstance", there), ("Remove-CimInstance", {}))
        await coordinator.take_lock()
        await coordinator.release_lock()

    [sentence] = sentences(run(steal), "I7")
    assert "took the MSFT_CAURun of" in sentence


# --- I8 ------------------------------------------------------------------------------------------------------------


def test_i8_a_killed_coordinator_that_starts_over() -> None:
    async def twice(coordinator: Coordinator) -> None:
        await coordinator.update("HCI01")
        await coordinator.update("HCI01")  # there is more to install once the first updates are in

    async def starts_over(coordinator: Coordinator) -> None:
        await twice(coordinator)
        await coordinator.update("HCI01")

    assert broken(run(locked(twice))) == set()
    assert sentences(run(locked(starts_over)), "I8") == [
        "HCI01 was told to restart although nothing on it waited for a restart."
    ]


# --- I9 ------------------------------------------------------------------------------------------------------------


async def raises_the_level(coordinator: Coordinator) -> None:
    for node in coordinator.cluster.world.nodes:
        node.build = 20349  # as a feature update leaves it
    coordinator.cluster.snapshot()
    await coordinator.send("HCI01", ("Update-ClusterFunctionalLevel", {"Force": None}))


async def with_a_permission(coordinator: Coordinator) -> None:
    coordinator.cluster.rule("permission", what="functional-level")
    await raises_the_level(coordinator)


def test_i9_raising_the_level_takes_a_permission() -> None:
    [sentence] = sentences(run(raises_the_level, os="20H2"), "I9")
    assert "without a permission" in sentence
    assert sentences(run(with_a_permission, os="20H2"), "I9") == []


# --- I10 -----------------------------------------------------------------------------------------------------------


async def leaves_credssp_on(coordinator: Coordinator) -> None:
    await coordinator.send("HCI01", ("Enable-WSManCredSSP", {"Role": "Server", "Force": None}))


async def leaves_a_start_type(coordinator: Coordinator) -> None:
    await coordinator.send("HCI02", ("Set-Service", {"Name": "wuauserv", "StartupType": "Disabled"}))


async def leaves_the_firewall_open(coordinator: Coordinator) -> None:
    await coordinator.send("HCI02", ("Enable-NetFirewallRule", {"DisplayGroup": FIREWALL}))


async def leaves_a_node_paused(coordinator: Coordinator) -> None:
    await coordinator.drain("HCI03")


async def puts_credssp_back(coordinator: Coordinator) -> None:
    await leaves_credssp_on(coordinator)
    await coordinator.send("HCI01", ("Disable-WSManCredSSP", {"Role": "Server"}))


async def puts_the_start_type_back(coordinator: Coordinator) -> None:
    await leaves_a_start_type(coordinator)
    await coordinator.send("HCI02", ("Set-Service", {"Name": "wuauserv", "StartupType": "Manual"}))


async def puts_the_firewall_back(coordinator: Coordinator) -> None:
    await leaves_the_firewall_open(coordinator)
    await coordinator.send("HCI02", ("Disable-NetFirewallRule", {"DisplayGroup": FIREWALL}))


async def leaves_maintenance_mode(coordinator: Coordinator) -> None:
    await maintenance(coordinator, "Enable-StorageMaintenanceMode")


async def leaves_maintenance_mode_again(coordinator: Coordinator) -> None:
    await maintenance(coordinator, "Enable-StorageMaintenanceMode")
    await maintenance(coordinator, "Disable-StorageMaintenanceMode")  # and does not wait for it to be over


async def maintenance(coordinator: Coordinator, command: str) -> None:
    await coordinator.send(
        "HCI01",
        ("Get-StorageFaultDomain", {"Type": "StorageScaleUnit"}),
        ("Where-Object", {"Property": "FriendlyName", "EQ": None, "Value": "HCI02"}),
        (command, {}),
    )


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (leaves_credssp_on, "CredSSP server on HCI01 was left on; it was found off."),
        (leaves_a_start_type, "The start type of wuauserv on HCI02 was left Disabled; it was found Manual."),
        (leaves_the_firewall_open, f"The firewall group {FIREWALL} on HCI02 was left on; it was found off."),
        (leaves_a_node_paused, "HCI03 was left paused."),
        (leaves_maintenance_mode, "The disks of HCI02 were left in storage maintenance mode."),
    ],
)
def test_i10_what_is_not_put_back(work: Work, sentence: str) -> None:
    assert sentence in sentences(run(locked(work)), "I10")


@pytest.mark.parametrize(
    "work", [puts_credssp_back, puts_the_start_type_back, puts_the_firewall_back, leaves_maintenance_mode_again]
)
def test_i10_what_is_put_back(work: Work) -> None:
    assert broken(run(locked(work))) == set()


def test_i10_what_somebody_else_changes_meanwhile() -> None:
    async def work(coordinator: Coordinator) -> None:
        await coordinator.send("HCI01", ("Enable-WSManCredSSP", {"Role": "Server", "Force": None}), user=PERSON)
        start: dict[str, object] = {"Name": "wuauserv", "StartupType": "Disabled"}
        await coordinator.send("HCI02", ("Set-Service", start), user=PERSON)

    assert broken(run(locked(work))) == set()


def test_i10_a_lock_that_is_left_is_judged_once_the_run_is_over() -> None:
    async def work(coordinator: Coordinator) -> None:
        await coordinator.take_lock()

    coordinator = run(work, nodes=2)
    assert broken(coordinator) == set()
    assert sentences(coordinator, "I10", ended=True) == [
        f"MSFT_CAURun {coordinator.guid} was left on HCI01.",
        f"MSFT_CAURun {coordinator.guid} was left on HCI02.",
    ]


# --- I11 -----------------------------------------------------------------------------------------------------------


async def resumes_what_others_paused(coordinator: Coordinator) -> None:
    world = coordinator.cluster.world
    world.membership.pause(world.node("HCI02"))
    await coordinator.resume("HCI02")


async def leaves_a_vm_off(coordinator: Coordinator) -> None:
    coordinator.cluster.rule("permission", what="vm-power")
    await coordinator.send("HCI01", ("Stop-VM", {"Name": "VM-1-1", "Force": None}))


async def changes_a_policy(coordinator: Coordinator) -> None:
    path = r"HKLM:\SOFTWARE\Microsoft\WindowsUpdate\UX\Settings"
    await coordinator.send("HCI01", ("Set-ItemProperty", {"Path": path, "Name": "ActiveHoursStart", "Value": 3}))


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (resumes_what_others_paused, "HCI02 was left running; somebody else had paused it."),
        (leaves_a_vm_off, "Virtual machine VM-1-1 was left Off; it was found Running."),
        (changes_a_policy, "ActiveHoursStart"),
    ],
)
def test_i11_what_is_no_runs_business(work: Work, words: str) -> None:
    [sentence] = sentences(run(locked(work)), "I11")
    assert words in sentence


def test_i11_the_same_done_by_a_person_is_the_persons_business() -> None:
    async def work(coordinator: Coordinator) -> None:
        world = coordinator.cluster.world
        world.membership.pause(world.node("HCI02"))
        await coordinator.send("HCI02", ("Resume-ClusterNode", {"Name": "HCI02"}), user=PERSON)
        await coordinator.send("HCI01", ("Stop-VM", {"Name": "VM-1-1", "Force": None}), user=PERSON)

    assert broken(run(locked(work))) == set()
