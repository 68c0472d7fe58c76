"""Every invariant catches a journal made to break it, and lets the careful run pass."""

from __future__ import annotations

from typing import Any

import pytest

from include.simulator.referee import INVARIANTS, judge
from tests.simulator.referee.journals import GUID, LCU, OTHER_GUID, Script, careful_run, make_snapshot


def found(script: Script, **options: Any) -> list[str]:
    return [violation.invariant for violation in judge(script.entries, **options)]


def sentences(script: Script) -> list[str]:
    return [violation.sentence for violation in judge(script.entries)]


def test_a_careful_run_breaks_nothing() -> None:
    assert judge(careful_run().entries) == []


def test_every_invariant_has_its_sentence() -> None:
    assert list(INVARIANTS) == [f"I{number}" for number in range(1, 13)]
    assert all(INVARIANTS.values())


def test_an_empty_journal_breaks_nothing() -> None:
    assert judge([]) == []


# --- I1 ------------------------------------------------------------------------------------------------------------


def test_i1_a_second_drain() -> None:
    script = Script().take_lock().drain("HCI01").drain("HCI02")
    violations = judge(script.entries)
    assert [violation.invariant for violation in violations] == ["I1"]
    assert violations[0].node == "HCI02"
    assert violations[0].sentence == "HCI02 was taken out of service while HCI01 was out already; the budget is 1."
    assert script.entries[violations[0].seq - 1].op == "node.state"


def test_i1_a_larger_budget_allows_it() -> None:
    assert found(Script().take_lock().drain("HCI01").drain("HCI02"), budget=2) == []
    assert found(Script().take_lock().drain("HCI01").drain("HCI02").drain("HCI03"), budget=2) == ["I1"]


def test_i1_a_node_that_was_out_before_the_run_counts() -> None:
    nodes = make_snapshot()["nodes"]
    nodes[2] |= {"state": "Down", "power": "off"}
    assert found(Script(nodes=nodes).take_lock().drain("HCI01")) == ["I1"]


def test_i1_a_crash_beside_a_drained_node_is_the_worlds_doing() -> None:
    script = (
        Script().take_lock().drain("HCI01").state("HCI02", "Down").add("node.power", "HCI02", node="HCI02", up=False)
    )
    assert found(script) == []
    assert found(script.drain("HCI03")) == ["I1"]


def test_i1_a_restart_that_takes_a_second_node_down() -> None:
    script = Script().take_lock().drain("HCI01").install("HCI02").order_restart("HCI02")
    script.add("node.power", "HCI02", node="HCI02", up=False)
    assert "I1" in found(script)


def test_i1_a_refused_drain_does_not_blame_a_later_crash() -> None:
    script = (
        Script().take_lock().drain("HCI01").command("Suspend-ClusterNode", "HCI02", "fail", Name=["HCI02"], Drain=True)
    )
    assert found(script.state("HCI02", "Down")) == []


def test_i1_names_come_from_the_pipeline_the_parameters_or_the_node_itself() -> None:
    for detail in ({"input": ["hci02"]}, {"parameters": {"Name": ["HCI02.contoso.local"]}}, {}):
        script = Script().take_lock().drain("HCI01")
        script.add(
            "command",
            "HCI02",
            "invoke",
            **({"command": "Suspend-ClusterNode", "parameters": {}, "activity": "z"} | detail),
        )
        assert found(script.state("HCI02", "Paused", "InProgress")) == ["I1"]


def test_i1_what_if_orders_nothing() -> None:
    script = Script().take_lock().drain("HCI01")
    script.add("command", "HCI02", "invoke", command="Suspend-ClusterNode", parameters={}, activity="z", what_if=True)
    assert found(script.state("HCI02", "Down")) == []


# --- I3 ------------------------------------------------------------------------------------------------------------


def test_i3_a_restart_of_a_node_that_still_owns_a_role() -> None:
    script = Script().take_lock().install("HCI01").order_restart("HCI01")
    assert found(script) == ["I3"]
    assert sentences(script) == ["HCI01 was told to restart while it owned vm-HCI01."]


