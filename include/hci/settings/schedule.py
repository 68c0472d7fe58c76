"""When a cluster is updated by itself: a cron expression, or the lines that CAU's self-updating role knows.

Source: windows-powershell-docs, Add-CauClusterRole (StartDate, DaysOfWeek, WeeksOfMonth, IntervalWeeks).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from include.hci.settings.calendar import WEEKDAYS, LocalMoment, Weekday, WeekOfMonth, weekday_name
from include.hci.settings.values import CronText, Settings, TimeSpan, TimezoneName

#: The values of CAU's Weekdays enumeration by the number that Python gives the day.
WEEKDAY_BITS: Mapping[int, int] = MappingProxyType({0: 0x02, 1: 0x04, 2: 0x08, 3: 0x10, 4: 0x20, 5: 0x40, 6: 0x01})
#: The most days after the second Tuesday, or after the other rings, that still fall before the next second Tuesday.
MAX_OFFSET = 27
MAX_INTERVAL_WEEKS = 52
MAX_LINES = 20
#: A run that begins later than this after its time has missed its window.
START_WITHIN = timedelta(minutes=30)
_LONGEST_DELAY = timedelta(days=7)
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "last"}


def parse_days(value: int | str | Iterable[str]) -> frozenset[int]:
    """Return days of the week (Monday is 0) from CAU's bit mask (Tuesday is 4) or from names; raises ValueError.

    ``"Tuesday, Thursday"``, ``["TUE", "THU"]``, ``20`` and ``"20"`` are the same.
    """
    if isinstance(value, str):
        text = value.strip()
        try:
            value = int(text, 0) if text[:1].isdigit() else [part for part in text.replace(",", " ").split() if part]
        except ValueError:
            raise ValueError(f"{text!r} is neither a number nor names of days.") from None
    if isinstance(value, int):
        if isinstance(value, bool) or not 0 < value < 0x80:
            raise ValueError(f"{value} is not a sum of weekdays: Sunday is 1, Monday 2, Tuesday 4 ... Saturday 64.")
        return frozenset(day for day, bit in WEEKDAY_BITS.items() if value & bit)
    found = frozenset(WEEKDAYS.index(str(weekday_name(name))) for name in value)
    if not found:
        raise ValueError("No day of the week is named.")
    return found


def days_mask(days_of_week: Iterable[int]) -> int:
    """Return days of the week (Monday is 0) as CAU's bit mask."""
    return sum(WEEKDAY_BITS[day] for day in set(days_of_week))


def _days(value: Any) -> Any:
    if isinstance(value, list | tuple):
        names = [weekday_name(name) for name in value]
        twice = [name for position, name in enumerate(names) if name in names[:position]]
        if twice:
            raise ValueError(f"{twice[0]} is named twice.")
        return names
    return [WEEKDAYS[day] for day in sorted(parse_days(value))] if isinstance(value, int | str) else value


def _with_time(value: date) -> date:
    if not isinstance(value, datetime):
        raise ValueError(
            f'names no time of day. Write it as "{value.isoformat()} 22:00": the time is that of every run.'
        )
    return value


DaysOfWeek = Annotated[
    tuple[Weekday, ...],
    BeforeValidator(_days),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "array",
                    "items": TypeAdapter(Weekday).json_schema(),
                    "uniqueItems": True,
                },
                {"type": "integer", "minimum": 1, "maximum": 127},
                {"type": "string"},
            ]
        }
    ),
]


