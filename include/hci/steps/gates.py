"""Gates that several steps share: is the lock ours, did we drain this node, is nobody else out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from include.hci.cluster.lock import LockState
from include.hci.cluster.nodes import ClusterGroup, ClusterNode
from include.hci.cluster.values import DrainStatus, NodeState
from include.hci.policy.deadlines import run_deadlines
from include.hci.policy.estimates import estimate_node_range
from include.hci.policy.gates import nodes_out
from include.hci.policy.plan import Plan
from include.hci.policy.plan_hash import changed_options, plan_hash, short_hash
from include.hci.policy.windows import GateAnswer, may_begin
from include.hci.report import events as ev
from include.hci.report.events import StepName
from include.hci.report.values import Problem
from include.hci.settings import RunOptions
from include.hci.steps.actions import TakeRunLock
from include.hci.steps.decisions import Act, Done, Stop, Wait

#: The steps that take servers, or what runs on them, out of service or work on them then: these need the run's own beginning.
TAKES_OUT = frozenset(
    {
        *("turn", "drain", "install", "restart"),
        *("downtime_gate", "install_before", "stop_vms", "stop_cluster", "install_offline", "restart_offline"),
    }
)
#: How a step ends that the calendar does not allow any more: the next run goes on with the node.
PARKED = "parked"


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

    The provider drops a lock after an hour without activity; as long as nobody else has taken it, we take it again. What the run
    has given back itself no step takes again that takes servers out of service: one that goes on after the end (a database was
    restored, a process stood still) would work on a cluster that nobody looks after any more.
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
    if lock.given_back and step in TAKES_OUT:
        return Stop(
            Problem(
                title="This run has ended and given the run lock back, so that nothing more is begun by it.",
                meaning="What it had changed was taken back at its end, by itself or by the DAG that makes the cluster safe.",
                next_action="Start a new run. To let this one go on, clear its task 'take_lock' with everything downstream.",
                retry_is_safe=False,
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


def calendar_decision(
    name: str, options: RunOptions, plan: Plan | None, began_at: datetime | None, now: datetime
) -> Done | Stop | None:
    """Return why the windows, the blackouts or stop_after leave no room for one more node, ``name``; None: they do.

    A run parks only where another one can go on later: what never fits must not end well month after month.
    """
    longest = (plan.longest_node if plan is not None else None) or estimate_node_range().high
    stop_at = run_deadlines(began_at or now, None, options.stop_after).stop_at
    answer = may_begin(now, options.windows, options.blackouts, longest, stop_at=stop_at)
    if answer.allowed:
        return None
    return _never(name, answer) if answer.never else Done(PARKED, answer.why, {"next_opening": answer.next_opening})


def void_by_options(name: str, plan: Plan, options: RunOptions) -> Problem | None:
    """Return why the node ``name`` may not be taken out of service under ``options``; None: those that matter are the plan's.

    Every task is given the options of the fleet file as it is then: not what was planned, and approved where that was asked for.
    """
    changed = changed_options(plan, options.to_json())
    if not changed:
        return None
    identity = short_hash(plan_hash(plan, plan.options))
    return Problem(
        title=f"The plan is void: {'; '.join(changed)}.",
        meaning=f"The fleet file has changed since plan {identity} was made: {name} was not touched, and no other node is begun.",
        next_action="Start a new run, whose plan goes by the options as they are now; or put them back as they were and clear"
        " this task with everything downstream.",
        retry_is_safe=False,
    )


def parked_events(step: StepName, node: str, decision: Done) -> tuple[ev.RunEvent, ...]:
    """Return what goes on record when the ``step`` of ``node`` ends parked."""
    opening = decision.details.get("next_opening")
    known = opening if isinstance(opening, datetime) else None
    return (
        ev.Parked(step=step, node=node, why=decision.why, next_opening=known),
        ev.Skipped(step=step, node=node, reason=decision.why),
    )


def _never(name: str, answer: GateAnswer) -> Stop:
    return Stop(
        Problem(
            title=f"{name} cannot be begun: {answer.why}.",
            meaning="No later run could go on with it either. How long a node may take is what the nodes of this cluster took in"
            " its last runs, a general figure while there are none. Nothing was changed on this one.",
            next_action="Lengthen the 'duration' of a window, or shorten the blackouts, in the fleet file; the reports of the"
            " last runs show what took so long. Then start a new run. One that is triggered with"
            ' {"windows": []} as its configuration JSON keeps to no window.',
            retry_is_safe=False,
        )
    )


_AGAIN = "Clear the node's 'turn' with everything downstream to begin it again."


def _refuse(name: str, doing: str, reason: str, advice: str) -> Stop:
    title = f"{doing.capitalize()} {name} was refused: {reason}."
    return Stop(Problem(title=title, next_action=advice, retry_is_safe=True))
