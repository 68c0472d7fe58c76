"""The fault catalogue: rows of data, read once and checked."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("catalogue.yaml")
_SUFFIX = re.compile(r"^(?P<id>.+?)-on-node-(?P<number>\d+)$")
_KEYS = {"id", "what", "source", "node", "when", "effects"}


@dataclass(frozen=True, slots=True)
class Trigger:
    """Which event of the journal sets a fault off, and how long after it."""

    event: str
    where: Mapping[str, object] = field(default_factory=dict)
    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault: what happens, who says that it does, and its effects; ``node`` is required, optional or none."""

    id: str
    what: str
    source: str
    node: str
    effects: tuple[Mapping[str, object], ...]
    when: Trigger | None = None


def parse_id(text: str) -> tuple[str, int | None]:
    """Split ``install-fails-on-node-2`` into the fault's id and the node's number."""
    match = _SUFFIX.match(text)
    return (match["id"], int(match["number"])) if match else (text, None)


@functools.cache
def catalogue() -> Mapping[str, FaultRow]:
    """Return every fault by its id; a malformed row raises ValueError that names it."""
    return load(_FILE.read_text(encoding="utf-8"))


def load(text: str) -> Mapping[str, FaultRow]:
    """Return the faults that ``text`` (YAML) describes by id; a malformed row raises ValueError that names it."""
    rows: dict[str, FaultRow] = {}
    for raw in yaml.safe_load(text) or []:
        row = _row(raw)
        if row.id in rows:
            raise ValueError(f"The fault {row.id} stands in the catalogue twice.")
        rows[row.id] = row
    return rows


def _row(raw: object) -> FaultRow:
    if not isinstance(raw, dict) or not {"id", "what", "source", "node", "effects"} <= set(raw):
        raise ValueError(f"A fault needs id, what, source, node and effects: {raw!r}.")
    if unknown := set(raw) - _KEYS:
        raise ValueError(f"The fault {raw['id']} has unknown keys: {', '.join(sorted(map(str, unknown)))}.")
    if raw["node"] not in ("required", "optional", "none"):
        raise ValueError(f"The fault {raw['id']} says node: {raw['node']}; it is required, optional or none.")
    when = raw.get("when")
    trigger = (
        Trigger(str(when["event"]), when.get("where") or {}, float(when.get("delay_seconds", 0))) if when else None
    )
    effects = tuple(dict(effect) for effect in raw["effects"])
    return FaultRow(str(raw["id"]), str(raw["what"]), str(raw["source"]), str(raw["node"]), effects, trigger)
