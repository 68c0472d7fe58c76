from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from dateutil import tz
from hypothesis import given, settings
from hypothesis import strategies as st

from include.hci.policy.windows import GateAnswer, blackout_span, may_begin, next_opening, openings
from include.hci.settings.calendar import WEEKDAYS, Blackout, MaintenanceWindow

HOUR = timedelta(hours=1)
SATURDAY = MaintenanceWindow.model_validate(
    {"days_of_week": ["SAT"], "opens": "22:00", "duration": "06:00:00", "timezone": "Europe/Berlin"}
)
PATCH_WEEKEND = SATURDAY.model_copy(update={"weeks_of_month": (2,)})
CHRISTMAS = Blackout.model_validate(
    {"begins": "2026-12-20", "ends": "2027-01-03", "timezone": "Europe/Berlin", "reason": "freeze"}
)


def window(**changes: object) -> MaintenanceWindow:
    given = {"days_of_week": ["SAT"], "opens": "22:00", "duration": "06:00:00", "timezone": "UTC"}
    return MaintenanceWindow.model_validate(given | changes)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "allowed", "said"),
    [
        ("2026-11-07T20:59", False, "no maintenance window is open"),
        ("2026-11-07T21:00", True, "6 h are left"),
        ("2026-11-08T01:00", True, "2 h are left"),
        ("2026-11-08T01:01", False, "the window closes at 2026-11-08 04:00 Europe/Berlin"),
        ("2026-11-08T02:59", False, "the window closes"),
        ("2026-11-08T03:00", False, "no maintenance window is open"),
    ],
)
def test_a_node_is_begun_only_while_the_window_leaves_time_for_it(now, allowed, said):
    answer = may_begin(utc(now), [SATURDAY], [], 2 * HOUR)
    assert answer.allowed is allowed
    assert said in answer.why


def test_without_windows_it_is_always_open():
    assert may_begin(utc("2026-11-04T12:00"), [], [], 9 * HOUR) == GateAnswer(
        True, "no window is configured, so it is always open"
    )


def test_the_next_opening_is_named():
    answer = may_begin(utc("2026-11-04T12:00"), [SATURDAY], [], 2 * HOUR)
    assert answer.next_opening == utc("2026-11-07T21:00")
    late = may_begin(utc("2026-11-08T02:00"), [SATURDAY], [], 2 * HOUR)
    assert (late.next_opening, late.closes) == (utc("2026-11-14T21:00"), utc("2026-11-08T03:00"))


def test_a_window_that_is_too_short_for_any_node_never_opens():
    answer = may_begin(utc("2026-11-04T12:00"), [SATURDAY], [], 7 * HOUR)
    assert (answer.allowed, answer.next_opening) == (False, None)


@pytest.mark.parametrize(
    ("weeks", "day", "allowed"),
    [
        ((2,), 14, True),
        ((2,), 7, False),
        ((1,), 7, True),
        ((5,), 28, True),
        ((4,), 28, True),
        ((5,), 21, False),
        ((1, 3), 21, True),
    ],
)
def test_a_monthly_window_opens_at_its_position_in_the_month(weeks, day, allowed):
    monthly = window(weeks_of_month=list(weeks))
    assert may_begin(datetime(2026, 11, day, 22, tzinfo=UTC), [monthly], [], HOUR).allowed is allowed


def test_a_window_belongs_to_the_day_on_which_it_opens():
    last_day = window(days_of_week=["SAT"], weeks_of_month=[5])
    # Saturday 31 October 2026 is the last one; Sunday 1 November lies in the next month.
    assert may_begin(utc("2026-11-01T02:00"), [last_day], [], HOUR).allowed
    assert not may_begin(utc("2026-11-01T22:30"), [last_day], [], HOUR).allowed


