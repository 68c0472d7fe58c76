"""The fault catalogue: rows of data, read once and checked."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import yaml

from include.simulator.faults.triggers import Trigger, trigger

#: The rows by theme, loaded together.
ROWS = Path(__file__).with_name("rows")
_NOT_FAULTS = Path(__file__).with_name("not_faults.yaml")
_SUFFIX = re.compile(r"^(?P<id>.+?)-on-node-(?P<number>\d+)$")
_DEMAND = re.compile(r"^B-[1-9]\d*$")
_NEEDED = {"id", "what", "source", "node", "effects"}
_KEYS = _NEEDED | {"when", "lasts", "demands", "shows"}


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault: what happens, who says that it does, and its effects; ``node`` is required, optional or none.

    ``demands`` are the users' complaints that it plays (B-1 ...), ``shows`` the events and cmdlets in which an observer meets it.
    """

    id: str
    what: str
    source: str
    node: str
    effects: tuple[Mapping[str, object], ...]
    when: Trigger | None = None
    lasts: timedelta | None = None
    demands: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    theme: str = ""


def parse_id(text: str) -> tuple[str, int | None]:
    """Split ``install-fails-on-node-2`` into the fault's id and the node's number."""
    match = _SUFFIX.match(text)
    return (match["id"], int(match["number"])) if match else (text, None)


@functools.cache
def catalogue() -> Mapping[str, FaultRow]:
    """Return every fault by its id; a malformed row raises ValueError that names it."""
    rows: dict[str, FaultRow] = {}
    for file in sorted(ROWS.glob("*.yaml")):
        for row in load(file.read_text(encoding="utf-8"), file.stem).values():
            _add(rows, row)
    return rows


@functools.cache
def not_faults() -> Mapping[str, str]:
    """Return the complaints that no fault plays, each with the reason."""
    raw = yaml.safe_load(_NOT_FAULTS.read_text(encoding="utf-8"))
    return {str(demand): str(reason) for demand, reason in raw["not_faults"].items()}


def load(text: str, theme: str = "") -> Mapping[str, FaultRow]:
    """Return the faults that ``text`` (YAML) describes by id; a malformed row raises ValueError that names it."""
    rows: dict[str, FaultRow] = {}
    for raw in yaml.safe_load(text) or []:
        _add(rows, _row(raw, theme))
    return rows


def _add(rows: dict[str, FaultRow], row: FaultRow) -> None:
    if row.id in rows:
        raise ValueError(f"The fault {row.id} stands in the catalogue twice.")
    rows[row.id] = row


def _row(raw: object, theme: str) -> FaultRow:
    if not isinstance(raw, dict) or not set(raw) >= _NEEDED:
        raise ValueError(f"A fault needs id, what, source, node and effects: {raw!r}.")
    name = str(raw["id"])
    if unknown := set(raw) - _KEYS:
        raise ValueError(f"The fault {name} has unknown keys: {', '.join(sorted(map(str, unknown)))}.")
    if raw["node"] not in ("required", "optional", "none"):
        raise ValueError(f"The fault {name} says node: {raw['node']}; it is required, optional or none.")
    demands = tuple(str(each) for each in raw.get("demands") or ())
    if wrong := [each for each in demands if not _DEMAND.match(each)]:
        raise ValueError(f"The fault {name} names demands that are none: {', '.join(wrong)}.")
    try:
        when = trigger(raw["when"]) if raw.get("when") else None
    except ValueError as reason:
        raise ValueError(f"The fault {name}: {reason}") from None
    lasts = timedelta(minutes=float(raw["lasts"])) if raw.get("lasts") else None
    effects = tuple(dict(effect) for effect in raw["effects"])
    shows = tuple(str(each) for each in raw.get("shows") or ())
    return FaultRow(
        name, str(raw["what"]), str(raw["source"]), str(raw["node"]), effects, when, lasts, demands, shows, theme
    )
