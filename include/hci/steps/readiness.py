"""Readiness: every check is made before anything is touched, and a critical one that does not pass refuses the run."""

from __future__ import annotations

from datetime import datetime

from include.hci.cluster.cau import CauRunState, LockHolder, get_cau_cluster_role, get_cau_run, get_lock_holders
from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import WindowsVersion, get_windows_version
from include.hci.cluster.nodes import get_cluster, get_cluster_quorum, get_cluster_resources
from include.hci.cluster.storage import get_health_faults
from include.hci.policy.order import count_roles
from include.hci.policy.readiness import CheckResult, ReadinessFacts, ReadinessRules, check_readiness
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import BaseStep, read_members, read_storage
from include.hci.steps.decisions import Decision, Done, Stop
from include.hci.steps.reporting import disk_state, job_state, reported_check


class Readiness(BaseStep[ReadinessFacts]):
    """Reads everything once and judges it."""

    name: ev.StepName = "readiness"

    def observe(self, cluster: Cluster) -> ReadinessFacts:
        """Read the cluster from one node, then every node by itself; a node that does not answer is a finding."""
        shell, members = read_members(cluster)
        versions: dict[str, WindowsVersion] = {}
        unreachable: dict[str, str] = {}
        holders: list[LockHolder] = []
        for node in (member.name for member in members.nodes):
            if node.lower() not in {name.lower() for name in cluster.nodes}:
                continue
            try:
                own = cluster.on(node)
                versions[node] = get_windows_version(own)
                holders += get_lock_holders(own, node, "MSFT_CAURun")
                holders += get_lock_holders(own, node, "MSFT_CAUNode")
            except RemotingError as error:
                unreachable[node] = error.detail
        run, problem = _cau_run(shell, cluster.name)
        return ReadinessFacts(
            cluster=get_cluster(shell),
            nodes=members.nodes,
            groups=members.groups,
            resources=get_cluster_resources(shell),
            quorum=get_cluster_quorum(shell),
            storage=read_storage(shell),
            versions=versions,
            unreachable=unreachable,
            holders=tuple(holders),
            cau_run=run,
            cau_problem=problem,
            cau_role=_cau_role(shell, cluster.name),
            health_faults=_faults(shell),
            expected=cluster.nodes,
        )

    def decide(self, facts: ReadinessFacts, now: datetime) -> Decision:
        """Refuse when a critical check did not pass."""
        checks = self.checks(facts)
        refusing = [check for check in checks if check.refuses]
        if refusing:
            return Stop(
                Problem(
                    title=f"The run is refused: {'; '.join(check.evidence for check in refusing)}.",
                    meaning="Nothing was changed.",
                    next_action=" ".join(dict.fromkeys(check.remediation for check in refusing)),
                    retry_is_safe=True,
                )
            )
        noticed = [check for check in checks if not check.passed]
        why = f"{len(checks) - len(noticed)} of {len(checks)} checks passed"
        if noticed:
            why += "; to be known: " + "; ".join(check.evidence for check in noticed)
        roles = {node.name: count_roles(facts.groups, node.name) for node in facts.nodes}
        return Done("ready", why, {"checks": [check_json(check) for check in checks], "roles": roles})

    def events(self, facts: ReadinessFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the checks and the storage before the run on record, whatever the verdict."""
        return (
            ev.ReadinessChecked(checks=tuple(map(reported_check, self.checks(facts)))),
            ev.StorageRead(
                moment="before",
                virtual_disks=tuple(map(disk_state, facts.storage.disks)),
                jobs=tuple(map(job_state, facts.storage.open_jobs)),
                faults=facts.health_faults,
            ),
        )

    def checks(self, facts: ReadinessFacts) -> tuple[CheckResult, ...]:
        """Return the checks of ``facts`` under this run's options."""
        options = self.context.options
        rules = ReadinessRules(self.context.guid, options.max_failed_nodes, options.require_all_nodes_online)
        return check_readiness(facts, rules)


def check_json(check: CheckResult) -> dict[str, object]:
    """Return a check as JSON data."""
    return {
        "id": check.id,
        "title": check.title,
        "severity": check.severity.value,
        "passed": check.passed,
        "evidence": check.evidence,
        "remediation": check.remediation,
    }


def _cau_run(shell: Shell, cluster: str) -> tuple[CauRunState | None, str]:
    try:
        return get_cau_run(shell, cluster), ""
    except CommandFailed as error:
        return None, error.detail


def _cau_role(shell: Shell, cluster: str) -> dict[str, str] | None:
    try:
        return get_cau_cluster_role(shell, cluster)
    except CommandFailed:
        # The check of CAU's own run says already that CAU's tools do not answer.
        return None


def _faults(shell: Shell) -> tuple[str, ...]:
    try:
        return get_health_faults(shell)
    except CommandFailed as error:
        return (f"the Health Service could not be asked: {error.detail}",)
