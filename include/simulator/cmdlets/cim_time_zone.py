"""Win32_TimeZone of a machine, made from the rules of its zone in the present year (win32, Win32_TimeZone class)."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from include.simulator.cmdlets.cim_objects import instance
from include.simulator.cmdlets.registry import Call
from include.simulator.objects import SimObject, UInt32

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def time_zone(call: Call) -> SimObject:
    """Return the Win32_TimeZone of the machine the command runs on; UTC is local time less Bias."""
    host = call.host
    zone = ZoneInfo(host.time_zone)
    changes = _changes(zone, call.world.now.year)
    offsets = [_offset(zone, datetime(call.world.now.year, month, 1, tzinfo=UTC)) for month in range(1, 13)]
    standard = min(offsets)
    name = host.time_zone.rpartition("/")[2].replace("_", " ")
    properties: dict[str, object] = {
        "Bias": int(standard / timedelta(minutes=1)),
        "Caption": f"(UTC{_shown(standard)}) {name}",
        "SettingID": None,
        "StandardName": f"{name} Standard Time",
        "DaylightName": f"{name} Daylight Time",
        "StandardBias": UInt32(0),
        "DaylightBias": -int((max(offsets) - standard) / timedelta(minutes=1)),
    }
    for which in ("Daylight", "Standard"):
        local = changes.get(which)
        last = local is not None and local.day + 7 > calendar.monthrange(local.year, local.month)[1]
        week = 0 if local is None else 5 if last else (local.day - 1) // 7 + 1
        properties |= {
            f"{which}Month": UInt32(local.month if local else 0),
            f"{which}Day": UInt32(week),
            f"{which}DayOfWeek": local.isoweekday() % 7 if local else 0,
            f"{which}Hour": UInt32(local.hour if local else 0),
            f"{which}Minute": UInt32(local.minute if local else 0),
            f"{which}Second": UInt32(0),
            f"{which}Year": UInt32(0),
        }
    classes = ("Win32_TimeZone", "CIM_Setting")
    return instance("root/cimv2", classes, properties, host=host.name, to_string=f"Win32_TimeZone: {name}")


def _changes(zone: ZoneInfo, year: int) -> dict[str, datetime]:
    """Return by their kind the changes of the clocks in a year, as the clocks before them show."""
    found: dict[str, datetime] = {}
    moment = datetime(year, 1, 1, tzinfo=UTC)
    while moment.year == year:
        before, after = _offset(zone, moment), _offset(zone, moment + _DAY)
        if before != after:
            while _offset(zone, moment + _HOUR) == before:
                moment += _HOUR
            local = (moment + _HOUR + before).replace(tzinfo=None)
            found["Daylight" if after > before else "Standard"] = local
        moment += _DAY
    return found


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def _shown(offset: timedelta) -> str:
    minutes = int(offset / timedelta(minutes=1))
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
