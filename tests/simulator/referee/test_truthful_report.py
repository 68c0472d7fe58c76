from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.simulator.referee import judge
from tests.simulator.referee.journals import GUID, LCU, NODES, Script, careful_run, true_report


def claims(script: Script, report: dict[str, Any]) -> list[str]:
    violations = judge(script.entries, report)
    assert {violation.invariant for violation in violations} <= {"I10", "I12"}
    return [violation.sentence for violation in violations if violation.invariant == "I12"]


def test_an_honest_report() -> None:
    assert claims(careful_run(), true_report()) == []


def _first(report: dict[str, Any]) -> dict[str, Any]:
    return report["nodes"][0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        (lambda r: _first(r).update(restarts=2), "The report says HCI01 was restarted 2 times; the world saw 1."),
        (
            lambda r: _first(r).update(build_after="20349.9999"),
            "The report gives 20349.9999 as build after of HCI01; the world says 20349.2322.",
        ),
        (
            lambda r: _first(r).update(build_before="1.1"),
            "The report gives 1.1 as build before of HCI01; the world says 20349.2113.",
        ),
        (lambda r: _first(r).update(updates=[]), "The report leaves out KB5034129, installed on HCI01."),
        (
            lambda r: _first(r)["updates"][0].update(result="failed"),
            "The report says KB5034129 failed on HCI01; the world saw it installed.",
        ),
        (
            lambda r: _first(r)["updates"].append({"update_id": "zz", "kb": "KB1", "result": "succeeded"}),
            "The report says KB1 was installed on HCI01; the world saw no such thing.",
        ),
        (
            lambda r: _first(r).update(outcome="nothing-to-install"),
            "The report says nothing-to-install of HCI01; 1 updates were installed on it.",
        ),
        (lambda r: r["nodes"].pop(), "The report leaves out HCI03, which was worked on."),
        (
            lambda r: r.update(outcome="nothing-to-do"),
            "The report says there was nothing to do; the world saw installations or restarts.",
        ),
        (
            lambda r: r["lock"].update(released=False),
            "The report says the lock is not released; no node has it any more.",
        ),
    ],
)
def test_every_lie_is_caught(lie: Callable[[dict[str, Any]], None], sentence: str) -> None:
    report = true_report()
    lie(report)
    assert sentence in claims(careful_run(), report)


def test_success_over_a_failed_node() -> None:
    report = true_report()
    _first(report)["outcome"] = "failed"
    assert claims(careful_run(), report) == ["The report says the run succeeded, and of HCI01 that it did not."]


def test_a_lock_that_is_still_held() -> None:
    script = Script().take_lock()
    for node in NODES:
        script.update(node)
    script.release_lock(nodes=["HCI01", "HCI03"])
    assert claims(script, true_report()) == ["The report says the lock is released; HCI02 still has it."]


def test_a_node_that_was_left_paused() -> None:
    script = Script().take_lock()
    for node in NODES[:2]:
        script.update(node)
    script.drain("HCI03").install("HCI03").order_restart("HCI03").power_cycle("HCI03").release_lock()
    assert claims(script, true_report()) == [
        "The report says the run succeeded; HCI03 is still paused.",
        "The report says HCI03 was resumed; it is Paused.",
    ]


def test_a_node_that_was_not_updated() -> None:
    script = Script().take_lock()
    for node in NODES[:2]:
        script.update(node)
    found = claims(script.release_lock(), true_report())
    assert "The report says HCI03 was updated; nothing was installed on it." in found


def test_a_node_that_was_started_after_all() -> None:
    report = true_report()
    report["nodes"][2] |= {
        "outcome": "not-started",
        "restarts": 0,
        "updates": [],
        "build_after": "20349.2113",
        "resumed": False,
    }
    report["outcome"] = "failed"
    script = Script().take_lock()
    for node in NODES[:2]:
        script.update(node)
    script.drain("HCI03").release_lock()
    assert claims(script, report) == ["The report says HCI03 was not started; it was drained or restarted."]


def test_only_the_run_with_the_reports_lock_is_compared() -> None:
    before = "11111111-0000-5000-8000-0000000000cc"
    script = (
        Script()
        .take_lock(before)
        .drain("HCI01")
        .install("HCI01", "earlier", orchestrator=before)
        .resume("HCI01")
        .resync()
    )
    script.release_lock(before).take_lock(GUID)
    for node in NODES:
        script.update(node)
    assert claims(script.release_lock(), true_report()) == []


def test_an_order_without_a_boot_is_no_restart() -> None:
    script = Script().take_lock().drain("HCI01").install("HCI01").order_restart("HCI01")
    node = {
        "name": "HCI01",
        "outcome": "failed",
        "resumed": False,
        "updates": [{"update_id": LCU, "result": "succeeded"}],
    }
    lock = {"guid": GUID, "released": False}
    honest = {"outcome": "failed", "lock": lock, "nodes": [node | {"restarts": 0}]}
    assert claims(script, honest) == []
    boasting = {"outcome": "failed", "lock": lock, "nodes": [node | {"restarts": 1}]}
    assert claims(script, boasting) == ["The report says HCI01 was restarted 1 times; the world saw 0."]


def test_a_lock_on_a_node_that_is_off_cannot_be_seen_to_be_gone() -> None:
    script = careful_run()
    report = true_report()
    report["lock"]["released"] = False
    assert claims(script, report) != []
    script.entries.insert(-1, Script().add("node.power", "HCI02", node="HCI02", up=False, boot_time="x").entries[-1])
    assert claims(script, report) == []


