"""Writes neutral values as CLIXML, the serialisation of PowerShell objects (MS-PSRP 2.2.5)."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from xml.sax.saxutils import escape

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
from include.simulator.wire import cim_metadata

#: Properties of an object are written, objects inside those properties only as text: the depth of PowerShell remoting.
REMOTING_DEPTH: Final = 1
#: For the protocol's own records, which are written whole.
FULL_DEPTH: Final = 100

#: Types whose properties are written wherever they are (PowerShell, types.ps1xml and serialization.cs).
_ALWAYS_EXPANDED: Final = {"System.Management.Automation.PSCredential": 1}
_ARRAY_LIST: Final = ("System.Collections.ArrayList", "System.Object")
_ESCAPE_MARK = re.compile("_(?=[xX])")
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U00010000-\U0010ffff]")
_INTEGERS: Final[Mapping[type, str]] = {Byte: "By", UInt16: "U16", UInt32: "U32", Int64: "I64", UInt64: "U64"}
_ELEMENT_TYPES: Final[Mapping[type, str]] = {
    Byte: "System.Byte",
    UInt16: "System.UInt16",
    UInt32: "System.UInt32",
    Int64: "System.Int64",
    UInt64: "System.UInt64",
    int: "System.Int32",
    str: "System.String",
    bool: "System.Boolean",
    Version: "System.Version",
    uuid.UUID: "System.Guid",
    datetime: "System.DateTime",
}


@dataclass(frozen=True, slots=True)
class Typed:
    """A dict or list that has another .NET type than a Hashtable or an Object[]."""

    type_names: tuple[str, ...]
    value: Mapping[object, object] | Iterable[object]


@dataclass(frozen=True, slots=True)
class Wrapped:
    """An object that PowerShell put around another value, such as the items of a provider's drive."""

    type_names: tuple[str, ...]
    value: object
    notes: Mapping[str, object] = field(default_factory=dict)
    to_string: str | None = None


def text_of(value: str) -> str:
    """Return ``value`` with the characters that XML cannot hold written as ``_xHHHH_``."""
    return escape(_UNSAFE.sub(_utf16, _ESCAPE_MARK.sub("_x005F_", value)))


def _utf16(match: re.Match[str]) -> str:
    units = match.group().encode("utf-16-be", "surrogatepass").hex().upper()
    return "".join(f"_x{units[start : start + 4]}_" for start in range(0, len(units), 4))


def date_of(value: datetime) -> str:
    """Return a DateTime as XmlConvert writes it; a value without a time zone counts as UTC."""
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    offset = moment.strftime("%z")
    zone = "Z" if moment.tzinfo is UTC else f"{offset[:3]}:{offset[3:5]}"
    return moment.replace(microsecond=0, tzinfo=None).isoformat() + fraction + zone


