"""Reading one object that a command answered with, property by property, into the types a caller wants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from math import isfinite
from typing import Final, NoReturn, TypeAlias, TypeVar, Union, overload
from uuid import UUID

from include.hci.powershell.errors import AnswerNotUnderstood
from include.hci.powershell.moments import parse_moment

D = TypeVar("D")

#: A whole number in digits; none of .NET's has more of them.
_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,40}")


class _Required:
    """The default of a property that must be there."""


_REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class EnumValue:
    """One value of a .NET enumeration: its number, its name, or both, whichever the node sent."""

    number: int | None
    name: str | None
    type_name: str = ""

    def matches(self, name: str, number: int | None = None) -> bool:
        """Return whether this is the value called ``name``, or numbered ``number`` where the node sent no name."""
        if self.name is not None:
            return self.name.lower() == name.lower()
        return number is not None and self.number == number

    def __str__(self) -> str:
        return self.name if self.name is not None else str(self.number)


@dataclass(frozen=True, slots=True, eq=False)
class PSObject:
    """One object of an answer.

    ``types`` run from the most to the least derived; ``text`` is what the object prints as; ``properties`` are all its
    properties under the names the node gave them; ``source`` is the command that answered, for messages. Properties are found
    whatever the case of their names.

    Every reader takes a ``default`` that stands in for a property that is missing or ``$null``; without one that raises
    AnswerNotUnderstood, as does a value of the wrong type in any case.
    """

    types: tuple[str, ...] = ()
    text: str | None = None
    properties: Mapping[str, Answer] = field(default_factory=dict)
    source: str = ""
    node: str = ""
    _names: dict[str, str] = field(init=False, repr=False, default_factory=dict)

    def has(self, name: str) -> bool:
        """Return whether there is a property ``name``, be it ``$null``."""
        return name in self.properties or self._spelled(name) is not None

    def is_a(self, type_name: str) -> bool:
        """Return whether one of the types is ``type_name``, whatever follows a ``#`` in either, whatever the case."""
        wanted = type_name.lower()
        return any(wanted in (name.lower(), name.lower().partition("#")[0]) for name in self.types)

    def get(self, name: str) -> Answer:
        """Return the property as it came, or None where it is missing or ``$null``."""
        if name in self.properties:
            return self.properties[name]
        found = self._spelled(name)
        return None if found is None else self.properties[found]

    def __iter__(self) -> Iterator[str]:
        return iter(self.properties)

    def _spelled(self, name: str) -> str | None:
        # Most properties are asked for as the node spells them: the other spellings are made when one is needed.
        if not self._names:
            self._names.update({each.lower(): each for each in self.properties})
        return self._names.get(name.lower())

    @overload
    def string(self, name: str) -> str: ...
    @overload
    def string(self, name: str, default: D) -> str | D: ...
    def string(self, name: str, default: object = _REQUIRED) -> object:
        """Return the property as text; enumerations give their name, numbers and GUIDs their digits."""
        value = self._value(name, default)
        if value is default:
            return value
        match value:
            case str():
                return value
            case EnumValue() | bool() | int() | float() | Decimal() | UUID():
                return str(value)
            case PSObject(text=str() as text):
                return text
        return self._wrong(name, value, "text")

    @overload
    def integer(self, name: str) -> int: ...
    @overload
    def integer(self, name: str, default: D) -> int | D: ...
    def integer(self, name: str, default: object = _REQUIRED) -> object:
        """Return the property as a whole number; digits and enumerations are taken too."""
        value = self._value(name, default)
        if value is default:
            return value
        match value:
            case bool():
                pass
            case int():
                return value
            case EnumValue(number=int() as number):
                return number
            case float() | Decimal() if isfinite(value) and value == int(value):
                return int(value)
            case str() if _WHOLE.fullmatch(value.strip()):
                return int(value)
        return self._wrong(name, value, "a whole number")

    @overload
    def boolean(self, name: str) -> bool: ...
    @overload
    def boolean(self, name: str, default: D) -> bool | D: ...
    def boolean(self, name: str, default: object = _REQUIRED) -> object:
        """Return the property as true or false; 0 and 1 and the words are taken too."""
        value = self._value(name, default)
        if value is default:
            return value
        match value:
            case bool():
                return value
            case 0 | 1:
                return bool(value)
            case str() if value.strip().lower() in ("true", "false"):
                return value.strip().lower() == "true"
        return self._wrong(name, value, "true or false")

    @overload
    def moment(self, name: str, *, zone: tzinfo | None = None) -> datetime: ...
    @overload
    def moment(self, name: str, default: D, *, zone: tzinfo | None = None) -> datetime | D: ...
    def moment(self, name: str, default: object = _REQUIRED, *, zone: tzinfo | None = None) -> object:
        """Return the property as an aware time in UTC.

        ``zone`` is where a time was written down that names no zone; without it such a time is not understood.
        """
        value = self._value(name, default)
        if value is default:
            return value
        moment = parse_moment(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime):
            return self._wrong(name, value, "a time")
        if moment.tzinfo is None:
            if zone is None:
                return self._wrong(name, value, "a time with a time zone")
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)

    @overload
    def duration(self, name: str) -> timedelta: ...
    @overload
    def duration(self, name: str, default: D) -> timedelta | D: ...
    def duration(self, name: str, default: object = _REQUIRED) -> object:
        """Return the property as a length of time."""
        value = self._value(name, default)
        return (
            value if value is default or isinstance(value, timedelta) else self._wrong(name, value, "a length of time")
        )

    @overload
    def guid(self, name: str) -> UUID: ...
    @overload
    def guid(self, name: str, default: D) -> UUID | D: ...
    def guid(self, name: str, default: object = _REQUIRED) -> object:
        """Return the property as a GUID; text with or without braces is taken too."""
        value = self._value(name, default)
        if value is default or isinstance(value, UUID):
            return value
        if isinstance(value, str):
            try:
                return UUID(value.strip())
            except ValueError:
                pass
        return self._wrong(name, value, "a GUID")

    @overload
    def enum(self, name: str) -> EnumValue: ...
    @overload
    def enum(self, name: str, default: D) -> EnumValue | D: ...
    def enum(self, name: str, default: object = _REQUIRED) -> object:
        """Return the property as a value of an enumeration; a bare number or name is taken too."""
        value = self._value(name, default)
        if value is default or isinstance(value, EnumValue):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return EnumValue(value, None)
        if isinstance(value, str):
            return EnumValue(int(value), None) if _WHOLE.fullmatch(value) else EnumValue(None, value)
        return self._wrong(name, value, "a value of an enumeration")

    @overload
    def strings(self, name: str) -> tuple[str, ...]: ...
    @overload
    def strings(self, name: str, default: D) -> tuple[str, ...] | D: ...
    def strings(self, name: str, default: object = _REQUIRED) -> object:
        """Return the property as texts; a single value counts as one."""
        value = self._value(name, default)
        if value is default:
            return value
        items = value if isinstance(value, tuple) else (value,)
        texts: list[str] = []
        for item in items:
            match item:
                case str():
                    texts.append(item)
                case EnumValue() | bool() | int() | float() | Decimal() | UUID():
                    texts.append(str(item))
                case PSObject(text=str() as text):
                    texts.append(text)
                case _:
                    self._wrong(name, value, "a list of texts")
        return tuple(texts)

    @overload
    def objects(self, name: str) -> tuple[PSObject, ...]: ...
    @overload
    def objects(self, name: str, default: D) -> tuple[PSObject, ...] | D: ...
    def objects(self, name: str, default: object = _REQUIRED) -> object:
        """Return the property as objects; a single one counts as one."""
        value = self._value(name, default)
        if value is default:
            return value
        items = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(item, PSObject) for item in items):
            self._wrong(name, value, "a list of objects")
        return items

    @overload
    def child(self, name: str) -> PSObject: ...
    @overload
    def child(self, name: str, default: D) -> PSObject | D: ...
    def child(self, name: str, default: object = _REQUIRED) -> object:
        """Return the property as one object."""
        value = self._value(name, default)
        return value if value is default or isinstance(value, PSObject) else self._wrong(name, value, "an object")

    def _value(self, name: str, default: object) -> object:
        value = self.get(name)
        if value is not None:
            return value
        if default is not _REQUIRED:
            return default
        shape = "with $null in" if self.has(name) else "without"
        seen = ", ".join(sorted(self.properties)) or "no properties at all"
        raise AnswerNotUnderstood(
            f"{self.source or 'the node'} answered {shape} property {name} (it has {seen})",
            node=self.node,
            command=self.source,
        )

    def _wrong(self, name: str, value: object, wanted: str) -> NoReturn:
        shown = repr(value if len(str(value)) <= 80 else f"{str(value)[:80]}…")
        raise AnswerNotUnderstood(
            f"{self.source or 'the node'} answered {name} = {shown} ({type(value).__name__}), which is not {wanted}",
            node=self.node,
            command=self.source,
        )

    def __str__(self) -> str:
        return self.text if self.text is not None else (self.types[0] if self.types else "object")


#: Whatever a command may answer with. Arrays come as tuples, hashtables as mappings, versions as text.
Answer: TypeAlias = Union[
    str,
    bool,
    int,
    float,
    Decimal,
    bytes,
    datetime,
    timedelta,
    UUID,
    EnumValue,
    PSObject,
    "tuple[Answer, ...]",
    "Mapping[object, Answer]",
    None,
]
