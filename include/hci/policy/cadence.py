"""When a cluster is updated by itself: the schedules that CAU's clustered role can have, and what they leave out.

Source: windows-powershell-docs, Add-CauClusterRole (StartDate, DaysOfWeek, WeeksOfMonth, IntervalWeeks).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType

from include.hci.policy.local_time import at, days, is_in_weeks, local_day, second_tuesday, zone
from include.hci.policy.windows import blackout_at
from include.hci.settings.calendar import WEEKDAYS, Blackout, weekday_name

#: The values of CAU's Weekdays enumeration by the number that Python gives the day.
WEEKDAY_BITS: Mapping[int, int] = MappingProxyType({0: 0x02, 1: 0x04, 2: 0x08, 3: 0x10, 4: 0x20, 5: 0x40, 6: 0x01})
#: How far ahead the next time is looked for.
HORIZON = timedelta(days=366 * 5)
_STRIDE = timedelta(days=92)
#: The time of day of a role whose start date is not known.
_UNSET_START = datetime(2000, 1, 1, 3)
MAX_OFFSET = 27


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

    def explained(self, begin: datetime, end: datetime) -> tuple[Occurrence, ...]:
        """Return every time from ``begin`` until just before ``end``, those in a blackout with the reason."""
        moments = {moment for line in self.lines for moment in self._of(line, begin, end)}
        return tuple(Occurrence(moment, self._skipped(moment)) for moment in sorted(moments))

    def between(self, begin: datetime, end: datetime) -> tuple[datetime, ...]:
        """Return the times (UTC) from ``begin`` until just before ``end`` at which a run begins."""
        return tuple(found.at for found in self.explained(begin, end) if not found.skipped)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after ``moment`` at which a run begins; None when there is none within five years."""
        begin = moment + timedelta(microseconds=1)
        first = min((at(line.starts.date(), line.starts.time(), line.timezone) for line in self.lines), default=begin)
        begin = max(begin, first + timedelta(days=min(0, self.ring_offset) - 2))
        end = begin + HORIZON
        while begin < end:
            found = self.between(begin, begin + _STRIDE)
            if found:
                return found[0]
            begin += _STRIDE
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


def parse_days(value: int | str | Iterable[str]) -> frozenset[int]:
    """Return days of the week (Monday is 0) from CAU's bit mask (Tuesday is 4) or from names; raises ValueError.

    ``"Tuesday, Thursday"``, ``["TUE", "THU"]``, ``20`` and ``"20"`` are the same.
    """
    if isinstance(value, str):
        text = value.strip()
        value = int(text, 0) if text[:1].isdigit() else [part for part in text.replace(",", " ").split() if part]
    if isinstance(value, int):
        if not 0 < value < 0x80:
            raise ValueError(f"{value} is not a sum of weekdays: Sunday is 1, Monday 2, Tuesday 4 ... Saturday 64.")
        return frozenset(day for day, bit in WEEKDAY_BITS.items() if value & bit)
    found = frozenset(WEEKDAYS.index(str(weekday_name(name))) for name in value)
    if not found:
        raise ValueError("No day of the week is named.")
    return found


def days_mask(days_of_week: Iterable[int]) -> int:
    """Return days of the week (Monday is 0) as CAU's bit mask."""
    return sum(WEEKDAY_BITS[day] for day in set(days_of_week))


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


def merge(cadences: Sequence[Cadence], begin: datetime, end: datetime) -> tuple[datetime, ...]:
    """Return the times of several schedules from ``begin`` until just before ``end``, each once."""
    return tuple(sorted({moment for cadence in cadences for moment in cadence.between(begin, end)}))


def _start(text: str, timezone: str) -> datetime:
    if not text.strip():
        return _UNSET_START
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        parsed = datetime.strptime(text.strip(), "%m/%d/%Y %I:%M:%S %p")
    return parsed.astimezone(zone(timezone)).replace(tzinfo=None) if parsed.tzinfo else parsed


def _week(day: date) -> int:
    """Return the number of the Sunday on which the week of ``day`` begins."""
    return day.toordinal() - day.isoweekday() % 7
