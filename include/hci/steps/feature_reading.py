"""What the steps after a feature update read of the cluster: its level, what its nodes support, whether they are all there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.hci.cluster.facade import Cluster
from include.hci.cluster.levels import Level, get_level, get_supported_levels
from include.hci.cluster.lock import LockState
from include.hci.cluster.machine import WindowsVersion, get_windows_version
from include.hci.cluster.nodes import ClusterNode
from include.hci.policy.gates import nodes_out
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import read_lock, read_members
from include.hci.steps.context import StepContext

#: Under this name the level of the cluster stands in questions and in the record.
CLUSTER_LEVEL = "functional level"
NODES_DIFFER = "Start the feature update again: it goes on with the nodes that are not on the new build yet."


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """The cluster as it is now. ``target`` is the highest level that every node supports, None where one does not tell.

    ``settled``: how it ended with the functional level in this run, None before.
    """

    lock: LockState
    nodes: tuple[ClusterNode, ...]
    level: Level
    target: Level | None = None
    versions: Mapping[str, WindowsVersion] = field(default_factory=dict)
    settled: ev.VersionSettled | None = None

    @property
    def builds(self) -> dict[str, str]:
        """The build of each node."""
        return {name: str(version.build) for name, version in self.versions.items()}

    @property
    def is_raised(self) -> bool:
        """Whether the cluster is known to be at the level that its nodes support."""
        if self.target is not None:
            return self.level >= self.target
        return self.settled is not None and self.settled.result in ("raised", "already")

    @property
    def aim(self) -> str:
        """What the level is raised to, as far as that can be told beforehand."""
        return str(self.target) if self.target is not None else f"what build {self.number} supports"

    @property
    def number(self) -> str:
        """The builds that the nodes run, without their revisions."""
        return ", ".join(sorted({str(version.build.number) for version in self.versions.values()}))


def read_cluster(cluster: Cluster, context: StepContext) -> tuple[Shell, ClusterFacts]:
    """Read it, and return the shell on the node that was asked for everything else to be read there."""
    shell, members = read_members(cluster)
    level = get_level(shell)
    up = [node.name for node in members.nodes if node.is_up]
    levels = [
        entry.event
        for entry in context.record.all_of(ev.VersionSettled)
        if entry.event.step == "functional_level" and entry.event.subject == CLUSTER_LEVEL
    ]
    return shell, ClusterFacts(
        lock=read_lock(cluster, context, members),
        nodes=members.nodes,
        level=level,
        target=_target(get_supported_levels(shell), level),
        versions={name: get_windows_version(cluster.on(name)) for name in up},
        settled=levels[-1] if levels else None,
    )


def unfit(facts: ClusterFacts, what: str) -> Problem | None:
    """Return why ``what`` must not be raised now: every node has to be Up and on the same build.

    Source: windowsserverdocs, cluster-operating-system-rolling-upgrade.
    """
    if out := nodes_out(facts.nodes):
        listed = ", ".join(f"{node.name} is {node.state}" for node in out)
        return _refused(what, f"not every node is Up: {listed}", "Bring it back, then clear this task.")
    if len({version.build.number for version in facts.versions.values()}) != 1:
        listed = ", ".join(f"{name} is on {build}" for name, build in sorted(facts.builds.items()))
        return _refused(what, f"the nodes run different builds: {listed}", NODES_DIFFER)
    local = sorted(name for name, version in facts.versions.items() if version.is_azure_local)
    if local:
        reason = f"{', '.join(local)} runs Azure Local, whose versions belong to its own orchestrator"
        return _refused(what, reason, "Leave it to the Azure Local orchestrator.")
    return None


def level_missing(facts: ClusterFacts, left_why: str) -> str:
    """Return why nothing may be raised that needs the functional level raised first; empty: it is.

    ``left_why``: why this run left the level as it is.
    """
    if facts.is_raised:
        return ""
    return (
        f"it needs the functional level raised first, which is at {facts.level}{f' ({left_why})' if left_why else ''}"
    )


def _target(supported: Mapping[str, Level | None], level: Level) -> Level | None:
    known = [each for each in supported.values() if each is not None]
    # What the number means is documented in a header file alone: one that makes no sense beside the level is not believed.
    if not known or len(known) < len(supported) or min(known).functional < level.functional:
        return None
    return max(min(known), level)


def _refused(what: str, reason: str, advice: str) -> Problem:
    return Problem(
        title=f"Raising {what} was refused: {reason}.",
        meaning="It needs every node in service on one build, because there is no way back. Nothing was changed.",
        next_action=advice,
        retry_is_safe=True,
    )