def test_i3_a_role_that_came_back_after_the_drain() -> None:
    script = Script().take_lock().drain("HCI01").install("HCI01")
    script.add(
        "group.moved", None, group="vm-HCI03", type="VirtualMachine", source="HCI03", destination="HCI01", how="by hand"
    )
    assert found(script.order_restart("HCI01")) == ["I3"]


def test_i3_a_role_that_is_offline_does_not_count() -> None:
    script = Script().take_lock().install("HCI01")
    script.add(
        "group.state", None, group="vm-HCI01", type="VirtualMachine", owner="HCI01", state="Offline", reason="stopped"
    )
    assert found(script.order_restart("HCI01")) == []


def test_i3_a_shutdown_counts_as_well() -> None:
    assert "I3" in found(Script().take_lock().invoke("Stop-Computer", "HCI01", Force=True))


# --- I4 ------------------------------------------------------------------------------------------------------------


def _one_node_done() -> Script:
    return (
        Script().take_lock().drain("HCI01").install("HCI01").order_restart("HCI01").power_cycle("HCI01").resume("HCI01")
    )


def test_i4_the_next_node_before_the_storage_is_whole() -> None:
    script = _one_node_done().repair("Suspended").drain("HCI02")
    assert found(script) == ["I4"]
    assert sentences(script) == [
        "HCI02 was taken next although virtual disk Volume1 was Warning; Volume1-Repair (Suspended) was not over."
    ]


def test_i4_a_healthy_disk_with_an_open_repair_is_not_enough() -> None:
    script = _one_node_done()
    script.add("disk.health", None, virtual_disk="Volume1", health="Healthy", operational_status=["OK"]).repair(
        "Running"
    )
    assert found(script.drain("HCI02")) == ["I4"]


def test_i4_a_restart_without_a_drain_counts() -> None:
    script = _one_node_done().repair("Running").install("HCI02")
    assert "I4" in found(script.order_restart("HCI02"))


def test_i4_draining_the_same_node_again_is_no_next_node() -> None:
    script = Script().take_lock().drain("HCI01")
    script.add("disk.health", None, virtual_disk="Volume1", health="Warning", operational_status=["Incomplete"])
    script.state("HCI01", "Paused", "Failed").invoke("Suspend-ClusterNode", "HCI01", Name=["HCI01"], Drain=True)
    assert found(script.state("HCI01", "Paused", "InProgress")) == []


# --- I5 ------------------------------------------------------------------------------------------------------------


def test_i5_a_vm_that_a_restart_takes_down() -> None:
    script = Script().take_lock().install("HCI01").order_restart("HCI01").state("HCI01", "Down")
    script.add("vm.state", None, vm="vm-HCI01", owner="HCI01", state="Off", reason="node HCI01 shut down")
    assert found(script) == ["I3", "I5"]


def test_i5_a_forced_drain() -> None:
    script = Script().take_lock().drain("HCI01")
    script.add("vm.state", None, vm="vm-HCI01", owner="HCI01", state="Off", reason="forced drain")
    assert found(script) == ["I5"]


def test_i5_a_crash_is_the_worlds_doing_and_a_start_is_no_loss() -> None:
    script = Script().take_lock().drain("HCI01").state("HCI02", "Down")
    script.add("vm.state", None, vm="vm-HCI02", owner="HCI02", state="Off", reason="node HCI02 lost its power")
    script.add("vm.state", None, vm="vm-HCI02", owner="HCI03", state="Running", reason="started")
    assert found(script) == []


# --- I7 ------------------------------------------------------------------------------------------------------------


def test_i7_two_holders() -> None:
    script = Script().take_lock(nodes=["HCI01", "HCI02"]).take_lock(OTHER_GUID, ["HCI03"])
    assert found(script) == ["I7"]
    assert GUID in sentences(script)[0]
    assert OTHER_GUID in sentences(script)[0]


def test_i7_drain_install_and_restart_without_the_lock() -> None:
    assert found(Script().drain("HCI01")) == ["I7"]
    assert found(Script().install("HCI01")) == ["I7"]
    assert found(careful_run().drain("HCI01").install("HCI01", "later").order_restart("HCI01")) == ["I7", "I7", "I7"]


