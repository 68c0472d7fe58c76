"""The readiness checks: what must be true before a run touches anything, each with its evidence and what to do about it."""

from __future__ import annotations

from include.hci.policy.checks.access import check_privileges
from include.hci.policy.checks.capacity import check_memory
from include.hci.policy.checks.coordination import check_coordination
from include.hci.policy.checks.facts import NodeMemory, ReadinessFacts, ReadinessRules, Subject, Unread
from include.hci.policy.checks.nodes import check_nodes
from include.hci.policy.checks.own_commands import check_own_commands
from include.hci.policy.checks.result import (
    Acknowledgement,
    CheckResult,
    Severity,
    Status,
    acknowledged_ids,
    blocking,
)
from include.hci.policy.checks.roles import check_roles
from include.hci.policy.checks.software import check_software
from include.hci.policy.checks.storage import check_storage
from include.hci.policy.checks.vendor import check_vendor_tests

__all__ = [
    "Acknowledgement",
    "CheckResult",
    "NodeMemory",
    "ReadinessFacts",
    "ReadinessRules",
    "Severity",
    "Status",
    "Subject",
    "Unread",
    "acknowledged_ids",
    "blocking",
    "check_readiness",
]


def check_readiness(facts: ReadinessFacts, rules: ReadinessRules) -> tuple[CheckResult, ...]:
    """Return the result of every check, in the order in which a person reads them.

    What was not asked for (None in ``facts``) gives a row that says so and keeps nothing from starting; what was asked for and
    not answered gives one that is unknown, which refuses where the check is critical.
    """
    return (
        *check_coordination(facts, rules),
        *check_nodes(facts, rules),
        check_privileges(facts),
        *check_storage(facts),
        *check_roles(facts, rules.local_vms),
        check_memory(facts),
        *check_software(facts),
        *check_vendor_tests(facts, rules.uses_cau),
        *check_own_commands(facts),
    )
