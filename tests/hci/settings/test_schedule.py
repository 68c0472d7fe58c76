from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from include.hci.settings.fleet import parse_fleet
from include.hci.settings.schedule import Schedule, ScheduleLine, days_mask, parse_days

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)


@pytest.mark.parametrize(
    ("given", "days"),
    [
        (4, {TUE}),
        ("4", {TUE}),
        (1, {SUN}),
        (0x41, {SAT, SUN}),
        ("0x14", {TUE, THU}),
        ("Tuesday", {TUE}),
        ("Tuesday, Thursday", {TUE, THU}),
        (["TUE", "thu"], {TUE, THU}),
        (127, set(range(7))),
    ],
)
def test_days_are_named_or_given_as_the_vendors_bit_mask(given, days):
    assert parse_days(given) == days
    assert parse_days(days_mask(days)) == days


@pytest.mark.parametrize("given", [0, 128, -1, True, "", "Someday", "0", "4x", []])
def test_what_is_no_day_is_refused(given):
    with pytest.raises(ValueError):
        parse_days(given)


def line(**given) -> ScheduleLine:
    return ScheduleLine.model_validate({"start_date": "2026-03-02 03:00"} | given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"days_of_week": 4, "weeks_of_month": [3]}, "03:00 every third Tuesday of the month"),
        ({"days_of_week": "Tuesday", "weeks_of_month": [3]}, "03:00 every third Tuesday of the month"),
        ({"days_of_week": ["TUE"], "weeks_of_month": [1, 5]}, "03:00 every first, last Tuesday of the month"),
        ({"days_of_week": 0x41, "interval_weeks": 1}, "03:00 every Saturday, Sunday"),
        ({"days_of_week": 127, "interval_weeks": 1}, "03:00 every day"),
        ({"days_of_week": ["SUN", "SAT"], "interval_weeks": 2}, "03:00 every 2 weeks on Sunday, Saturday"),
        ({"days_after_second_tuesday": 0}, "03:00 every second Tuesday of the month"),
        ({"days_after_second_tuesday": 1}, "03:00 1 day after the second Tuesday of the month"),
        ({"days_after_second_tuesday": 27}, "03:00 27 days after the second Tuesday of the month"),
    ],
)
def test_a_line_has_the_parameters_of_the_self_updating_role(given, says):
    found = line(**given)
    assert found.describe() == says
    assert found.starts == datetime(2026, 3, 2, 3)
    assert ScheduleLine.model_validate(found.model_dump(mode="json", exclude_defaults=True)) == found


def test_a_schedule_says_what_it_is_in_which_zone_and_how_much_later():
    lines = [{"start_date": "2026-03-02 03:00", "days_of_week": 4, "weeks_of_month": [3]}]
    schedule = Schedule.model_validate({"timezone": "Europe/Berlin", "lines": lines})
    assert schedule.describe() == "03:00 every third Tuesday of the month (Europe/Berlin)"
    assert schedule.describe(1) == "03:00 every third Tuesday of the month, each 1 day later (Europe/Berlin)"
    assert schedule.start_within == timedelta(minutes=30)
    assert Schedule(cron="0 1 * * 0", timezone="UTC").describe() == "cron 0 1 * * 0 (UTC)"
    with pytest.raises(ValidationError):
        Schedule(timezone="UTC")


FLEET = """\
clusters:
  good:
    connection: hci
    nodes: [G1, G2]
  bad:
    connection: hci
    nodes: [B1, B2]
    ring_offset_days: {ring}
    schedule:
      timezone: UTC
      {top}
"""
LINE = "start_date: 2026-03-02 03:00"


