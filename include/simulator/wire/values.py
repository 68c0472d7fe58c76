"""Turns what a client sent, as psrpcore reads it, into neutral values."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from psrpcore import types as ps

from include.simulator.objects import (
    Byte,
    Credential,
    Int64,
    SecureString,
    SimEnum,
    SimObject,
    UInt16,
    UInt32,
    UInt64,
    Version,
)

_CONVERTERS: Final[tuple[tuple[type, Callable[[Any], object]], ...]] = (
    (ps.PSSecureString, lambda value: SecureString(str(value.decrypt()))),
    (ps.PSCredential, lambda value: Credential(str(value.UserName), _secret(value.Password))),
    (ps.PSVersion, lambda value: Version(str(value))),
    (ps.PSByte, lambda value: Byte(int(value))),
    (ps.PSUInt16, lambda value: UInt16(int(value))),
    (ps.PSUInt, lambda value: UInt32(int(value))),
    (ps.PSUInt64, lambda value: UInt64(int(value))),
    (ps.PSInt64, lambda value: Int64(int(value))),
    (ps.PSGuid, lambda value: uuid.UUID(str(value))),
    (ps.PSDateTime, lambda value: _moment(value)),
    (ps.PSDuration, lambda value: timedelta(seconds=value.total_seconds())),
    (ps.PSDecimal, lambda value: Decimal(str(value))),
    (ps.PSChar, str),
    (ps.PSByteArray, bytes),
    (str, str),
    (float, float),
    (int, int),
)


def neutral(value: object) -> object:
    """Return ``value`` without any protocol library in it; objects get the ``Deserialized.`` type names of Windows."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, ps.PSEnumBase | ps.PSFlagBase):
        name = getattr(value, "name", None) or str(value)
        return SimEnum(value.PSObject.type_names[0], int(value), name)
    for kind, convert in _CONVERTERS:
        if isinstance(value, kind):
            return convert(value)
    if isinstance(value, dict):
        return {neutral(key): neutral(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [neutral(item) for item in value]
    if isinstance(value, ps.PSQueue):
        return [neutral(value.get()) for _ in range(value.qsize())]
    if isinstance(value, ps.PSObject):
        return _object(value)
    raise TypeError(f"A {type(value).__name__} from a client has no neutral form.")


def _secret(value: object) -> SecureString:
    converted = neutral(value)
    return converted if isinstance(converted, SecureString) else SecureString("")


def _moment(value: object) -> datetime:
    assert isinstance(value, datetime)  # noqa: S101 - narrows the type for the checker
    plain = datetime(
        value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond, value.tzinfo
    )
    return plain if plain.tzinfo else plain.replace(tzinfo=UTC)


def _object(value: ps.PSObject) -> SimObject:
    shape = value.PSObject
    return SimObject(
        type_names=tuple(f"Deserialized.{name.removeprefix('Deserialized.')}" for name in shape.type_names or ()),
        properties={entry.name: neutral(entry.get_value(value)) for entry in shape.adapted_properties},
        notes={entry.name: neutral(entry.get_value(value)) for entry in shape.extended_properties},
        to_string=shape.to_string,
    )
