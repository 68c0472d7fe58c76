"""Turns what a simulated machine hands out into what the product's remoting would have made of it on the other side."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from include.hci.powershell.command import Command
from include.hci.powershell.psobject import Answer, EnumValue, PSObject
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.values import SWITCH
from include.simulator.host import Argument, CommandCall
from include.simulator.objects import SimEnum, SimError, SimObject

#: Types whose values are the same on both sides; subclasses (UInt32, Version ...) are not.
_SAME = frozenset({str, bool, int, float, bytes, datetime, timedelta, UUID, type(None)})


def call_of(command: Command) -> CommandCall:
    """Return a command as it reaches the machine."""
    arguments = tuple(
        Argument(name, None if value is SWITCH else _plain(value)) for name, value in command.parameters.items()
    )
    return CommandCall(command.name, arguments)


def answers_of(values: Iterable[object], source: str, node: str) -> tuple[Answer, ...]:
    """Return output objects as remoting gives them; ``source`` is the command that they answer, on ``node``."""
    return tuple(_answer(value, source, node, 1) for value in values)


def record_of(record: SimError) -> ErrorRecord:
    """Return an error record as remoting gives it."""
    return ErrorRecord(
        message=record.message,
        fully_qualified_error_id=record.fully_qualified_error_id,
        category=record.category,
        reason=record.reason,
        target=record.target or "",
        exception_types=record.exception_types,
        hresult=(-2146233079 if record.code_inside else record.hresult) & 0xFFFFFFFF,
        native_code=None if record.code_inside else record.native_error_code,
        command=record.activity,
    )


def _plain(value: object) -> object:
    if type(value) in _SAME:
        return value
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _answer(value: object, source: str, node: str, depth: int) -> Answer:
    if isinstance(value, SimObject):
        return _object(value, source, node, depth)
    if isinstance(value, SimEnum):
        return _enum(value)
    if isinstance(value, list | tuple):
        return tuple(_answer(item, source, node, depth) for item in value)
    if isinstance(value, dict):
        return {key: _answer(item, source, node, depth) for key, item in value.items()}
    if value is None or isinstance(value, bool | float | datetime | timedelta | UUID | bytes):
        return value
    return int(value) if isinstance(value, int) else str(value)


def _object(value: SimObject, source: str, node: str, depth: int) -> Answer:
    # As remoting serialises: objects inside a property are text, CIM instances are whole wherever they are.
    types = value.type_names
    if depth <= 0:
        if not (types and types[0].startswith("Microsoft.Management.Infrastructure.CimInstance")):
            return value.to_string or (types[0] if types else "")
        depth = 1
    return PSObject(types, value.to_string, _Members(value, source, node, depth - 1), source, node)


class _Members(Mapping[str, Answer]):
    """The properties of one object, each of them converted when it is asked for: a step reads few of them."""

    __slots__ = ("_depth", "_node", "_raw", "_source")

    def __init__(self, value: SimObject, source: str, node: str, depth: int) -> None:
        self._raw = {**value.properties, **value.notes} if value.notes else value.properties
        self._source, self._node, self._depth = source, node, depth

    def __getitem__(self, name: str) -> Answer:
        item = self._raw[name]
        return item if type(item) in _SAME else _answer(item, self._source, self._node, self._depth)  # type: ignore[return-value]

    def __contains__(self, name: object) -> bool:
        return name in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)

    def __repr__(self) -> str:
        return repr(dict(self))


@functools.lru_cache(maxsize=4096)
def _enum(value: SimEnum) -> EnumValue:
    return EnumValue(value.value, value.name, value.type_name)
