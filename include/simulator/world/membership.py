"""Which nodes take part in the cluster: joining, leaving, pausing, quarantine."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from include.simulator.world.machines import DrainStatus, Node, Power

if TYPE_CHECKING:
    from include.simulator.world.world import World


#: ResiliencyLevel at which a node that is cut off runs its virtual machines on.
ALWAYS_ISOLATE = 2
#: QuarantineDuration 0xFFFFFFFF: a node never leaves quarantine by itself.
FOR_EVER = timedelta(seconds=0xFFFFFFFF)


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
        """Take ``node`` out of the cluster; ``clean``: its service was stopped in good order.

        Where the service alone stops, virtual machines are saved before they start elsewhere.
        """
        if not node.member:
            self._stop_waiting(node, reason)
            return
        node.member = False
        if not clean:
            node.leaves.append(self._world.now)
        self._world.drains.abort(node)
        self.announce(node)
        self._world.quorum.member_left(clean=clean)
        self._world.storage.node_gone(node)
        if self._world.quorum.has_quorum:
            self._world.groups.node_left(node, reason, saving=clean and node.power is Power.ON)
        else:
            self._collapse()

    def _stop_waiting(self, node: Node, reason: str) -> None:
        was_isolated, node.isolated = node.isolated, False
        if node.joining or was_isolated:
            node.joining = False
            self.announce(node)
        if was_isolated:
            self._world.groups.node_left(node, reason)

    def isolate(self, node: Node, duration: timedelta | None = None) -> None:
        """Cut ``node`` off from the others without a shutdown; after ``duration`` it is heard again (None: not by itself).

        With resiliency level 2 (AlwaysIsolate) it runs its virtual machines on, unmonitored, for the resiliency period; then it
        counts as down and they start elsewhere. One isolation too many within the hour ends in quarantine. Level 1 fails over
        at once (Failover Clustering team, "Virtual Machine Compute Resiliency in Windows Server 2016").
        """
        if not node.member:
            return
        spec = self._world.spec
        node.isolated = spec.resiliency_level == ALWAYS_ISOLATE and spec.resiliency_default_period > timedelta(0)
        began = self._world.now
        self.leave(node, clean=False, reason=f"node {node.name} is isolated")
        if node.isolated and self._world.variant("isolated-vms-pause-critical"):
            for group in self._world.groups.on(node):
                if group.vm and group.vm.state == "Running":
                    self._world.groups.set_vm(group, "PausedCritical", "its storage is out of reach")
        if self._due_for_quarantine(node):
            self._evict_gracefully(node)
        elif node.isolated:
            self._world.after(spec.resiliency_default_period, lambda: self._give_up(node, began))
        if duration is not None:
            self._world.after(duration, lambda: self.rejoin(node))

    def rejoin(self, node: Node) -> None:
        """Let ``node`` hear the others again; what it ran on in the meantime was never interrupted."""
        if node.up and node.services["ClusSvc"].status == "Running":
            self.start_joining(node)

    def _give_up(self, node: Node, began: datetime) -> None:
        if not node.isolated or not node.leaves or node.leaves[-1] != began:
            return
        node.isolated = False
        self.announce(node)
        self._world.groups.node_left(node, f"node {node.name} was isolated for too long")

    def _evict_gracefully(self, node: Node) -> None:
        """Put an isolated node in quarantine: its virtual machines are drained to the others without a stop."""
        groups = self._world.groups
        for group in groups.on(node):
            target = groups.destination(group, node)
            if group.vm and group.vm.state in ("Running", "PausedCritical") and target and not group.vm.blocked:
                groups.move(group, target, "quarantine, live migration")
                if group.vm.state != "Running":
                    groups.set_vm(group, "Running", "resumed")
        node.isolated = False
        self.quarantine(node, self._world.spec.quarantine_duration)
        groups.node_left(node, f"node {node.name} is quarantined")

    def start_joining(self, node: Node) -> None:
        """Let the cluster service of ``node`` look for the cluster; refused in quarantine, and to a version that does not fit."""
        if node.member or node.quarantined or not self._world.levels.admits(node) or self._quarantine(node):
            return
        node.joining = True
        self.announce(node)
        self._world.after(self._world.spec.timings.join, lambda: self._join(node))

    def clear_quarantine(self, node: Node) -> None:
        """Let ``node`` in again."""
        if node.quarantined:
            node.quarantined = False
            node.leaves.clear()
            self.announce(node)
            if node.up and node.services["ClusSvc"].status == "Running":
                self.start_joining(node)

    def quarantine(self, node: Node, duration: timedelta) -> None:
        """Keep ``node`` out for ``duration``."""
        node.quarantined = True
        node.joining = False
        self.announce(node)
        if duration < FOR_EVER:
            self._world.after(duration, lambda: self.clear_quarantine(node))

    def _quarantine(self, node: Node) -> bool:
        spec = self._world.spec
        if self._world.rig.take("quarantine", node.name):
            node.leaves = [self._world.now] * spec.quarantine_threshold
        if not self._due_for_quarantine(node):
            return False
        self.quarantine(node, spec.quarantine_duration)
        return True

    def _due_for_quarantine(self, node: Node) -> bool:
        """Tell whether ``node`` left too often; never more than 25 % of the nodes, but one, may be in quarantine at a time."""
        recent = [left for left in node.leaves if self._world.now - left < timedelta(hours=1)]
        if len(recent) < self._world.spec.quarantine_threshold:
            return False
        least = 0 if self._world.variant("small-clusters-never-quarantine") else 1
        allowed = max(least, len(self._world.nodes) // 4)
        return sum(each.quarantined for each in self._world.nodes) < allowed

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
            each.joining, each.member, each.isolated = False, True, False
        world.cluster_service.formed()
        world.quorum.member_joined()
        for each in waiting:
            self.announce(each)
            world.storage.node_back(each)
            self._monitor_again(each)
        world.groups.place_orphans()

    def _monitor_again(self, node: Node) -> None:
        for group in self._world.groups.on(node):
            if group.vm and group.vm.state == "PausedCritical":
                self._world.groups.set_vm(group, "Running", "its storage is back")

    def _collapse(self) -> None:
        """Stop the cluster service everywhere: without quorum nobody may run a role."""
        world = self._world
        for node in world.nodes:
            node.isolated = False
            for group in world.groups.on(node):
                world.groups.stop(group, "quorum lost")
            if node.member:
                node.member = False
                world.drains.abort(node)
                world.storage.node_gone(node)
                if node.up and node.services["ClusSvc"].status == "Running":
                    node.joining = True
                self.announce(node)
