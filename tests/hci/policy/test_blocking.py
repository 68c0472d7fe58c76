from __future__ import annotations

import pytest

from include.hci.policy.checks.result import Acknowledgement, CheckResult, Severity, Status, acknowledged_ids, blocking

CRITICAL, WARNING, INFORMATION = Severity.CRITICAL, Severity.WARNING, Severity.INFORMATION
PASSED, FAILED, UNKNOWN, OUT = Status.PASSED, Status.FAILED, Status.UNKNOWN, Status.NOT_APPLICABLE


def check(severity: Severity, status: Status, key: str = "a") -> CheckResult:
    return CheckResult(key, "title", severity, status, "evidence")


@pytest.mark.parametrize(
    ("severity", "status", "required", "blocks"),
    [
        (CRITICAL, FAILED, False, True),
        (CRITICAL, UNKNOWN, False, True),
        (CRITICAL, PASSED, True, False),
        (CRITICAL, OUT, True, False),
        (WARNING, FAILED, True, True),
        (WARNING, UNKNOWN, True, True),
        (WARNING, FAILED, False, False),
        (WARNING, PASSED, True, False),
        (INFORMATION, FAILED, True, False),
    ],
)
def test_a_critical_check_blocks_always_and_a_warning_where_it_has_to_be_acknowledged(
    severity, status, required, blocks
):
    result = check(severity, status)
    assert blocking([result], require_acknowledgement=required) == ((result,) if blocks else ())


def test_a_warning_is_acknowledged_by_its_id_and_a_critical_check_by_nothing():
    warning, critical = check(WARNING, FAILED, "same-build"), check(CRITICAL, FAILED, "storage")
    assert blocking([warning, critical], {"same-build", "storage"}) == (critical,)
    assert blocking([warning, critical], {"other"}) == (warning, critical)


def test_an_acknowledgement_expires_with_the_plan_it_was_given_for():
    given = (Acknowledgement(frozenset({"same-build"}), "abc", "ada"), Acknowledgement(frozenset({"backup"}), "old"))
    assert acknowledged_ids(given, "abc") == {"same-build"}
    assert acknowledged_ids(given, "new") == frozenset()


def test_what_the_profile_accepts_is_acknowledged_in_every_run():
    assert acknowledged_ids((), "any", ("health-faults",)) == {"health-faults"}
