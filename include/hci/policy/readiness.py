"""The readiness checks: what must be true before a run touches anything, each with its evidence and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from include.hci.cluster.cau import CauRunState, LockHolder
from include.hci.cluster.machine import AZURE_LOCAL_BUILD, WindowsVersion
from include.hci.cluster.nodes import ClusterGroup, ClusterInfo, ClusterNode, ClusterResource, Quorum
from include.hci.cluster.values import GroupState, NodeState
from include.hci.policy.budget import out_of_service
from include.hci.policy.gates import StorageFacts, nodes_out, quorum_reason, storage_reasons


class Severity(StrEnum):
    """What a check that does not pass means: the run refuses, the person should know, or it is only said."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFORMATION = "information"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: ``evidence`` is what was found, ``remediation`` what to do when it did not pass."""

    id: str
    title: str
    severity: Severity
    passed: bool
    evidence: str
    remediation: str = ""

    @property
    def refuses(self) -> bool:
        """Whether the run must not start."""
        return not self.passed and self.severity is Severity.CRITICAL


@dataclass(frozen=True, slots=True)
class ReadinessFacts:
    """What was read for the checks.

    ``expected`` are the nodes that the settings name; ``unreachable`` maps nodes that did not answer to the reason; ``cau_run``
    is None when CAU's state could not be asked, for ``cau_problem``; ``pending_restarts`` is None before a scan.
    """

    cluster: ClusterInfo
    nodes: tuple[ClusterNode, ...]
    expected: tuple[str, ...]
    groups: tuple[ClusterGroup, ...] = ()
    resources: tuple[ClusterResource, ...] = ()
    quorum: Quorum = field(default_factory=Quorum)
    storage: StorageFacts = field(default_factory=StorageFacts)
    versions: Mapping[str, WindowsVersion] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    holders: tuple[LockHolder, ...] = ()
    cau_run: CauRunState | None = None
    cau_problem: str = ""
    cau_role: Mapping[str, str] | None = None
    health_faults: tuple[str, ...] = ()
    pending_restarts: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ReadinessRules:
    """What a run demands: its own lock id, and CAU's options of these names."""

    guid: UUID
    max_failed_nodes: int
    require_all_nodes_online: bool = False


def check_readiness(facts: ReadinessFacts, rules: ReadinessRules) -> tuple[CheckResult, ...]:
    """Return the result of every check, in the order in which a person reads them."""
    return (
        _no_cau_run(facts),
        _no_foreign_lock(facts, rules),
        _no_own_schedule(facts),
        _members(facts),
        _reachable(facts),
        _nodes_up(facts, rules),
        _nobody_kept_out(facts),
        _storage_whole(facts),
        _no_faults(facts),
        _quorum_survives(facts),
        _no_failed_roles(facts),
        _no_pending_roles(facts),
        _not_azure_local(facts),
        _same_build(facts),
        _no_pending_restart(facts),
    )


def _check(
    key: str, title: str, severity: Severity, problems: Iterator[str] | list[str], fine: str, remediation: str
) -> CheckResult:
    found = list(problems)
    return CheckResult(key, title, severity, not found, "; ".join(found) or fine, remediation if found else "")


def _no_cau_run(facts: ReadinessFacts) -> CheckResult:
    title = "No Cluster-Aware Updating run is in progress"
    run = facts.cau_run
    if run is None:
        # CAU's tools may be missing on the nodes; its lock, which the next check reads, tells the same more directly.
        problem = [f"CAU's own state could not be asked: {facts.cau_problem}"]
        return _check(
            "cau-run",
            title,
            Severity.WARNING,
            problem,
            "",
            "Install the failover clustering tools, or go by the lock check.",
        )
    state = f"{run.state}{f', coordinated by {run.coordinator}' if run.coordinator else ''}"
    advice = (
        "Wait for the run to end (Get-CauRun); after RunFailed, recover it with Invoke-CauRun -ForceRecovery once no"
        " coordinator is alive."
    )
    return _check(
        "cau-run",
        title,
        Severity.CRITICAL,
        [] if run.is_free else [f"CAU reports {state}"],
        f"CAU reports {state}",
        advice,
    )