@pytest.mark.parametrize(
    ("opens", "day", "opened", "closed"),
    [
        # Clocks go forward from 02:00 to 03:00 on 29 March 2026, back from 03:00 to 02:00 on 25 October 2026 (Berlin).
        ("22:00", 28, "2026-03-28T21:00", "2026-03-29T03:00"),
        ("02:30", 29, "2026-03-29T01:30", "2026-03-29T07:30"),
        ("03:00", 29, "2026-03-29T01:00", "2026-03-29T07:00"),
    ],
)
def test_the_night_in_which_clocks_go_forward(opens, day, opened, closed):
    berlin = window(days_of_week=["SAT", "SUN"], opens=opens, timezone="Europe/Berlin")
    found = {each.opens: each.closes for each in openings(berlin, utc("2026-03-28T00:00"), utc("2026-03-30T00:00"))}
    assert found[utc(opened)] == utc(closed)


@pytest.mark.parametrize(
    ("opens", "opened", "closed"),
    [
        ("22:00", "2026-10-24T20:00", "2026-10-25T02:00"),
        ("02:30", "2026-10-25T00:30", "2026-10-25T06:30"),
        ("03:00", "2026-10-25T02:00", "2026-10-25T08:00"),
    ],
)
def test_the_night_in_which_clocks_go_back(opens, opened, closed):
    berlin = window(days_of_week=["SAT", "SUN"], opens=opens, timezone="Europe/Berlin")
    found = {each.opens: each.closes for each in openings(berlin, utc("2026-10-24T00:00"), utc("2026-10-26T00:00"))}
    assert found[utc(opened)] == utc(closed)


def test_windows_that_follow_each_other_without_a_gap_count_as_one():
    daily = window(days_of_week=list(WEEKDAYS), opens="00:00", duration="1.00:00:00")
    assert may_begin(utc("2026-11-04T23:30"), [daily], [], 5 * HOUR).allowed


@pytest.mark.parametrize(
    ("now", "allowed", "said"),
    [
        ("2026-12-19T21:00", True, ""),
        ("2026-12-19T21:01", False, "a blackout begins at 2026-12-19 23:00 UTC"),
        ("2026-12-19T23:00", False, "it is a blackout: 2026-12-20 to 2027-01-03 (freeze)"),
        ("2027-01-03T22:59", False, "it is a blackout"),
        ("2027-01-03T23:00", True, ""),
    ],
)
def test_nothing_is_begun_in_a_blackout_or_so_that_it_would_run_into_one(now, allowed, said):
    answer = may_begin(utc(now), [], [CHRISTMAS], 2 * HOUR)
    assert answer.allowed is allowed
    assert said in answer.why


def test_the_next_opening_lies_behind_the_blackout():
    answer = may_begin(utc("2026-12-22T12:00"), [SATURDAY], [CHRISTMAS], 2 * HOUR)
    assert answer.next_opening == utc("2027-01-09T21:00")
    assert may_begin(utc("2026-12-22T12:00"), [], [CHRISTMAS], HOUR).next_opening == utc("2027-01-03T23:00")


def test_a_blackout_that_ends_within_a_window_leaves_the_rest_of_it():
    evening = Blackout.model_validate({"begins": "2026-11-07 12:00", "ends": "2026-11-07 23:30", "timezone": "UTC"})
    assert next_opening(utc("2026-11-07T12:00"), [window()], [evening], 2 * HOUR) == utc("2026-11-07T23:30")


@pytest.mark.parametrize(
    ("given", "span"),
    [
        ({"begins": "2026-11-27"}, ("2026-11-26T23:00", "2026-11-27T23:00")),
        ({"begins": "2026-11-27", "ends": "2026-11-28"}, ("2026-11-26T23:00", "2026-11-28T23:00")),
        ({"begins": "2026-11-27 18:00", "ends": "2026-11-27 19:00"}, ("2026-11-27T17:00", "2026-11-27T18:00")),
        ({"begins": "2026-11-27 18:00", "ends": "2026-11-27"}, ("2026-11-27T17:00", "2026-11-27T23:00")),
        ({"begins": "2026-03-29"}, ("2026-03-28T23:00", "2026-03-29T22:00")),
        ({"begins": "2026-10-25"}, ("2026-10-24T22:00", "2026-10-25T23:00")),
    ],
)
def test_a_blackout_has_the_days_of_its_own_time_zone(given, span):
    assert blackout_span(Blackout.model_validate(given | {"timezone": "Europe/Berlin"})) == tuple(map(utc, span))


