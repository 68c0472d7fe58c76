"""When a self-updating cluster updates itself (windows-powershell-docs, Add-CauClusterRole)."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntFlag


class Weekdays(IntFlag):
    """Microsoft.ClusterAwareUpdating.Weekdays: 4 is Tuesday."""

    Sunday = 1
    Monday = 2
    Tuesday = 4
    Wednesday = 8
    Thursday = 16
    Friday = 32
    Saturday = 64

    @property
    def text(self) -> str:
        """The names as .NET prints them."""
        return ", ".join(str(day.name) for day in Weekdays if day in self) or "None"


#: What stands in the role when nobody gave a schedule: the third Tuesday at three.
DEFAULT_DAYS = Weekdays.Tuesday
DEFAULT_WEEKS = (3,)
DEFAULT_HOUR = 3
_LONGEST = timedelta(days=366 * 4)


def weekdays(text: str) -> Weekdays:
    """Return the days that ``text`` ("Tuesday", "Tuesday, Friday", "None") names; an unknown one raises KeyError."""
    found = Weekdays(0)
    for name in text.split(","):
        if name.strip().lower() not in ("", "none"):
            found |= Weekdays[name.strip().capitalize()]
    return found


@dataclass(frozen=True, slots=True)
class Schedule:
    """The days of the runs: those of certain ``weeks`` of the month (5: the last), or of every ``interval`` weeks.

    ``start`` is the earliest moment; its time of day is that of every run.
    """

    start: datetime
    days: Weekdays = DEFAULT_DAYS
    weeks: tuple[int, ...] = DEFAULT_WEEKS
    interval: int = 0

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first run after ``moment``, or None where the days and weeks never meet."""
        at = max(moment, self.start - timedelta(seconds=1)).replace(
            hour=self.start.hour, minute=self.start.minute, second=self.start.second, microsecond=0
        )
        last = at + _LONGEST
        while at <= last:
            if at > moment and at >= self.start.replace(microsecond=0) and self._fits(at):
                return at
            at += timedelta(days=1)
        return None

    def _fits(self, at: datetime) -> bool:
        if not Weekdays(1 << (at.isoweekday() % 7)) & self.days:
            return False
        if self.interval:
            return _weeks_between(self.start, at) % self.interval == 0
        days = calendar.monthrange(at.year, at.month)[1]
        return (at.day - 1) // 7 + 1 in self.weeks or (5 in self.weeks and at.day + 7 > days)


def default_schedule(now: datetime) -> Schedule:
    """Return the schedule that a role has when nobody gave one."""
    return Schedule(now.replace(hour=DEFAULT_HOUR, minute=0, second=0, microsecond=0))


def check_weeks(weeks: Iterable[int]) -> None:
    """Raise ValueError where a week of the month is not 1 to 5."""
    for week in weeks:
        if not 1 <= week <= 5:
            raise ValueError(f"WeeksOfMonth takes 1 to 5, not {week}.")


def _weeks_between(start: datetime, at: datetime) -> int:
    def sunday(moment: datetime) -> datetime:
        return (moment - timedelta(days=moment.isoweekday() % 7)).replace(hour=0, minute=0, second=0, microsecond=0)

    return (sunday(at) - sunday(start)).days // 7
