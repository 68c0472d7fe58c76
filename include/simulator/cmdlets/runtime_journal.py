"""What the journal may know of a command: plain values, never a secret."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from include.simulator.cmdlets.binder_coercion import is_secret
from include.simulator.host import Argument
from include.simulator.objects import Credential, SecureString, SimEnum, SimObject

REDACTED = "***"
_MOST_INPUT = 20


def readable(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return ``parameters`` as plain JSON values with secrets removed."""
    return {str(name): REDACTED if is_secret(str(name), value) else _plain(value) for name, value in parameters.items()}


def as_sent(arguments: Iterable[Argument]) -> dict[str, object]:
    """Return arguments that were never bound, positional ones by number."""
    return readable({argument.name or f"[{number}]": argument.value for number, argument in enumerate(arguments)})


def without_secrets(text: str, arguments: Iterable[Argument]) -> str:
    """Return an error text in which no secret argument is quoted."""
    for argument in arguments:
        if isinstance(argument.value, str) and argument.value and is_secret(argument.name or "", argument.value):
            text = text.replace(argument.value, REDACTED)
    return text


def names_of(values: Iterable[object]) -> list[str]:
    """Return what the first objects of a pipeline's input are called."""
    return [_label(value) for value, _ in zip(values, range(_MOST_INPUT), strict=False)]


def _label(value: object) -> str:
    if isinstance(value, SecureString | Credential):
        return REDACTED
    if isinstance(value, SimObject):
        for name in ("Name", "FriendlyName"):
            member = value.get(name)
            if member is not None:
                return str(member)
        return value.to_string or value.type_names[0]
    return str(value)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, SecureString | Credential):
        return REDACTED
    if isinstance(value, SimEnum):
        return value.name
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta | uuid.UUID):
        return str(value)
    if isinstance(value, dict):
        return readable({str(key): member for key, member in value.items()})
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _label(value) if isinstance(value, SimObject) else str(value)
