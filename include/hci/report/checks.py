"""The readiness checks as a page shows them: what did not pass in the order in which it matters, the rest folded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.hci.report.values import Check

_ORDER = (
    ("critical", "failed"),
    ("critical", "unknown"),
    ("warning", "failed"),
    ("warning", "unknown"),
    ("information", "failed"),
    ("information", "unknown"),
)


@dataclass(frozen=True, slots=True)
class CheckView:
    """``open`` are the checks that did not pass, the gravest first; ``passed`` and ``left_out`` the others, as they were made."""

    open: tuple[Check, ...]
    passed: tuple[Check, ...]
    left_out: tuple[Check, ...]

    @property
    def summary(self) -> str:
        """How many there are of each, in words."""
        said = [f"{len(self.passed)} passed"]
        if self.left_out:
            said.append(f"{len(self.left_out)} not made")
        return ", ".join(said)


def view_checks(checks: Sequence[Check]) -> CheckView:
    """Return ``checks`` as a page shows them."""
    troubled = [check for check in checks if (check.severity, check.status) in _ORDER]
    return CheckView(
        tuple(sorted(troubled, key=lambda check: _ORDER.index((check.severity, check.status)))),
        tuple(check for check in checks if check.status == "passed"),
        tuple(check for check in checks if check.status == "not-applicable"),
    )


def took(seconds: float | None) -> str:
    """Return how long a reading took, empty where it was not measured."""
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds / 60:.1f} min" if seconds >= 120 else f"{seconds:.0f} s"
