"""Days and times of day in a time zone, as moments: both changes of the clock included."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """Return the time zone of the IANA list called ``name``."""
    return ZoneInfo(name)


def instant(local: datetime, where: str) -> datetime:
    """Return the moment (UTC) at which clocks in the zone ``where`` show ``local`` (without a zone).

    A time that the clocks skip is taken with the offset from before the change, so it comes as much later as they skip; of one
    that they show twice the first is meant (RFC 5545, 3.3.5).
    """
    return local.replace(tzinfo=zone(where), fold=0).astimezone(UTC)


def at(day: date, clock: time, where: str) -> datetime:
    """Return the moment (UTC) of ``clock`` on ``day`` in the zone ``where``."""
    return instant(datetime.combine(day, clock), where)


def local_day(moment: datetime, where: str) -> date:
    """Return the day that it is in the zone ``where`` at ``moment``."""
    return moment.astimezone(zone(where)).date()


def days(first: date, last: date) -> Iterator[date]:
    """Give the days from ``first`` to ``last``, both included."""
    while first <= last:
        yield first
        first += DAY


def is_in_weeks(day: date, weeks: Collection[int]) -> bool:
    """Return whether ``day`` is, among the days of its name in its month, one of ``weeks``: 1 to 4, and 5 for the last.

    Source: windows-powershell-docs, Add-CauClusterRole (WeeksOfMonth).
    """
    return (day.day - 1) // 7 + 1 in weeks or (5 in weeks and (day + 7 * DAY).month != day.month)


def second_tuesday(year: int, month: int) -> date:
    """Return the day in the month on which Microsoft publishes its security updates."""
    first = date(year, month, 1)
    return first + timedelta(days=(1 - first.weekday()) % 7 + 7)


def show_moment(moment: datetime, where: str = "UTC") -> str:
    """Return ``moment`` as the clocks in ``where`` show it, and in UTC beside it where that differs."""
    local = moment.astimezone(zone(where))
    utc = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return utc if where == "UTC" else f"{local:%Y-%m-%d %H:%M} {where} ({utc})"