def test_a_run_goes_on_after_its_lock_has_expired_until_somebody_else_holds_it() -> None:
    script = Script().take_lock().drain("HCI01")
    for each in NODES:
        script.add("lock.expired", each, **{"class": "MSFT_CAURun", "guid": GUID})
    node: dict[str, Any] = {"name": "HCI01", "outcome": "failed", "resumed": True, "restarts": 0, "updates": []}
    report = {"outcome": "failed", "lock": {"guid": GUID, "released": True}, "nodes": [node]}
    assert claims(script, report) == ["The report says HCI01 was resumed; it is Paused."]
    script.resume("HCI01")
    assert claims(script, report) == []
    script.take_lock("77777777-0000-5000-8000-0000000000cc").drain("HCI01")
    assert claims(script, report) == []


def rolled_back() -> Script:
    """A run over one node whose only update did not survive the restart."""
    script = Script().take_lock().drain("HCI01").install("HCI01").order_restart("HCI01").state("HCI01", "Down")
    script.add("node.power", "HCI01", node="HCI01", up=False, boot_time="x")
    script.add("update.rolled-back", "HCI01", node="HCI01", update_id=LCU, kb="KB5034129", title="x")
    script.add("node.power", "HCI01", node="HCI01", up=True, boot_time="y")
    script.add("update.offered", "HCI01", node="HCI01", orchestrator=GUID, update_ids=[LCU])
    return script.state("HCI01", "Paused", "Completed").resume("HCI01").release_lock()


@pytest.mark.parametrize(
    ("result", "sentences"),
    [
        ("failed", []),
        ("succeeded", ["The report says KB5034129 was installed on HCI01; the world saw no such thing."]),
    ],
)
def test_an_update_that_was_rolled_back_is_not_installed(result: str, sentences: list[str]) -> None:
    update = {"update_id": LCU, "kb": "KB5034129", "result": result}
    node = {"name": "HCI01", "outcome": "failed", "resumed": True, "restarts": 1, "updates": [update]}
    report = {"outcome": "failed", "lock": {"guid": GUID, "released": True}, "nodes": [node]}
    assert claims(rolled_back(), report) == sentences


@pytest.mark.parametrize(("claim", "caught"), [("0x80240017", False), ("0X80240017", False), ("0x80070005", True)])
def test_why_an_update_failed(claim: str, caught: bool) -> None:
    script = Script().take_lock().drain("HCI01").install("HCI01", code=4).resume("HCI01").release_lock()
    failed = [entry for entry in script.entries if entry.op == "update.installed"]
    failed[0].detail["hresult"] = "0x80240017"  # type: ignore[index]
    update = {"update_id": LCU, "kb": "KB5034129", "result": "failed", "hresult": claim}
    node = {"name": "HCI01", "outcome": "failed", "resumed": True, "restarts": 0, "updates": [update]}
    report = {"outcome": "failed", "lock": {"guid": GUID, "released": True}, "nodes": [node]}
    found = claims(script, report)
    assert found == (
        [f"The report says KB5034129 failed on HCI01 with {claim}; the world saw 0x80240017."] if caught else []
    )


def test_a_node_that_was_taken_out_after_all() -> None:
    report = true_report()
    _first(report)["taken_out"] = False
    assert claims(careful_run(), report) == ["The report says HCI01 was not taken out of service; it was."]
    _first(report)["taken_out"] = True
    assert claims(careful_run(), report) == []


@pytest.mark.parametrize(("count", "caught"), [(1, False), (2, False), (0, True), (3, True)])
def test_a_restart_that_somebody_else_ordered_may_be_counted_or_not(count: int, caught: bool) -> None:
    script = Script().take_lock().drain("HCI01").install("HCI01").order_restart("HCI01").power_cycle("HCI01")
    script.add("node.restart", "HCI01", node="HCI01", by="NT AUTHORITY\\SYSTEM (Automatic Updates)", ordered=True)
    script.power_cycle("HCI01").resume("HCI01").release_lock()
    node: dict[str, Any] = {"name": "HCI01", "outcome": "failed", "resumed": True, "restarts": count}
    node["updates"] = [{"update_id": LCU, "result": "succeeded"}]
    report = {"outcome": "failed", "lock": {"guid": GUID, "released": True}, "nodes": [node]}
    assert bool(claims(script, report)) is caught


def test_what_windows_installs_by_itself_need_not_be_reported() -> None:
    script = Script().take_lock().install("HCI02", orchestrator="automatic updates").release_lock()
    report: dict[str, Any] = {"outcome": "nothing-to-do", "lock": {"guid": GUID, "released": True}, "nodes": []}
    assert judge(script.entries, report) == []


def test_a_run_that_another_coordinator_interrupts_is_judged_to_its_end() -> None:
    script = Script().take_lock()
    other = "99999999-0000-5000-8000-0000000000bb"
    script.add("lock.expired", "HCI02", **{"class": "MSFT_CAURun", "guid": GUID})
    script.add("lock.taken", "HCI02", **{"class": "MSFT_CAURun", "guid": other})
    script.release_lock(nodes=["HCI01", "HCI03"])
    report: dict[str, Any] = {"outcome": "failed", "lock": {"guid": GUID, "released": True}, "nodes": []}
    assert judge(script.entries, report) == []
