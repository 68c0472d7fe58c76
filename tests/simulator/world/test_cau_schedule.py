"""windows-powershell-docs, Add-CauClusterRole: StartDate, DaysOfWeek, WeeksOfMonth, IntervalWeeks."""

from datetime import UTC, datetime, timedelta

import pytest

from include.simulator.world.cau_schedule import Schedule, Weekdays, check_weeks, default_schedule, weekdays

START = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)  # a Sunday
TUESDAY, FRIDAY = Weekdays.Tuesday, Weekdays.Friday


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "due"),
    [
        (Schedule(START), "2026-11-01T00:00", "2026-11-17T03:00"),
        (Schedule(START), "2026-11-17T02:59", "2026-11-17T03:00"),
        (Schedule(START), "2026-11-17T03:00", "2026-12-15T03:00"),
        (Schedule(START, FRIDAY, (5,)), "2026-11-01T00:00", "2026-11-27T03:00"),
        (Schedule(START, FRIDAY, (4, 5)), "2026-12-18T00:00", "2026-12-25T03:00"),
        (Schedule(START, TUESDAY | FRIDAY, (1,)), "2026-11-03T03:00", "2026-11-06T03:00"),
        (Schedule(START, TUESDAY, (), 1), "2026-11-03T03:00", "2026-11-10T03:00"),
        (Schedule(START, TUESDAY, (), 2), "2026-11-03T03:00", "2026-11-17T03:00"),
        (Schedule(START, Weekdays.Sunday, (), 2), "2026-11-01T03:00", "2026-11-15T03:00"),
        (Schedule(START + timedelta(days=30, hours=19)), "2026-01-01T00:00", "2026-12-15T22:00"),
    ],
)
def test_the_next_run(schedule: Schedule, after: str, due: str) -> None:
    assert schedule.next_after(moment(after)) == moment(due)


def test_days_that_never_come_have_no_run() -> None:
    assert Schedule(START, Weekdays(0)).next_after(START) is None


def test_nothing_said_is_the_third_tuesday_at_three() -> None:
    schedule = default_schedule(moment("2026-11-03T17:45"))
    assert (schedule.days.text, schedule.weeks, schedule.start.hour) == ("Tuesday", (3,), 3)


@pytest.mark.parametrize(
    ("text", "number"),
    [("Tuesday", 4), ("tuesday, Friday", 36), ("None", 0), ("Sunday", 1), ("Saturday", 64)],
)
def test_days_by_name(text: str, number: int) -> None:
    assert int(weekdays(text)) == number


@pytest.mark.parametrize("week", [0, 6])
def test_weeks_are_one_to_five(week: int) -> None:
    with pytest.raises(ValueError, match="1 to 5"):
        check_weeks([week])
