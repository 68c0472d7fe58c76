"""Turning single values into .NET types: numbers, text, dates, spans of time and what else a parameter may declare."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from include.simulator.objects import Credential, Int64, SimObject, UInt16, UInt32, UInt64

#: Lowest and highest value of each integer type, and what makes one.
INTEGERS: Mapping[str, tuple[int, int, Callable[[int], int]]] = {
    "Byte": (0, 2**8 - 1, int),
    "Int16": (-(2**15), 2**15 - 1, int),
    "UInt16": (0, 2**16 - 1, UInt16),
    "Int32": (-(2**31), 2**31 - 1, int),
    "UInt32": (0, 2**32 - 1, UInt32),
    "Int64": (-(2**63), 2**63 - 1, Int64),
    "UInt64": (0, 2**64 - 1, UInt64),
}
_TIMESPAN = re.compile(r"^(-)?(?:(\d+)\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,7}))?)?$")


class NotConvertible(Exception):
    """An argument does not become the wanted type; the text is what PowerShell says about it."""


def to_integer(value: object, wanted: str) -> int:
    """Return ``value`` as the integer type ``wanted``; halves go to even as in .NET; else raises NotConvertible."""
    low, high, make = INTEGERS[wanted]
    try:
        number = _parse(value) if isinstance(value, str) else round(value)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        raise NotConvertible(
            f'Cannot convert value "{value}" to type "System.{wanted}". Error: "Input string was not in a correct format."'
        ) from None
    if not low <= number <= high:
        size = "an" if wanted.startswith("I") else "a"
        raise NotConvertible(
            f'Cannot convert value "{value}" to type "System.{wanted}". '
            f'Error: "Value was either too large or too small for {size} {wanted}."'
        )
    return make(number)


def _parse(text: str) -> int:
    return int(text, 16 if text.lower().startswith("0x") else 10)


def _text(value: object) -> str:
    if isinstance(value, SimObject):
        return value.to_string if value.to_string is not None else value.type_names[0]
    if isinstance(value, dict):
        return "System.Collections.Hashtable"
    return str(value)


def _boolean(value: object) -> bool:
    if isinstance(value, bool | int | float):
        return bool(value)
    raise NotConvertible(
        f'Cannot convert value "{_type_name(value)}" to type "System.Boolean". Boolean parameters accept only Boolean values and '
        "numbers, such as $True, $False, 1 or 0."
    )


def _switch(value: object) -> bool:
    if isinstance(value, bool | int | float):
        return bool(value)
    raise no_conversion(value, "System.Management.Automation.SwitchParameter")


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        moment = _parsed(value.strip())
        if moment is None:
            raise NotConvertible(
                f'Cannot convert value "{value}" to type "System.DateTime". '
                'Error: "String was not recognized as a valid DateTime."'
            )
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    raise no_conversion(value, "System.DateTime")


def _parsed(text: str) -> datetime | None:
    """Return the time that a text means in the invariant culture, whose dates begin with the month, or in the XML form."""
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    for form in ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y"):
        with suppress(ValueError):
            return datetime.strptime(text, form)
    return None


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return timedelta(microseconds=value / 10)  # a bare number counts ticks of 100 ns
    match = _TIMESPAN.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise NotConvertible(
            f'Cannot convert value "{value}" to type "System.TimeSpan". Error: "String was not recognized as a valid TimeSpan."'
        )
    sign, days, hours, minutes, seconds, fraction = match.groups()
    ticks = int((fraction or "").ljust(7, "0") or 0)
    length = timedelta(
        days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0), microseconds=ticks / 10
    )
    return -length if sign else length


def _hashtable(value: object) -> dict[object, object]:
    if isinstance(value, dict):
        return value
    raise no_conversion(value, "System.Collections.Hashtable")


def _guid(value: object) -> uuid.UUID:
    if isinstance(value, uuid.UUID):
        return value
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise no_conversion(value, "System.Guid") from None


def _credential(value: object) -> Credential:
    if isinstance(value, Credential):
        return value
    raise NotConvertible(
        "A command that prompts the user failed because the host program or the command type does not support user interaction."
    )


def _script_block(value: object) -> object:
    raise no_conversion(value, "System.Management.Automation.ScriptBlock")


CONVERTERS: Mapping[str, Callable[[object], object]] = {
    "String": _text,
    "StringCollection": _text,
    "Uri": _text,
    "Boolean": _boolean,
    "SwitchParameter": _switch,
    "DateTime": _moment,
    "TimeSpan": _duration,
    "Hashtable": _hashtable,
    "Guid": _guid,
    "PSCredential": _credential,
    "ScriptBlock": _script_block,
}


def _type_name(value: object) -> str:
    if isinstance(value, SimObject):
        return value.type_names[0]
    names = {
        str: "System.String",
        bool: "System.Boolean",
        int: "System.Int32",
        dict: "System.Collections.Hashtable",
        float: "System.Double",
    }
    return names.get(type(value), f"System.{type(value).__name__}")


def no_conversion(value: object, wanted: str) -> NotConvertible:
    """Return what PowerShell says when no conversion leads from ``value`` to the type ``wanted``."""
    return NotConvertible(
        f'Cannot convert the "{_text(value)}" value of type "{_type_name(value)}" to type "{wanted}".'
    )
