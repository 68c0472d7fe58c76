from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.timetables.trigger import CronTriggerTimetable

from include.hci.airflow.schedule import missed_window, timetable_of
from include.hci.airflow.timetable import SelfUpdatingTimetable
from include.hci.settings.fleet import parse_fleet

#: A second Tuesday, 03:00 in Berlin.
DUE = datetime(2026, 11, 10, 2, 0, tzinfo=UTC)
LINES = "lines: [{start_date: 2026-01-01 03:00, days_after_second_tuesday: 0}]"


def cluster(schedule: str, more: str = ""):
    fleet = parse_fleet(
        f"clusters: {{a: {{connection: h, nodes: [A1, A2], schedule: {schedule}{more}}}}}", "fleet.yaml"
    )
    assert fleet.problems == ()
    return fleet.clusters["a"]


@pytest.mark.parametrize(
    ("run_type", "schedule", "minutes", "missed"),
    [
        ("scheduled", f"{{timezone: Europe/Berlin, {LINES}}}", 0, False),
        ("scheduled", f"{{timezone: Europe/Berlin, {LINES}}}", 30, False),
        ("scheduled", f"{{timezone: Europe/Berlin, {LINES}}}", 31, True),
        ("scheduled", "{cron: 0 3 * * 2, timezone: Europe/Berlin}", 31, True),
        ("scheduled", "null", 31, True),
        ("scheduled", f"{{timezone: Europe/Berlin, {LINES}, start_within: 12:00:00}}", 720, False),
        ("scheduled", f"{{timezone: Europe/Berlin, {LINES}, start_within: 12:00:00}}", 721, True),
        ("manual", f"{{timezone: Europe/Berlin, {LINES}}}", 600, False),
    ],
)
def test_only_scheduled_runs_that_begin_late_miss_their_window(run_type, schedule, minutes, missed):
    answer = missed_window(run_type, DUE, DUE + timedelta(minutes=minutes), cluster(schedule))
    assert (answer is not None) is missed


def test_a_missed_window_says_when_it_was_how_late_and_what_comes_next():
    answer = missed_window("scheduled", DUE, DUE + timedelta(hours=9), cluster(f"{{timezone: Europe/Berlin, {LINES}}}"))
    assert answer is not None
    assert "due at 2026-11-10 03:00 Europe/Berlin (2026-11-10 02:00 UTC) and began 9 h late" in answer
    assert "More than 30 min (start_within)" in answer
    assert "The next time is 2026-12-08 03:00 Europe/Berlin (2026-12-08 02:00 UTC)." in answer
    assert "There is no next time." in (
        missed_window("scheduled", DUE, DUE + timedelta(hours=9), cluster("null")) or ""
    )


@pytest.mark.parametrize(
    ("before", "says"),
    [
        (None, ""),
        (datetime(2026, 10, 13, 1, tzinfo=UTC), ""),
        (datetime(2026, 9, 8, 1, tzinfo=UTC), "it, 1 time had passed without any run: 2026-10-13 03:00 Europe/Berlin (2026-10-13 01:00 UTC)."),
        (datetime(2026, 5, 12, 1, tzinfo=UTC), "it, 5 times had passed without any run: ... 2026-08-11 03:00 Europe/Berlin"),
    ],
)  # fmt: skip
def test_times_for_which_there_was_not_even_a_run_are_told_as_well(before, says):
    lines = cluster(f"{{timezone: Europe/Berlin, {LINES}}}")
    answer = missed_window("scheduled", DUE, DUE + timedelta(hours=9), lines, lambda: before)
    assert answer is not None
    assert ("without any run" in answer) is bool(says)
    assert says in answer


def test_each_kind_of_schedule_has_its_timetable():
    assert timetable_of(cluster("null")) is None
    cron = timetable_of(cluster("{cron: 0 3 * * 2, timezone: Europe/Berlin}"))
    assert cron == CronTriggerTimetable("0 3 * * 2", timezone="Europe/Berlin")
    dark = "{begins: 2026-12-19, ends: 2027-01-03, timezone: Europe/Berlin, reason: Closing}"
    found = timetable_of(
        cluster(
            f"{{timezone: Europe/Berlin, {LINES}}}",
            f", ring_offset_days: 7, profile_overrides: {{blackouts: [{dark}]}}",
        )
    )
    assert found == SelfUpdatingTimetable(
        timezone="Europe/Berlin",
        lines=[{"start_date": "2026-01-01 03:00", "days_after_second_tuesday": 0}],
        ring_offset_days=7,
        blackouts=[{"begins": "2026-12-19", "ends": "2027-01-03", "timezone": "Europe/Berlin", "reason": "Closing"}],
    )
