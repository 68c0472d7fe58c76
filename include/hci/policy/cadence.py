"""When a cluster is updated by itself: the schedules that CAU's clustered role can have, and what they leave out.

Source: windows-powershell-docs, Add-CauClusterRole (StartDate, DaysOfWeek, WeeksOfMonth, IntervalWeeks).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from include.hci.policy.local_time import at, days, is_in_weeks, local_day, second_tuesday, zone
from include.hci.policy.windows import blackout_at
from include.hci.settings.calendar import FIRST_YEAR, LAST_YEAR, Blackout
from include.hci.settings.schedule import MAX_OFFSET, WEEKDAY_BITS, Schedule, parse_days

#: How far ahead the next time is looked for.
HORIZON = timedelta(days=366 * 5)
_STRIDE = timedelta(days=92)
_TICK = timedelta(microseconds=1)
#: The time of day of a role whose start date is not known.
_UNSET_START = datetime(2000, 1, 1, 3)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a schedule: exactly one of the kinds that CAU knows, or days after the second Tuesday.

    ``starts`` is the earliest time; its time of day is that of every run. It names no zone: it is meant in ``timezone``.
    ``days_of_week`` are Python's numbers (Monday is 0). With ``weeks_of_month`` (1 to 4, 5 is the last) it is monthly, else
    every ``interval_weeks`` weeks counted from the week of ``starts``, weeks beginning on Sunday. With ``after_second_tuesday``
    (0 to 27 days) it is that day of every month, and the other three are empty.
    """

    starts: datetime
    timezone: str
    days_of_week: frozenset[int] = frozenset()
    weeks_of_month: frozenset[int] = frozenset()
    interval_weeks: int | None = None
    after_second_tuesday: int | None = None

    def __post_init__(self) -> None:
        if self.starts.tzinfo is not None:
            raise ValueError("starts names no zone of its own: it is meant in the time zone of the line.")
        if self.after_second_tuesday is not None:
            if self.days_of_week or self.weeks_of_month or self.interval_weeks is not None:
                raise ValueError("Days after the second Tuesday stand alone: no days, weeks or interval beside them.")
            if not 0 <= self.after_second_tuesday <= MAX_OFFSET:
                raise ValueError(
                    f"{self.after_second_tuesday} days after the second Tuesday: 0 to {MAX_OFFSET} can be."
                )
            return
        if not self.days_of_week or not self.days_of_week <= WEEKDAY_BITS.keys():
            raise ValueError("The line needs days of the week, Monday (0) to Sunday (6).")
        if bool(self.weeks_of_month) == (self.interval_weeks is not None):
            raise ValueError("The line needs either weeks of the month or an interval in weeks.")
        if not self.weeks_of_month <= {1, 2, 3, 4, 5}:
            raise ValueError("Weeks of the month are 1 to 5; 5 is the last.")
        if self.interval_weeks is not None and self.interval_weeks < 1:
            raise ValueError("The interval is 1 week (every week) or more.")

    def on(self, day: date) -> bool:
        """Return whether the line has ``day`` (a local one), its beginning left aside."""
        if self.after_second_tuesday is not None:
            base = day - timedelta(days=self.after_second_tuesday)
            return base == second_tuesday(base.year, base.month)
        if day.weekday() not in self.days_of_week:
            return False
        if self.interval_weeks is None:
            return is_in_weeks(day, self.weeks_of_month)
        return (_week(day) - _week(self.starts.date())) // 7 % self.interval_weeks == 0

    def local_days(self, first: date, last: date) -> Iterator[date]:
        """Give the days of the line from ``first`` to ``last``, none before it begins."""
        return (day for day in days(max(first, self.starts.date()), last) if self.on(day))


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time of a schedule (UTC); ``skipped`` says why nothing is begun then, empty when it is."""

    at: datetime
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Cadence:
    """The ``lines`` of a schedule together. ``ring_offset`` moves every run by days; its time of day stays what it is."""

    lines: tuple[Line, ...]
    blackouts: tuple[Blackout, ...] = ()
    ring_offset: int = 0

    @property
    def first(self) -> datetime | None:
        """A moment before which there is no time, and soon after which the lines begin; None without lines."""
        starts = (at(line.starts.date(), line.starts.time(), line.timezone) for line in self.lines)
        earliest = min(starts, default=None)
        return None if earliest is None else earliest + timedelta(days=min(0, self.ring_offset) - 2)

    def explained(self, begin: datetime, end: datetime) -> tuple[Occurrence, ...]:
        """Return every time from ``begin`` until just before ``end``, those in a blackout with the reason."""
        moments = {moment for line in self.lines for moment in self._of(line, begin, end)}
        return tuple(Occurrence(moment, self._skipped(moment)) for moment in sorted(moments))

    def between(self, begin: datetime, end: datetime) -> tuple[datetime, ...]:
        """Return the times (UTC) from ``begin`` until just before ``end`` at which a run begins."""
        return tuple(found.at for found in self.explained(begin, end) if not found.skipped)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after ``moment`` at which a run begins; None when there is none within five years."""
        begin = max(moment + _TICK, self.first) if self.first is not None else moment + _TICK
        end = begin + HORIZON
        while begin < end:
            found = self.between(begin, begin + _STRIDE)
            if found:
                return found[0]
            begin += _STRIDE
        return None

    def last_until(self, moment: datetime, after: datetime) -> datetime | None:
        """Return the last time after ``after``, ``moment`` included, at which a run begins; None when there is none."""
        end, floor = moment + _TICK, after + _TICK
        while floor < end:
            begin = max(floor, end - _STRIDE)
            found = self.between(begin, end)
            if found:
                return found[-1]
            end = begin
        return None

    def _of(self, line: Line, begin: datetime, end: datetime) -> Iterator[datetime]:
        shift = timedelta(days=self.ring_offset)
        first = local_day(begin, line.timezone) - shift - timedelta(days=1)
        last = local_day(end, line.timezone) - shift + timedelta(days=1)
        for day in line.local_days(first, last):
            moment = at(day + shift, line.starts.time(), line.timezone)
            if begin <= moment < end:
                yield moment

    def _skipped(self, moment: datetime) -> str:
        found = blackout_at(moment, self.blackouts)
        return f"blackout {found.describe()}" if found else ""


