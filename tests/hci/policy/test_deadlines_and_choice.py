from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.hci.policy.deadlines import run_deadlines
from include.hci.policy.updater_choice import NodeProbe, choose_updater

NOW = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("ran", "said"),
    [
        (timedelta(0), ""),
        (HOUR - timedelta(seconds=1), ""),
        (HOUR, "The run has taken 1 h, more than warn_after (1 h)."),
        (5 * HOUR, "The run has taken 5 h, more than warn_after (1 h)."),
    ],
)
def test_a_run_warns_counted_from_its_beginning(ran, said):
    assert run_deadlines(NOW, HOUR, 2 * HOUR).warning(NOW + ran) == said


def test_a_run_stops_counted_from_its_beginning_and_without_limits_never():
    assert run_deadlines(NOW, HOUR, 2 * HOUR).stop_at == NOW + 2 * HOUR
    without = run_deadlines(NOW, None, None)
    assert without.warning(NOW + timedelta(days=365)) == ""
    assert without.stop_at is None


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
