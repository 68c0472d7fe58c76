"""From what was read to a result: passed, failed, could not be read, or was not asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from include.hci.policy.checks.facts import ReadinessFacts, Subject
from include.hci.policy.checks.result import CheckResult, Severity, Status


@dataclass(frozen=True, slots=True)
class Row:
    """What stays the same of a check, whatever is found; ``subjects`` are what it reads."""

    id: str
    title: str
    severity: Severity
    remediation: str
    subjects: tuple[Subject, ...] = ()


def judge(
    row: Row,
    facts: ReadinessFacts,
    problems: Iterable[str] | None,
    fine: str,
    severity: Severity | None = None,
) -> CheckResult:
    """Return the result of ``row``: failed for ``problems``, else passed with the evidence ``fine``.

    ``problems`` is None when nothing of it was read. What could not be read makes a check unknown: always where it is of the
    cluster as a whole, and where it is of one node unless something else is known to be wrong already. ``severity`` replaces the
    row's own.
    """
    level = severity or row.severity
    seconds = [facts.durations[subject] for subject in row.subjects if subject in facts.durations]
    duration = sum(seconds) if seconds else None
    found = list(dict.fromkeys(problems)) if problems is not None else []
    missing = [entry for entry in facts.unread if entry.subject in row.subjects]
    # Nothing that is said about what was never read can be true: "no virtual disk is to be seen".
    if found and all(entry.node for entry in missing):
        return CheckResult(row.id, row.title, level, Status.FAILED, "; ".join(found), row.remediation, duration)
    if missing:
        said = f"could not be read: {'; '.join(map(str, missing))}"
        return CheckResult(row.id, row.title, level, Status.UNKNOWN, said, row.remediation, duration)
    if problems is None:
        reasons = [facts.not_asked[subject] for subject in row.subjects if subject in facts.not_asked]
        said = f"not read in this run{': ' if reasons else ''}{'; '.join(reasons)}"
        return CheckResult(row.id, row.title, level, Status.NOT_APPLICABLE, said, "", duration)
    return CheckResult(row.id, row.title, level, Status.PASSED, fine, "", duration)
