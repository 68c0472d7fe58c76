"""Reading CLIXML, the form in which PowerShell sends objects (MS-PSRP 2.2.5), into plain values and ``PSObject``."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final
from uuid import UUID

from include.hci.powershell.moments import parse_duration, parse_moment
from include.hci.powershell.psobject import Answer, EnumValue, PSObject

_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_SEQUENCES: Final = ("LST", "IE", "QUE", "STK")


def read_clixml(xml: str, *, source: str = "", node: str = "") -> Answer:
    """Return the value that one CLIXML element stands for.

    ``source`` and ``node`` name the command and the node that answered, for messages about the object later. Raises ValueError
    where ``xml`` is not CLIXML.
    """
    try:
        element = ET.fromstring(xml)  # noqa: S314
        return _Reader(source, node).read(element)
    except (ET.ParseError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"this is not CLIXML: {error}") from error


def decode_text(text: str | None) -> str:
    """Return a text with its ``_xHHHH_`` escapes resolved; pairs of them may form one character."""
    if not text:
        return ""
    if "_x" not in text and "_X" not in text:
        return text
    return _paired(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), text))


def _paired(text: str) -> str:
    """Return ``text`` with pairs of surrogates as one character; half a pair cannot be written down anywhere."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _moment(text: str) -> Answer:
    return parse_moment(text) or text


def _duration(text: str) -> Answer:
    found = parse_duration(text)
    return text if found is None else found


_SCALARS: Final[Mapping[str, Callable[[str], Answer]]] = {
    "S": decode_text,
    "URI": decode_text,
    "XD": decode_text,
    "SBK": decode_text,
    "Version": str,
    "C": lambda text: _paired(chr(int(text))),
    "B": lambda text: text.strip().lower() == "true",
    "DT": _moment,
    "TS": _duration,
    **dict.fromkeys(("By", "SB", "U16", "I16", "U32", "I32", "U64", "I64"), int),
    **dict.fromkeys(("Sg", "Db"), float),
    "D": Decimal,
    "G": UUID,
    "BA": base64.b64decode,
    "SS": lambda _: "***",
    "Nil": lambda _: None,
}


class _Reader:
    """Reads one document; holds what later elements may refer back to."""

    def __init__(self, source: str, node: str) -> None:
        self.source = source
        self.node = node
        self.objects: dict[str, Answer] = {}
        self.types: dict[str, tuple[str, ...]] = {}

    def read(self, element: ET.Element) -> Answer:
        tag = element.tag.rpartition("}")[2]
        if scalar := _SCALARS.get(tag):
            return scalar(element.text or "")
        if tag == "Ref":
            return self.objects.get(element.attrib["RefId"])
        if tag in _SEQUENCES:
            return tuple(self.read(item) for item in element)
        if tag == "DCT":
            return self._dictionary(element)
        if tag != "Obj":
            raise ValueError(f"this is not CLIXML: it has an element {tag}")
        value = self._object(element)
        if "RefId" in element.attrib:
            self.objects[element.attrib["RefId"]] = value
        return value

    def _object(self, element: ET.Element) -> Answer:
        types: tuple[str, ...] = ()
        text: str | None = None
        core: ET.Element | None = None
        properties: dict[str, Answer] = {}
        for part in element:
            match part.tag.rpartition("}")[2]:
                case "TN":
                    types = tuple(name.text or "" for name in part)
                    self.types[part.attrib.get("RefId", "")] = types
                case "TNRef":
                    types = self.types.get(part.attrib["RefId"], ())
                case "ToString":
                    text = decode_text(part.text)
                case "Props" | "MS" as kind:
                    self._members(part, properties, shadows=kind == "MS")
                case _:
                    core = part
        if core is not None:
            # Notes that PowerShell hangs on a plain value (PSPath on a line of text, say) are dropped: nobody asks for them.
            value = self.read(core)
            if "System.Enum" in types and isinstance(value, int):
                return EnumValue(value, text, types[0])
            return value
        return PSObject(types, text, properties, self.source, self.node)

    def _members(self, element: ET.Element, into: dict[str, Answer], *, shadows: bool) -> None:
        for member in element:
            name = decode_text(member.attrib.get("N"))
            if shadows:
                for known in [known for known in into if known.lower() == name.lower()]:
                    del into[known]
            into[name] = self.read(member)

    def _dictionary(self, element: ET.Element) -> dict[object, Answer]:
        found: dict[object, Answer] = {}
        for entry in element:
            parts = {part.attrib.get("N"): part for part in entry}
            key = self.read(parts["Key"])
            found[str(key) if isinstance(key, PSObject) else key] = self.read(parts["Value"])
        return found
