"""The check of the account's rights: what a refused read means, and which right is missing."""

from __future__ import annotations

from collections.abc import Mapping

from include.hci.policy.checks.facts import ReadinessFacts, Subject
from include.hci.policy.checks.judging import Row, judge
from include.hci.policy.checks.result import CheckResult, Severity

_ADMINISTRATOR = "membership in the local group Administrators of the node, or an endpoint whose role shows the command"
_CLUSTER = "access to the cluster (Grant-ClusterAccess -User <account> -Full)"
_HYPER_V = "membership in the local group Hyper-V Administrators of the node"
_CAU = "membership in the local group Administrators of every node"

#: Which right each reading needs.
RIGHTS: Mapping[Subject, str] = {
    "cluster": _CLUSTER,
    "nodes": _CLUSTER,
    "storage": _ADMINISTRATOR,
    "health": _ADMINISTRATOR,
    "volumes": _CLUSTER,
    "virtual-machines": _HYPER_V,
    "media": _HYPER_V,
    "memory": _ADMINISTRATOR,
    "free-space": _ADMINISTRATOR,
    "locks": _ADMINISTRATOR,
    "cau-run": _CAU,
    "cau-role": _CAU,
    "cau-setup": _CAU,
    "validation": _CAU,
    "versions": _ADMINISTRATOR,
    "restart": _ADMINISTRATOR,
    "update-policy": _ADMINISTRATOR,
    "defender": _ADMINISTRATOR,
    "rollout": _ADMINISTRATOR,
    "tasks": _ADMINISTRATOR,
    "servicing": _ADMINISTRATOR,
    "soft-reboot": _CLUSTER,
    "levels": _CLUSTER,
    "agents": _ADMINISTRATOR,
    "vm-versions": _HYPER_V,
    "scripts": "access to the session configuration that configuration_name says",
    "hooks": "access to the endpoint of the hook",
}
#: Without these nothing of a run can be decided.
_INDISPENSABLE: frozenset[Subject] = frozenset({"cluster", "nodes", "storage", "locks", "versions"})

_RIGHTS = Row(
    "privileges",
    "The account may read everything that the run goes by",
    Severity.WARNING,
    "Give the account of the connection the right that is named.",
)


def check_privileges(facts: ReadinessFacts) -> CheckResult:
    """Return which readings were refused for want of rights, each with the right that is missing."""
    refused: dict[Subject, list[str]] = {}
    for entry in facts.unread:
        if entry.refused:
            refused.setdefault(entry.subject, []).append(entry.node or facts.cluster.name)
    problems = [
        f"reading {subject} was refused on {', '.join(places)}: it needs {RIGHTS[subject]}"
        for subject, places in refused.items()
    ]
    severity = Severity.CRITICAL if _INDISPENSABLE & refused.keys() else None
    return judge(_RIGHTS, facts, problems, "no reading was refused", severity)
