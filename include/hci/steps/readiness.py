"""Readiness: every check is made before anything is touched, and a critical one that does not pass refuses the run."""

from __future__ import annotations

from datetime import UTC, datetime

from include.hci.cluster.facade import Cluster
from include.hci.policy.order import count_roles
from include.hci.policy.readiness import (
    CheckResult,
    ReadinessFacts,
    ReadinessRules,
    acknowledged_ids,
    blocking,
    check_readiness,
)
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.settings import RunOptions
from include.hci.steps.base import BaseStep, read_members
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Clock, Decision, Done, Stop
from include.hci.steps.readings import Readings
from include.hci.steps.readings_cluster import read_cau, read_whole
from include.hci.steps.readings_nodes import read_nodes
from include.hci.steps.readings_own import read_own, unused_commands
from include.hci.steps.reporting import disk_state, job_state, reported_check


class Readiness(BaseStep[ReadinessFacts]):
    """Reads everything once and judges it; ``clock`` tells how long each reading took."""

    name: ev.StepName = "readiness"

    def __init__(self, context: StepContext, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(context)
        self.clock = clock

    @property
    def reads(self) -> RunOptions:
        """The options that say what is read."""
        return self.context.options

    def observe(self, cluster: Cluster) -> ReadinessFacts:
        """Read the cluster from one node, then every node by itself; what does not answer is a finding.

        Raises only when the nodes and roles themselves cannot be read: there is nothing to judge then.
        """
        shell, members = read_members(cluster)
        known = {name.lower() for name in cluster.nodes}
        names = [node.name for node in members.nodes if node.name.lower() in known]
        up = [cluster.on(node.name) for node in members.nodes if node.is_up and node.name in names]
        shells = (shell, *(other for other in up if other != shell))
        readings, options = Readings(self.clock), self.reads
        whole = read_whole(cluster.name, shells, options, readings)
        cau = read_cau(cluster, shells, options, readings)
        own = read_nodes(cluster, names, members.groups, readings)
        answering = [node.name for node in members.nodes if node.is_up and node.name in names]
        beside = read_own(cluster, [name for name in answering if name not in own.unreachable], options, readings)
        return ReadinessFacts(
            cluster=whole.info,
            nodes=members.nodes,
            expected=cluster.nodes,
            groups=members.groups,
            resources=whole.resources,
            quorum=whole.quorum,
            storage=whole.storage,
            versions=own.versions,
            unreachable=own.unreachable,
            holders=tuple(own.holders),
            cau_run=cau.run,
            cau_problem=cau.problem,
            cau_role=cau.role,
            health_faults=whole.health_faults,
            restart_keys=own.restart_keys,
            volume_access=whole.volume_access,
            volumes_in_backup=whole.volumes_in_backup,
            virtual_machines=tuple(own.virtual_machines),
            media=tuple(own.media),
            memory=own.memory,
            free_space=own.free_space,
            cau_setup=cau.setup,
            validation=whole.validation,
            update_policies=own.update_policies,
            wmi_blocked=own.wmi_blocked,
            rollout=whole.rollout,
            tasks=own.tasks,
            servicing=tuple(own.servicing),
            missing_scripts=beside.missing_scripts,
            hook_problems=beside.hook_problems,
            unused_commands=unused_commands(options) if self.context.kind == "offline-update" else None,
            unread=tuple(readings.unread),
            durations=readings.durations,
            not_asked=readings.not_asked,
        )

    def decide(self, facts: ReadinessFacts, now: datetime) -> Decision:
        """Refuse when a critical check did not pass, or a warning that the run wants accepted is not."""
        checks = self.checks(facts)
        if blocked := self.blocked(checks):
            return Stop(_refusal(blocked))
        noticed = [check for check in checks if not check.passed]
        why = f"{len(checks) - len(noticed)} of {len(checks)} checks passed"
        if noticed:
            why += "; to be known: " + "; ".join(check.evidence for check in noticed)
        roles = {node.name: count_roles(facts.groups, node.name) for node in facts.nodes}
        return Done("ready", why, {"checks": [check_json(check) for check in checks], "roles": roles})

    def events(self, facts: ReadinessFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the checks and the storage before the run on record, whatever the verdict."""
        checks = self.checks(facts)
        blocked = {check.id for check in self.blocked(checks)}
        silent = (entry.reason for entry in facts.unread if entry.subject == "health")
        return (
            ev.ReadinessChecked(
                checks=tuple(
                    reported_check(check, refused=check.id in blocked and not check.passed) for check in checks
                )
            ),
            ev.StorageRead(
                moment="before",
                virtual_disks=tuple(map(disk_state, facts.storage.disks)),
                jobs=tuple(map(job_state, facts.storage.open_jobs)),
                faults=(*facts.health_faults, *(f"the Health Service could not be asked: {why}" for why in silent)),
            ),
        )

    def checks(self, facts: ReadinessFacts) -> tuple[CheckResult, ...]:
        """Return the checks of ``facts`` under this run's options."""
        return check_readiness(facts, rules_of(self.context))

    def blocked(self, checks: tuple[CheckResult, ...]) -> tuple[CheckResult, ...]:
        """Return those of ``checks`` that keep this run from starting."""
        options = self.context.options
        # There is no plan yet for which somebody could have acknowledged anything.
        accepted = acknowledged_ids((), "", options.accepted_warnings)
        return blocking(checks, accepted, options.require_acknowledgement)


def rules_of(context: StepContext, *, uses_cau: bool = False) -> ReadinessRules:
    """Return what the run in ``context`` demands; ``uses_cau``: it is left to CAU."""
    options = context.options
    return ReadinessRules(
        context.guid,
        options.max_failed_nodes,
        options.require_all_nodes_online,
        uses_cau=uses_cau,
        schedule=context.schedule,
        local_vms=options.local_vms,
    )


def check_json(check: CheckResult) -> dict[str, object]:
    """Return a check as JSON data."""
    return {
        "id": check.id,
        "title": check.title,
        "severity": check.severity.value,
        "status": check.status.value,
        "passed": check.passed,
        "evidence": check.evidence,
        "remediation": check.remediation,
        "duration_seconds": check.duration_seconds,
    }


def _refusal(blocked: tuple[CheckResult, ...]) -> Problem:
    """Return why the run must not start: what is critical first, then what a person has to accept."""
    critical = [check for check in blocked if check.refuses]
    warnings = [check for check in blocked if not check.refuses]
    reasons = [check.evidence for check in critical]
    advice = list(dict.fromkeys(check.remediation for check in (*critical, *warnings) if check.remediation))
    if warnings:
        named = ", ".join(f"{check.id} ({check.evidence})" for check in warnings)
        reasons.append(f"{'a warning is' if len(warnings) == 1 else 'warnings are'} not accepted: {named}")
        ids = ", ".join(dict.fromkeys(check.id for check in warnings))
        advice.append(
            f"Or accept what is meant to be so: name it under accepted_warnings ({ids}), in the profile for every run or in"
            " the parameters of the next one."
        )
    return Problem(
        title=f"The run is refused: {'; '.join(reasons)}.",
        meaning="Nothing was changed.",
        next_action=" ".join(advice),
        retry_is_safe=True,
    )
