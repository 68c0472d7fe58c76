from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from dateutil import rrule, tz
from hypothesis import given, settings
from hypothesis import strategies as st

from include.hci.policy.cadence import Cadence, Line, cadence_of, line_of_role
from include.hci.settings.calendar import Blackout
from include.hci.settings.schedule import Schedule

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
START = datetime(2026, 1, 1, 3)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def monthly(weeks: set[int], days: set[int] = frozenset({TUE}), zone: str = "UTC", start: datetime = START) -> Line:
    return Line(start, zone, frozenset(days), frozenset(weeks))


def weekly(interval: int, days: set[int] = frozenset({TUE}), zone: str = "UTC", start: datetime = START) -> Line:
    return Line(start, zone, frozenset(days), interval_weeks=interval)


def patch(days: int, zone: str = "UTC", start: datetime = START) -> Line:
    return Line(start, zone, after_second_tuesday=days)


def times(line: Line, begin: str, end: str, **more) -> list[str]:
    return [f"{found:%Y-%m-%dT%H:%M}" for found in Cadence((line,), **more).between(utc(begin), utc(end))]


def role(zone: str, ring: int = 0, **line) -> Cadence:
    """Return the cadence of one line of a fleet file."""
    schedule = Schedule.model_validate({"timezone": zone, "lines": [line]})
    return cadence_of(schedule, ring)


#: Add-CauClusterRole -DaysOfWeek 4 -WeeksOfMonth @(3) -StartDate "3/2/2020 3:00:00 AM"
VENDOR = {"start_date": "2020-03-02 03:00", "days_of_week": 4, "weeks_of_month": [3]}


@pytest.mark.parametrize(
    ("cadence", "begin", "expected"),
    [
        # 4 is Tuesday, not Thursday; none before the start date's month, winter and summer at 03:00 of the zone.
        (role("UTC", **VENDOR), "2020-01-01", ["2020-03-17T03:00", "2020-04-21T03:00", "2020-05-19T03:00", "2020-06-16T03:00"]),
        (role("Europe/Berlin", **VENDOR), "2020-01-01", ["2020-03-17T02:00", "2020-04-21T01:00", "2020-05-19T01:00"]),
        (role("Europe/Berlin", **VENDOR), "2020-09-30", ["2020-10-20T01:00", "2020-11-17T02:00", "2020-12-15T02:00"]),
        (role("America/New_York", **VENDOR), "2020-01-01", ["2020-03-17T07:00", "2020-04-21T07:00"]),
        # The start date's own month counts from the start date on: the third Tuesday of March 2020 is the 17th.
        (role("UTC", **VENDOR | {"start_date": "2020-03-17 03:00"}), "2020-01-01", ["2020-03-17T03:00", "2020-04-21T03:00"]),
        (role("UTC", **VENDOR | {"start_date": "2020-03-18 03:00"}), "2020-01-01", ["2020-04-21T03:00", "2020-05-19T03:00"]),
        # A time that the clocks skip (Sunday 29 March 2020, 02:30) and one that they show twice (25 October 2020, 02:30).
        (role("Europe/Berlin", start_date="2020-03-02 02:30", days_of_week=1, weeks_of_month=[5]), "2020-03-01",
         ["2020-03-29T01:30", "2020-04-26T00:30", "2020-05-31T00:30"]),
        (role("Europe/Berlin", start_date="2020-03-02 02:30", days_of_week=1, weeks_of_month=[5]), "2020-10-01",
         ["2020-10-25T00:30", "2020-11-29T01:30"]),
        # New York: 02:00 -> 03:00 on 8 March 2026, 02:00 -> 01:00 on 1 November 2026.
        (role("America/New_York", start_date="2026-01-01 02:30", days_of_week="SUN", interval_weeks=1), "2026-03-07",
         ["2026-03-08T07:30", "2026-03-15T06:30"]),
        (role("America/New_York", start_date="2026-01-01 01:30", days_of_week="SUN", interval_weeks=1), "2026-10-31",
         ["2026-11-01T05:30", "2026-11-08T06:30"]),
        # Every other week goes on across the new year, counted from the start date.
        (role("UTC", start_date="2026-12-12 22:00", days_of_week=["SAT"], interval_weeks=2), "2026-12-01",
         ["2026-12-12T22:00", "2026-12-26T22:00", "2027-01-09T22:00"]),
        # Second Tuesdays of 2026: 13 October, 10 November, 8 December. A ring comes a week after the one before.
        (role("UTC", start_date="2026-01-01 22:00", days_after_second_tuesday=0), "2026-10-01",
         ["2026-10-13T22:00", "2026-11-10T22:00", "2026-12-08T22:00"]),
        (role("UTC", 7, start_date="2026-01-01 22:00", days_after_second_tuesday=4), "2026-10-15",
         ["2026-10-24T22:00", "2026-11-21T22:00", "2026-12-19T22:00"]),
        (role("UTC", start_date="2026-01-01 22:00", days_after_second_tuesday=27), "2026-10-01",
         ["2026-10-05T22:00", "2026-11-09T22:00", "2026-12-07T22:00"]),
    ],
)  # fmt: skip
def test_a_line_means_exactly_these_times(cadence, begin, expected):
    found = [cadence.next_after(utc(begin))]
    while len(found) < len(expected):
        found.append(cadence.next_after(found[-1]))
    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in found] == expected


