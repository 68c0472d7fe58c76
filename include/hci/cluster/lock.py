"""The run lock: one MSFT_CAURun of our own on every node, which keeps CAU and Windows Admin Center out.

The provider allows one object per node, keeps it over restarts and drops it after an hour without activity
(MSFT_CAURun class). Whoever takes it takes it on all nodes, in the order of their names, or on none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from include.hci.cluster.cau import LockHolder, create_lock, get_lock_holders, holds_lock, remove_lock
from include.hci.cluster.facade import Cluster
from include.hci.powershell.errors import CommandFailed, RemotingError


class LockHeld(RemotingError):
    """Another coordinator holds a lock object on a node."""

    title = "Locked by another coordinator"
    default_meaning = "another update run works on this cluster, or one has left its lock behind"
    default_next_action = (
        "Look at Get-CauRun and at Windows Admin Center. A lock without a living owner disappears after an hour without activity;"
        " do not remove it while its owner may be alive."
    )


@dataclass(frozen=True, slots=True)
class LockState:
    """Who holds the lock on the nodes that were asked, seen by the coordinator ``guid``.

    ``given_back``: it has had the lock and has given it back, because its work has ended.
    """

    guid: UUID
    asked: tuple[str, ...]
    holders: tuple[LockHolder, ...] = ()
    given_back: bool = False

    @property
    def foreign(self) -> tuple[LockHolder, ...]:
        """The holders that are not us."""
        return tuple(holder for holder in self.holders if holder.guid != self.guid)

    @property
    def ours(self) -> tuple[str, ...]:
        """The nodes on which we hold it."""
        return tuple(holder.node for holder in self.holders if holder.guid == self.guid)

    @property
    def missing(self) -> tuple[str, ...]:
        """The nodes on which nobody holds it."""
        taken = {holder.node for holder in self.holders}
        return tuple(node for node in self.asked if node not in taken)

    @property
    def is_ours(self) -> bool:
        """Whether we hold it on every node that was asked, and nobody else does anywhere."""
        return bool(self.asked) and not self.foreign and not self.missing


@dataclass(frozen=True, slots=True)
class Release:
    """How giving the lock back went: ``kept`` maps the nodes where it may still stand to the reason."""

    released: tuple[str, ...]
    kept: dict[str, str]


class RunLock:
    """The run lock of ``guid`` on ``cluster``."""

    def __init__(self, cluster: Cluster, guid: UUID) -> None:
        self.cluster = cluster
        self.guid = guid

    def read(self, nodes: Iterable[str]) -> LockState:
        """Return who holds the lock on ``nodes``."""
        asked = _by_name(nodes)
        return LockState(self.guid, asked, tuple(holder for node in asked for holder in self._holders(node)))

    def take(self, nodes: Iterable[str]) -> tuple[str, ...]:
        """Take the lock on ``nodes``, all or none; nodes where it is ours already count as taken.

        Returns the nodes on which it was taken now. Raises LockHeld when somebody else holds it, after what was taken in this
        call has been given back, and whatever the shell raises.
        """
        taken: list[str] = []
        try:
            for node in _by_name(nodes):
                if self._take_on(node):
                    taken.append(node)
        except RemotingError:
            self.release(taken)
            raise
        return tuple(taken)

    def release(self, nodes: Iterable[str]) -> Release:
        """Give our lock on ``nodes`` back; a node that cannot be reached is reported, never an error."""
        released: list[str] = []
        kept: dict[str, str] = {}
        for node in _by_name(nodes):
            try:
                remove_lock(self.cluster.on(node), "MSFT_CAURun", self.guid)
                released.append(node)
            except RemotingError as error:
                kept[node] = error.detail
        return Release(tuple(released), kept)

    def _take_on(self, node: str) -> bool:
        if any(holder.guid == self.guid for holder in self._holders(node)):
            return False
        try:
            create_lock(self.cluster.on(node), "MSFT_CAURun", self.guid)
        except CommandFailed as error:
            holders = self._holders(node)
            # Several steps of one run may find the lock expired at the same moment: who comes second finds it ours already.
            if any(holder.guid == self.guid for holder in holders):
                return False
            foreign = [holder for holder in holders if holder.guid != self.guid]
            if not foreign:
                raise
            raise LockHeld(f"{foreign[0].guid} holds MSFT_CAURun", node=node) from error
        return True

    def _holders(self, node: str) -> tuple[LockHolder, ...]:
        shell = self.cluster.on(node)
        if holds_lock(shell, "MSFT_CAURun", self.guid):
            return (LockHolder(node, "MSFT_CAURun", self.guid),)
        return get_lock_holders(shell, node, "MSFT_CAURun")


def _by_name(nodes: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(nodes, key=str.lower))
