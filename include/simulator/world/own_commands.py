"""Commands that administrators have on their machines: functions of a constrained endpoint (PowerShell-Docs, jea)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """One function: ``parameters`` by name with their types, ``fails`` what it ends with, ``hangs`` that it never ends."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    takes: timedelta = timedelta(seconds=1)
    output: tuple[str, ...] = ()
    fails: str = ""
    hangs: bool = False


class OwnCommands:
    """Which functions the endpoints of the machines offer; ``put`` replaces, so that a result can be changed at any time."""

    def __init__(self) -> None:
        self._commands: dict[tuple[str, str], dict[str, OwnCommand]] = {}

    def put(self, machine: str, endpoint: str, command: OwnCommand) -> None:
        """Let the session configuration ``endpoint`` of ``machine`` offer ``command``."""
        self._commands.setdefault((machine, endpoint.lower()), {})[command.name.lower()] = command

    def find(self, machine: str, endpoint: str, name: str) -> OwnCommand | None:
        """Return what ``name`` is there, or None."""
        return self._commands.get((machine, endpoint.lower()), {}).get(name.lower())

    def offered(self, machine: str, endpoint: str) -> tuple[OwnCommand, ...]:
        """Return everything that the endpoint offers, in the order in which it was put there."""
        return tuple(self._commands.get((machine, endpoint.lower()), {}).values())