def test_the_last_time_until_a_moment_is_found_however_long_ago():
    cadence = role("UTC", **VENDOR)
    assert cadence.last_until(utc("2020-04-21T03:00"), utc("2020-03-17T03:00")) == utc("2020-04-21T03:00")
    assert cadence.last_until(utc("2020-04-21T02:59"), utc("2020-03-17T02:59")) == utc("2020-03-17T03:00")
    assert cadence.last_until(utc("2020-04-21T02:59"), utc("2020-03-17T03:00")) is None
    yearly = Blackout.model_validate({"begins": "2020-05-01", "ends": "2021-04-30", "timezone": "UTC"})
    dark = Cadence(cadence.lines, (yearly,))
    assert dark.last_until(utc("2021-04-30"), utc("2020-01-01")) == utc("2020-04-21T03:00")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (monthly({5}), ["2026-10-27", "2026-11-24"]),
        (monthly({4}), ["2026-10-27", "2026-11-24"]),
        (monthly({1, 3}), ["2026-10-06", "2026-10-20", "2026-11-03", "2026-11-17"]),
        (monthly({5}, {SAT}), ["2026-10-31", "2026-11-28"]),
        (
            weekly(1),
            [
                "2026-10-06",
                "2026-10-13",
                "2026-10-20",
                "2026-10-27",
                "2026-11-03",
                "2026-11-10",
                "2026-11-17",
                "2026-11-24",
            ],
        ),
        (weekly(4, start=datetime(2026, 9, 29, 3)), ["2026-10-27", "2026-11-24"]),
        (patch(0), ["2026-10-13", "2026-11-10"]),
        (patch(4), ["2026-10-17", "2026-11-14"]),
        (patch(27), ["2026-10-05", "2026-11-09"]),
    ],
)
def test_each_kind_of_line_has_its_days(line, expected):
    assert times(line, "2026-10-01", "2026-12-01") == [f"{day}T03:00" for day in expected]


def test_an_interval_counts_weeks_that_begin_on_sunday():
    # The line begins on a Wednesday; the Sunday before it is in the same week, the one after it in the next.
    line = weekly(2, {WED, SUN}, start=datetime(2026, 11, 4, 3))
    assert times(line, "2026-11-01", "2026-12-01") == [
        "2026-11-04T03:00",
        "2026-11-15T03:00",
        "2026-11-18T03:00",
        "2026-11-29T03:00",
    ]


@pytest.mark.parametrize(
    ("clock", "begin", "expected"),
    [
        # Berlin: 02:00 -> 03:00 on 29 March 2026; 03:00 -> 02:00 on 25 October 2026.
        (datetime(2026, 1, 1, 2, 30), "2026-03-29T00:00", "2026-03-29T01:30"),
        (datetime(2026, 1, 1, 1, 59), "2026-03-29T00:00", "2026-03-29T00:59"),
        (datetime(2026, 1, 1, 3, 0), "2026-03-29T00:00", "2026-03-29T01:00"),
        (datetime(2026, 1, 1, 2, 30), "2026-10-25T00:00", "2026-10-25T00:30"),
        (datetime(2026, 1, 1, 3, 0), "2026-10-25T00:00", "2026-10-25T02:00"),
    ],
)
def test_a_time_that_clocks_skip_comes_later_and_one_that_they_show_twice_comes_once(clock, begin, expected):
    line = weekly(1, {SUN}, "Europe/Berlin", clock)
    end = utc(begin) + timedelta(days=1)
    assert [f"{found:%Y-%m-%dT%H:%M}" for found in Cadence((line,)).between(utc(begin), end)] == [expected]


