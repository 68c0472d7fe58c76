"""The time zone of a machine: what its clocks show, and when they change (Win32_TimeZone)."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.powershell.command import Command
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.shell import Shell


@dataclass(frozen=True, slots=True)
class ClockChange:
    """A change of the clocks every year: the ``week``-th (5: the last) ``weekday`` (Sunday is 0) of ``month``, at a time."""

    month: int
    week: int
    weekday: int
    hour: int
    minute: int = 0

    def on(self, year: int) -> datetime:
        """Return when it is in ``year``, on the clocks before the change."""
        first = datetime(year, self.month, 1, self.hour, self.minute)
        day = 1 + (self.weekday - first.isoweekday() % 7) % 7 + 7 * (self.week - 1)
        while day > calendar.monthrange(year, self.month)[1]:
            day -= 7
        return first.replace(day=day)


@dataclass(frozen=True, slots=True)
class MachineZone:
    """A time zone as Windows has it: local time is UTC plus ``bias`` minutes, and plus ``summer_bias`` more in summer.

    ``begins`` and ``ends`` are the changes to summer time and back; None where the clocks stay as they are.
    """

    name: str
    bias: int
    summer_bias: int = 0
    begins: ClockChange | None = None
    ends: ClockChange | None = None

    def offset(self, local: datetime) -> timedelta:
        """Return what the clocks that show ``local`` (without a zone) are ahead of UTC."""
        minutes = self.bias + (self.summer_bias if self._is_summer(local) else 0)
        return timedelta(minutes=minutes)

    def _is_summer(self, local: datetime) -> bool:
        if self.begins is None or self.ends is None:
            return False
        begins, ends = self.begins.on(local.year), self.ends.on(local.year)
        # South of the equator summer goes over the end of the year.
        return begins <= local < ends if begins < ends else not ends <= local < begins


def get_time_zone(shell: Shell) -> MachineZone:
    """Return the time zone of the machine.

    UTC is local time less Bias; DaylightBias is what Bias shrinks by in summer, with the sign of the Windows API (Win32_TimeZone
    class). Months of 0 stand for clocks that never change.
    """
    [item] = shell.run(Command("Get-CimInstance", {"ClassName": "Win32_TimeZone"})).require().objects()[:1] or [None]
    if item is None:
        raise ValueError("The machine does not say which time zone it has: Win32_TimeZone has no instance.")
    begins, ends = _change(item, "Daylight"), _change(item, "Standard")
    changes = begins is not None and ends is not None
    return MachineZone(
        name=item.string("StandardName", "") or item.string("Caption", ""),
        bias=item.integer("Bias"),
        summer_bias=-item.integer("DaylightBias", 0) if changes else 0,
        begins=begins if changes else None,
        ends=ends if changes else None,
    )


def _change(item: PSObject, which: str) -> ClockChange | None:
    month = item.integer(f"{which}Month", 0)
    if not month:
        return None
    return ClockChange(
        month=month,
        week=item.integer(f"{which}Day", 1),
        weekday=item.integer(f"{which}DayOfWeek", 0),
        hour=item.integer(f"{which}Hour", 0),
        minute=item.integer(f"{which}Minute", 0),
    )
