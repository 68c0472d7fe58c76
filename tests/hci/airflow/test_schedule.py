from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.hci.airflow.schedule import missed_window

DUE = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("run_type", "minutes", "missed"),
    [("scheduled", 0, False), ("scheduled", 30, False), ("scheduled", 31, True), ("manual", 600, False)],
)
def test_only_scheduled_runs_that_begin_late_miss_their_window(run_type, minutes, missed):
    answer = missed_window(run_type, DUE, DUE + timedelta(minutes=minutes))
    assert (answer is not None) is missed
    if answer:
        assert "2026-11-03 01:00" in answer
        assert "31 min late" in answer
