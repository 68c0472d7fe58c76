"""The CAU provider's lock classes on every node.

Each class holds at most one instance per node. It outlives restarts and goes by itself after an hour in which its
orchestrator did nothing (MSFT_CAURun class, MSFT_CAUNode class).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.world import World

RUN = "MSFT_CAURun"
NODE = "MSFT_CAUNode"
CLASSES = (RUN, NODE)


class LockHeldError(Exception):
    """Another instance of the class exists on the node."""


class LockMissingError(Exception):
    """There is no instance of the class with that id on the node."""


@dataclass(slots=True)
class Lock:
    """One instance: who it belongs to and when that one was last heard of; ``busy`` counts methods that still run."""

    guid: str
    touched: datetime
    busy: int = 0
    timer: Timer | None = None


class Locks:
    """Creates, refreshes and drops the instances."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create(self, node: Node, cls: str, guid: str) -> Lock:
        """Create the instance; raises LockHeldError where one exists, the orchestrator's own one included."""
        held = node.locks.get(cls)
        if held is not None:
            if held.guid == guid:
                self._touch(node, cls, held)
            self._world.emit("lock.refused", node, {"class": cls, "guid": guid})
            raise LockHeldError(f"{cls} on {node.name} is held by {held.guid}.")
        lock = node.locks[cls] = Lock(guid, self._world.now)
        self._world.emit("lock.taken", node, {"class": cls, "guid": guid})
        self._watch(node, cls, lock)
        return lock

    def get(self, node: Node, cls: str, guid: str | None = None) -> Lock | None:
        """Return the instance; asking for it by its id counts as activity of its orchestrator."""
        lock = node.locks.get(cls)
        if lock is None or guid is None:
            return lock
        if lock.guid != guid:
            return None
        self._touch(node, cls, lock)
        return lock

    def require(self, node: Node, cls: str, guid: str) -> Lock:
        """Return the instance with that id and count it as activity; raises LockMissingError where it is not there."""
        lock = self.get(node, cls, guid)
        if lock is None:
            raise LockMissingError(f"There is no {cls} {guid} on {node.name}.")
        return lock

    def remove(self, node: Node, cls: str, guid: str) -> None:
        """Delete the instance with that id; raises LockMissingError where it is not there."""
        lock = self.require(node, cls, guid)
        if lock.timer:
            lock.timer.cancel()
        del node.locks[cls]
        self._world.emit("lock.released", node, {"class": cls, "guid": guid})

    def begin(self, node: Node, cls: str, guid: str) -> Lock:
        """Note that a method runs: the instance does not expire while it does."""
        lock = self.require(node, cls, guid)
        lock.busy += 1
        return lock

    def end(self, node: Node, cls: str, lock: Lock) -> None:
        """Note that the method is over."""
        lock.busy -= 1
        if node.locks.get(cls) is lock:
            self._touch(node, cls, lock)

    def expire(self, node: Node, cls: str) -> None:
        """Drop the instance as if its hour were over."""
        lock = node.locks.pop(cls, None)
        if lock is not None:
            if lock.timer:
                lock.timer.cancel()
            self._world.emit("lock.expired", node, {"class": cls, "guid": lock.guid})

    def _touch(self, node: Node, cls: str, lock: Lock) -> None:
        lock.touched = self._world.now
        self._watch(node, cls, lock)

    def _watch(self, node: Node, cls: str, lock: Lock) -> None:
        if lock.timer:
            lock.timer.cancel()
        lock.timer = self._world.at(
            lock.touched + self._world.spec.timings.lock_expiry, lambda: self._check(node, cls, lock)
        )

    def _check(self, node: Node, cls: str, lock: Lock) -> None:
        if node.locks.get(cls) is not lock:
            return
        if lock.busy:
            self._touch(node, cls, lock)
        else:
            self.expire(node, cls)
