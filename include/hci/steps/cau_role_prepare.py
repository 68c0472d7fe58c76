"""Before CAU's self-updating role is set up: the features that it needs on every node, and the rules for remote restarts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from include.hci.cluster.facade import Cluster
from include.hci.cluster.features import WindowsFeature, get_windows_features
from include.hci.cluster.firewall import allows_remote_shutdown
from include.hci.cluster.machine import get_operating_system
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.settings.cau_role import CauRoleRequest
from include.hci.steps.base import BaseStep, F
from include.hci.steps.cau_role_actions import InstallFeatures, OpenFirewall
from include.hci.steps.cau_role_gate import cadence_problem, role_problem
from include.hci.steps.cau_role_place import RoleFacts, read_role
from include.hci.steps.decisions import Act, Decision, Done, Stop

#: What self-updating needs on every node (windowsserverdocs, cluster-aware-updating-requirements): the feature itself first, and
#: then its tools with the PowerShell module.
NEEDED = (("Failover-Clustering",), ("RSAT-Clustering", "RSAT-Clustering-PowerShell"))


class RoleStep(BaseStep[F]):
    """A step of a run about the role."""

    @property
    def asked(self) -> CauRoleRequest:
        """What the run was asked for; raises SettingsError when the record holds something else."""
        return CauRoleRequest.from_json(self.context.request)

    @property
    def looks(self) -> bool:
        """Whether nodes are looked at at all: switching the role off needs nothing of them."""
        return self.asked.action not in ("disable", "remove")


@dataclass(frozen=True, slots=True)
class FeatureFacts:
    """The features of every node, and the nodes that wait for a restart because of a feature.

    ``role`` is read where it is to be set up: what speaks against that is found before a node is touched.
    """

    features: Mapping[str, tuple[WindowsFeature, ...]]
    waiting: tuple[str, ...] = ()
    role: RoleFacts | None = None

    def installed(self, node: str) -> tuple[str, ...]:
        """Return the names of what is installed on ``node``."""
        return tuple(feature.name for feature in self.features[node] if feature.installed)

    def missing(self, node: str) -> tuple[str, ...]:
        """Return the names of what is needed on ``node`` and neither there nor on its way."""
        there = {
            feature.name.lower() for feature in self.features[node] if feature.installed or feature.waits_for_restart
        }
        return tuple(name for group in NEEDED for name in group if name.lower() not in there)


class PrepareRole(RoleStep[FeatureFacts]):
    """Reads the features of failover clustering on every node, and installs what is missing where the role is configured."""

    name: ev.StepName = "prepare"

    def observe(self, cluster: Cluster) -> FeatureFacts:
        """Read every node."""
        if not self.looks:
            return FeatureFacts({})
        if cadence_problem(cluster.name, self.asked):
            return FeatureFacts({})
        role = read_role(cluster) if self.asked.action == "configure" else None
        found = {node: get_windows_features(cluster.on(node)) for node in cluster.nodes}
        pending = {node for node, features in found.items() if any(each.waits_for_restart for each in features)}
        owed: dict[str, datetime] = {}
        for entry in self.context.record.events():
            if (
                isinstance(entry.event, ev.FeaturesInstalled)
                and entry.event.restart_needed
                and entry.event.node in found
            ):
                owed[entry.event.node] = entry.at
        pending |= {node for node, at in owed.items() if get_operating_system(cluster.on(node)).boot_time < at}
        return FeatureFacts(found, tuple(sorted(pending)), role)

    def decide(self, facts: FeatureFacts, now: datetime) -> Decision:
        """Install what is missing, one node and one group at a time."""
        if refused := cadence_problem(self.context.cluster, self.asked):
            return Stop(refused)
        if facts.role and (refused := role_problem(self.asked, self.context.options, facts.role, now)):
            return Stop(refused)
        if not facts.features:
            return Done("not-needed", "this needs nothing of the nodes")
        lacking = {node: facts.missing(node) for node in facts.features if facts.missing(node)}
        listed = "; ".join(f"{node} lacks {', '.join(names)}" for node, names in lacking.items())
        if self.asked.action == "configure":
            for node, names in lacking.items():
                first = next(group for group in NEEDED if set(group) & set(names))
                wanted = tuple(name for name in first if name in names)
                return Act(InstallFeatures(node, wanted), f"self-updating needs {', '.join(wanted)} on {node}")
            if facts.waiting:
                return Stop(_restart_first(facts.waiting))
        if lacking:
            return Done("lacking", listed)
        return Done("ready", f"failover clustering and its tools are on {', '.join(facts.features)}")

    def events(self, facts: FeatureFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the features of every node on record."""
        if not isinstance(decision, Done | Stop):
            return ()
        return tuple(
            ev.FeaturesRead(node=node, installed=facts.installed(node), missing=facts.missing(node))
            for node in facts.features
        )


