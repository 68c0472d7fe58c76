"""Readiness for a feature update: the checks of a run that is left to CAU, those of its own, and how the nodes were found."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime

from include.hci.cluster.agents import Agents, get_agents
from include.hci.cluster.facade import Cluster
from include.hci.cluster.levels import get_level, get_supported_levels
from include.hci.cluster.machine import get_install_date
from include.hci.cluster.soft_reboot import get_soft_reboot
from include.hci.cluster.vm_versions import get_supported_versions
from include.hci.policy.checks.feature import FeatureFacts, FeatureRules, check_feature, newest_nodes
from include.hci.policy.readiness import CheckResult, ReadinessFacts, Severity, Subject
from include.hci.powershell.errors import RemotingError
from include.hci.report import events as ev
from include.hci.settings import RunOptions
from include.hci.steps.cau_run_access import feature_request
from include.hci.steps.cau_run_readiness import CauReadiness, CauReadinessFacts
from include.hci.steps.decisions import Decision, Done
from include.hci.steps.hygiene import Sight, read_snapshot
from include.hci.steps.readings import Readings

#: This run has steps of its own for the vendor's tests, once they can reach every node.
_LATER: Mapping[Subject, str] = {
    "cau-setup": "the step cau_setup asks it once remote management is set up",
    "validation": "the step validate asks it, and validate_after once more at the end",
}
#: Judged by the run's own check of patch levels: nodes with the new version are no defect here.
_OWN = "same-build"


@dataclass(frozen=True, slots=True)
class FeatureReadinessFacts(CauReadinessFacts):
    """What was read at ``read_at``; ``snapshot`` is how the nodes were found, None where that is on record already."""

    read_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    feature: FeatureFacts = field(default_factory=FeatureFacts)
    snapshot: ev.SnapshotTaken | None = None


class FeatureReadiness(CauReadiness):
    """Refuses what would be refused by the update itself, or would end half-way."""

    @property
    def reads(self) -> RunOptions:
        """What is read: the vendor's tests have steps of their own."""
        return self.context.options.model_copy(update={"check_cau_setup": False, "validate_cluster": False})

    def observe(self, cluster: Cluster) -> FeatureReadinessFacts:
        """Read the cluster as for any run of CAU's, then what matters to a feature update, and how everything is found."""
        found = super().observe(cluster)
        readings = Readings(self.clock)
        feature = self._feature(cluster, found, readings)
        known = {item.name: getattr(found, item.name) for item in fields(CauReadinessFacts)}
        known |= {
            "unread": (*found.unread, *readings.unread),
            "durations": {**found.durations, **readings.durations},
            "not_asked": {**found.not_asked, **readings.not_asked, **_LATER},
        }
        whole = FeatureReadinessFacts(**known, read_at=self.clock(), feature=feature)
        return replace(whole, snapshot=self._snapshot(cluster, whole))

    def events(self, facts: ReadinessFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the checks on record, and before the first change how the nodes were found."""
        said = super().events(facts, decision)
        if isinstance(decision, Done) and isinstance(facts, FeatureReadinessFacts) and facts.snapshot is not None:
            return (*said, facts.snapshot)
        return said

    def checks(self, facts: ReadinessFacts) -> tuple[CheckResult, ...]:
        """Return the checks of ``facts`` for this run."""
        found = tuple(check for check in super().checks(facts) if check.id != _OWN)
        if not isinstance(facts, FeatureReadinessFacts):
            return found
        options, request = self.context.options, feature_request(self.context)
        rules = FeatureRules(
            media=request.source == "media",
            post_steps_only=request.post_steps_only,
            attempt_soft_reboot=options.attempt_soft_reboot,
            full_reboot=options.reboot_mode == "FullReboot",
        )
        if request.post_steps_only:
            # CAU begins nothing in such a run: the machine that would coordinate it is only of use to the validation.
            found = tuple(_told(check) if _is_of_host(check) else check for check in found)
        return (*found, *check_feature(facts, facts.feature, rules, facts.read_at))

    def _feature(self, cluster: Cluster, facts: CauReadinessFacts, readings: Readings) -> FeatureFacts:
        up = [node.name for node in facts.nodes if node.is_up and node.name in facts.versions]
        shells = [cluster.on(name) for name in up]
        if not shells:
            return FeatureFacts()
        level = readings.cluster("levels", shells, lambda shell: (get_level(shell), get_supported_levels(shell)))
        soft = readings.cluster("soft-reboot", shells, get_soft_reboot)
        ahead = newest_nodes(facts.versions) or tuple(up)
        agents: dict[str, Agents] = {}
        takes: dict[str, tuple[str, ...]] = {}
        installed: dict[str, datetime] = {}
        for name in up:
            shell = cluster.on(name)
            try:
                if (seen := readings.node("agents", name, lambda: get_agents(shell))) is not None:  # noqa: B023
                    agents[name] = seen
                if name in ahead and (since := readings.node("levels", name, lambda: get_install_date(shell))):  # noqa: B023
                    installed[name] = since
                if name in newest_nodes(facts.versions) and _hosts(facts):
                    takes[name] = readings.node("vm-versions", name, lambda: get_supported_versions(shell)) or ()  # noqa: B023
            except RemotingError as error:
                readings.miss("agents", error, name)
        known = {name: versions for name, versions in takes.items() if versions}
        at, supported = level or (None, {})
        return FeatureFacts(soft, agents, at, supported, known, installed)

    def _snapshot(self, cluster: Cluster, facts: ReadinessFacts) -> ev.SnapshotTaken | None:
        if any(entry.event.moment == "before" for entry in self.context.record.all_of(ev.SnapshotTaken)):
            return None
        if self.blocked(self.checks(facts)):
            return None
        held: dict[str, dict[str, str]] = {}
        for holder in facts.holders:
            held.setdefault(holder.node, {})[holder.kind] = str(holder.guid)
        nodes, role = read_snapshot(cluster, cluster.any(), Sight(facts.nodes, held, facts.unreachable), self.clock)
        return ev.SnapshotTaken(step="readiness", moment="before", nodes=nodes, role_enabled=role)


def _hosts(facts: ReadinessFacts) -> Collection[object]:
    return facts.virtual_machines or ()


def _is_of_host(check: CheckResult) -> bool:
    return check.id.startswith("coordinator-") or check.id == "management-host"


def _told(check: CheckResult) -> CheckResult:
    return replace(check, severity=Severity.INFORMATION)
