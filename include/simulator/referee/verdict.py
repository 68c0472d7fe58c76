"""What becomes of each invariant: held, broken, or not judged, and then why not."""

from __future__ import annotations

from dataclasses import dataclass

from include.simulator.referee.violation import Violation

HELD, BROKEN, NOT_JUDGED = "held", "broken", "not judged"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one invariant; ``reason`` says what of it could not be judged, and why."""

    invariant: str
    sentence: str
    outcome: str
    reason: str
    violations: tuple[Violation, ...] = ()

    def to_fields(self) -> dict[str, object]:
        """Return the verdict as plain JSON values."""
        return {
            "invariant": self.invariant,
            "sentence": self.sentence,
            "verdict": self.outcome,
            "reason": self.reason,
            "broken": len(self.violations),
        }
