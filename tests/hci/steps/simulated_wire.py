"""What is wrong with the connections to the machines of a simulated cluster, and what a client sees of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

#: Faults that strike one command, or ``count``; by what the client sees.
_SINGLE = {
    "reset-before": "before",
    "kill-sessions": "before",
    "kill-shells": "before",
    "reset-answer": "after",
    "half-answer": "half",
    "quota": "quota",
}


@dataclass(slots=True)
class Strike:
    """A fault that strikes the next commands; ``left`` None for all until it is healed, ``age`` only those that last longer."""

    how: str
    left: int | None = 1
    skip: int = 0
    age: timedelta | None = None


@dataclass(slots=True)
class Wire:
    """The connection to one machine; ``resets`` counts how often everything on it broke."""

    refused: bool = False
    silent: bool = False
    slow: timedelta = timedelta(0)
    rotated: bool = False
    resets: int = 0
    strikes: list[Strike] = field(default_factory=list)

    def fault(self, kind: str, arguments: Mapping[str, object]) -> None:
        """Take a fault of the world, whose kinds and arguments it keeps; an unknown kind raises ValueError."""
        match kind:
            case "reset":
                self.resets += 1
            case "refuse":
                self.refused, self.resets = True, self.resets + 1
            case "silence":
                self.silent = True
            case "slow":
                self.slow = timedelta(seconds=float(str(arguments.get("seconds", 2))))
            case "rotate-credentials":
                self.rotated = True
            case "heal":
                self.refused = self.silent = self.rotated = False
                self.slow = timedelta(0)
                self.strikes.clear()
            case _ if kind in _SINGLE:
                count, age = arguments.get("count", 1), arguments.get("age_minutes")
                strike = Strike(
                    _SINGLE[kind], None if count is None else int(str(count)), int(str(arguments.get("skip", 0)))
                )
                strike.age = timedelta(minutes=float(str(age))) if age is not None else None
                self.strikes.append(strike)
            case _:
                raise ValueError(f"There is no fault of the connection called {kind!r}.")

    def strike(self) -> str:
        """Return how the command that is given now is struck, or nothing; it counts."""
        for strike in [each for each in self.strikes if each.age is None]:
            if strike.skip:
                strike.skip -= 1
                continue
            if strike.left is not None:
                strike.left -= 1
                if not strike.left:
                    self.strikes.remove(strike)
            return strike.how
        return ""

    def longest(self, begun: datetime) -> datetime | None:
        """Return when a command that begins now is cut off, or None."""
        ages = [each.age for each in self.strikes if each.age is not None]
        return begun + min(ages) if ages else None
