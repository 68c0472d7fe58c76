"""A plan whose options were changed while its run goes on: what was approved is that plan and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from include.hci.steps.decisions import Done, Stop
from include.hci.steps.turn import Turn
from tests.hci.steps.facts import DRAINED, ME, NOW, context, others, plan
from tests.hci.steps.test_decisions import turn

MADE_WITH = context().options.to_json()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        # Patience, and when the run may work, are for people to change at any time.
        {"drain_timeout_minutes": 7},
        {"pause_points": ("before-drain",)},
    ],
)
def test_a_node_has_its_turn_under_the_options_of_its_plan(changes: dict[str, Any]):
    decision = Turn(context(**changes), ME).decide(turn(plan=plan(options=MADE_WITH)), NOW)
    assert isinstance(decision, Done)
    assert decision.outcome == "go"


@pytest.mark.parametrize("changes", [{"failback_mode": "NoFailback"}, {"updates": {"reject_kbs": ["KB5044288"]}}])
def test_no_other_node_is_begun_once_the_fleet_file_says_something_else(changes: dict[str, Any]):
    facts = turn(plan=plan(options=MADE_WITH))
    decision = Turn(context(**changes), ME).decide(facts, NOW)
    assert isinstance(decision, Stop)
    assert decision.problem.title.startswith(f"The plan is void: the option {next(iter(changes))} is ")
    assert decision.problem.retry_is_safe is False
    assert "put them back as they were" in decision.problem.next_action


def test_a_node_that_is_out_of_service_already_is_brought_to_its_end():
    facts = turn(plan=plan(options=MADE_WITH), nodes=(DRAINED, *others()), ours=frozenset({ME.lower()}))
    decision = Turn(context(failback_mode="NoFailback"), ME).decide(facts, NOW)
    assert isinstance(decision, Done)
    assert "it goes on there" in decision.why
