"""Values that a command may carry: plain Python ones, integers of a fixed width, secrets, and the bare switch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import ClassVar, Final, TypeAlias, Union
from uuid import UUID


class Switch(Enum):
    """The type of ``SWITCH``: a parameter that is named without a value, like ``-Drain``."""

    PRESENT = "present"


SWITCH: Final = Switch.PRESENT


class Secret:
    """A text that reaches the node as a SecureString and is never shown.

    ``str``, ``repr`` and ``format`` show ``***``; only ``reveal`` gives the text.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"A secret is a text, not {type(value).__name__}.")
        self._value = value

    def reveal(self) -> str:
        """Return the text itself, for sending and for masking only."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


class SizedInteger(int):
    """An integer that .NET holds in a fixed number of bits; values outside its range are refused."""

    __slots__ = ()
    tag: ClassVar[str] = ""
    lowest: ClassVar[int] = 0
    highest: ClassVar[int] = 0

    def __new__(cls, value: int) -> SizedInteger:
        """Return ``value`` as this width; raises ValueError outside of it."""
        if not cls.lowest <= value <= cls.highest:
            raise ValueError(f"{value} does not fit {cls.__name__}: it takes {cls.lowest} to {cls.highest}.")
        return super().__new__(cls, value)


class Byte(SizedInteger):
    """System.Byte."""

    __slots__ = ()
    tag, lowest, highest = "By", 0, 2**8 - 1


class UInt16(SizedInteger):
    """System.UInt16."""

    __slots__ = ()
    tag, lowest, highest = "U16", 0, 2**16 - 1


class UInt32(SizedInteger):
    """System.UInt32."""

    __slots__ = ()
    tag, lowest, highest = "U32", 0, 2**32 - 1


class UInt64(SizedInteger):
    """System.UInt64."""

    __slots__ = ()
    tag, lowest, highest = "U64", 0, 2**64 - 1


class Int64(SizedInteger):
    """System.Int64."""

    __slots__ = ()
    tag, lowest, highest = "I64", -(2**63), 2**63 - 1


#: What one parameter of a command may hold. Mappings become hashtables, sequences arrays, None (inside them) ``$null``.
Value: TypeAlias = Union[
    str,
    bool,
    int,
    float,
    bytes,
    datetime,
    timedelta,
    UUID,
    Secret,
    Switch,
    "Sequence[Value | None]",
    "Mapping[str, Value | None]",
]
