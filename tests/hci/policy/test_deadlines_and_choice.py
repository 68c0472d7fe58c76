from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.hci.policy.deadlines import after_script, run_deadlines
from include.hci.policy.updater_choice import NodeProbe, choose_updater

NOW = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("ran", "warns", "stops", "said"),
    [
        (timedelta(0), False, False, ""),
        (HOUR - timedelta(seconds=1), False, False, ""),
        (HOUR, True, False, "The run has taken 1 h, more than warn_after (1 h)."),
        (2 * HOUR, False, True, "The run has taken 2 h, stop_after is 2 h: it stops."),
        (5 * HOUR, False, True, "The run has taken 5 h, stop_after is 2 h: it stops."),
    ],
)
def test_a_run_warns_and_then_stops_counted_from_its_beginning(ran, warns, stops, said):
    deadlines = run_deadlines(NOW, HOUR, 2 * HOUR)
    now = NOW + ran
    assert (deadlines.should_warn(now), deadlines.must_stop(now), deadlines.said(now)) == (warns, stops, said)


def test_without_limits_nothing_is_said_after_any_time():
    deadlines = run_deadlines(NOW, None, None)
    assert deadlines.said(NOW + timedelta(days=365)) == ""
    assert not deadlines.must_stop(NOW + timedelta(days=365))


@pytest.mark.parametrize(
    ("which", "error", "goes_on", "said"),
    [
        ("pre", "", True, "has ended well on HCI01"),
        ("post", "", True, "has ended well on HCI01"),
        ("pre", "exit code 1", False, "HCI01 is not updated: its pre-update script failed (exit code 1)"),
        ("post", "exit code 1", False, "HCI01 is updated and back in service"),
    ],
)
def test_a_script_that_fails_stops_its_node_and_says_in_which_state(which, error, goes_on, said):
    verdict = after_script(which, "HCI01", error)
    assert verdict.go_on is goes_on
    assert said in verdict.why


GOOD = NodeProbe(True, "every method is there", False, True, "tasks can be registered")
NO_PROVIDER = NodeProbe(False, "no provider", None, True, "tasks can be registered")
BLOCKED = NodeProbe(True, "every method is there", True, True, "tasks can be registered")
NOTHING = NodeProbe(False, "no provider", None, False, "the scheduler is off")


@pytest.mark.parametrize(
    ("probe", "wanted", "name", "why"),
    [
        (GOOD, "auto", "cau_provider", "every method is there"),
        (GOOD, "system_task", "system_task", "tasks can be registered"),
        (NodeProbe(True, "every method is there"), "auto", "cau_provider", "every method is there"),
        (NO_PROVIDER, "auto", "system_task", "no provider; tasks can be registered"),
        (NO_PROVIDER, "cau_provider", None, "no provider"),
        (
            BLOCKED,
            "auto",
            "system_task",
            "Defender blocks the processes that WMI starts (0x80070005); tasks can be registered",
        ),
        (BLOCKED, "cau_provider", None, "Defender blocks the processes that WMI starts (0x80070005)"),
        (NOTHING, "auto", None, "no provider; scheduled tasks cannot be used: the scheduler is off"),
        (NOTHING, "system_task", None, "scheduled tasks cannot be used: the scheduler is off"),
    ],
)
def test_the_provider_comes_first_and_a_task_where_it_cannot_be_used(probe, wanted, name, why):
    choice = choose_updater(probe, wanted)
    assert (choice.name, choice.why) == (name, why)
