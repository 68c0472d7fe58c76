"""The cluster's functional level: what the nodes could go up to, what keeps them from it, and going up for good.

A cluster keeps its level while its nodes are upgraded one by one; it can go back until the level is raised, and never after
(windowsserverdocs, cluster-operating-system-rolling-upgrade).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.machines import Node, NodeState
from include.simulator.world.versions import VERSIONS, OsVersion, os_version, running

if TYPE_CHECKING:
    from include.simulator.world.world import World

#: Win32 error codes (win32, system error codes).
UPGRADE_INCOMPATIBLE_VERSIONS = 5973
NODE_DOWN = 5050


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the functional level cannot be raised."""

    code: int
    reason: str


def version_of(node: Node) -> OsVersion:
    """Return the operating system version that ``node`` runs by now."""
    return running(node.os, node.build)


def formed_with(world: World) -> OsVersion:
    """Return the version whose level the cluster had at the start: the one it was formed with, else its lowest node's."""
    if world.spec.formed_with:
        return os_version(world.spec.formed_with)
    return min((each.os for each in world.nodes), key=lambda os: os.cluster_version)


class Levels:
    """Functional level and upgrade version of the cluster."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.functional_level, self.upgrade_version = self.pair(formed_with(world))

    def pair(self, os: OsVersion) -> tuple[int, int]:
        """Return functional level and upgrade version that nodes of version ``os`` stand for.

        Only 8 and 9 for 2012 R2 and 2016 are in Microsoft's own documents; Windows Admin Center's code takes level 12, or 11
        with upgrade version 4 or higher, for 21H2 and later.
        """
        level, upgrade = os.cluster_version
        if self._world.variant("functional-level-of-2019-is-11") and level == 10:
            return 11, upgrade
        if self._world.variant("functional-level-of-21h2-is-11") and os.key == "21H2":
            return 11, 4
        if self._world.variant("upgrade-versions-count-on") and upgrade > 32768:
            return level, {32774: 6, 32776: 8}[upgrade]
        return level, upgrade

    def node_pair(self, node: Node) -> tuple[int, int]:
        """Return the highest level and upgrade version that ``node`` supports."""
        return self.pair(version_of(node))

    def admits(self, node: Node) -> bool:
        """Tell whether the cluster takes ``node`` in: it may be one version ahead of the level, and never behind it.

        Source: windowsserverdocs, cluster-operating-system-rolling-upgrade: a cluster spans two versions at the most.
        """
        edition = version_of(node).edition_id
        pairs = [self.pair(version) for version in VERSIONS.values() if version.edition_id == edition]
        level = (self.functional_level, self.upgrade_version)
        return level not in pairs or pairs.index(self.node_pair(node)) - pairs.index(level) in (0, 1)

    @property
    def mixed(self) -> bool:
        """Whether the nodes run different versions."""
        return len({version_of(node).key for node in self._world.nodes}) > 1

    @property
    def target(self) -> tuple[int, int]:
        """What the cluster would be raised to: the least that any node supports."""
        return min(self.node_pair(node) for node in self._world.nodes)

    @property
    def pending(self) -> bool:
        """Whether every node supports more than the cluster is at."""
        return self.target > (self.functional_level, self.upgrade_version)

    def refusal(self) -> Refusal | None:
        """Return why the level cannot be raised now, or None: all nodes must be upgraded and take part in the cluster.

        Source: windows-powershell-docs, Update-ClusterFunctionalLevel.
        """
        away = [node.name for node in self._world.nodes if node.state is not NodeState.Up]
        if away:
            return Refusal(NODE_DOWN, f"Nodes that are not up: {', '.join(away)}.")
        if self.mixed:
            have = ", ".join(f"{node.name} {version_of(node).version}" for node in self._world.nodes)
            return Refusal(UPGRADE_INCOMPATIBLE_VERSIONS, f"Not all nodes support the updated version: {have}.")
        return None

    def update(self) -> bool:
        """Raise the cluster as far as its nodes go, for good; return whether anything changed."""
        if not self.pending:
            return False
        before = self.functional_level
        self.functional_level, self.upgrade_version = self.target
        detail = {
            "before": before,
            "after": self.functional_level,
            "what_if": False,
            "upgrade_version": self.upgrade_version,
        }
        self._world.emit("cluster.functional_level", None, detail)
        return True