def test_i7_an_installation_under_another_id() -> None:
    script = Script().take_lock().install("HCI01", orchestrator=OTHER_GUID)
    assert found(script) == ["I7"]


def test_i7_a_lock_that_somebody_else_holds_covers_nobody() -> None:
    script = Script().add("lock.taken", "HCI01", **{"class": "MSFT_CAURun", "guid": OTHER_GUID})
    assert found(script.drain("HCI01")) == ["I7"]


def test_i7_an_expired_lock_covers_nothing() -> None:
    script = Script().take_lock(nodes=["HCI01"]).add("lock.expired", "HCI01", **{"class": "MSFT_CAURun", "guid": GUID})
    assert found(script.drain("HCI01")) == ["I7"]


def test_i7_the_node_class_is_no_run_lock() -> None:
    script = Script().add("lock.taken", "HCI01", **{"class": "MSFT_CAUNode", "guid": GUID})
    assert found(script.install("HCI01")) == ["I7"]


def test_i7_a_lock_found_in_the_first_snapshot_counts() -> None:
    nodes = make_snapshot()["nodes"]
    nodes[1]["locks"] = {"MSFT_CAURun": OTHER_GUID}
    assert found(Script(nodes=nodes).take_lock(nodes=["HCI01"])) == ["I7"]


# --- I8 ------------------------------------------------------------------------------------------------------------


def test_i8_the_same_update_twice() -> None:
    script = careful_run().take_lock().drain("HCI01").install("HCI01")
    assert found(script) == ["I8"]
    assert sentences(script) == ["KB5034129 was installed again on HCI01."]


def test_i8_a_failed_installation_may_be_tried_again() -> None:
    assert found(Script().take_lock().install("HCI01", code=4).install("HCI01")) == []
    assert found(Script().take_lock().install("HCI01").install("HCI02").install("HCI01", LCU.replace("0a", "0b"))) == []


def test_i8_a_restart_that_nothing_waits_for() -> None:
    script = Script().take_lock().drain("HCI01").order_restart("HCI01")
    assert found(script) == ["I8"]
    assert sentences(script) == ["HCI01 was told to restart although nothing on it waited for a restart."]


def test_i8_a_restart_that_was_pending_before_the_run() -> None:
    nodes = make_snapshot()["nodes"]
    nodes[0]["pending_restart"] = True
    assert found(Script(nodes=nodes).take_lock().drain("HCI01").order_restart("HCI01")) == []


@pytest.mark.parametrize(("pending", "caught"), [(True, []), (False, ["I8"])])
def test_i8_a_restart_that_was_not_enough(pending: bool, caught: list[str]) -> None:
    script = Script().take_lock().drain("HCI01").install("HCI01").order_restart("HCI01").power_cycle("HCI01")
    script.add("node.power", "HCI01", node="HCI01", up=True, boot_time="y", pending_restart=pending)
    assert found(script.order_restart("HCI01")) == caught


def test_i8_two_restarts_in_a_row() -> None:
    script = Script().take_lock().drain("HCI01").install("HCI01").order_restart("HCI01").order_restart("HCI01")
    assert sentences(script) == ["HCI01 was told to restart twice in a row."]


def test_i8_an_order_that_had_no_effect_may_be_given_again_after_a_while() -> None:
    script = Script().take_lock().drain("HCI01").install("HCI01").order_restart("HCI01")
    for _ in range(12):
        script.invoke("Get-ClusterNode", "HCI02")
    assert found(script.order_restart("HCI01")) == []


def test_i8_a_node_that_is_down_already_needs_no_second_order() -> None:
    script = Script().take_lock().drain("HCI01").install("HCI01").order_restart("HCI01")
    script.add("node.power", "HCI01", node="HCI01", up=False, boot_time="x")
    for _ in range(12):
        script.invoke("Get-ClusterNode", "HCI02")
    assert sentences(script.order_restart("HCI01")) == ["HCI01 was told to restart twice in a row."]


def test_i8_a_second_restart_after_the_first_one_is_over() -> None:
    script = Script().take_lock().drain("HCI01").install("HCI01").order_restart("HCI01").power_cycle("HCI01")
    assert found(script.order_restart("HCI01")) == ["I8"]