def _no_foreign_lock(facts: ReadinessFacts, rules: ReadinessRules) -> CheckResult:
    foreign: dict[tuple[str, str], list[str]] = {}
    for holder in facts.holders:
        if holder.guid != rules.guid:
            foreign.setdefault((str(holder.guid), holder.kind), []).append(holder.node)
    return _check(
        "lock",
        "No other coordinator holds the cluster",
        Severity.CRITICAL,
        [f"{guid} holds {kind} on {', '.join(nodes)}" for (guid, kind), nodes in sorted(foreign.items())],
        "no lock object of another coordinator on any node",
        "Wait for the other coordinator. Its lock disappears after an hour without activity; never remove it while its"
        " owner may be alive.",
    )


def _no_own_schedule(facts: ReadinessFacts) -> CheckResult:
    role = facts.cau_role
    said = ", ".join(f"{name} {value}" for name, value in sorted((role or {}).items()))
    return _check(
        "cau-role",
        "The cluster does not update itself beside this coordinator",
        Severity.WARNING,
        [] if role is None else [f"it has a Cluster-Aware Updating role ({said})"],
        "it has no Cluster-Aware Updating role",
        "Disable the role (Disable-CauClusterRole) when this coordinator is to update the cluster. Set-CauClusterRole leaves a"
        " schedule of its own behind: the third Tuesday at 03:00.",
    )


def _members(facts: ReadinessFacts) -> CheckResult:
    found = {node.name.lower(): node.name for node in facts.nodes}
    wanted = {name.lower(): name for name in facts.expected}
    problems = [
        f"{wanted[key]} is in the settings but not in the cluster" for key in sorted(wanted.keys() - found.keys())
    ]
    problems += [
        f"{found[key]} is in the cluster but not in the settings" for key in sorted(found.keys() - wanted.keys())
    ]
    return _check(
        "members",
        "The cluster has the nodes that the settings name",
        Severity.CRITICAL,
        problems,
        f"{len(found)} nodes, all of them in the settings",
        "Correct the list of nodes in the settings; a node that is not named cannot be watched or locked.",
    )


def _reachable(facts: ReadinessFacts) -> CheckResult:
    down = {node.name.lower() for node in facts.nodes if node.state is NodeState.DOWN}
    problems = (f"{node}: {why}" for node, why in sorted(facts.unreachable.items()) if node.lower() not in down)
    return _check(
        "reachability",
        "Every node answers over PowerShell remoting",
        Severity.CRITICAL,
        problems,
        "every running node answers",
        "Check WinRM, the firewall and the connection of the node.",
    )


def _nodes_up(facts: ReadinessFacts, rules: ReadinessRules) -> CheckResult:
    out = nodes_out(facts.nodes)
    title = "Every node is Up"
    said = [f"{node.name} is {node.state}" for node in out]
    budget = out_of_service(rules.max_failed_nodes, [node.name for node in out])
    advice = "Bring the node up, or resume it if it is paused; this run does not touch what somebody else has paused."
    if out and not rules.require_all_nodes_online and budget.allows:
        said.append(f"{budget.why}, so the run may start and leaves them alone")
        return _check("nodes-up", title, Severity.WARNING, said, "", advice)
    if out and rules.require_all_nodes_online:
        said.append("require_all_nodes_online is on")
    elif out:
        said.append(budget.why)
    return _check("nodes-up", title, Severity.CRITICAL, said, f"{len(facts.nodes)} nodes are Up", advice)


