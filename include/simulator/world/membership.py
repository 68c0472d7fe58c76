"""Which nodes take part in the cluster: joining, leaving, pausing, quarantine."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.world.machines import DrainStatus, Node

if TYPE_CHECKING:
    from include.simulator.world.world import World


class Membership:
    """Moves nodes between Up, Down, Paused and Joining."""

    def __init__(self, world: World) -> None:
        self._world = world

    def announce(self, node: Node) -> None:
        """Journal what the cluster says of ``node`` now."""
        detail = {
            "node": node.name,
            "state": node.state.name,
            "drain_status": node.drain_status.name,
            "information": int(node.information),
        }
        self._world.emit("node.state", node, detail)

    def set_drain(self, node: Node, status: DrainStatus) -> None:
        """Change how far the drain is."""
        node.drain_status = status
        self.announce(node)

    def pause(self, node: Node) -> None:
        """Keep roles off ``node`` from now on."""
        node.paused = True
        self.announce(node)

    def unpause(self, node: Node) -> None:
        """Let roles onto ``node`` again."""
        node.paused = False
        node.drain_status = DrainStatus.NotInitiated
        node.drain_target = 0xFFFFFFFF
        self.announce(node)
        self._world.groups.place_orphans()

    def leave(self, node: Node, *, clean: bool, reason: str) -> None:
        """Take ``node`` out of the cluster; ``clean``: its service was stopped in good order."""
        if not node.member:
            if node.joining:
                node.joining = False
                self.announce(node)
            return
        node.member = False
        if not clean:
            node.leaves.append(self._world.now)
        self._world.drains.abort(node)
        self.announce(node)
        self._world.quorum.member_left(clean=clean)
        self._world.storage.node_gone(node)
        if self._world.quorum.has_quorum:
            self._world.groups.node_left(node, reason)
        else:
            self._collapse()

    def start_joining(self, node: Node) -> None:
        """Let the cluster service of ``node`` look for the cluster; refused while the node is in quarantine."""
        if node.member or node.quarantined or self._quarantine(node):
            return
        node.joining = True
        self.announce(node)
        self._world.after(self._world.spec.timings.join, lambda: self._join(node))

    def clear_quarantine(self, node: Node) -> None:
        """Let ``node`` in again."""
        if node.quarantined:
            node.quarantined = False
            node.leaves.clear()
            if node.up and node.services["ClusSvc"].status == "Running":
                self.start_joining(node)

    def quarantine(self, node: Node, duration: timedelta) -> None:
        """Keep ``node`` out for ``duration``."""
        node.quarantined = True
        node.joining = False
        self.announce(node)
        self._world.after(duration, lambda: self.clear_quarantine(node))

    def _quarantine(self, node: Node) -> bool:
        spec = self._world.spec
        if self._world.rig.take("quarantine", node.name):
            node.leaves = [self._world.now] * spec.quarantine_threshold
        recent = [left for left in node.leaves if self._world.now - left < timedelta(hours=1)]
        if len(recent) < spec.quarantine_threshold:
            return False
        self.quarantine(node, spec.quarantine_duration)
        return True

    def _join(self, node: Node) -> None:
        if not node.joining:
            return
        world = self._world
        waiting = [each for each in world.nodes if each.joining]
        members = [each for each in world.nodes if each.member]
        if members:
            waiting = [node]
        elif not world.quorum.enough(waiting):
            return
        for each in waiting:
            each.joining, each.member = False, True
        world.quorum.member_joined()
        for each in waiting:
            self.announce(each)
            world.storage.node_back(each)
        world.groups.place_orphans()

    def _collapse(self) -> None:
        """Stop the cluster service everywhere: without quorum nobody may run a role."""
        world = self._world
        for node in world.nodes:
            for group in world.groups.on(node):
                world.groups.stop(group, "quorum lost")
            if node.member:
                node.member = False
                world.drains.abort(node)
                world.storage.node_gone(node)
                if node.up and node.services["ClusSvc"].status == "Running":
                    node.joining = True
                self.announce(node)
