from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from include.hci.policy.upcoming import cron_times, next_start, upcoming, without_runs
from include.hci.settings.fleet import load_fleet, parse_fleet

LINES = "{timezone: UTC, lines: [{start_date: 2026-01-01 03:00, days_after_second_tuesday: 0}]}"
EXAMPLE = Path(__file__).resolve().parents[3] / "include/fleet/fleet.example.yaml"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cluster(schedule: str = LINES, options: str = "{}", ring: int = 0):
    entry = f"{{connection: h, nodes: [A1, A2], schedule: {schedule}, profile_overrides: {options}, ring_offset_days: {ring}}}"
    fleet = parse_fleet(f"clusters:\n  a: {entry}\n", "fleet.yaml")
    assert fleet.problems == ()
    return fleet.clusters["a"]


def shown(found) -> list[tuple[str, bool, str]]:
    return [(f"{one.at:%Y-%m-%dT%H:%M}", one.begins, one.remark) for one in found]


def test_a_time_in_a_blackout_stands_between_those_that_count_with_its_reason():
    dark = "{blackouts: [{begins: 2026-11-10, timezone: UTC, reason: election}]}"
    assert shown(upcoming(cluster(options=dark), utc("2026-10-01"), 2)) == [
        ("2026-10-13T03:00", True, ""),
        ("2026-11-10T03:00", False, "blackout 2026-11-10 (election)"),
        ("2026-12-08T03:00", True, ""),
    ]
    assert shown(upcoming(cluster(options=dark), utc("2026-10-01"), 1)) == [("2026-10-13T03:00", True, "")]
    assert next_start(cluster(options=dark), utc("2026-10-13T03:00")) == utc("2026-12-08T03:00")


def test_a_time_at_which_no_window_is_open_is_remarked():
    shut = "{windows: [{days_of_week: [SAT], opens: '22:00', duration: 06:00:00, timezone: UTC}]}"
    (found,) = upcoming(cluster(options=shut), utc("2026-10-01"), 1)
    assert found.begins
    assert found.remark.startswith("no node is begun then: no maintenance window is open")
    # A cron schedule begins in a blackout, too, and its run then begins no node.
    dark = "{blackouts: [{begins: 2026-11-10, timezone: UTC}]}"
    (found,) = upcoming(cluster("{cron: 0 3 * * *, timezone: UTC}", dark), utc("2026-11-09T03:00"), 1)
    assert found.begins
    assert "it is a blackout" in found.remark


def test_the_ring_is_part_of_it():
    assert shown(upcoming(cluster(ring=7), utc("2026-10-14"), 1)) == [("2026-10-20T03:00", True, "")]


def test_what_never_comes_ends():
    assert upcoming(cluster("null"), utc("2026-10-01"), 10) == ()
    assert next_start(cluster("null"), utc("2026-10-01")) is None
    assert list(cron_times("0 3 30 2 *", "UTC", utc("2026-10-01"))) == []
    for_ever = "{blackouts: [{begins: 2026-01-01, ends: 2040-01-01, timezone: UTC}]}"
    found = upcoming(cluster(options=for_ever), utc("2026-10-01"), 10)
    assert {one.begins for one in found} == {False}
    assert 60 <= len(found) <= 63  # five years
    far = LINES.replace("2026-01-01", "2033-06-01")
    assert next_start(cluster(far), utc("2026-10-01")) == utc("2033-06-14T03:00")


@pytest.mark.parametrize(
    ("schedule", "options", "said"),
    [
        ("null", "{}", "it has no schedule"),
        (LINES, "{}", ""),
        ("{cron: 0 3 * * *, timezone: UTC}", "{}", ""),
        (
            "{run_by: cau, timezone: UTC, lines: [{start_date: 2026-01-01 03:00, days_of_week: 4, interval_weeks: 1}]}",
            "{}",
            "its schedule is left to CAU's self-updating role",
        ),
        (
            LINES,
            "{attempt_soft_reboot: true, force_self_update: true}",
            "it has no rolling update, which does not act on attempt_soft_reboot, force_self_update of its profile",
        ),
    ],
)
def test_why_no_run_begins_by_itself_is_said(schedule, options, said):
    assert without_runs(cluster(schedule, options)) == said


def test_the_times_of_the_example_lie_in_its_windows():
    for found in load_fleet(EXAMPLE).clusters.values():
        assert {one.remark for one in upcoming(found, utc("2026-04-01"), 60) if one.begins} == {""}


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("30 2 * * *", "2026-03-28T12:00", ["2026-03-29T01:30", "2026-03-30T00:30"]),
        ("30 2 * * *", "2026-10-24T12:00", ["2026-10-25T01:30", "2026-10-26T01:30"]),
        ("30 * * * *", "2026-10-25T00:00", ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"]),
        ("0 22 * * SAT", "2026-10-24T20:00", ["2026-10-31T21:00"]),
    ],
)
def test_cron_times_at_both_changes_of_the_clock(cron, after, expected):
    found = list(islice(cron_times(cron, "Europe/Berlin", utc(after)), len(expected)))
    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in found] == expected
