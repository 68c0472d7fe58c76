"""What a broken invariant looks like."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from include.simulator.journal import Entry


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant: when in simulated time, on which node, what happened, and the journal entry that shows it."""

    invariant: str
    when: datetime
    node: str | None
    sentence: str
    seq: int

    def to_fields(self) -> dict[str, object]:
        """Return the violation as plain JSON values."""
        return {
            "invariant": self.invariant,
            "when": self.when.isoformat(),
            "node": self.node,
            "sentence": self.sentence,
            "seq": self.seq,
        }


def violation(invariant: str, entry: Entry, node: str | None, sentence: str) -> Violation:
    """Return a violation that ``entry`` shows."""
    return Violation(invariant, entry.at, node, sentence, entry.seq)
