"""One check's result, and which results keep a run from starting."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What a check that does not pass means: the run refuses, the person should know, or it is only said."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFORMATION = "information"


class Status(StrEnum):
    """How a check came out. UNKNOWN: it was to be read and could not be; NOT_APPLICABLE: it does not concern this run."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: ``evidence`` is what was found, ``remediation`` what to do when it did not pass.

    ``duration_seconds`` is how long the reading for it took, None where that was not measured.
    """

    id: str
    title: str
    severity: Severity
    status: Status
    evidence: str
    remediation: str = ""
    duration_seconds: float | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the run; what could not be read has not passed."""
        return self.status in (Status.PASSED, Status.NOT_APPLICABLE)

    @property
    def refuses(self) -> bool:
        """Whether the run must not start."""
        return not self.passed and self.severity is Severity.CRITICAL

    @property
    def wants_acknowledgement(self) -> bool:
        """Whether a person has to know of it before a run that asks for that."""
        return not self.passed and self.severity is Severity.WARNING


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Warnings that a person has acknowledged by their ids, for the plan with this hash and no other."""

    ids: frozenset[str]
    plan_hash: str
    by: str = ""


def acknowledged_ids(
    given: Iterable[Acknowledgement], plan_hash: str, accepted: Collection[str] = ()
) -> frozenset[str]:
    """Return the ids of warnings that count as acknowledged for the plan ``plan_hash``.

    ``accepted`` are those that the profile accepts in every run, so that a run at night needs nobody. An acknowledgement for
    another plan has expired: the cluster is not as it was when the person looked at it.
    """
    now = (entry.ids for entry in given if entry.plan_hash == plan_hash)
    return frozenset(accepted).union(*now)


def blocking(
    results: Sequence[CheckResult], acknowledged: Collection[str] = (), require_acknowledgement: bool = True
) -> tuple[CheckResult, ...]:
    """Return the results that keep the run from starting, in their order; empty when it may start.

    A critical check that did not pass always does: it cannot be acknowledged. A warning does as long as its id is not in
    ``acknowledged`` and the run asks for that (``require_acknowledgement``).
    """
    known = set(acknowledged)
    return tuple(
        result
        for result in results
        if result.refuses or (require_acknowledgement and result.wants_acknowledgement and result.id not in known)
    )
