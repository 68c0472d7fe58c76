"""The Update Coordinator: one Updating Run from its locks to its report, driven by the world's agenda.

In self-updating mode it lives on the node that owns the CAU role and moves with it; in remote-updating mode on a machine outside
the cluster (windowsserverdocs, cluster-aware-updating).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.cau_node import NodeUpdate
from include.simulator.world.cau_plugins import ROLLING_UPGRADE
from include.simulator.world.cau_run import CANCELED, CauRun, ErrorData, Installed, NodeResult, Stage, SummaryStatus
from include.simulator.world.firewall import REMOTE_SHUTDOWN
from include.simulator.world.groups import GroupState
from include.simulator.world.locks import CLASSES, NODE, RUN, LockHeldError
from include.simulator.world.machines import Machine, Node, Power
from include.simulator.world.process import Pause, Process, Until
from include.simulator.world.updates import UpdateResult

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.world import World

#: How often a coordinator refreshes its locks, and how long one on another node takes to carry on.
HEARTBEAT = timedelta(minutes=5)
TAKEOVER = timedelta(seconds=30)


class RunRefusedError(Exception):
    """A run does not begin; ``id`` is what the error carries."""

    def __init__(self, id: str, text: str) -> None:
        super().__init__(text)
        self.id = id


class Coordinator:
    """Drives one run and says when it is over."""

    def __init__(self, world: World, run: CauRun, over: Callable[[Coordinator], None]) -> None:
        self.world = world
        self.run = run
        self.first_scan: dict[str, Mapping[str, list[UpdateSpec]]] = {}
        self._over = over
        self._nodes = list(world.nodes)
        self._children: list[Process] = []
        self._process = Process(world, self._work(), self.alive)
        self._timers: list[Timer] = []
        self._limit_hit = False
        self._moved_at = world.now - TAKEOVER

    # What the work on a node asks for.

    @property
    def stopping(self) -> bool:
        """Whether nothing new may be begun."""
        return self.run.cancel_pending or self._limit_hit

    def plugin_home(self, node: Node) -> Machine:
        """Return the machine whose plug-ins work on ``node``: every node has its own in self-updating mode."""
        return node if self.run.by_role else self.world.machines[self.run.coordinator]

    def blocked(self, node: Node) -> bool:
        """Tell whether a Defender rule in Block mode refuses what CAU does through WMI (AzureLocal-Supportability)."""
        return self.world.policies.blocks_wmi_processes(node)

    def take(self, node: Node, cls: str) -> None:
        """Hold the provider's instance of ``cls`` on ``node``; raises LockHeldError where another coordinator does."""
        if self.world.locks.get(node, cls, self.run.guid) is None:
            self.world.locks.create(node, cls, self.run.guid)

    def release(self, node: Node, cls: str) -> None:
        """Give the instance of ``cls`` on ``node`` back; on a node that is down it stays until its hour is over."""
        lock = node.locks.get(cls)
        if lock and lock.guid == self.run.guid and node.up:
            self.world.locks.remove(node, cls, lock.guid)

    def staged(self, node: Node, plugin: str, results: list[UpdateResult]) -> None:
        """Note what was downloaded."""
        self.run.staging += [(node.name, Installed(plugin, each)) for each in results]

    # The life of the run.

    def begin(self) -> None:
        """Take the lock on every node that is up and start; raises RunRefusedError, and then holds nothing."""
        world, options = self.world, self.run.options
        away = [node.name for node in self._nodes if not node.member]
        if options.require_all_nodes_online and away:
            raise RunRefusedError("NodesNotOnline", f"Not all nodes are online: {', '.join(away)}.")
        reachable = [node for node in self._nodes if node.member]
        if not reachable:
            raise RunRefusedError("ClusterNotAvailable", "No node of the cluster can be reached.")
        for node in reachable:
            for cls in CLASSES:
                held = node.locks.get(cls)
                if held is not None:
                    text = f"The cluster is locked by another update coordinator ({cls} {held.guid} on {node.name})."
                    raise RunRefusedError("ClusterLocked", text)
        for node in reachable:
            self.take(node, RUN)
        for node in self._nodes:
            self.run.results[node.name] = NodeResult(node.name)
        self.run.tell(world, "Started", self_updating=self.run.by_role)
        for node in self._nodes:
            self.run.say(world, node.name, Stage.WAITING)
        self._timers = [world.after(HEARTBEAT, self._beat)]
        if options.warn_after:
            self._timers.append(world.after(options.warn_after, self._warn))
        if options.stop_after:
            self._timers.append(world.after(options.stop_after, self._stop_after))
        self._process.start()

    def cancel(self) -> None:
        """Begin nothing new; what is under way on a node is brought to an end."""
        if not self.run.cancel_pending and self.run.ended is None:
            self.run.cancel_pending = True
            self.run.tell(self.world, "CancelPending")

    def die(self) -> None:
        """Vanish, as a coordinator does whose process or machine is gone: locks and paused nodes stay as they are."""
        for process in (self._process, *self._children):
            process.stop()
        for timer in self._timers:
            timer.cancel()
        self.run.ended = self.world.now
        self.run.error = ErrorData("CoordinatorLost", "The Update Coordinator is gone.")
        self.run.status = SummaryStatus.Failed
        self.run.tell(self.world, "Lost")

    def alive(self) -> bool:
        """Whether there is a coordinator at the moment that can go on with the run."""
        if not self.run.by_role:
            return self.world.machines[self.run.coordinator].up
        group = self.world.cau.role_group
        if group is None or group.state is not GroupState.Online or not group.owner.member:
            return False
        if group.owner.name != self.run.coordinator:
            self.run.coordinator, self._moved_at = group.owner.name, self.world.now
            self.run.tell(self.world, "CoordinatorMoved")
        return group.owner.power is Power.ON and self.world.now >= self._moved_at + TAKEOVER

    def _beat(self) -> None:
        """Refresh the locks while the coordinator lives; one that was dropped is taken again, one that is lost ends the run."""
        if self.run.ended is not None:
            return
        self._timers.append(self.world.after(HEARTBEAT, self._beat))
        nodes = self._nodes
        if not self.alive():
            if not any(node.locks[RUN].guid == self.run.guid for node in nodes if RUN in node.locks):
                self.die()
                self._over(self)
            return
        for node in nodes:
            if not node.up:
                continue
            try:
                self.take(node, RUN)
            except LockHeldError:
                self.run.error = ErrorData("LockLost", f"Another update coordinator holds the lock on {node.name}.")
                self.cancel()
            if NODE in node.locks:
                self.world.locks.get(node, NODE, self.run.guid)

    def _warn(self) -> None:
        self.run.warned = True
        self.run.tell(self.world, "WarnAfterExceeded")

    def _stop_after(self) -> None:
        self.run.error = self.run.error or ErrorData("StopAfterExceeded", "The run took longer than StopAfter allows.")
        self.cancel()

    def _work(self) -> Generator[Pause, bool, None]:
        options = self.run.options
        if options.enable_firewall_rules:
            for node in self._nodes:
                if node.up:
                    self.world.firewall.enable_group(node, REMOTE_SHUTDOWN)
        yield from self._prepare()
        for node in self._order():
            if not self.stopping:
                yield from NodeUpdate(self, node).work()
            else:
                self._skip(node)
            self._count_failures()
        yield from self._finish_upgrade()
        self._end()

    def _prepare(self) -> Generator[Pause, bool, None]:
        """Scan and stage on all nodes at the same time, before any of them is suspended."""
        for node in self._nodes:
            child = Process(self.world, self._prepare_node(node), self.alive)
            self._children.append(child)
            child.start()
        yield Until(lambda: all(child.over for child in self._children))

    def _prepare_node(self, node: Node) -> Generator[Pause, bool, None]:
        update = NodeUpdate(self, node)
        self.run.say(self.world, node.name, Stage.SCANNING)
        try:
            if node.member:
                self.take(node, NODE)
        except LockHeldError:
            self.run.say(self.world, node.name, Stage.WAITING)
            return
        found = yield from update.scan()
        if not isinstance(found, ErrorData) and not self.stopping:
            if any(found.values()):
                self.run.say(self.world, node.name, Stage.STAGING)
            if (yield from update.stage(found)) is None:
                self.first_scan[node.name] = found
        self.release(node, NODE)
        self.run.say(self.world, node.name, Stage.WAITING)

    def _order(self) -> list[Node]:
        """Return the nodes in the order asked for, then by how few roles they own, the coordinator's own node last."""
        named = [name.lower() for name in self.run.options.node_order]

        def key(node: Node) -> tuple[int, bool, int, int]:
            asked = named.index(node.name.lower()) if node.name.lower() in named else len(named)
            return asked, node.name == self.run.coordinator, len(self.world.groups.on(node)), node.id

        return sorted(self._nodes, key=key)

    def _skip(self, node: Node) -> None:
        result = self.run.results[node.name]
        result.status, result.error = SummaryStatus.Canceled, self.run.error or CANCELED
        self.run.say(self.world, node.name, Stage.CANCELED)

    def _count_failures(self) -> None:
        bad = (SummaryStatus.Failed, SummaryStatus.PartiallyFailed)
        failed = [result.node for result in self.run.results.values() if result.status in bad]
        limit = self.run.options.max_failed_nodes
        if len(failed) > limit and not self.stopping:
            self._limit_hit = True
            text = f"{len(failed)} nodes failed ({', '.join(failed)}); MaxFailedNodes is {limit}."
            self.run.error = ErrorData("MaxFailedNodesExceeded", text)

    def _finish_upgrade(self) -> Generator[Pause, bool, None]:
        """Raise the functional level where the rolling upgrade was told to and every node went well."""
        uses = [use for use in self.run.options.plugins if use.name == ROLLING_UPGRADE]
        if not uses or not uses[0].flag("UpdateClusterFunctionalLevel") or self.stopping:
            return
        if all(result.status is SummaryStatus.Succeeded for result in self.run.results.values()):
            yield timedelta(seconds=10)
            if self.world.levels.refusal() is None:
                self.world.levels.update()

    def _end(self) -> None:
        run = self.run
        for timer in self._timers:
            timer.cancel()
        if run.cancel_pending and run.error is None:
            run.error = CANCELED
        for node in self._nodes:
            for cls in CLASSES:
                self.release(node, cls)
        run.ended, run.status = self.world.now, run.summary()
        run.tell(self.world, run.status.name)
        self._over(self)
