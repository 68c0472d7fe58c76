"""Hand-made journals for what the world cannot be brought to do, or only slowly: I2, I6, I8, I9, I10 and I11 in their corners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.simulator.referee import judge
from tests.simulator.referee.journals import ACTOR, GUID, LCU, NODES, Script, careful_run, make_snapshot

PERSON = "CONTOSO\\alice"


def sentences(script: Script, invariant: str, **options: Any) -> list[str]:
    found = judge(script.entries, **options)
    return [violation.sentence for violation in found if violation.invariant == invariant]


def permitted(script: Script, *permissions: str) -> Script:
    for what in permissions:
        script.add("rule", None, kind="permission", what=what)
    return script


def ended(script: Script, **changes: Any) -> Script:
    return script.add("world.snapshot", **(make_snapshot() | changes))


# --- I2 ------------------------------------------------------------------------------------------------------------


def voting(votes: int, up_votes: int) -> Script:
    return Script(quorum={"votes": votes, "up_votes": up_votes, "witness": ""}).take_lock()


@pytest.mark.parametrize(
    ("votes", "up_votes", "caught"),
    [(5, 5, False), (5, 4, False), (5, 3, True), (3, 3, False), (2, 2, True), (1, 1, True)],
)
def test_i2_the_votes_of_the_moment(votes: int, up_votes: int, caught: bool) -> None:
    assert bool(sentences(voting(votes, up_votes).drain("HCI01"), "I2")) is caught


def test_i2_a_restart_is_judged_by_what_was_lost_since_the_drain() -> None:
    script = voting(3, 3).drain("HCI01").install("HCI01")
    script.add("quorum", None, votes=2, up_votes=2, witness="", has_quorum=True)
    [sentence] = sentences(script.order_restart("HCI01").power_cycle("HCI01"), "I2")
    assert sentence.startswith("HCI01 was told to restart with 2 of 2 votes up")


# --- the whole cluster, offline --------------------------------------------------------------------------------------


def stopped(script: Script) -> Script:
    script.invoke("Stop-Cluster", "HCI01", Force=True)
    for node in NODES:
        script.state(node, "Down")
        script.add(
            "group.state", None, group=f"vm-{node}", type="VirtualMachine", owner=node, state="Offline", reason="x"
        )
        script.add("vm.state", None, vm=f"vm-{node}", owner=node, state="Off", reason="the cluster was stopped")
    return script.add("cluster.stopped")


def test_an_offline_update_needs_both_permissions() -> None:
    def caught(*permissions: str) -> set[str]:
        script = stopped(permitted(Script(quorum={"votes": 3, "up_votes": 3}).take_lock(), *permissions))
        return {violation.invariant for violation in judge(script.entries)}

    assert caught() == {"I1", "I5"}
    assert caught("cluster-stop") == {"I5"}
    assert caught("restart-with-roles", "vm-power") == {"I1"}
    assert caught("cluster-stop", "vm-power") == set()


# --- I5 ------------------------------------------------------------------------------------------------------------


def test_i5_a_crash_elsewhere_does_not_hide_a_restart_under_a_virtual_machine() -> None:
    script = Script().take_lock().install("HCI01").order_restart("HCI01").state("HCI03", "Down").state("HCI01", "Down")
    script.add("node.power", "HCI03", node="HCI03", up=False, boot_time="x")
    script.add("vm.state", None, vm="vm-HCI01", owner="HCI01", state="Off", reason="node HCI01 shut down")
    assert len(sentences(script, "I5")) == 1


def test_i5_a_drained_node_that_loses_its_power_is_the_worlds_doing() -> None:
    script = Script().take_lock().drain("HCI01").state("HCI01", "Down")
    script.add("vm.state", None, vm="vm-HCI01", owner="HCI01", state="Off", reason="node HCI01 lost its power")
    assert sentences(script, "I5") == []


# --- I8 ------------------------------------------------------------------------------------------------------------


def test_i8_an_update_that_was_rolled_back_may_be_installed_again() -> None:
    script = Script().take_lock().drain("HCI01").install("HCI01")
    assert sentences(script.install("HCI01"), "I8") == ["KB5034129 was installed again on HCI01."]
    script = Script().take_lock().drain("HCI01").install("HCI01")
    script.add("update.rolled-back", "HCI01", node="HCI01", update_id=LCU, kb="KB5034129", title="x").install("HCI01")
    assert sentences(script, "I8") == []


# --- I9 ------------------------------------------------------------------------------------------------------------

LEVEL, POOL = "cluster.functional_level", "pool.version"


def raised(script: Script, op: str = LEVEL, before: int = 11, after: int = 12, **more: Any) -> Script:
    what = {"pool": "S2D on S-Cluster1"} if op == POOL else {"what_if": False}
    return script.add(op, None, before=before, after=after, **(what | more))


def allowed() -> Script:
    return permitted(Script(), "functional-level", "pool-version")


def on_builds(*builds: int) -> Script:
    nodes = [node | {"build": build} for node, build in zip(make_snapshot()["nodes"], builds, strict=True)]
    return permitted(Script(nodes=nodes), "functional-level", "pool-version")


@pytest.mark.parametrize("op", [LEVEL, POOL])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda op: raised(allowed(), op), ""),
        (lambda op: raised(Script(), op), "without a permission"),
        (lambda op: raised(raised(allowed(), op), op, 12, 13), "raised again, from 12 to 13"),
        (lambda op: raised(allowed(), op, 12, 11), "fell from 12 to 11"),
        (lambda op: raised(on_builds(20349, 20349, 20348), op), "HCI03 on 20348; HCI01, HCI02 on 20349"),
        (lambda op: raised(allowed().state("HCI02", "Down"), op), "while HCI02 took no part"),
        (lambda op: raised(Script(), op, what_if=True), ""),
    ],
)
def test_i9_a_rise(op: str, make: Callable[[str], Script], words: str) -> None:
    found = sentences(make(op), "I9")
    assert [words in sentence for sentence in found] == ([True] if words else [])


def test_i9_a_rise_by_somebody_else_and_one_that_nobody_saw() -> None:
    script = Script().take_lock().by(PERSON).invoke("Update-ClusterFunctionalLevel", "HCI01", Force=True)
    assert sentences(raised(script), "I9") == []
    script = Script(functional_level=11).add("world.snapshot", **(make_snapshot() | {"functional_level": 12}))
    assert sentences(script, "I9") == ["The functional level went from 11 to 12 unseen."]


# --- I10 -----------------------------------------------------------------------------------------------------------


def task(script: Script, action: str) -> Script:
    return script.invoke("Register-ScheduledTask", "HCI01").add(
        "task", "HCI01", node="HCI01", name="\\x", action=action
    )


def test_i10_a_task_that_is_left_behind() -> None:
    script = task(Script().take_lock().release_lock(), "registered")
    assert sentences(ended(script), "I10") == ["The task \\x was left behind on HCI01."]
    script = task(task(Script().take_lock().release_lock(), "registered"), "removed")
    assert sentences(ended(script), "I10") == []


def test_i10_what_was_found_on_is_left_on() -> None:
    nodes = make_snapshot()["nodes"]
    nodes[0]["credssp"] = {"client": False, "server": True}
    script = Script(nodes=nodes).take_lock().release_lock().invoke("Disable-WSManCredSSP", "HCI01", Role="Server")
    script.add("credssp", "HCI01", machine="HCI01", role="server", enabled=False)
    assert sentences(ended(script), "I10") == ["CredSSP server on HCI01 was left off; it was found on."]
    script.invoke("Enable-WSManCredSSP", "HCI01").add("credssp", "HCI01", machine="HCI01", role="server", enabled=True)
    assert sentences(ended(script), "I10") == []


def credssp_left_on() -> Script:
    script = Script().take_lock().release_lock().command("Enable-WSManCredSSP", "HCI01", Role="Server")
    script.entries.insert(
        -1, Script().add("credssp", "HCI01", machine="HCI01", role="server", enabled=True).entries[-1]
    )
    return script


@pytest.mark.parametrize(
    ("after", "caught"),
    [
        (lambda script: script, True),
        (lambda script: script.command("Disable-WSManCredSSP", "HCI01", "fail", Role="Server"), False),
        (lambda script: script.command("Disable-WSManCredSSP", "HCI02", "fail", Role="Server"), True),
        (lambda script: script.add("node.power", "HCI01", node="HCI01", up=False, boot_time="x"), False),
    ],
)
def test_i10_what_could_not_be_put_back_is_not_held_against_the_run(
    after: Callable[[Script], Script], caught: bool
) -> None:
    assert bool(sentences(after(credssp_left_on()), "I10", ended=True)) is caught


def test_i10_a_node_that_is_left_paused_on_purpose_is_named_in_the_report() -> None:
    script = Script().take_lock().drain("HCI01").release_lock()
    report: dict[str, Any] = {"outcome": "failed", "lock": {"guid": GUID, "released": True}, "nodes": []}
    assert sentences(script, "I10", report=report) == ["HCI01 was left paused."]
    report["left"] = [{"what": "HCI01 is paused by this run", "node": "HCI01"}]
    assert sentences(script, "I10", report=report) == []


def test_i10_and_i11_a_person_who_takes_over_answers_for_it() -> None:
    script = credssp_left_on().by(PERSON).invoke("Set-Item", "HCI01")
    script.add("credssp", "HCI01", machine="HCI01", role="server", enabled=False)
    script.add("credssp", "HCI01", machine="HCI01", role="server", enabled=True)
    assert sentences(script.by(ACTOR), "I10", ended=True) == []


# --- I11 -----------------------------------------------------------------------------------------------------------


def role(action: str, enabled: bool) -> Callable[[Script], Script]:
    detail = {"action": action, "owner": "HCI01", "schedule": {"DaysOfWeek": "Tuesday"}, "enabled": enabled}
    return lambda script: script.invoke(f"{action}-CauClusterRole", "HCI01").add("cau.role", None, **detail)


def with_role(**role: Any) -> Script:
    role = {"present": True, "enabled": True, "schedule": {"DaysOfWeek": "Tuesday"}} | role
    return Script(cau_role=role).take_lock().release_lock()


def test_i11_the_schedule_of_cluster_aware_updating() -> None:
    off, on = role("disabled", False), role("enabled", True)
    assert sentences(ended(off(with_role())), "I11") == ["The cau_role enabled was left False; it was found True."]
    assert sentences(ended(on(off(with_role()))), "I11") == []
    assert sentences(ended(off(with_role().by(PERSON)).by(ACTOR)), "I11") == []


def differing() -> Script:
    """A policy differs at the end, and no event tells why."""
    script = careful_run()
    script.entries[1].detail["nodes"][0]["policies"] = {"AUOptions": 3}
    return script


def different() -> dict[str, Any]:
    nodes = make_snapshot()["nodes"]
    nodes[0]["policies"] = {"AUOptions": 4}
    return {"nodes": nodes}


@pytest.mark.parametrize(
    ("explain", "caught"),
    [
        (lambda script: script, True),
        (lambda script: script.by(PERSON).invoke("Set-ItemProperty", "HCI01"), False),
        (lambda script: script.add("fault.injected", "HCI01", fault="x", node="HCI01"), False),
        (lambda script: script.add("fault.injected", "HCI02", fault="x", node="HCI02"), True),
    ],
)
def test_i11_what_differs_without_an_explanation(explain: Callable[[Script], Script], caught: bool) -> None:
    found = sentences(ended(explain(differing()), **different()), "I11")
    assert found == (
        ["The policy AUOptions on HCI01 was left 4; it was found 3. Nobody else's doing explains it."] if caught else []
    )


def test_i11_virtual_machines_and_their_versions() -> None:
    script = Script(vm_versions={"vm-HCI01": "9.0"}).take_lock().release_lock().invoke("Update-VMVersion", "HCI01")
    script.add("vm.version", None, vm="vm-HCI01", before="9.0", after="10.0")
    assert sentences(ended(script), "I11") == ["The vm version vm-HCI01 was left 10.0; it was found 9.0."]