def test_stop_after_forbids_whatever_the_windows_say():
    now = utc("2026-11-07T21:00")
    stopped = may_begin(now, [SATURDAY], [], HOUR, stop_at=now)
    assert (stopped.allowed, stopped.next_opening, stopped.never) == (False, None, False)
    assert stopped.why == "the run was to stop at 2026-11-07 21:00 UTC (stop_after)"
    assert may_begin(now, [SATURDAY], [], HOUR, stop_at=now + timedelta(seconds=1)).allowed


_ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
_WINDOWS = st.builds(
    MaintenanceWindow,
    days_of_week=st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=3, unique=True).map(tuple),
    weeks_of_month=st.lists(st.integers(1, 5), max_size=2, unique=True).map(tuple),
    opens=st.times().map(lambda clock: clock.replace(second=0, microsecond=0)),
    duration=st.integers(30, 7 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes)),
    timezone=_ZONES,
)
_MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


@settings(deadline=None)
@given(
    st.lists(_WINDOWS, min_size=1, max_size=3),
    _MOMENTS,
    st.integers(1, 300).map(lambda minutes: timedelta(minutes=minutes)),
)
def test_at_the_next_opening_it_is_open_and_not_before(windows, now, estimate):
    answer = may_begin(now, windows, [], estimate)
    if answer.allowed:
        assert answer.closes is not None
        assert now + estimate <= answer.closes
        assert answer.next_opening is None
    elif answer.next_opening is not None:
        assert answer.next_opening > now
        assert may_begin(answer.next_opening, windows, [], estimate).allowed
        assert not may_begin(now + (answer.next_opening - now) / 2, windows, [], estimate).allowed


@settings(deadline=None)
@given(_WINDOWS, _MOMENTS)
def test_openings_are_in_order_and_each_shows_the_time_of_the_window(window, now):
    found = list(openings(window, now, now + timedelta(days=60)))
    assert all(one.opens < other.opens for one, other in pairwise(found))
    whole, rest = divmod(window.duration, timedelta(days=1))
    for each in found:
        # Whole days may have an hour more or less, hours never.
        assert abs(each.closes - each.opens - window.duration) <= (2 * HOUR if whole else timedelta(0))
        assert each.closes - each.opens >= rest


# --- against an independent implementation: every minute by itself

_BLACKOUTS = st.builds(
    lambda begins, length, zone: Blackout.model_validate(
        {"begins": f"{begins:%Y-%m-%d %H:%M}", "ends": f"{begins + length:%Y-%m-%d %H:%M}", "timezone": zone}
    ),
    st.datetimes(datetime(2026, 3, 20), datetime(2026, 4, 20)),
    st.integers(1, 4000).map(lambda minutes: timedelta(minutes=minutes)),
    _ZONES,
)
#: Around the changes of the clock, so that one is nearly always near.
_NEAR = st.one_of(
    st.datetimes(datetime(2026, 3, 20), datetime(2026, 4, 12)),
    st.datetimes(datetime(2026, 9, 28), datetime(2026, 11, 8)),
).map(lambda moment: moment.replace(second=0, microsecond=0, tzinfo=UTC))


def moment_of(day: date, clock: time, zone: str) -> datetime:
    return tz.resolve_imaginary(datetime.combine(day, clock, tzinfo=tz.gettz(zone))).astimezone(UTC)


def days_that_open(window: MaintenanceWindow, first: date, last: date) -> list[date]:
    found = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        alike = [each for each in calendar.Calendar().itermonthdates(day.year, day.month) if each.month == day.month]
        alike = [each for each in alike if each.weekday() == day.weekday()]
        wanted = {alike[week - 1] for week in window.weeks_of_month if week <= len(alike)}
        wanted |= {alike[-1]} if 5 in window.weeks_of_month else set()
        if f"{day:%A}" in window.days_of_week and (day in wanted or not window.weeks_of_month):
            found.append(day)
    return found