@pytest.mark.parametrize(
    ("top", "line_number", "key", "says"),
    [
        ("start_within: 00:30:00", 9, "schedule", "says nothing about when: add 'lines' or 'cron'"),
        ("lines: []", 9, "schedule", "says nothing about when"),
        ("cron: 0 3 30 2 *", 11, "schedule.cron", "is a time that never comes"),
        ("lines: [{start_date: 9999-12-31 03:00, days_after_second_tuesday: 1}]", 11, "schedule.lines[0].start_date",
         "lies outside the years 1970 to 2999"),
        (f"{{cron: '0 1 * * 0', lines: [{{{LINE}, days_after_second_tuesday: 1}}]}}", 9, "schedule", "has both 'cron' and 'lines'"),
        ("lines: [{days_of_week: [TUE], weeks_of_month: [3]}]", 11, "schedule.lines[0].start_date", "is missing"),
        ("lines: [{start_date: 2026-03-02, days_of_week: [TUE], interval_weeks: 1}]", 11, "schedule.lines[0].start_date", "names no time of day"),
        ("lines: [{start_date: 3/2/2026 3:00:00 AM, days_of_week: [TUE], interval_weeks: 1}]", 11, "schedule.lines[0].start_date",
         "neither a date nor a time"),
        (f"lines: [{{{LINE}}}]", 11, "schedule.lines[0]", "names no day"),
        (f"lines: [{{{LINE}, days_of_week: [TUE]}}]", 11, "schedule.lines[0]", "does not say which weeks"),
        (f"lines: [{{{LINE}, days_of_week: [TUE], weeks_of_month: [1], interval_weeks: 2}}]", 11, "schedule.lines[0]", "has both"),
        (f"lines: [{{{LINE}, days_of_week: [TUE], days_after_second_tuesday: 2}}]", 11, "schedule.lines[0]", "stands alone"),
        (f"lines: [{{{LINE}, days_of_week: 128, interval_weeks: 1}}]", 11, "schedule.lines[0].days_of_week", "not a sum of weekdays"),
        (f"lines: [{{{LINE}, days_of_week: true, interval_weeks: 1}}]", 11, "schedule.lines[0].days_of_week", "not a sum of weekdays"),
        (f"lines: [{{{LINE}, days_of_week: [TUE, Tuesday], interval_weeks: 1}}]", 11, "schedule.lines[0].days_of_week", "named twice"),
        (f"lines: [{{{LINE}, days_of_week: [Someday], interval_weeks: 1}}]", 11, "schedule.lines[0].days_of_week", "not a day of the week"),
        (f"lines: [{{{LINE}, days_of_week: [TUE], weeks_of_month: [6]}}]", 11, "schedule.lines[0].weeks_of_month[0]", "5 or less"),
        (f"lines: [{{{LINE}, days_of_week: [TUE], weeks_of_month: [3, 3]}}]", 11, "schedule.lines[0].weeks_of_month", "named twice"),
        (f"lines: [{{{LINE}, days_of_week: [TUE], interval_weeks: 0}}]", 11, "schedule.lines[0].interval_weeks", "1 or more"),
        (f"lines: [{{{LINE}, days_after_second_tuesday: 28}}]", 11, "schedule.lines[0].days_after_second_tuesday", "27 or less"),
        (f"lines: [{{{LINE}, days_of_weak: [TUE], interval_weeks: 1}}]", 11, "schedule.lines[0].days_of_weak", "Did you mean 'days_of_week'?"),
        (f"lines: [{{{LINE}, days_after_second_tuesday: 1}}]\n      start_within: 8.00:00:00", 12, "schedule.start_within", "longer than seven days"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_line_and_key(top, line_number, key, says):
    text = (
        FLEET.format(ring=0, top=top) if not top.startswith("{") else FLEET.partition("    schedule:")[0].format(ring=0)
    )
    if top.startswith("{"):
        text += f"    schedule: {top[:-1]}, timezone: UTC}}\n"
    fleet = parse_fleet(text, "fleet.yaml")
    assert list(fleet.clusters) == ["good"]
    problem = fleet.problems[0]
    assert (problem.line, problem.key) == (line_number, f"clusters.bad.{key}")
    assert says in problem.message


def test_a_ring_moves_lines_only():
    fleet = parse_fleet(FLEET.format(ring=7, top="cron: 0 1 * * 0"), "fleet.yaml")
    (problem,) = fleet.problems
    assert (problem.line, problem.key) == (8, "clusters.bad.ring_offset_days")
    fleet = parse_fleet(FLEET.format(ring=28, top=f"lines: [{{{LINE}, days_after_second_tuesday: 1}}]"), "fleet.yaml")
    assert "27 or less" in fleet.problems[0].message


def test_one_schedule_serves_every_ring():
    shared = f"defaults:\n  schedule: {{timezone: UTC, lines: [{{{LINE}, days_after_second_tuesday: 0}}]}}\nclusters:\n"
    rings = "".join(f"  c{n}: {{connection: h, nodes: [A{n}, B{n}], ring_offset_days: {n}}}\n" for n in (0, 7, 14))
    fleet = parse_fleet(shared + rings, "fleet.yaml")
    assert fleet.problems == ()
    assert [found.ring_offset_days for found in fleet.clusters.values()] == [0, 7, 14]
    assert {found.schedule for found in fleet.clusters.values()} == {fleet.clusters["c0"].schedule}