@dataclass(frozen=True, slots=True)
class FirewallFacts:
    """Whether every node lets itself be restarted from another; None: it has no such rules."""

    allowed: Mapping[str, bool | None]


class Firewall(RoleStep[FirewallFacts]):
    """Reads the rules for remote restarts on every node, and enables them where the options ask for it."""

    name: ev.StepName = "firewall"

    def observe(self, cluster: Cluster) -> FirewallFacts:
        """Read every node."""
        return FirewallFacts(
            {node: allows_remote_shutdown(cluster.on(node)) for node in cluster.nodes} if self.looks else {}
        )

    def decide(self, facts: FirewallFacts, now: datetime) -> Decision:
        """Enable the rules where they are needed and wanted; without them CAU cannot restart a node."""
        if not facts.allowed:
            return Done("not-needed", "this needs nothing of the nodes")
        closed = [node for node, allowed in facts.allowed.items() if allowed is False]
        bare = [node for node, allowed in facts.allowed.items() if allowed is None]
        if self.asked.action == "configure":
            if bare:
                return Stop(_no_rules(bare))
            if closed and not self.context.options.enable_firewall_rules:
                return Stop(_closed(closed))
            if closed:
                why = "CAU restarts a node from another one, and the rules for that are disabled"
                return Act(OpenFirewall(closed[0]), why)
        if closed or bare:
            return Done("closed", f"the rules for remote restarts are not enabled on {', '.join((*closed, *bare))}")
        return Done("open", f"the rules for remote restarts are enabled on {', '.join(facts.allowed)}")

    def events(self, facts: FirewallFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put what every node's rules are on record."""
        if not isinstance(decision, Done | Stop):
            return ()
        return tuple(ev.FirewallRead(node=node, allowed=allowed) for node, allowed in facts.allowed.items())


def _restart_first(nodes: tuple[str, ...]) -> Problem:
    return Problem(
        title=f"{', '.join(nodes)} must restart before the installed features work.",
        meaning="No node is restarted by this run: its roles would go down with it.",
        next_action="Drain and restart one node after the other, then clear this task with everything downstream.",
        retry_is_safe=False,
    )


def _closed(nodes: list[str]) -> Problem:
    return Problem(
        title=f"The firewall of {', '.join(nodes)} does not let CAU restart the node from another one.",
        meaning="With the role, CAU could install updates there and not finish them. Nothing was changed.",
        next_action=(
            "Set enable_firewall_rules in the cluster's profile, or enable the rule group Remote Shutdown on these nodes "
            "yourself; then clear this task with everything downstream."
        ),
        retry_is_safe=False,
    )


def _no_rules(nodes: list[str]) -> Problem:
    return Problem(
        title=f"{', '.join(nodes)} has no firewall rules of the group Remote Shutdown.",
        meaning="They come with Windows; somebody has deleted them, so they cannot be enabled.",
        next_action="Restore the group from another server (Copy-NetFirewallRule), then clear this task.",
        retry_is_safe=False,
    )
