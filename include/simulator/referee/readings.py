"""What the run has read with its own eyes, and when: a report answers for that, not for what nobody could read any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: What can be read of one machine.
BOOT_TIME, BUILD, LOCK = "boot time", "build", "run lock"


@dataclass(frozen=True, slots=True)
class Reading:
    """Somebody read ``what`` of a machine and was answered; ``seq`` is that of the answer."""

    seq: int
    actor: str
    machine: str
    what: str


def what_is_read(detail: Mapping[str, Any]) -> str | None:
    """Return which of the things above the command in ``detail`` reads, or None."""
    command, parameters = str(detail.get("command", "")).lower(), detail.get("parameters") or {}
    match command:
        case "get-ciminstance":
            name = _text(parameters.get("ClassName"))
            return {"win32_operatingsystem": BOOT_TIME, "msft_caurun": LOCK}.get(name)
        case "get-itemproperty":
            path = _text(parameters.get("LiteralPath") or parameters.get("Path"))
            return BUILD if path.endswith("windows nt\\currentversion") else None
    return None


def _text(value: object) -> str:
    one = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
    return str(one or "").lower()


@dataclass(frozen=True, slots=True)
class Readings:
    """All readings of a journal, in order."""

    all: tuple[Reading, ...] = ()

    def of(self, machine: str, what: str, actors: Iterable[str]) -> list[int]:
        """Return when one of ``actors`` was told ``what`` by ``machine``: the places in the journal."""
        chosen = frozenset(actors)
        return [each.seq for each in self.all if each.machine == machine and each.what == what and each.actor in chosen]