def test_a_ring_comes_days_later_at_the_same_time_of_day():
    line = patch(0, "Europe/Berlin")
    assert times(line, "2026-03-01", "2026-04-01", ring_offset=21) == ["2026-03-03T02:00", "2026-03-31T01:00"]
    assert times(line, "2026-03-01", "2026-04-01") == ["2026-03-10T02:00"]


def test_a_time_in_a_blackout_is_left_out_and_explained():
    freeze = Blackout.model_validate({"begins": "2026-11-10", "timezone": "UTC", "reason": "election"})
    cadence = Cadence((patch(0),), (freeze,))
    (found,) = cadence.explained(utc("2026-11-01"), utc("2026-12-01"))
    assert (found.at, found.skipped) == (utc("2026-11-10T03:00"), "blackout 2026-11-10 (election)")
    assert cadence.between(utc("2026-11-01"), utc("2026-12-01")) == ()
    assert cadence.next_after(utc("2026-11-01")) == utc("2026-12-08T03:00")


def test_several_lines_are_one_schedule_with_each_time_once():
    cadence = Cadence((monthly({2}), weekly(1), patch(2)))
    found = cadence.between(utc("2026-11-08"), utc("2026-11-15"))
    assert found == (utc("2026-11-10T03:00"), utc("2026-11-12T03:00"))


def test_the_next_time_lies_after_the_moment_and_not_before_the_line_begins():
    cadence = Cadence((weekly(1, start=datetime(2031, 6, 1, 3)),))
    assert cadence.next_after(utc("2026-11-10")) == utc("2031-06-03T03:00")
    assert Cadence((weekly(1),)).next_after(utc("2026-11-10T03:00")) == utc("2026-11-17T03:00")
    assert Cadence((weekly(1),)).next_after(utc("2026-11-10T02:59")) == utc("2026-11-10T03:00")
    assert Cadence(()).next_after(utc("2026-11-10")) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"days_of_week": frozenset({TUE})},
        {"days_of_week": frozenset({7}), "interval_weeks": 1},
        {"days_of_week": frozenset({TUE}), "interval_weeks": 0},
        {"days_of_week": frozenset({TUE}), "weeks_of_month": frozenset({6})},
        {"days_of_week": frozenset({TUE}), "weeks_of_month": frozenset({1}), "interval_weeks": 1},
        {"after_second_tuesday": 28},
        {"after_second_tuesday": -1},
        {"after_second_tuesday": 1, "days_of_week": frozenset({TUE})},
    ],
)
def test_a_line_is_of_one_kind(wrong):
    with pytest.raises(ValueError):
        Line(START, "UTC", **wrong)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ({"DaysOfWeek": "Tuesday", "WeeksOfMonth": "3"}, monthly({3}, start=datetime(2000, 1, 1, 3))),
        (
            {"DaysOfWeek": "4", "WeeksOfMonth": "1 3", "StartDate": "2026-03-02T22:00:00"},
            monthly({1, 3}, start=datetime(2026, 3, 2, 22)),
        ),
        (
            {"DaysOfWeek": "Saturday", "IntervalWeeks": "2", "StartDate": "3/2/2026 3:00:00 AM"},
            weekly(2, {SAT}, start=datetime(2026, 3, 2, 3)),
        ),
        ({"ResourceGroupName": "CAUgroup"}, None),
        ({"DaysOfWeek": "Tuesday", "WeeksOfMonth": "3", "StartDate": "soon"}, None),
        ({"DaysOfWeek": "Tuesday", "WeeksOfMonth": "3", "StartDate": "9999-12-31T23:59:59"}, None),
        # .NET's DateTime that was never set.
        (
            {"DaysOfWeek": "Tuesday", "WeeksOfMonth": "3", "StartDate": "0001-01-01T00:00:00"},
            monthly({3}, start=datetime(2000, 1, 1)),
        ),
    ],
)
def test_the_schedule_of_the_self_updating_role_is_read_from_its_parameters(role, expected):
    assert line_of_role(role, "UTC") == expected


# --- against an independent implementation

