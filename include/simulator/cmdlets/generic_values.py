"""Reading, comparing and printing values as PowerShell's own cmdlets do."""

from __future__ import annotations

import fnmatch
import re
import uuid
from datetime import datetime, timedelta

from include.simulator.objects import SimEnum, SimObject


def member(item: object, name: str) -> object:
    """Return a property by name; what type data adds goes before what the object has of itself."""
    if isinstance(item, dict):
        return next((value for key, value in item.items() if str(key).lower() == name.lower()), None)
    if not isinstance(item, SimObject):
        return {"length": len(item)}.get(name.lower()) if isinstance(item, str) else None
    for members in (item.notes, item.properties):
        for key, value in members.items():
            if key.lower() == name.lower():
                return value
    return None


def members(item: SimObject) -> dict[str, object]:
    """Return all properties with what type data makes of them."""
    return {**item.properties, **item.notes}


def text(value: object) -> str:
    """Return what PowerShell prints for a value inside a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, SimObject):
        return value.to_string if value.to_string is not None else value.type_names[0]
    if isinstance(value, list | tuple):
        return " ".join(text(each) for each in value)
    return str(value)


def equal(left: object, right: object, *, case: bool = False) -> bool:
    """Compare as -eq does: by the type of the left side."""
    if isinstance(left, SimEnum):
        if isinstance(right, SimEnum):
            return left.value == right.value
        if isinstance(right, int):
            return left.value == right
        return left.name.lower() == str(right).lower() or str(left.value) == str(right)
    if isinstance(left, bool):
        return left is (right if isinstance(right, bool) else bool(right))
    if isinstance(left, int | float):
        number = _number(right)
        return number is not None and left == number
    if isinstance(left, datetime | timedelta | uuid.UUID):
        return left == right or str(left).lower() == str(right).lower()
    if left is None or right is None:
        return left is None and right is None
    return text(left) == text(right) if case else text(left).lower() == text(right).lower()


def order(left: object, right: object) -> int | None:
    """Return -1, 0 or 1 for less, equal or greater, or None where the two cannot be compared."""
    if isinstance(left, SimEnum):
        left = left.value
    if isinstance(left, int | float) and not isinstance(left, bool):
        number = _number(right)
        return None if number is None else (left > number) - (left < number)
    if isinstance(left, datetime) and isinstance(right, datetime):
        return (left > right) - (left < right)
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return (left > right) - (left < right)
    if isinstance(left, str):
        one, other = left.lower(), text(right).lower()
        return (one > other) - (one < other)
    return None


def like(value: object, pattern: object) -> bool:
    """Compare as -like does."""
    return fnmatch.fnmatchcase(text(value).lower(), text(pattern).lower())


def match(value: object, pattern: object) -> bool:
    """Compare as -match does."""
    return re.search(text(pattern), text(value), re.IGNORECASE) is not None


def _number(value: object) -> float | int | None:
    if isinstance(value, SimEnum):
        return value.value
    if isinstance(value, int | float):
        return value
    try:
        return float(str(value))
    except ValueError:
        return None