class ScheduleLine(Settings):
    """One line of a schedule, of one kind: weeks of the month, every so many weeks, or days after the second Tuesday."""

    start_date: Annotated[LocalMoment, AfterValidator(_with_time)] = Field(
        description='The earliest time, "2026-03-02 03:00", in the schedule\'s zone; its time of day is that of every run.'
    )
    days_of_week: DaysOfWeek = Field(
        default=(),
        description='Names ("TUE"), or the sum that CAU takes: Sunday 1, Monday 2, Tuesday 4 ... Saturday 64.',
    )
    weeks_of_month: tuple[WeekOfMonth, ...] = Field(
        default=(), description="Only the first to fourth, or last (5), of these days in the month."
    )
    interval_weeks: int | None = Field(
        default=None,
        ge=1,
        le=MAX_INTERVAL_WEEKS,
        description="Every so many weeks, counted from the week (Sunday to Saturday) of start_date.",
    )
    days_after_second_tuesday: int | None = Field(
        default=None,
        ge=0,
        le=MAX_OFFSET,
        description="So many days after the day on which Microsoft publishes updates.",
    )

    @field_validator("weeks_of_month")
    @classmethod
    def _named_once(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        twice = [item for position, item in enumerate(given) if item in given[:position]]
        if twice:
            raise ValueError(f"{twice[0]} is named twice.")
        return given

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        weekly, monthly = self.interval_weeks is not None, bool(self.weeks_of_month)
        if self.days_after_second_tuesday is not None:
            if self.days_of_week or weekly or monthly:
                raise ValueError(
                    "'days_after_second_tuesday' stands alone: take out 'days_of_week', 'weeks_of_month' and "
                    "'interval_weeks', or put them on a line of their own."
                )
        elif not self.days_of_week:
            raise ValueError("names no day: add 'days_of_week', or 'days_after_second_tuesday'.")
        elif weekly and monthly:
            raise ValueError("has both 'weeks_of_month' and 'interval_weeks'. Put one of them on a line of its own.")
        elif not weekly and not monthly:
            raise ValueError("does not say which weeks: add 'weeks_of_month', or 'interval_weeks: 1' for every week.")
        return self

    @property
    def starts(self) -> datetime:
        """The earliest time, without a zone: it is meant in that of the schedule."""
        if not isinstance(self.start_date, datetime):
            raise TypeError("A checked start_date has a time of day.")
        return self.start_date

    def describe(self) -> str:
        """Return the line as a person says it: ``03:00 every third Tuesday of the month``."""
        days = ", ".join(self.days_of_week)
        if self.days_after_second_tuesday is not None:
            count = self.days_after_second_tuesday
            which = f"{count} day{'s' * (count != 1)} after the" if count else "every"
            which = f"{which} second Tuesday of the month"
        elif self.weeks_of_month:
            which = f"every {', '.join(_ORDINALS[week] for week in self.weeks_of_month)} {days} of the month"
        else:
            which = f"every {self.interval_weeks} weeks on {days}" if self.interval_weeks != 1 else f"every {days}"
            which = "every day" if self.interval_weeks == 1 and len(self.days_of_week) == len(WEEKDAYS) else which
        return f"{self.starts:%H:%M} {which}"


class Schedule(Settings):
    """When a cluster is updated by itself: either ``cron`` or ``lines``, in ``timezone``."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["cron"]}, {"required": ["lines"]}]})

    cron: CronText | None = Field(
        default=None, description='Five fields, in the time zone below: "0 1 * * SUN" is Sundays at 01:00.'
    )
    lines: tuple[ScheduleLine, ...] = Field(
        default=(),
        max_length=MAX_LINES,
        description="The lines of CAU's self-updating role; a run begins at each one's times.",
    )
    timezone: TimezoneName = Field(description='Name of the IANA list: "Europe/Berlin", "UTC".')
    start_within: TimeSpan = Field(
        default=START_WITHIN,
        description="A run that begins later than this after its time has missed its window and touches nothing.",
    )
    run_by: Literal["airflow", "cau"] = Field(
        default="airflow",
        description="Who begins the runs: the rolling update of this coordinator, or CAU's own self-updating role.",
    )

    @field_validator("start_within")
    @classmethod
    def _not_too_long(cls, delay: timedelta) -> timedelta:
        if delay > _LONGEST_DELAY:
            raise ValueError("is longer than seven days: by then the run begins at a time that nobody expects.")
        return delay

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if self.cron is None and not self.lines:
            raise ValueError(
                "says nothing about when: add 'lines' or 'cron'. For a cluster updated only by hand: null."
            )
        if self.cron is not None and self.lines:
            raise ValueError("has both 'cron' and 'lines'. Keep one of them.")
        if self.run_by == "cau" and (reason := self._beyond_cau()):
            raise ValueError(f"cannot be run by CAU (run_by: cau): {reason}")
        return self

    def _beyond_cau(self) -> str:
        """Return what of this schedule the self-updating role cannot have; empty when it can have all of it."""
        if self.cron is not None:
            return "its role knows no cron expressions. Write a line instead."
        if len(self.lines) > 1:
            return f"its role has one line, not {len(self.lines)}. Keep one of them."
        if self.lines[0].days_after_second_tuesday is not None:
            return (
                "its role knows no days after the second Tuesday. Write 'days_of_week' with 'weeks_of_month' or "
                "'interval_weeks'."
            )
        if "start_within" in self.model_fields_set:
            return "its role has no 'start_within': it begins when its node is up again. Take the key out."
        return ""

    def describe(self, ring_offset_days: int = 0) -> str:
        """Return the schedule as a person says it, ``ring_offset_days`` later."""
        when = f"cron {self.cron}" if self.cron is not None else "; ".join(line.describe() for line in self.lines)
        later = f", each {ring_offset_days} day{'s' * (ring_offset_days != 1)} later" if ring_offset_days else ""
        by = ", begun by CAU's own role" if self.run_by == "cau" else ""
        return f"{when}{later} ({self.timezone}{by})"
