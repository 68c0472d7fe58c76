"""What faults have prepared: conditions that the parts of the world ask for at the moment they would matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Condition:
    """One prepared condition; ``node`` None means every node, ``times`` None means for good."""

    kind: str
    node: str | None = None
    times: int | None = None
    details: Mapping[str, object] = field(default_factory=dict)

    def number(self, name: str, default: float = 0.0) -> float:
        """Return one of the details as a number."""
        value = self.details.get(name, default)
        return float(value) if isinstance(value, int | float | str) else default

    def text(self, name: str, default: str = "") -> str:
        """Return one of the details as text."""
        value = self.details.get(name)
        return default if value is None else str(value)


class Rig:
    """The conditions that are set."""

    def __init__(self) -> None:
        self.conditions: list[Condition] = []

    def add(self, condition: Condition) -> Condition:
        """Prepare a condition."""
        self.conditions.append(condition)
        return condition

    def clear(self, kind: str | None = None, node: str | None = None) -> None:
        """Take conditions away: all, those of a kind, or those of a kind on a node."""
        self.conditions = [
            each
            for each in self.conditions
            if (kind is not None and each.kind != kind) or (node is not None and each.node not in (None, node))
        ]

    def find(self, kind: str, node: str) -> Condition | None:
        """Return a condition of that kind that holds for ``node``, or None; it stays."""
        return next((each for each in self.conditions if each.kind == kind and each.node in (None, node)), None)

    def every(self, kind: str, node: str) -> list[Condition]:
        """Return every condition of that kind that holds for ``node``; they stay."""
        return [each for each in self.conditions if each.kind == kind and each.node in (None, node)]

    def use(self, condition: Condition) -> None:
        """Count one use of a condition; after its last one it is gone."""
        if condition.times is not None and condition in self.conditions:
            condition.times -= 1
            if condition.times <= 0:
                self.conditions = [each for each in self.conditions if each is not condition]

    def take(self, kind: str, node: str) -> Condition | None:
        """Return a condition of that kind that holds for ``node`` and count one use of it, or return None."""
        found = self.find(kind, node)
        if found is not None:
            self.use(found)
        return found
