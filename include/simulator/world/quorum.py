"""Votes: dynamic quorum and dynamic witness (windowsserverdocs, failover-clustering: cluster and pool quorum)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.world import World


class Quorum:
    """Counts votes and says whether the members may go on as a cluster."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.has_quorum = True
        self.forced = False
        self.witness_online = bool(world.spec.witness)
        self._last: tuple[int, int, bool] | None = None

    @property
    def witness_weight(self) -> int:
        """The witness votes where it makes the number of votes odd."""
        if not self.witness_online:
            return 0
        return 1 if sum(node.dynamic_weight for node in self._world.nodes) % 2 == 0 else 0

    @property
    def votes(self) -> int:
        """All votes that count now."""
        return sum(node.dynamic_weight for node in self._world.nodes) + self.witness_weight

    @property
    def up_votes(self) -> int:
        """The votes of members and of the witness."""
        members = [node for node in self._world.nodes if node.member]
        return sum(node.dynamic_weight for node in members) + (self.witness_weight if members else 0)

    def member_left(self, *, clean: bool) -> None:
        """Judge what is left; one that leaves in good order gives its vote away first, another one takes it along."""
        if clean:
            self._reweigh()
        self.has_quorum = self._majority()
        if self.has_quorum:
            self._reweigh()
        self.announce()

    def member_joined(self) -> None:
        """Count the votes anew; a cluster that was forced stands by itself again once most nodes are there."""
        self._reweigh()
        self.has_quorum = self._majority()
        members = sum(node.member for node in self._world.nodes)
        self.forced = self.forced and members * 2 <= len(self._world.nodes)
        self.announce()

    def _majority(self) -> bool:
        forced = self.forced and any(node.member for node in self._world.nodes)
        return forced or self.up_votes * 2 > self.votes

    def enough(self, candidates: list[Node]) -> bool:
        """Say whether ``candidates`` may form the cluster again after quorum was lost."""
        if self.forced and candidates:
            return True
        votes = sum(node.dynamic_weight for node in candidates) + (self.witness_weight if candidates else 0)
        return votes * 2 > self.votes

    def would_survive_without(self, name: str) -> bool:
        """Say whether quorum stays if the member called ``name`` goes."""
        gone = next(node for node in self._world.nodes if node.name == name)
        lost = gone.dynamic_weight if gone.member else 0
        return (self.up_votes - lost) * 2 > self.votes

    def set_witness(self, *, online: bool) -> None:
        """Let the witness go or come back, and count the votes anew."""
        self.witness_online = online and bool(self._world.spec.witness)
        self._reweigh()
        self.announce()

    def announce(self) -> None:
        """Journal the votes where they differ from the last time."""
        now = (self.votes, self.up_votes, self.has_quorum)
        if now != self._last:
            self._last = now
            detail = {"votes": now[0], "up_votes": now[1], "witness": self._world.spec.witness, "has_quorum": now[2]}
            self._world.emit("quorum", None, detail)

    def _reweigh(self) -> None:
        members = [node for node in self._world.nodes if node.member]
        if not members:
            return  # the last one keeps its vote, or nobody could ever form the cluster again
        for node in self._world.nodes:
            node.dynamic_weight = node.weight if node.member else 0
        if len(members) == 2 and not self.witness_online:
            members[-1].dynamic_weight = 0