def _nobody_kept_out(facts: ReadinessFacts) -> CheckResult:
    return _check(
        "quarantine",
        "No node is quarantined or isolated",
        Severity.CRITICAL,
        (f"{node.name} is {node.kept_out}" for node in facts.nodes if node.kept_out),
        "no node is quarantined or isolated",
        "Find out why the node left the cluster; clear a quarantine only then (Start-ClusterNode -ClearQuarantine).",
    )


def _storage_whole(facts: ReadinessFacts) -> CheckResult:
    return _check(
        "storage",
        "The storage is whole and idle",
        Severity.CRITICAL,
        list(storage_reasons(facts.storage)),
        f"{len(facts.storage.disks)} virtual disks are Healthy and OK, no job runs, no server is in maintenance mode",
        "Wait until the jobs are over (Get-StorageJob) and every virtual disk is Healthy (Get-VirtualDisk); repair what is not.",
    )


def _no_faults(facts: ReadinessFacts) -> CheckResult:
    return _check(
        "health-faults",
        "The Health Service reports no fault",
        Severity.WARNING,
        list(facts.health_faults),
        "no fault",
        "Look at Debug-StorageSubSystem before the run.",
    )


def _quorum_survives(facts: ReadinessFacts) -> CheckResult:
    reasons = (
        quorum_reason(facts.nodes, node.name, facts.quorum, facts.resources) for node in facts.nodes if node.is_up
    )
    return _check(
        "quorum",
        "The cluster keeps its quorum without any one node",
        Severity.CRITICAL,
        [reason for reason in reasons if reason],
        "every single node can leave",
        "Bring the other nodes and the witness online, or configure a witness (Set-ClusterQuorum).",
    )


def _no_failed_roles(facts: ReadinessFacts) -> CheckResult:
    return _check(
        "failed-roles",
        "No role has failed",
        Severity.CRITICAL,
        (f"{group.describe()} on {group.owner}" for group in facts.groups if group.state is GroupState.FAILED),
        "no role has failed",
        "Bring the role online or take it offline on purpose (Start-ClusterGroup, Stop-ClusterGroup) before nodes are drained.",
    )


def _no_pending_roles(facts: ReadinessFacts) -> CheckResult:
    return _check(
        "pending-roles",
        "No role is between two states",
        Severity.WARNING,
        (f"{group.describe()} on {group.owner}" for group in facts.groups if group.state is GroupState.PENDING),
        "no role is pending",
        "Look whether the role gets online or offline by itself; a role that stays pending blocks the drain.",
    )


def _not_azure_local(facts: ReadinessFacts) -> CheckResult:
    return _check(
        "azure-local",
        "The nodes may be updated by another tool",
        Severity.CRITICAL,
        (
            f"{node} runs {version.product or version.edition} build {version.build}"
            for node, version in sorted(facts.versions.items())
            if version.is_azure_local
        ),
        f"no node runs Azure Local build {AZURE_LOCAL_BUILD} or later",
        "Azure Local 23H2 and later are updated by their own orchestrator; patching them otherwise is not supported.",
    )


def _same_build(facts: ReadinessFacts) -> CheckResult:
    builds = {str(version.build) for version in facts.versions.values()}
    listed = [f"{node} {version.build}" for node, version in sorted(facts.versions.items())]
    return _check(
        "same-build",
        "All nodes have the same build",
        Severity.WARNING,
        [", ".join(listed)] if len(builds) > 1 else [],
        f"all nodes have build {next(iter(builds), 'unknown')}",
        "The run brings them to the same build; if it does not, they get their updates from different sources.",
    )


def _no_pending_restart(facts: ReadinessFacts) -> CheckResult:
    pending = facts.pending_restarts
    fine = "not known before the scan" if pending is None else "no node waits for a restart"
    return _check(
        "pending-restart",
        "No node waits for a restart",
        Severity.INFORMATION,
        [f"{node} waits for a restart" for node in pending or ()],
        fine,
        "Nothing to do: the node is restarted in its turn.",
    )
