"""The kinds of values that settings are made of: names, addresses, durations, schedules."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from datetime import datetime, timedelta
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9_])?")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_CONNECTION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
_TIME_SPAN = re.compile(r"(?:([0-9]{1,3})\.)?([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")


class Settings(BaseModel):
    """Base of all settings: they never change once read, and no key is passed over in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        """Refuse true and false for a number: pydantic would read them as 1 and 0."""
        if isinstance(value, bool):
            kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
            if bool not in kinds and kinds & {int, float}:
                raise ValueError(f"must be a number, not {str(value).lower()}.")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """Return what a value may be: ``int | None`` and its annotated forms give int and NoneType."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*map(_kinds, get_args(annotation)))
    return {annotation}


def computer_name(value: str) -> str:
    """Return ``value`` when it can be the NetBIOS name of a server or cluster; raises ValueError.

    Source: Microsoft's naming conventions for computers (at most 15 characters, not digits only).
    """
    if len(value) > 15:
        raise ValueError(f"{value!r} has {len(value)} characters; a computer's NetBIOS name has at most 15.")
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be a computer's name: letters, digits, '-' and '_' only, beginning with a letter or a digit. "
            "Give the short name here; a full DNS name goes under 'address'."
        )
    if value.isdigit():
        raise ValueError(f"{value!r} cannot be a computer's name: it consists of digits only.")
    return value


def _address(value: str) -> str:
    if "@" in value or "/" in value:
        raise ValueError("must be a host name or an IP address alone: no 'https://', no user, no path.")
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if len(value) > 253 or not _HOST.fullmatch(value) or ".." in value:
            raise ValueError(f"{value!r} is neither a host name nor an IP address.") from None
    return value


def _connection(value: str) -> str:
    if not _CONNECTION.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot be an Airflow connection id: use letters, digits, '_', '-' and '.' (best: lower case and '_')."
        )
    return value


def parse_time_span(value: object) -> object:
    """Return "hh:mm:ss" or "d.hh:mm:ss" (a .NET TimeSpan, as CAU takes it) as timedelta; raises ValueError.

    A bare number is refused: PowerShell would take it for ticks, people mean minutes or hours
    (windows-powershell-docs, Invoke-CauRun: the parameter's type is TimeSpan).
    """
    if value is None or isinstance(value, timedelta):
        return value
    match = _TIME_SPAN.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError(
            f'{value!r} is not a duration. Write it as "hh:mm:ss", for example "08:00:00" for eight hours.'
        )
    days, hours, minutes, seconds = (int(text or 0) for text in match.groups())
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(
            f'{value!r} is not a duration: at most 23 hours, 59 minutes, 59 seconds; write days as "1.02:00:00".'
        )
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def format_time_span(value: timedelta) -> str:
    """Return ``value`` as "hh:mm:ss" or "d.hh:mm:ss"."""
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{value.days}." if value.days else "") + f"{hours:02d}:{minutes:02d}:{seconds:02d}"


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than no time at all. Leave the key out for 'never'.")
    return value


def _cron(value: str) -> str:
    if len(value.split()) != 5 or not croniter.is_valid(value):
        raise ValueError(f'{value!r} is not a cron expression of five fields, as in "0 1 * * SUN" (Sundays at 01:00).')
    try:
        croniter(value, datetime(2000, 1, 1)).get_next(datetime)
    except CroniterBadDateError:
        raise ValueError(f"{value!r} is a time that never comes.") from None
    return value


def _timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f'{value!r} is not a time zone. Use a name of the IANA list, as in "Europe/Berlin" or "UTC".'
        ) from None
    return value


def computer_name_schema() -> dict[str, Any]:
    """Return the JSON schema of a computer's name."""
    return {"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": 15}


ComputerName = Annotated[str, AfterValidator(computer_name), WithJsonSchema(computer_name_schema())]
Address = Annotated[str, AfterValidator(_address)]
ConnectionId = Annotated[
    str, AfterValidator(_connection), WithJsonSchema({"type": "string", "pattern": f"^{_CONNECTION.pattern}$"})
]
Text = Annotated[str, Field(max_length=2000)]
Tag = Annotated[str, Field(min_length=1, max_length=100)]
CronText = Annotated[str, AfterValidator(_cron)]
TimezoneName = Annotated[str, AfterValidator(_timezone)]
TimeSpan = Annotated[
    timedelta,
    AfterValidator(_positive),
    BeforeValidator(parse_time_span),
    PlainSerializer(format_time_span, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_TIME_SPAN.pattern}$"}),
]
