from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.hci.cluster.nodes import ClusterGroup, ClusterResource
from include.hci.cluster.updates import Update
from include.hci.cluster.values import GroupState
from include.hci.policy.estimates import (
    FIRST_GUESS,
    FIRST_RANGE,
    Estimate,
    estimate_node_range,
    estimate_range,
    total,
)
from include.hci.policy.order import coordinator_owner, order_nodes
from include.hci.policy.outlook import make_outlook
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.settings.calendar import MaintenanceWindow

NOW = datetime(2026, 11, 7, 22, tzinfo=UTC)
NAMES = ("HCI01", "HCI02", "HCI03")
UPDATE = Update("a", "KB5044288")
PLAN = Plan(
    "HCI-CL01", NOW, tuple(PlannedNode(name, (UPDATE,), build="20348.1") for name in NAMES), NAMES, max_failed_nodes=1
)
WINDOW = MaintenanceWindow.model_validate(
    {"days_of_week": ["SAT"], "opens": "22:00", "duration": "06:00:00", "timezone": "UTC"}
)
HOUR = timedelta(hours=1)


def minutes(*numbers: float) -> list[timedelta]:
    return [timedelta(minutes=number) for number in numbers]


def test_without_history_the_documented_figures_count():
    found = estimate_node_range()
    assert found.expected == HOUR
    assert found.low < found.expected < found.high == 2 * HOUR
    assert not found.from_history
    assert FIRST_RANGE.keys() == FIRST_GUESS.keys()
    assert all(low <= FIRST_GUESS[step] <= high for step, (low, high) in FIRST_RANGE.items())


@pytest.mark.parametrize(
    ("seen", "low", "expected", "high"),
    [
        (minutes(*range(1, 11)), 1, 5, 9),
        (minutes(3, 1, 2), 1, 2, 3),
        (minutes(7), 7, 7, 10),
        (minutes(40), 40, 40, 40),
        (minutes(*[99] * 20, *range(1, 11)), 1, 5, 9),
    ],
)
def test_history_gives_the_range_and_little_of_it_keeps_the_documented_high_end(seen, low, expected, high):
    found = estimate_range("drain", seen)
    assert (found.low, found.expected, found.high) == tuple(minutes(low, expected, high))
    assert found.from_history


def test_estimates_add_up():
    one = Estimate(*minutes(1, 2, 3))
    assert total([one, one.times(2)]) == Estimate(*minutes(3, 6, 9))
    assert not (one + replace(one, from_history=False)).from_history
    assert one.describe() == "1 min to 3 min, probably 2 min"


def test_the_end_is_a_range_over_the_nodes_that_have_work():
    plan = replace(PLAN, nodes=(*PLAN.nodes[:2], PlannedNode("HCI03")))
    found = make_outlook(plan, NOW)
    assert found.ends[1] == NOW + 2 * HOUR
    assert found.ends[2] == NOW + 4 * HOUR
    assert (found.closes, found.nodes_in_window) == (None, 2)
    assert found.node == total(found.phases.values())


@pytest.mark.parametrize(
    ("begin", "fitting", "said"),
    [
        (NOW, 3, None),
        (NOW + 2.5 * HOUR, 2, "Only 2 of 3 nodes are begun before 2026-11-08 04:00 UTC; the others wait."),
        (NOW + 4.5 * HOUR, 0, "No node can be begun now: the window closes"),
        (NOW - HOUR, 0, "No node can be begun now: no maintenance window is open"),
    ],
)
def test_the_window_is_held_against_the_plan(begin, fitting, said):
    found = make_outlook(PLAN, begin, windows=(WINDOW,))
    assert found.nodes_in_window == fitting
    assert said is None or any(said in risk for risk in found.risks)


def test_a_run_that_ends_in_time_only_when_it_is_not_slow_is_a_risk():
    four = replace(PLAN, nodes=(*PLAN.nodes, PlannedNode("HCI04", (UPDATE,), build="20348.1")))
    found = make_outlook(four, NOW, windows=(WINDOW,))
    assert "If it is slow, it ends at 2026-11-08 06:00 UTC, after 2026-11-08 04:00 UTC." in found.risks


@pytest.mark.parametrize(
    ("hours", "windows", "begun", "said"),
    [
        (3.0, (), 3, None),
        # The third one is begun when two hours have passed, and stop_after is from then on.
        (2.01, (), 3, None),
        (2.0, (), 2, "Only 2 of 3 nodes are begun before 2026-11-08 00:00 UTC (stop_after); the others wait."),
        (0.0, (), 0, "No node can be begun now: the run was to stop at 2026-11-07 22:00 UTC (stop_after)."),
        (1.5, (WINDOW,), 2, "Only 2 of 3 nodes are begun before 2026-11-07 23:30 UTC (stop_after); the others wait."),
    ],
)
def test_stop_after_is_held_against_the_plan_as_well(hours, windows, begun, said):
    found = make_outlook(PLAN, NOW, windows=windows, stop_at=NOW + hours * HOUR)
    assert found.nodes_in_window == begun
    assert [risk for risk in found.risks if "stop_after" in risk] == ([] if said is None else [said])


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (replace(PLAN, members=("HCI01", "HCI02")), "The cluster has two nodes"),
        (replace(PLAN, already_out=("HCI09",)), "HCI09 is out of service already"),
        (replace(PLAN, max_failed_nodes=0), "max_failed_nodes is 0"),
        (
            replace(PLAN, nodes=(*PLAN.nodes[:2], replace(PLAN.nodes[2], build="20348.9"))),
            "different builds (20348.1, 20348.9)",
        ),
        (replace(PLAN, nodes=(replace(PLAN.nodes[0], manual_maintenance=True),)), "entered by hand on HCI01"),
        (replace(PLAN, nodes=(replace(PLAN.nodes[0], restart_pending=True),)), "HCI01 waits for a restart"),
        (PLAN, "at least these"),
        (PLAN, "not taken back"),
        (PLAN, "There is no history"),
    ],
)
def test_risks_are_sentences(plan, said):
    (risk,) = [risk for risk in make_outlook(plan, NOW).risks if said in risk]
    assert risk.endswith(".")


def test_a_plan_without_work_has_no_risks():
    plan = replace(PLAN, nodes=(PlannedNode("HCI01"),), max_failed_nodes=0)
    assert make_outlook(plan, NOW, windows=(WINDOW,)).risks == ()


def test_with_history_its_own_figures_are_used():
    seen = {step: minutes(1, 1, 1) for step in FIRST_GUESS}
    found = make_outlook(PLAN, NOW, seen)
    assert found.node.expected == timedelta(minutes=5)
    assert not any("no history" in risk for risk in found.risks)


CORE = ClusterGroup("Cluster Group", "HCI01", GroupState.ONLINE, "Cluster")
ROLE = ClusterResource("CAU", "ClusterAwareUpdatingResource", "Online", "CAUgroup", "HCI02")


def test_the_owner_of_the_coordinating_role_is_last_unless_it_is_named():
    assert coordinator_owner((ROLE,)) == "HCI02"
    assert coordinator_owner(()) == ""
    order = order_nodes(NAMES, (CORE,), last="hci01")
    assert order.nodes == ("HCI02", "HCI03", "HCI01")
    assert order.why["HCI01"] == "0 clustered roles, owner of the coordinating role: last"
    assert order_nodes(NAMES, (CORE,), ("HCI01",), last="HCI01").nodes == NAMES
