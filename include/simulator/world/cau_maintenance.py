"""Taking one node out of service for its updates and bringing it back (windows-powershell-docs, Invoke-CauRun)."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.world.cau_run import CANCELED, ErrorData, Stage
from include.simulator.world.levels import version_of
from include.simulator.world.machines import DrainStatus, Node
from include.simulator.world.process import Pause, Until

if TYPE_CHECKING:
    from include.simulator.world.cau_coordinator import Coordinator
    from include.simulator.world.world import World

Failure = ErrorData | None
Steps = Generator[Pause, bool, Failure]

#: How long CAU goes on asking while storage is degraded, where nobody said: not documented.
SUSPEND_TIMEOUT = timedelta(minutes=15)
LONG_SUSPEND_TIMEOUT = timedelta(hours=6)
LONG_TIMEOUT_VARIANT = "cau-waits-hours-for-degraded-storage"
KEEPS_PAUSE_VARIANT = "cau-keeps-a-pause-it-found"
SPACE_DEGRADED = 0x80071763


class MaintenanceMode:
    """One stay of a node: ``entered`` once it was paused, ``hopeless`` where trying again is of no use."""

    def __init__(self, coordinator: Coordinator, node: Node) -> None:
        self.entered = False
        self.hopeless = False
        self._coordinator = coordinator
        self._world = coordinator.world
        self._run = coordinator.run
        self._options = coordinator.run.options
        self._node = node
        self._result = coordinator.run.results[node.name]
        self._found_paused = False
        self._since = coordinator.world.now

    def enter(self) -> Steps:
        """Wait for healthy storage, then pause and drain; storage that stays degraded fails the node without a retry."""
        world, node, options = self._world, self._node, self._options
        default = LONG_SUSPEND_TIMEOUT if world.variant(LONG_TIMEOUT_VARIANT) else SUSPEND_TIMEOUT
        given = options.suspend_timeout if options.storage_timeout is None else options.storage_timeout
        limit = default if given is None else given
        if not world.storage.healthy() and options.pause == "drain":
            self._run.say(world, node.name, Stage.STORAGE)
            whole = yield Until(lambda: world.storage.healthy() or self._coordinator.stopping, limit)
            if not whole:
                self.hopeless = True
                text = f"Clustered storage is in a degraded state; {node.name} could not be suspended."
                return ErrorData("SuspendNodeFailed", text, SPACE_DEGRADED)
        if self._coordinator.stopping:
            return CANCELED
        if node.member and not world.quorum.would_survive_without(node.name):
            return ErrorData("QuorumWouldBeLost", f"Without {node.name} the cluster would lose quorum.")
        self._run.say(world, node.name, Stage.SUSPENDING)
        error = yield from self._pause()
        for _ in range(options.suspend_retries):
            if error is None or self._coordinator.stopping:
                break
            error = yield from self._pause()
        return error

    def _pause(self) -> Steps:
        world, node = self._world, self._node
        if not node.member:
            return ErrorData("SuspendNodeFailed", f"The cluster node {node.name} is not available.")
        if not self.entered:
            self._found_paused, self.entered = node.paused, True
            self._result.suspended_at = self._result.suspended_at or world.now
            self._since = world.now
        if self._options.pause == "none":
            world.membership.pause(node)
            return None
        if node.drain_status is DrainStatus.InProgress:
            yield Until(lambda: node.drain_status is not DrainStatus.InProgress)
        world.drains.start(node, force=self._options.pause.startswith("force"))
        yield Until(lambda: node.drain_status is not DrainStatus.InProgress or self._coordinator.stopping)
        if self._coordinator.stopping:
            return CANCELED
        if node.drain_status is DrainStatus.Completed:
            return None
        locked = [group.name for group in world.groups.on(node) if group.locked]
        reason = f"the resource has locked status ({', '.join(locked)})" if locked else "not every role could be moved"
        return ErrorData("SuspendNodeFailed", f"The drain of node {node.name} failed: {reason}.")

    def leave(self) -> Steps:
        """Resume the node and wait for its roles; one that is down stays paused."""
        world, node = self._world, self._node
        self.entered = False
        self._result.suspended_for += world.now - self._since
        if not node.member:
            return ErrorData("ResumeNodeFailed", f"The cluster node {node.name} is not available; it stays paused.")
        if self._found_paused and world.variant(KEEPS_PAUSE_VARIANT):
            self._result.left_as_found = True
            return None
        self._run.say(world, node.name, Stage.RESUMING)
        if node.paused:
            resume_node(world, node, self._options.failback_mode)
            yield Until(lambda: not world.drains.running(node), timedelta(minutes=30))
        return None


def resume_node(world: World, node: Node, failback: str) -> None:
    """Do what Resume-ClusterNode does; Policy follows the roles' own settings, which prevent failback by default."""
    world.drains.abort(node)
    world.membership.unpause(node)
    if version_of(node).auto_maintenance:
        world.storage.leave_maintenance(node, "resume")
    if failback == "Immediate":
        world.drains.fail_back(node)
    else:
        world.drains.forget_home(node)
