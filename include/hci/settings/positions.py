"""Reads YAML and remembers on which line every key stands, so that an error can name the line.

Only what a settings file needs is taken: mappings, lists and plain values as the YAML 1.2 core schema reads them (so that
``1:30:00`` is a text and not 5400, and ``no`` is a text and not false). Keys that occur twice are reported, not overwritten.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from include.hci.settings.problems import Location

_Loader: type = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
#: What is longer is no number that anybody means, and Python refuses to read the longest.
_LONGEST_INTEGER = 40
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?")
_PLAIN = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    text: value for word, value in (("true", True), ("false", False)) for text in (word, word.title(), word.upper())
}
_SUPPORTED_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A key that occurs twice in one mapping: where, and on which line it stood first."""

    location: Location
    line: int
    first_line: int


@dataclass(slots=True)
class Document:
    """A YAML document: its ``value`` as plain data, and the ``lines`` (from 1) of its keys and list entries."""

    value: object = None
    lines: dict[Location, int] = field(default_factory=dict)
    duplicates: list[Duplicate] = field(default_factory=list)

    def line(self, location: Location) -> int | None:
        """Return the line of ``location`` or of the nearest thing around it that has one."""
        for length in range(len(location), -1, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return None


class YamlProblem(ValueError):
    """A text that is not the YAML that a settings file may use; ``line`` from 1 where it is known."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(message)
        self.line = line


def read_yaml(text: str) -> Document:
    """Return ``text`` with the line of every key; raises YamlProblem when it is no YAML or uses tags or loops."""
    try:
        return _read(text)
    except RecursionError:
        raise YamlProblem("is nested too deeply to be settings.", None) from None


def _read(text: str) -> Document:
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        raise YamlProblem(f"is not valid YAML: {reason}.", mark.line + 1 if mark else None) from None
    except yaml.YAMLError as error:
        raise YamlProblem(f"is not valid YAML: {error}.", None) from None
    document = Document()
    if root is not None:
        document.lines[()] = _line(root)
        document.value = _build(root, (), document, ())
    return document


def _build(node: yaml.Node, location: Location, document: Document, inside: tuple[yaml.Node, ...]) -> object:
    if any(node is outer for outer in inside):
        raise YamlProblem(f"the alias at {location!r} contains itself.", _line(node))
    if node.tag not in _SUPPORTED_TAGS:
        raise YamlProblem(f"the tag {node.tag!r} is not used in settings. Remove it.", _line(node))
    inside = (*inside, node)
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, location, document, inside)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(str(node.value), quoted=node.style not in (None, ""))
    if isinstance(node, yaml.SequenceNode):
        entries: list[object] = []
        for position, entry in enumerate(node.value):
            document.lines[(*location, position)] = _line(entry)
            entries.append(_build(entry, (*location, position), document, inside))
        return entries
    raise YamlProblem("is neither a value nor a list nor a group of keys.", _line(node))


def _build_mapping(
    node: yaml.MappingNode, location: Location, document: Document, inside: tuple[yaml.Node, ...]
) -> dict[str, object]:
    values: dict[str, object] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise YamlProblem("a key must be a plain word, not a list or a group.", _line(key_node))
        key, line = str(key_node.value), _line(key_node)
        place = (*location, key)
        if key in values:
            document.duplicates.append(Duplicate(place, line, document.lines[place]))
            continue
        document.lines[place] = line
        values[key] = _build(value_node, place, document, inside)
    return values


def _scalar(text: str, *, quoted: bool) -> object:
    if quoted:
        return text
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text) and len(text) <= _LONGEST_INTEGER:
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
