"""The classes of CIM instances, which PowerShell sends along so that a client can rebuild the instance.

Source: PowerShell, serialization.cs, PrepareCimInstanceForSerialization.
"""

from __future__ import annotations

import zlib
from datetime import datetime, timedelta
from typing import Final
from xml.sax.saxutils import quoteattr

from include.simulator.objects import Byte, Int64, SimObject, UInt16, UInt32, UInt64

_INSTANCE: Final = "Microsoft.Management.Infrastructure.CimInstance"
_TYPES: Final[tuple[tuple[type, str], ...]] = (
    (bool, "boolean"),
    (Byte, "uint8"),
    (UInt16, "uint16"),
    (UInt32, "uint32"),
    (UInt64, "uint64"),
    (Int64, "sint64"),
    (int, "sint32"),
    (float, "real64"),
    (datetime, "datetime"),
    (timedelta, "datetime"),
)

#: Class, namespace and server.
ClassKey = tuple[str, str, str]


def is_instance(value: SimObject) -> bool:
    """Whether an object is a CIM instance."""
    main = value.type_names[0] if value.type_names else ""
    return main == _INSTANCE or main.startswith(f"{_INSTANCE}#")


def classes_of(value: SimObject, known: set[ClassKey]) -> list[SimObject]:
    """Return the class of an instance and the classes above it, the highest first, nothing for other objects.

    A class in ``known`` is only named, the one that the client of this session has seen before; new ones are added.
    """
    if not is_instance(value):
        return []
    names = [name.removeprefix(f"{_INSTANCE}#") for name in value.type_names if name.startswith(f"{_INSTANCE}#")]
    chain = [name for name in names if "/" in name]
    server = str(value.notes.get("PSComputerName") or "")
    found: list[SimObject] = []
    new: list[ClassKey] = []
    for position, full in enumerate(chain):
        namespace, _, name = full.rpartition("/")
        key = (name, namespace, server)
        notes: dict[str, object] = {
            "ClassName": name,
            "Namespace": namespace,
            "ServerName": server,
            "Hash": zlib.crc32("/".join(key).encode()) - 2**31,
        }
        found.append(SimObject((), {}, notes))
        if key in known:
            break
        above = chain[position + 1].rpartition("/")[2] if position + 1 < len(chain) else ""
        notes["MiXml"] = _declaration(name, above, value.properties if position == 0 else {})
        new.append(key)
    known.update(new)
    return found[::-1]


def _declaration(name: str, above: str, properties: dict[str, object]) -> str:
    parent = f" SUPERCLASS={quoteattr(above)}" if above else ""
    inner = "".join(_property(key, value) for key, value in properties.items())
    return f"<CLASS NAME={quoteattr(name)}{parent}>{inner}</CLASS>"


def _property(name: str, value: object) -> str:
    if isinstance(value, list | tuple):
        kind = _type_of(value[0]) if value else "string"
        return f'<PROPERTY.ARRAY NAME={quoteattr(name)} TYPE="{kind}"></PROPERTY.ARRAY>'
    return f'<PROPERTY NAME={quoteattr(name)} TYPE="{_type_of(value)}"></PROPERTY>'


def _type_of(value: object) -> str:
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "string")
