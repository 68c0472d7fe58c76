"""Gates that several steps share: is the lock ours, did we drain this node, is nobody else out."""

from __future__ import annotations

from dataclasses import dataclass

from include.hci.cluster.lock import LockState
from include.hci.cluster.nodes import ClusterGroup, ClusterNode
from include.hci.cluster.values import DrainStatus, NodeState
from include.hci.policy.gates import nodes_out
from include.hci.report.events import StepName
from include.hci.report.values import Problem
from include.hci.steps.actions import TakeRunLock
from include.hci.steps.decisions import Act, Stop, Wait


@dataclass(frozen=True, slots=True)
class Custody:
    """What a step must know before it touches a node that is out of service.

    ``paused_by_run``: the record says that this run paused it; ``restarted``: it was restarted since. ``others`` are the nodes
    that are not Up beside it and those found so by the plan.
    """

    name: str
    node: ClusterNode | None
    roles: tuple[ClusterGroup, ...]
    paused_by_run: bool
    restarted: bool
    others: tuple[ClusterNode, ...]
    lock: LockState


def lock_decision(lock: LockState, step: StepName) -> Act | Stop | None:
    """Return what to do about the run lock, or None when it is ours everywhere.

    The provider drops a lock after an hour without activity; as long as nobody else has taken it, we take it again.
    """
    if lock.foreign:
        held = ", ".join(f"{holder.guid} on {holder.node}" for holder in lock.foreign)
        return Stop(
            Problem(
                title=f"Another coordinator holds the cluster: {held}.",
                meaning="Cluster-Aware Updating, Windows Admin Center or another run may be updating it right now.",
                next_action="Look at Get-CauRun and Windows Admin Center; start again when the other one has ended."
                " A lock without a living owner disappears after an hour without activity.",
                retry_is_safe=True,
            )
        )
    if lock.missing:
        return Act(TakeRunLock(lock.guid, lock.missing, step), "the run lock is not ours on every node")
    return None


def custody_decision(custody: Custody, doing: str) -> Stop | Wait | None:
    """Return why ``doing`` (``installing on``, ``restarting``) cannot go on with the node, or None.

    The node has to be out of service by this run's own doing, drained, without a running role, and the only one.
    """
    name, node = custody.name, custody.node
    if node is None:
        return _refuse(
            name, doing, "the cluster has no such node any more", "Correct the list of nodes in the settings."
        )
    if node.kept_out:
        return _refuse(
            name,
            doing,
            f"the node is {node.kept_out}",
            "Find out why it left the cluster before anything else is done.",
        )
    if not custody.paused_by_run:
        return _refuse(name, doing, "this run has not paused the node", _AGAIN)
    drained = node.drain is DrainStatus.COMPLETED or (custody.restarted and node.drain is DrainStatus.NOT_INITIATED)
    if node.state is not NodeState.PAUSED or not drained:
        return _refuse(
            name, doing, f"the node is {node.state} and its drain is {node.drain}, not Paused and Completed", _AGAIN
        )
    if custody.roles:
        listed = ", ".join(role.describe() for role in custody.roles)
        return _refuse(name, doing, f"it still runs {listed}", f"Move these roles away. {_AGAIN}")
    listed = ", ".join(f"{other.name} is {other.state}" for other in custody.others)
    if any(other.state in (NodeState.DOWN, NodeState.PAUSED) for other in custody.others):
        return _refuse(
            name,
            doing,
            f"another node is out of service ({listed})",
            "Bring that node back first, then retry the step.",
        )
    return Wait(f"another node is not Up: {listed}") if custody.others else None


def others_out(nodes: tuple[ClusterNode, ...], name: str, tolerated: tuple[str, ...]) -> tuple[ClusterNode, ...]:
    """Return the nodes that are out of service beside ``name`` and the ``tolerated`` ones, which the plan found so."""
    return nodes_out(nodes, but=name, tolerated=tolerated)


_AGAIN = "Clear the node's 'turn' with everything downstream to begin it again."


def _refuse(name: str, doing: str, reason: str, advice: str) -> Stop:
    title = f"{doing.capitalize()} {name} was refused: {reason}."
    return Stop(Problem(title=title, next_action=advice, retry_is_safe=True))
