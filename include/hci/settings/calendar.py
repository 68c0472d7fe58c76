"""When work is allowed: maintenance windows and blackouts, each with the time zone that its times are meant in."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator, model_validator

from include.hci.settings.values import Settings, Text, TimeSpan, TimezoneName

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST_WINDOW = timedelta(days=7)
#: Beyond these years a date cannot be carried over to every time zone, nor a day be added to it.
FIRST_YEAR, LAST_YEAR = 1970, 2999

_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]([0-9]{1,2}):([0-9]{2}))?")


def weekday_name(value: object) -> object:
    """Return the full name of a weekday given as its name or its first three letters; raises ValueError."""
    if isinstance(value, str) and len(value.strip()) >= 3:
        for name in WEEKDAYS:
            if value.strip().lower() in (name.lower(), name[:3].lower()):
                return name
    raise ValueError(f'{value!r} is not a day of the week. Write it as in "Saturday" or "SAT".')


def _clock(value: object) -> object:
    found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if isinstance(value, time):
        return value
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise ValueError(f'{value!r} is not a time of day. Write it as "hh:mm", for example "22:00".')
    return time(int(found[1]), int(found[2]))


def _local(value: object) -> object:
    moment = value if isinstance(value, date) else _read_local(value)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"{_shown(moment)} lies outside the years {FIRST_YEAR} to {LAST_YEAR}.")
    return moment


def _read_local(value: object) -> date:
    found = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if not found:
            raise ValueError
        day = date.fromisoformat(found[1])
        return day if found[2] is None else datetime.combine(day, time(int(found[2]), int(found[3])))
    except ValueError:
        raise ValueError(
            f'{value!r} is neither a date nor a time. Write it as "2026-12-20" or "2026-12-20 18:00".'
        ) from None


def _shown(value: date) -> str:
    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else value.isoformat()


Weekday = Annotated[
    str,
    BeforeValidator(weekday_name),
    WithJsonSchema({"enum": [*WEEKDAYS, *(name[:3].upper() for name in WEEKDAYS), *(name[:3] for name in WEEKDAYS)]}),
]
ClockTime = Annotated[
    time,
    BeforeValidator(_clock),
    PlainSerializer(lambda value: value.strftime("%H:%M"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIME.pattern}$"}),
]
#: A date, or a date and time of day; which zone it is in stands beside it.
LocalMoment = Annotated[
    datetime | date,
    BeforeValidator(_local),
    PlainSerializer(_shown, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_MOMENT.pattern}$"}),
]
WeekOfMonth = Annotated[int, Field(ge=1, le=5)]


class MaintenanceWindow(Settings):
    """When nodes may be begun. A window belongs to the day on which it opens, and may run past midnight."""

    days_of_week: tuple[Weekday, ...] = Field(min_length=1, description='Days on which it opens: "Saturday" or "SAT".')
    weeks_of_month: tuple[WeekOfMonth, ...] = Field(
        default=(), description="Only the first to fourth, or last (5), of these days in the month. Default: every one."
    )
    opens: ClockTime = Field(description='Time of day, "22:00".')
    duration: TimeSpan = Field(
        description='How long it stays open, "06:00:00"; seven days at most. Whole days end at the same time of day.'
    )
    timezone: TimezoneName = Field(description='Name of the IANA list: "Europe/Berlin", "UTC".')

    @field_validator("days_of_week", "weeks_of_month")
    @classmethod
    def _named_once(cls, given: tuple[Any, ...]) -> tuple[Any, ...]:
        twice = [item for position, item in enumerate(given) if item in given[:position]]
        if twice:
            raise ValueError(f"{twice[0]} is named twice.")
        return given

    @field_validator("duration")
    @classmethod
    def _not_too_long(cls, duration: timedelta) -> timedelta:
        if duration > LONGEST_WINDOW:
            raise ValueError("is longer than seven days. Leave windows out where work is always allowed.")
        return duration

    def describe(self) -> str:
        """Return the window as a person says it: ``Saturday 22:00 Europe/Berlin``."""
        which = ", ".join(self.days_of_week)
        if self.weeks_of_month:
            names = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "last"}
            which = f"{', '.join(names[week] for week in self.weeks_of_month)} {which} of the month"
        return f"{which} {self.opens:%H:%M} {self.timezone}"


class Blackout(Settings):
    """When nothing may be begun, whatever the windows say."""

    begins: LocalMoment = Field(description='"2026-12-20" (from the beginning of that day) or "2026-12-20 18:00".')
    ends: LocalMoment | None = Field(
        default=None, description="A date counts to its end; a time is the first one after it. Default: the same day."
    )
    timezone: TimezoneName = Field(description='Name of the IANA list: "Europe/Berlin", "UTC".')
    reason: Text = Field(default="", description="For people.")

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.ends is None:
            if isinstance(self.begins, datetime):
                raise ValueError("begins at a time of day, so it needs 'ends'.")
            return self
        begins, ends = self.span
        if ends <= begins:
            raise ValueError(f"ends ({_shown(self.ends)}) before it begins ({_shown(self.begins)}).")
        return self

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The first moment in it and the first one after it, as times of day in its own zone."""
        begins, ends = self.begins, self.begins if self.ends is None else self.ends
        first = begins if isinstance(begins, datetime) else datetime.combine(begins, time())
        last = ends if isinstance(ends, datetime) else datetime.combine(ends, time()) + timedelta(days=1)
        return first, last

    def describe(self) -> str:
        """Return the blackout as a person says it."""
        until = "" if self.ends is None else f" to {_shown(self.ends)}"
        return f"{_shown(self.begins)}{until}{f' ({self.reason})' if self.reason else ''}"
