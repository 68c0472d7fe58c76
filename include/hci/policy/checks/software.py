"""Checks of the nodes' software: which Windows they run, at which build, and what is in the way of installing."""

from __future__ import annotations

from include.hci.cluster.machine import AZURE_LOCAL_BUILD
from include.hci.policy.checks.facts import ReadinessFacts
from include.hci.policy.checks.judging import Row, judge
from include.hci.policy.checks.result import CheckResult, Severity

_AZURE_LOCAL = Row(
    "azure-local",
    "The nodes may be updated by another tool",
    Severity.CRITICAL,
    "Azure Local 23H2 and later are updated by their own orchestrator; patching them otherwise is not supported.",
    ("versions",),
)
_SAME_BUILD = Row(
    "same-build",
    "All nodes have the same build",
    Severity.WARNING,
    "The run brings them to the same build; if it does not, they get their updates from different sources.",
    ("versions",),
)
_RESTART = Row(
    "pending-restart",
    "No node waits for a restart",
    Severity.INFORMATION,
    "Nothing to do: the node is restarted in its turn.",
    ("restart",),
)
_SERVICING = Row(
    "servicing",
    "No node is installing anything",
    Severity.WARNING,
    "Find out who installs there and wait until it has ended (the service TrustedInstaller stops by itself).",
    ("servicing",),
)
_DEFENDER = Row(
    "wmi-processes",
    "Defender lets WMI start processes",
    Severity.WARNING,
    "Set the attack surface reduction rule D1E49AAC-8F56-4280-B9BA-993A6D77406C to audit for these servers, or have updates"
    " installed by the scheduled task (node_updater).",
    ("defender",),
)


def check_software(facts: ReadinessFacts) -> tuple[CheckResult, ...]:
    """Return the checks of the nodes' software."""
    return (
        _not_azure_local(facts),
        _same_build(facts),
        _pending_restart(facts),
        _servicing(facts),
        _defender(facts),
    )


def _not_azure_local(facts: ReadinessFacts) -> CheckResult:
    problems = [
        f"{node} runs {version.product or version.edition} build {version.build}"
        for node, version in sorted(facts.versions.items())
        if version.is_azure_local
    ]
    return judge(_AZURE_LOCAL, facts, problems, f"no node runs Azure Local build {AZURE_LOCAL_BUILD} or later")


def _same_build(facts: ReadinessFacts) -> CheckResult:
    builds = {str(version.build) for version in facts.versions.values()}
    listed = ", ".join(f"{node} {version.build}" for node, version in sorted(facts.versions.items()))
    fine = f"all nodes have build {next(iter(builds), 'unknown')}"
    return judge(_SAME_BUILD, facts, [listed] if len(builds) > 1 else [], fine)


def _pending_restart(facts: ReadinessFacts) -> CheckResult:
    keys = {node: pending for node, pending in (facts.restart_keys or {}).items() if pending.is_certain}
    waiting = {*(facts.pending_restarts or ()), *keys}
    why = {node: f" ({', '.join(pending.reasons)})" for node, pending in keys.items()}
    problems = [f"{node} waits for a restart{why.get(node, '')}" for node in sorted(waiting)]
    known = facts.pending_restarts is not None or facts.restart_keys is not None
    return judge(_RESTART, facts, problems, "no node waits for a restart" if known else "not known before the scan")


def _servicing(facts: ReadinessFacts) -> CheckResult:
    problems = None if facts.servicing is None else [f"{node} is installing" for node in sorted(facts.servicing)]
    return judge(_SERVICING, facts, problems, "servicing is idle on every node")


def _defender(facts: ReadinessFacts) -> CheckResult:
    problems = None
    if facts.wmi_blocked is not None:
        problems = [
            f"{node} blocks the processes that WMI starts"
            for node, blocked in sorted(facts.wmi_blocked.items())
            if blocked
        ]
    return judge(_DEFENDER, facts, problems, "no policy blocks them")
