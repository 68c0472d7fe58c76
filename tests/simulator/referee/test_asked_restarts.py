"""Restarts that the operator asked for, or that the preview channel needs: they have a reason, once."""

from __future__ import annotations

from typing import Any

import pytest

from include.simulator.referee import judge
from include.simulator.referee.rules import make_rule
from tests.simulator.referee.journals import NODES, Script, true_report


def restarted(node: str, script: Script, times: int = 1) -> Script:
    script.take_lock()
    for _ in range(times):
        script.drain(node).order_restart(node).power_cycle(node).resume(node)
    return script.release_lock()


def repeated(script: Script) -> list[str]:
    return [violation.sentence for violation in judge(script.entries) if violation.invariant == "I8"]


@pytest.mark.parametrize(
    ("rule", "times", "caught"),
    [
        (None, 1, True),
        ({"nodes": ["HCI01"]}, 1, False),
        ({"nodes": "all"}, 1, False),
        ({"nodes": ["HCI02"]}, 1, True),
        ({"nodes": ["HCI01"]}, 2, True),
    ],
)
def test_a_restart_is_asked_for_once(rule: dict[str, Any] | None, times: int, caught: bool) -> None:
    script = Script()
    if rule is not None:
        script.add("rule", None, kind="restart", **rule)
    found = repeated(restarted("HCI01", script, times))
    assert found == (["HCI01 was told to restart although nothing on it waited for a restart."] if caught else [])


def test_joining_the_preview_channel_needs_a_restart_of_that_server() -> None:
    joined: dict[str, Any] = {"name": "PreviewChannel", "before": None, "after": "ReleasePreview"}
    assert repeated(restarted("HCI01", Script().add("policy", "HCI01", node="HCI01", **joined))) == []
    assert repeated(restarted("HCI01", Script().add("policy", "HCI02", node="HCI02", **joined)))
    other = joined | {"name": "NoAutoUpdate"}
    assert repeated(restarted("HCI01", Script().add("policy", "HCI01", node="HCI01", **other)))


@pytest.mark.parametrize("detail", [{}, {"nodes": []}, {"nodes": "HCI01"}])
def test_a_rule_that_names_no_nodes_is_none(detail: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="That is no rule"):
        make_rule("restart", detail)
    assert make_rule("restart", {"nodes": list(NODES)})["kind"] == "restart"


def test_a_report_that_claims_a_restart_which_never_was_is_caught() -> None:
    report = true_report()
    report["nodes"][0].update(outcome="restarted", restarts=0, updates=[])
    script = Script().take_lock()
    for name in NODES[1:]:
        script.update(name)
    script.release_lock()
    found = [each.sentence for each in judge(script.entries, report) if each.invariant == "I12"]
    assert f"The report says {NODES[0]} was restarted; it never was." in found
