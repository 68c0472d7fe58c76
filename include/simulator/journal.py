"""The simulated world's own record: an append-only file of JSON lines, one event a line, written before anyone can ask for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import TextIOBase
from pathlib import Path
from typing import Any, Protocol, cast


class TellsTime(Protocol):
    """Anything that knows the simulated time."""

    def now(self) -> datetime:
        """Return the simulated time, aware and in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal; ``at`` is simulated time, ``status`` one of event, invoke, ok, fail and unknown."""

    seq: int
    at: datetime
    op: str
    status: str
    actor: str
    node: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the entry as one line of JSON without the line break."""
        fields = {
            "seq": self.seq,
            "t": self.at.isoformat(),
            "op": self.op,
            "status": self.status,
            "actor": self.actor,
            "node": self.node,
            "detail": self.detail,
        }
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False, default=str)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Entry:
        """Return the entry that ``fields`` (one decoded line) describe; a missing field raises KeyError."""
        return cls(
            seq=int(fields["seq"]),
            at=datetime.fromisoformat(fields["t"]),
            op=fields["op"],
            status=fields["status"],
            actor=fields["actor"],
            node=fields["node"],
            detail=fields["detail"],
        )


class Journal:
    """Keeps every entry in memory and, when ``path`` is given, on disk with a flush per line.

    An existing file raises FileExistsError: two runs never share a journal.
    """

    def __init__(self, clock: TellsTime, path: Path | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._file: TextIOBase | None = None
        self.path = path
        self.entries: list[Entry] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = cast(TextIOBase, path.open("x", encoding="utf-8", newline="\n"))
        self.write("journal.opened", "event")

    def follow(self, clock: TellsTime) -> None:
        """Take the time of entries from ``clock`` from now on."""
        self._clock = clock

    def event(self, op: str, node: str | None, detail: Mapping[str, Any], actor: str = "world") -> None:
        """Record something that happened in the world."""
        self.write(op, "event", node=node, detail=detail, actor=actor)

    def write(
        self,
        op: str,
        status: str,
        *,
        actor: str = "world",
        node: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Append one entry and return it; it is on its way to the disk when this returns."""
        with self._lock:
            now = self._clock.now()
            at = max(now, self.entries[-1].at) if self.entries else now  # an event may be worked off a little late
            entry = Entry(len(self.entries) + 1, at, op, status, actor, node, dict(detail or {}))
            if self._file is not None:
                self._file.write(entry.to_json() + "\n")
                self._file.flush()
            self.entries.append(entry)
            return entry

    def since(self, seq: int) -> list[Entry]:
        """Return the entries after number ``seq``."""
        return self.entries[max(0, seq) :]

    def close(self) -> None:
        """Close the file; what was written stays readable in memory."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None


def read_journal(path: Path) -> list[Entry]:
    """Return the entries of the journal at ``path``.

    A last line that was torn by a crash is left out. Damage anywhere else, and a gap in the numbers, raise ValueError.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    return parse_lines(text.split("\n"), str(path))


def parse_lines(lines: Iterable[str], origin: str = "journal") -> list[Entry]:
    """Return the entries in ``lines``, the last of which may be torn; ``origin`` names them in errors."""
    everything = list(lines)
    entries: list[Entry] = []
    for number, line in enumerate(everything, start=1):
        if not line.strip():
            continue
        try:
            entry = Entry.from_fields(json.loads(line))
        except (KeyError, TypeError, ValueError) as reason:
            if number == len(everything):  # a complete line is followed by an (empty) next one
                break
            raise ValueError(
                f"{origin}, line {number} is not a journal entry ({reason}); the file is damaged."
            ) from reason
        if entry.seq != len(entries) + 1:
            raise ValueError(
                f"{origin}, line {number} has number {entry.seq} where {len(entries) + 1} was due; entries are missing."
            )
        entries.append(entry)
    return entries