def open_minutes(windows, blackouts, begin: datetime, count: int) -> bytearray:
    """Return for each of the ``count`` minutes from ``begin`` on whether it lies in a window and in no blackout."""
    minutes = bytearray([not windows]) * count

    def mark(first: datetime, last: datetime, value: int) -> None:
        low, high = (max(0, min(count, int((end - begin) / timedelta(minutes=1)))) for end in (first, last))
        minutes[low:high] = bytearray([value]) * (high - low)

    for window in windows:
        whole, rest = divmod(window.duration, timedelta(days=1))
        for day in days_that_open(
            window, begin.date() - timedelta(days=9), begin.date() + timedelta(days=count // 1440 + 2)
        ):
            opens = moment_of(day, window.opens, window.timezone)
            mark(opens, moment_of(day + whole * timedelta(days=1), window.opens, window.timezone) + rest, 1)
    for blackout in blackouts:
        begins, ends = (moment_of(each.date(), each.time(), blackout.timezone) for each in blackout.span)
        mark(begins, ends, 0)
    return minutes


@settings(max_examples=250, deadline=None)
@given(
    st.lists(_WINDOWS, max_size=3),
    st.lists(_BLACKOUTS, max_size=2),
    _NEAR,
    st.integers(1, 2000),
)
def test_a_node_is_begun_exactly_when_every_minute_that_it_takes_is_open(windows, blackouts, now, estimate):
    reach = 20 * 1440
    minutes = open_minutes(windows, blackouts, now, reach + estimate)
    run, first = 0, None
    for position in range(len(minutes) - 1, -1, -1):
        run = run + 1 if minutes[position] else 0
        if run >= estimate:
            first = position
    answer = may_begin(now, windows, blackouts, timedelta(minutes=estimate))
    assert answer.allowed is (first == 0)
    if first is not None and first > 0:
        assert answer.next_opening == now + timedelta(minutes=first)
    elif first is None:
        assert answer.never or answer.next_opening > now + timedelta(minutes=reach)


@settings(max_examples=60, deadline=None)
@given(st.lists(_WINDOWS, min_size=1, max_size=3), _MOMENTS, st.integers(0, 40 * 1440), st.integers(1, 600))
def test_the_next_opening_never_moves_back(windows, now, later, estimate):
    room = timedelta(minutes=estimate)
    earlier = next_opening(now, windows, [], room)
    afterwards = next_opening(now + timedelta(minutes=later), windows, [], room)
    if earlier is not None and afterwards is not None:
        assert earlier <= afterwards


def test_windows_of_a_day_on_every_day_leave_no_gap_in_the_longest_one():
    always = window(days_of_week=list(WEEKDAYS), opens="00:00", duration="1.00:00:00", timezone="Europe/Berlin")
    # 25 October 2026 has 25 hours in Berlin; the last of them is 22:00 to 23:00 UTC.
    assert may_begin(utc("2026-10-25T21:30"), [always], [], 5 * HOUR).allowed
    assert may_begin(utc("2026-10-25T22:30"), [always], [], 5 * HOUR).allowed


@pytest.mark.parametrize(
    ("now", "windows", "estimate", "said"),
    [
        (
            "2026-11-04T12:00",
            [SATURDAY],
            2 * HOUR,
            "; it is open for long enough next from 2026-11-07 22:00 Europe/Berlin (2026-11-07 21:00 UTC) on",
        ),
        (
            "2026-11-04T12:00",
            [window(opens="21:00")],
            timedelta(0),
            "; it is open next from 2026-11-07 21:00 UTC on",
        ),
        (
            "2026-11-07T21:30",
            [SATURDAY],
            7 * HOUR,
            "; for 400 days it is not open for so long at any time, a node takes up to 7 h",
        ),
    ],
)
def test_why_nothing_is_begun_says_when_it_can_be(now, windows, estimate, said):
    answer = may_begin(utc(now), windows, [], estimate)
    assert answer.why.endswith(said)
    assert answer.never is (answer.next_opening is None)


def test_a_blackout_without_end_in_sight_says_so():
    for_ever = Blackout.model_validate({"begins": "2026-01-01", "ends": "2999-12-31", "timezone": "UTC"})
    answer = may_begin(utc("2026-11-04T12:00"), [], [for_ever], timedelta(0))
    assert answer.why.endswith(", until 3000-01-01 00:00 UTC; for 400 days it is not open at any time")
    assert answer.never
