"""Starting and stopping the cluster service of a node or of the whole cluster by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.world import World


class QuorumWouldBeLostError(Exception):
    """Without this node the others would be too few."""


class ServiceDisabledError(Exception):
    """The cluster service is disabled and cannot be started."""


class ClusterService:
    """What becomes of the cluster when ClusSvc is started or stopped."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.stopped = False

    def would_lose_quorum(self, node: Node) -> bool:
        """Tell whether stopping ``node`` in good order would leave the others without quorum: nobody would be left.

        A node that stops in good order gives its vote away first, so dynamic quorum lets the cluster shrink to one
        (windowsserverdocs, manage-cluster-quorum).
        """
        return node.member and sum(each.member for each in self._world.nodes) == 1

    def stop(self, node: Node, reason: str = "its cluster service was stopped") -> None:
        """Stop the cluster service of ``node``: its roles go offline in good order and start elsewhere."""
        self._world.services.set(node, "ClusSvc", "Stopped")
        self._world.membership.leave(node, clean=True, reason=f"node {node.name}: {reason}")

    def start(self, node: Node) -> None:
        """Start the cluster service of ``node``; it joins after a while. Raises ServiceDisabledError."""
        if node.services["ClusSvc"].start_type == "Disabled":
            raise ServiceDisabledError(f"The service ClusSvc of {node.name} is disabled.")
        self._world.services.set(node, "ClusSvc", "Running")
        if not node.joining:
            self._world.membership.start_joining(node)

    def force_quorum(self, node: Node) -> None:
        """Let ``node`` form the cluster with whoever is there, whatever the votes say (Start-ClusterNode -ForceQuorum)."""
        self._world.quorum.forced = True
        self.start(node)

    def stop_cluster(self) -> None:
        """Stop the cluster service of every node; what was online comes online with the next start."""
        world = self._world
        for group in world.groups.all:
            world.groups.save(group, "the cluster was stopped")
        for node in world.nodes:
            if node.up:
                world.services.set(node, "ClusSvc", "Stopped")
            world.drains.abort(node)
            node.member = node.joining = node.isolated = False
            world.membership.announce(node)
        for node in world.nodes:
            world.storage.node_gone(node)
        self.stopped = True
        world.emit("cluster.stopped", None, {})

    def formed(self) -> None:
        """Note that the cluster is there again after it was stopped as a whole."""
        if self.stopped:
            self.stopped = False
            self._world.emit("cluster.started", None, {})

    def start_cluster(self, nodes: list[Node], *, ignore_persistent_state: bool = False) -> None:
        """Start the cluster service of ``nodes``."""
        if ignore_persistent_state:
            for group in self._world.groups.all:
                group.wanted = group.is_core and group.wanted
        for node in nodes:
            self.start(node)