def cadence_of(schedule: Schedule, ring_offset: int = 0, blackouts: Sequence[Blackout] = ()) -> Cadence:
    """Return the cadence of ``schedule``, which has lines (a cron expression is none), ``ring_offset`` days later."""
    lines = tuple(
        Line(
            line.starts,
            schedule.timezone,
            parse_days(line.days_of_week) if line.days_of_week else frozenset(),
            frozenset(line.weeks_of_month),
            line.interval_weeks,
            line.days_after_second_tuesday,
        )
        for line in schedule.lines
    )
    return Cadence(lines, tuple(blackouts), ring_offset)


def line_of_role(role: Mapping[str, str], timezone: str) -> Line | None:
    """Return the schedule of CAU's self-updating role from its parameters by name; None when it has none that is understood.

    A role whose schedule was never set has the third Tuesday at 03:00 all the same: ``Set-CauClusterRole`` writes it.
    """
    found = {name.lower(): value for name, value in role.items()}
    try:
        starts = _start(found.get("startdate", ""), timezone)
        chosen = parse_days(found.get("daysofweek", ""))
        weeks = frozenset(int(part) for part in found.get("weeksofmonth", "").replace(",", " ").split())
        interval = int(found["intervalweeks"]) if found.get("intervalweeks") and not weeks else None
        return Line(starts, timezone, chosen, weeks, interval)
    except ValueError:
        return None


def _start(text: str, timezone: str) -> datetime:
    if not text.strip():
        return _UNSET_START
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        parsed = datetime.strptime(text.strip(), "%m/%d/%Y %I:%M:%S %p")
    if parsed.year > LAST_YEAR:
        raise ValueError(f"{text} is no time at which a schedule begins.")
    if parsed.year < FIRST_YEAR:
        # .NET's DateTime without a value is the first of January of the year 1.
        return datetime.combine(_UNSET_START.date(), parsed.time())
    return parsed.astimezone(zone(timezone)).replace(tzinfo=None) if parsed.tzinfo else parsed


def _week(day: date) -> int:
    """Return the number of the Sunday on which the week of ``day`` begins."""
    return day.toordinal() - day.isoweekday() % 7
