"""How often and how patiently something is tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How reading commands and broken connections are tried again.

    ``attempts`` counts the first one too. The first pause is ``delay`` seconds and each further one ``factor`` times as long, up
    to ``longest``.
    """

    attempts: int = 3
    delay: float = 0.5
    factor: float = 2.0
    longest: float = 8.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.delay < 0 or self.factor < 1 or self.longest < 0:
            raise ValueError("A retry policy needs at least one attempt, a factor of at least 1 and no time below 0.")

    def pause(self, failures: int) -> float:
        """Return how many seconds to wait after the given number of failures (1 or more)."""
        return min(self.longest, self.delay * self.factor ** (failures - 1))


NO_RETRY = RetryPolicy(attempts=1)
