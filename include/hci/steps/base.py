"""What the steps have in common: their context, and reading the facts that several of them need."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState, RunLock
from include.hci.cluster.nodes import ClusterGroup, ClusterNode, get_cluster_groups
from include.hci.cluster.storage import get_fault_domains, get_storage_jobs, get_storage_pools, get_virtual_disks
from include.hci.cluster.values import NodeState
from include.hci.cluster.witness import read_from_witness
from include.hci.policy.gates import StorageFacts
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.facts import RunFacts
from include.hci.report.record import Stamped
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Action, Decision
from include.hci.steps.hold import Hold, hold_at

F = TypeVar("F")
E = TypeVar("E", bound=ev.RunEvent)

#: Nodes in these states run their cluster service and its provider, so they can hold the lock.
LOCKABLE = frozenset({NodeState.UP, NodeState.PAUSED})


class BaseStep(ABC, Generic[F]):
    """A step of the run in ``context``; ``node`` is None for steps about the whole cluster."""

    name: ev.StepName

    def __init__(self, context: StepContext, node: str | None = None) -> None:
        self.context = context
        self.node = node

    @abstractmethod
    def observe(self, cluster: Cluster) -> F:
        """Read the facts."""

    @abstractmethod
    def decide(self, facts: F, now: datetime) -> Decision:
        """Return what to do about them; pure."""

    def refused(self, action: Action, error: CommandFailed, facts: F, now: datetime) -> Decision | None:
        """Return what it means that ``action`` was answered with ``error``; None leaves it to the engine."""
        return None

    def events(self, facts: F, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Return what goes on record when ``decision`` ends the step."""
        return ()

    def noticed(self, facts: F) -> tuple[ev.RunEvent, ...]:
        """Return what goes on record about ``facts`` whatever is decided."""
        return ()

    def pause_point(self, decision: Decision) -> ev.PausePoint | None:
        """Return the pause point that stands right before ``decision``, if one does."""
        return None

    def may_cancel(self, facts: F, decision: Decision) -> bool:
        """Return whether the step may end here when the run is cancelled: nothing of it is half done."""
        return False

    def hold(self, decision: Decision) -> Hold | None:
        """Return why ``decision`` must wait for a person, or None."""
        point = self.pause_point(decision)
        if point is None or self.node is None:
            return None
        return hold_at(point, self.node, self.changes, self.context.options.pause_points)

    @property
    def changes(self) -> RunFacts:
        """What this run has changed and not taken back, as its record says."""
        return self.context.record.facts


class NodeStep(BaseStep[F]):
    """A step about one node."""

    node: str

    def __init__(self, context: StepContext, node: str) -> None:
        super().__init__(context, node)

    def since_resume(self, kind: type[E]) -> tuple[Stamped[E], ...]:
        """Return the events of ``kind`` about this node since this run last resumed it, or ever."""
        found: list[Stamped[E]] = []
        for entry in self.context.record.events(self.node):
            if isinstance(entry.event, ev.Resumed):
                found.clear()
            elif isinstance(entry.event, kind):
                found.append(Stamped(entry.at, entry.event))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Members:
    """The nodes and roles of the cluster, read together."""

    nodes: tuple[ClusterNode, ...]
    groups: tuple[ClusterGroup, ...]

    @property
    def lockable(self) -> tuple[str, ...]:
        """The nodes that can hold the lock now."""
        return tuple(node.name for node in self.nodes if node.state in LOCKABLE)


def read_members(cluster: Cluster, avoid: Collection[str] = ()) -> tuple[Shell, Members]:
    """Read nodes and roles from a node in service, and return the shell on it for everything else to be read there.

    The node in ``avoid`` is asked last: one in maintenance is a bad witness of the cluster.
    """
    shell, nodes = read_from_witness(cluster, avoid)
    return shell, Members(nodes, get_cluster_groups(shell))


def read_storage(shell: Shell) -> StorageFacts:
    """Read everything about the storage that a gate looks at."""
    return StorageFacts(
        disks=get_virtual_disks(shell),
        jobs=get_storage_jobs(shell),
        domains=get_fault_domains(shell),
        pools=get_storage_pools(shell),
    )


def read_lock(cluster: Cluster, context: StepContext, members: Members) -> LockState:
    """Read who holds the run lock on the nodes that can hold it, and whether this run is done with it."""
    record = context.record
    given_back = record.facts.lock_guid is None and record.last(ev.LockReleased) is not None
    return replace(RunLock(cluster, context.guid).read(members.lockable), given_back=given_back)
