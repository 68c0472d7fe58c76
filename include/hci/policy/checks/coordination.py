"""Checks that nobody else updates the cluster: CAU, another coordinator, Windows itself, the Health Service, other tools."""

from __future__ import annotations

from collections.abc import Iterable

from include.hci.cluster.nodes import ClusterResource
from include.hci.policy.checks.facts import ReadinessFacts, ReadinessRules
from include.hci.policy.checks.judging import Row, judge
from include.hci.policy.checks.result import CheckResult, Severity, Status

#: Resource type of the self-updating role; enabling the role brings it online (windowsserverdocs, cluster-aware-updating).
CAU_RESOURCE = "ClusterAwareUpdatingResource"

_CAU_RUN = Row(
    "cau-run",
    "No Cluster-Aware Updating run is in progress",
    Severity.CRITICAL,
    "Wait for the run to end (Get-CauRun); after RunFailed, recover it with Invoke-CauRun -ForceRecovery once no coordinator is"
    " alive.",
    ("cau-run",),
)
_LOCK = Row(
    "lock",
    "No other coordinator holds the cluster",
    Severity.CRITICAL,
    "Wait for the other coordinator. Its lock disappears after an hour without activity; never remove it while its owner may be"
    " alive.",
    ("locks",),
)
_CAU_ROLE = Row(
    "cau-role",
    "The cluster does not update itself beside this coordinator",
    Severity.WARNING,
    "Disable the role (Disable-CauClusterRole) when this coordinator is to update the cluster. Set-CauClusterRole leaves a"
    " schedule of its own behind: the third Tuesday at 03:00.",
    ("cau-role",),
)
_AUTO_INSTALL = Row(
    "automatic-updates",
    "No node installs updates on a schedule of its own",
    Severity.CRITICAL,
    "Set the policy 'Configure Automatic Updates' to notify (2) or to download and notify (3) for these servers, or disable it.",
    ("update-policy",),
)
_SAME_SOURCE = Row(
    "update-source",
    "All nodes get their updates from the same source",
    Severity.WARNING,
    "Give all nodes the same WSUS server, or none: otherwise they end at different levels.",
    ("update-policy",),
)
_ROLLOUT = Row(
    "firmware-rollout",
    "The Health Service does not roll drive firmware out during the run",
    Severity.WARNING,
    "Stop it for the time of the run: Get-StorageSubSystem Cluster* | Set-StorageHealthSetting -Name"
    " System.Storage.PhysicalDisk.AutoFirmwareUpdate.RollOut.Enabled -Value false.",
    ("rollout",),
)
_TASKS = Row(
    "other-tools",
    "No other tool installs updates on a node",
    Severity.CRITICAL,
    "Let Windows Admin Center finish its update, or end it there.",
    ("tasks",),
)


def check_coordination(facts: ReadinessFacts, rules: ReadinessRules) -> tuple[CheckResult, ...]:
    """Return the checks that nobody else is at work or about to be."""
    return (
        _cau_run(facts),
        _foreign_lock(facts, rules),
        _cau_role(facts, rules),
        _automatic_updates(facts),
        _update_source(facts),
        _firmware_rollout(facts),
        _other_tools(facts),
    )


def role_is_enabled(facts: ReadinessFacts) -> bool | None:
    """Return whether the self-updating role is enabled: its resource is online. None when there is no such resource."""
    return is_role_online(facts.resources)


def is_role_online(resources: Iterable[ClusterResource]) -> bool | None:
    """Return whether the resource of the self-updating role is online or coming online; None when there is none."""
    found = [resource.state for resource in resources if resource.kind.lower() == CAU_RESOURCE.lower()]
    return any(state not in ("Offline", "Failed") for state in found) if found else None