_RDAYS = (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU)
_ZONE_NAMES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Sao_Paulo")
_ZONES = st.sampled_from(_ZONE_NAMES)
_STARTS = st.datetimes(datetime(2023, 1, 1), datetime(2027, 12, 31)).map(
    lambda start: start.replace(second=0, microsecond=0)
)
_DAYS = st.frozensets(st.integers(0, 6), min_size=1)
_LINES = st.one_of(
    st.builds(Line, _STARTS, _ZONES, _DAYS, st.frozensets(st.integers(1, 5), min_size=1)),
    st.builds(
        lambda start, zone, days, weeks: Line(start, zone, days, interval_weeks=weeks),
        _STARTS,
        _ZONES,
        _DAYS,
        st.integers(1, 9),
    ),
    st.builds(
        lambda start, zone, days: Line(start, zone, after_second_tuesday=days), _STARTS, _ZONES, st.integers(0, 27)
    ),
)


def by_rrule(line: Line, begin: datetime, end: datetime, offset: int) -> set[datetime]:
    # rrule begins a month earlier for lines that count from the second Tuesday, so that none of their days is lost.
    reach = (end - timedelta(days=offset) + timedelta(days=2)).replace(tzinfo=None)
    if line.after_second_tuesday is not None:
        early = line.starts - timedelta(days=62)
        tuesdays = rrule.rrule(rrule.MONTHLY, dtstart=early, byweekday=rrule.TU(2), until=reach)
        local = [found + timedelta(days=line.after_second_tuesday) for found in tuesdays]
    elif line.interval_weeks is not None:
        days = [_RDAYS[day] for day in line.days_of_week]
        local = list(
            rrule.rrule(
                rrule.WEEKLY,
                dtstart=line.starts,
                interval=line.interval_weeks,
                byweekday=days,
                wkst=rrule.SU,
                until=reach,
            )
        )
    else:
        days = [_RDAYS[day](-1 if week == 5 else week) for day in line.days_of_week for week in line.weeks_of_month]
        local = list(rrule.rrule(rrule.MONTHLY, dtstart=line.starts, byweekday=days, until=reach))
    zone = tz.gettz(line.timezone)
    moments = (
        tz.resolve_imaginary((found + timedelta(days=offset)).replace(tzinfo=zone)).astimezone(UTC)
        for found in local
        if found >= line.starts
    )
    return {moment for moment in moments if begin <= moment < end}


@settings(max_examples=2000, deadline=None)
@given(_LINES, _STARTS, st.integers(1, 400), st.integers(0, 30))
def test_every_schedule_has_the_times_that_rrule_gives_it(line, begin, length, offset):
    begin = begin.replace(tzinfo=UTC)
    end = begin + timedelta(days=length)
    assert set(Cadence((line,), ring_offset=offset).between(begin, end)) == by_rrule(line, begin, end, offset)


def random_line(random: Random, starts: datetime) -> Line:
    zone, days = random.choice(_ZONE_NAMES), frozenset(random.sample(range(7), random.randint(1, 7)))
    kind = random.randrange(3)
    if kind == 0:
        return Line(starts, zone, days, frozenset(random.sample(range(1, 6), random.randint(1, 5))))
    if kind == 1:
        return Line(starts, zone, days, interval_weeks=random.randint(1, 9))
    return Line(starts, zone, after_second_tuesday=random.randint(0, 27))


def test_eight_thousand_more_schedules_begun_not_long_ago_agree_with_rrule():
    # Without hypothesis, which takes most of the time, and near their start date, where rrule is quick.
    random = Random(20261124)
    times = 0
    for _ in range(8000):
        begin = datetime(2023, 1, 1) + timedelta(minutes=random.randrange(5 * 365 * 1440))
        line = random_line(random, begin + timedelta(minutes=random.randrange(-200 * 1440, 100 * 1440)))
        offset = random.randint(0, 30)
        begin = begin.replace(tzinfo=UTC)
        end = begin + timedelta(days=random.randint(1, 250))
        found = Cadence((line,), ring_offset=offset).between(begin, end)
        assert set(found) == by_rrule(line, begin, end, offset), (line, begin, end, offset)
        times += len(found)
    assert times > 100_000


@settings(max_examples=100, deadline=None)
@given(st.lists(_LINES, min_size=1, max_size=3), _STARTS)
def test_the_next_time_is_the_first_of_those_that_follow(lines, moment):
    cadence, moment = Cadence(tuple(lines)), moment.replace(tzinfo=UTC)
    found = cadence.next_after(moment)
    assert found is not None
    assert cadence.between(moment + timedelta(microseconds=1), found + timedelta(microseconds=1)) == (found,)
