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

    ``problems`` is None when nothing of it was read. What could not be read makes a check unknown unless something else is known
    to be wrong already. ``severity`` replaces the row's own.
    """
    level = severity or row.severity
    seconds = [facts.durations[subject] for subject in row.subjects if subject in facts.durations]
    duration = sum(seconds) if seconds else None
    found = list(problems) if problems is not None else []
    if found:
        return CheckResult(row.id, row.title, level, Status.FAILED, "; ".join(found), row.remediation, duration)
    missing = [str(entry) for entry in facts.unread if entry.subject in row.subjects]
    if missing:
        said = f"could not be read: {'; '.join(missing)}"
        return CheckResult(row.id, row.title, level, Status.UNKNOWN, said, row.remediation, duration)
    if problems is None:
        return CheckResult(row.id, row.title, level, Status.NOT_APPLICABLE, "not read in this run", "", duration)
    return CheckResult(row.id, row.title, level, Status.PASSED, fine, "", duration)