def _cau_run(facts: ReadinessFacts) -> CheckResult:
    run = facts.cau_run
    if run is None:
        # CAU's tools may be missing on the nodes; its lock, which the next check reads, tells the same more directly.
        said = f"CAU's own state could not be asked: {facts.cau_problem}"
        advice = "Install the failover clustering tools, or go by the lock check."
        seconds = facts.durations.get("cau-run")
        return CheckResult(_CAU_RUN.id, _CAU_RUN.title, Severity.WARNING, Status.UNKNOWN, said, advice, seconds)
    said = f"CAU reports {run.state}{f', coordinated by {run.coordinator}' if run.coordinator else ''}"
    return judge(_CAU_RUN, facts, [] if run.is_free else [said], said)


def _foreign_lock(facts: ReadinessFacts, rules: ReadinessRules) -> CheckResult:
    foreign: dict[tuple[str, str], list[str]] = {}
    for holder in facts.holders:
        if holder.guid != rules.guid:
            foreign.setdefault((str(holder.guid), holder.kind), []).append(holder.node)
    problems = [f"{guid} holds {kind} on {', '.join(nodes)}" for (guid, kind), nodes in sorted(foreign.items())]
    return judge(_LOCK, facts, problems, "no lock object of another coordinator on any node")


def _cau_role(facts: ReadinessFacts, rules: ReadinessRules) -> CheckResult:
    """Two that begin runs by themselves are one too many; a role that is to begin them, or is off, is as it should be."""
    role, schedule = facts.cau_role, rules.schedule
    doubled = schedule is not None and schedule.run_by == "airflow"
    if role is None and "cau-role" in facts.not_asked:
        return judge(_CAU_ROLE, facts, None, "")
    if role is None:
        # Where the role itself could not be read, its resource still tells that it is at work.
        severity = Severity.CRITICAL if doubled and role_is_enabled(facts) else None
        return judge(_CAU_ROLE, facts, [], "it has no Cluster-Aware Updating role", severity)
    said = ", ".join(f"{name} {value}" for name, value in sorted(role.items()))
    if role_is_enabled(facts) is False:
        return judge(_CAU_ROLE, facts, [], f"its Cluster-Aware Updating role is disabled ({said})")
    if schedule is not None and not doubled:
        asked = f"its Cluster-Aware Updating role updates it, as the fleet file asks ({schedule.describe()}): {said}"
        return judge(_CAU_ROLE, facts, [], asked)
    found = f"it has a Cluster-Aware Updating role ({said})"
    if schedule is None:
        return judge(_CAU_ROLE, facts, [found], "")
    beside = f"{found} that is enabled, and Airflow begins runs of its own ({schedule.describe()})"
    return judge(_CAU_ROLE, facts, [beside], "", Severity.CRITICAL)


def _automatic_updates(facts: ReadinessFacts) -> CheckResult:
    policies = facts.update_policies
    problems = None
    if policies is not None:
        problems = [
            f"{node} has AUOptions {policy.au_options}: it installs by itself"
            for node, policy in sorted(policies.items())
            if policy.installs_by_itself
        ]
    return judge(_AUTO_INSTALL, facts, problems, "no policy lets a node install updates by itself")


def _update_source(facts: ReadinessFacts) -> CheckResult:
    policies = facts.update_policies
    if policies is None:
        return judge(_SAME_SOURCE, facts, None, "")
    sources = {policy.source for policy in policies.values()}
    listed = ", ".join(f"{node} uses {policy.source}" for node, policy in sorted(policies.items()))
    return judge(_SAME_SOURCE, facts, [listed] if len(sources) > 1 else [], f"all use {next(iter(sources), 'none')}")


def _firmware_rollout(facts: ReadinessFacts) -> CheckResult:
    rollout = facts.rollout
    problems = None
    if rollout is not None:
        problems = ["its document names target versions and the roll-out is not stopped"] if rollout.is_active else []
    return judge(_ROLLOUT, facts, problems, "no firmware is rolled out")


def _other_tools(facts: ReadinessFacts) -> CheckResult:
    problems = None
    if facts.tasks is not None:
        problems = [
            f"the task {task.name} is {task.state} on {node}"
            for node, tasks in sorted(facts.tasks.items())
            for task in tasks
            if task.is_active
        ]
    return judge(_TASKS, facts, problems, "no task of another tool runs")