def duration_of(value: timedelta) -> str:
    """Return a TimeSpan as XmlConvert writes it."""
    sign, rest = ("-", -value) if value < timedelta(0) else ("", value)
    minutes, seconds = divmod(rest.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{rest.microseconds:06d}".rstrip("0") if rest.microseconds else ""
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M")) if number)
    if seconds or fraction or not (clock or rest.days):
        clock += f"{seconds}{fraction}S"
    return f"{sign}P{f'{rest.days}D' if rest.days else ''}{f'T{clock}' if clock else ''}"


class Writer:
    """Writes one message; references to objects and type names hold within it.

    ``depths`` are the depths of types that differ from the others. ``classes`` are the CIM classes that the client of the
    session knows already; those that this message describes are added.
    """

    def __init__(
        self,
        encrypt: Callable[[str], str],
        depths: Mapping[str, int] | None = None,
        classes: set[cim_metadata.ClassKey] | None = None,
    ) -> None:
        self._encrypt = encrypt
        self._depths = {**_ALWAYS_EXPANDED, **(depths or {})}
        self._classes = set() if classes is None else classes
        self._out: list[str] = []
        self._types: dict[tuple[str, ...], int] = {}
        self._objects: dict[int, int] = {}
        self._kept: list[object] = []
        self._next_id = 0

    def text(self) -> bytes:
        """Return what has been written."""
        return "".join(self._out).encode()

    def write(self, value: object, name: str | None = None, depth: int = REMOTING_DEPTH) -> Writer:
        """Write ``value`` as the property ``name``, expanding ``depth`` levels of objects."""
        attribute = "" if name is None else f' N="{escape(text_of(name), {chr(34): "&quot;"})}"'
        primitive = self._primitive(value)
        if primitive is not None:
            tag, text = primitive
            self._out.append(f"<{tag}{attribute} />" if text is None else f"<{tag}{attribute}>{text}</{tag}>")
        else:
            self._complex(value, attribute, depth)
        return self

    def _primitive(self, value: object) -> tuple[str, str | None] | None:
        if value is None:
            return "Nil", None
        if isinstance(value, bool):
            return "B", "true" if value else "false"
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, str):
            return ("Version" if isinstance(value, Version) else "S"), text_of(value)
        if isinstance(value, float):
            return "Db", repr(value)
        if isinstance(value, datetime):
            return "DT", date_of(value)
        if isinstance(value, timedelta):
            return "TS", duration_of(value)
        if isinstance(value, uuid.UUID):
            return "G", str(value)
        if isinstance(value, bytes | bytearray):
            return "BA", base64.b64encode(value).decode()
        if isinstance(value, SecureString):
            return "SS", self._encrypt(value.value)
        return ("D", str(value)) if isinstance(value, Decimal) else None

    @staticmethod
    def _integer(value: int) -> tuple[str, str]:
        tag = _INTEGERS.get(type(value))
        if tag is None:
            tag = "I32" if -(2**31) <= value < 2**31 else "I64" if -(2**63) <= value < 2**63 else "U64"
        return tag, str(int(value))

    def _complex(self, value: object, attribute: str, depth: int) -> None:
        known = self._objects.get(id(value))
        if known is not None:
            self._out.append(f'<Ref{attribute} RefId="{known}" />')
            return
        if isinstance(value, SimObject):
            depth = self._depth(value, depth)
            if depth <= 0:
                self._out.append(f"<S{attribute}>{text_of(_string(value))}</S>")
                return
        number, self._next_id = self._next_id, self._next_id + 1
        self._out.append(f'<Obj{attribute} RefId="{number}">')
        if isinstance(value, SimObject | Typed | Wrapped):
            self._objects[id(value)] = number
            # An object that is gone could share its identity with a later one.
            self._kept.append(value)
        if isinstance(value, SimObject):
            self._object(value, depth)
        elif isinstance(value, Wrapped):
            self._wrapped(value, depth)
        elif isinstance(value, SimEnum):
            self._type_names((value.type_name, "System.Enum", "System.ValueType", "System.Object"))
            self._out.append(f"<ToString>{text_of(value.name)}</ToString>")
            self.write(value.value)
        elif isinstance(value, Credential):
            self._type_names(("System.Management.Automation.PSCredential", "System.Object"))
            self._out.append("<ToString>System.Management.Automation.PSCredential</ToString>")
            self._members("Props", {"UserName": value.user, "Password": value.password}, depth)
        else:
            self._container(value, depth)
        self._out.append("</Obj>")

    def _depth(self, value: SimObject, depth: int) -> int:
        # CIM instances are always written with their properties, wherever they are (PowerShell, serialization.cs).
        if cim_metadata.is_instance(value):
            return max(depth, 1)
        return self._depths.get(value.type_names[0], depth) if value.type_names else depth

    def _object(self, value: SimObject, depth: int) -> None:
        if value.type_names:
            self._type_names(value.type_names)
        if value.to_string is not None:
            self._out.append(f"<ToString>{text_of(value.to_string)}</ToString>")
        if value.properties:
            self._members("Props", value.properties, depth - 1)
        described = cim_metadata.classes_of(value, self._classes)
        if value.notes or described:
            # Members that PowerShell put on the instance do not count as a level (serialization.cs, WriteMemberInfoCollection).
            self._members("MS", value.notes, depth, described)

    def _wrapped(self, value: Wrapped, depth: int) -> None:
        if value.type_names:
            self._type_names(value.type_names)
        if value.to_string is not None:
            self._out.append(f"<ToString>{text_of(value.to_string)}</ToString>")
        self.write(value.value, None, depth)
        if value.notes:
            self._members("MS", value.notes, depth)

    def _members(
        self, tag: str, members: Mapping[str, object], depth: int, described: Sequence[SimObject] = ()
    ) -> None:
        self._out.append(f"<{tag}>")
        for name, member in members.items():
            self.write(member, name, depth)
        if described:
            self.write(Typed(_ARRAY_LIST, described), "__ClassMetadata", FULL_DEPTH)
        self._out.append(f"</{tag}>")

    def _container(self, value: object, depth: int) -> None:
        if isinstance(value, Typed):
            type_names, value = value.type_names, value.value
        elif isinstance(value, Mapping):
            type_names = ("System.Collections.Hashtable", "System.Object")
        elif isinstance(value, list | tuple | set | frozenset):
            type_names = (f"{_element_type(value)}[]", "System.Array", "System.Object")
        else:
            raise TypeError(f"A {type(value).__name__} has no form on the wire; use a SimObject or a plain value.")
        self._type_names(type_names)
        if isinstance(value, Mapping):
            self._out.append("<DCT>" if value else "<DCT />")
            for key, item in value.items():
                self._out.append("<En>")
                self.write(key, "Key", depth).write(item, "Value", depth)
                self._out.append("</En>")
            self._out.append("</DCT>" if value else "")
            return
        items = list(value)
        self._out.append("<LST>" if items else "<LST />")
        for item in items:
            self.write(item, None, depth)
        self._out.append("</LST>" if items else "")

    def _type_names(self, type_names: tuple[str, ...]) -> None:
        known = self._types.get(type_names)
        if known is not None:
            self._out.append(f'<TNRef RefId="{known}" />')
            return
        number = self._types[type_names] = len(self._types)
        inner = "".join(f"<T>{text_of(name)}</T>" for name in type_names)
        self._out.append(f'<TN RefId="{number}">{inner}</TN>')


def _string(value: SimObject) -> str:
    if value.to_string is not None:
        return value.to_string
    return value.type_names[0] if value.type_names else ""


def _element_type(items: Iterable[object]) -> str:
    kinds = {type(item) for item in items}
    return _ELEMENT_TYPES.get(kinds.pop(), "System.Object") if len(kinds) == 1 else "System.Object"
