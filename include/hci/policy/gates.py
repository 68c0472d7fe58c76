"""Gates: whether the cluster allows the next node to be taken out, and if not, why not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from include.hci.cluster.nodes import ClusterGroup, ClusterNode, ClusterResource, Quorum
from include.hci.cluster.storage import FaultDomain, StorageJob, StoragePool, VirtualDisk
from include.hci.cluster.values import NodeState


@dataclass(frozen=True, slots=True)
class StorageFacts:
    """The storage as one node of the cluster shows it."""

    disks: tuple[VirtualDisk, ...] = ()
    jobs: tuple[StorageJob, ...] = ()
    domains: tuple[FaultDomain, ...] = ()
    pools: tuple[StoragePool, ...] = ()

    @property
    def open_jobs(self) -> tuple[StorageJob, ...]:
        """The jobs that are not over, suspended ones included."""
        return tuple(job for job in self.jobs if not job.is_over)


def storage_reasons(storage: StorageFacts) -> tuple[str, ...]:
    """Return why no server may be taken out now; empty when the storage is whole.

    Every virtual disk Healthy and OK, no storage job that is not over, no server's disks in maintenance mode, no pool read-only
    (windowsserverdocs, maintain-servers).
    """
    if not storage.disks:
        # A node that is only just back in the cluster shows none; an empty list must never pass for a healthy one.
        return ("no virtual disk is to be seen",)
    reasons = _grouped(
        (f"{disk.health} ({', '.join(disk.operational) or 'no operational status'})", disk.name)
        for disk in storage.disks
        if not disk.is_well
    )
    states: dict[str, list[str]] = {}
    for job in storage.open_jobs:
        states.setdefault(job.state, []).append(job.name)
    reasons += [f"{_count(len(names), 'storage job')} {state}" for state, names in sorted(states.items())]
    maintained = [domain.name for domain in storage.domains if domain.in_maintenance]
    if maintained:
        verb = "has its disks" if len(maintained) == 1 else "have their disks"
        reasons.append(f"{', '.join(maintained)} {verb} in maintenance mode")
    reasons += [f"{pool.name} is read-only" for pool in storage.pools if pool.read_only]
    return tuple(reasons)


def nodes_out(
    nodes: Collection[ClusterNode], but: str = "", tolerated: Collection[str] = ()
) -> tuple[ClusterNode, ...]:
    """Return the nodes that are not Up, without ``but`` and without those in ``tolerated``."""
    spared = {name.lower() for name in (but, *tolerated)}
    return tuple(node for node in nodes if not node.is_up and node.name.lower() not in spared)


def find_node(nodes: Collection[ClusterNode], name: str) -> ClusterNode | None:
    """Return the node called ``name``, whatever the case, or None."""
    return next((node for node in nodes if node.name.lower() == name.lower()), None)


def running_roles(groups: Collection[ClusterGroup], node: str) -> tuple[ClusterGroup, ...]:
    """Return the roles on ``node`` that would be interrupted if it went away."""
    return tuple(group for group in groups if group.owner.lower() == node.lower() and group.is_running)


def witness_votes(quorum: Quorum, resources: Sequence[ClusterResource]) -> int:
    """Return 1 when the quorum has a witness that is online, else 0."""
    if not quorum.resource:
        return 0
    witness = next((item for item in resources if item.name.lower() == quorum.resource.lower()), None)
    return 1 if witness is not None and witness.state == "Online" else 0


def quorum_reason(
    nodes: Collection[ClusterNode], node: str, quorum: Quorum, resources: Sequence[ClusterResource]
) -> str:
    """Return why the cluster would lose its quorum without ``node``, or nothing when it would keep it.

    Counts configured votes, not dynamic ones: dynamic quorum adapts only while nodes leave one after the other, and a second
    node may fail while this one restarts.
    """
    witness = witness_votes(quorum, resources)
    total = sum(member.vote for member in nodes) + (1 if quorum.resource else 0)
    alive = (NodeState.UP, NodeState.PAUSED)
    left = (
        sum(member.vote for member in nodes if member.state in alive and member.name.lower() != node.lower()) + witness
    )
    if 2 * left > total:
        return ""
    return f"without {node} the cluster has {left} of {total} votes, which is no majority"


def _grouped(found: Iterable[tuple[str, str]]) -> list[str]:
    """Return one sentence per state, naming everything that is in it."""
    groups: dict[str, list[str]] = {}
    for state, name in found:
        groups.setdefault(state, []).append(name)
    return [f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} {state}" for state, names in groups.items()]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
