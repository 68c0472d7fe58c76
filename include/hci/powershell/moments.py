"""Times and lengths of time in the spellings Windows uses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_DMTF: Final = re.compile(r"(\d{14})\.(\d{6})([+-]\d{3})")
_DURATION: Final = re.compile(
    r"(?P<sign>-)?P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


def parse_moment(text: str) -> datetime | None:
    """Return the time ``text`` stands for, in UTC where it names a zone, or None where it is no time.

    Takes the XML form (``2026-11-03T01:12:00.1234567Z``) and the WMI form (``20261103011200.000000+060``, minutes from UTC). A
    time so close to either end of the calendar that it has no UTC equivalent is moved to that end.
    """
    text = text.strip()
    try:
        if found := _DMTF.fullmatch(text):
            digits, fraction, offset = found.groups()
            moment = datetime.strptime(digits, "%Y%m%d%H%M%S").replace(
                microsecond=int(fraction), tzinfo=timezone(timedelta(minutes=int(offset)))
            )
        else:
            moment = datetime.fromisoformat(text)
            if "T" not in text.upper() and " " not in text:
                return None
    except ValueError:
        return None
    if moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return (datetime.min if moment.year < 5000 else datetime.max).replace(tzinfo=UTC)


def format_moment(moment: datetime) -> str:
    """Return an aware time in the XML form, in UTC."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_duration(text: str) -> timedelta | None:
    """Return the length of time an XML duration (``P1DT2H3M4.5S``) stands for, or None where ``text`` is none."""
    found = _DURATION.fullmatch(text.strip())
    if not found or text.strip().lstrip("-") in ("P", "PT"):
        return None
    try:
        length = timedelta(
            days=int(found["days"] or 0),
            hours=int(found["hours"] or 0),
            minutes=int(found["minutes"] or 0),
            seconds=float(found["seconds"] or 0),
        )
    except (ValueError, OverflowError):
        # Longer than anything that Windows can mean, or than Python can hold.
        return None
    return -length if found["sign"] else length


def format_duration(length: timedelta) -> str:
    """Return a length of time as an XML duration."""
    sign = "-" if length < timedelta(0) else ""
    length = abs(length)
    seconds = f"{length.seconds}.{length.microseconds:06d}" if length.microseconds else f"{length.seconds}"
    return f"{sign}P{length.days}DT{seconds}S"
