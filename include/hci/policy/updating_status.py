"""Who is updating a cluster now, on which node, since when, what comes next, and why nodes are out of service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from include.hci.cluster.cau import CauRunState, LockHolder
from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.rollout import ADMIN_CENTER_TASK, ScheduledTask
from include.hci.cluster.values import DrainStatus, NodeState
from include.hci.policy.local_time import show_moment
from include.hci.policy.upcoming import NO_SCHEDULE, Upcoming
from include.hci.policy.updating_status_next import Next, next_times

#: ``blocked``: nobody works, but something stands there that keeps updating runs out.
State = Literal["idle", "updating", "blocked", "unknown"]


@dataclass(frozen=True, slots=True)
class OwnRun:
    """A run of this Airflow that has begun and not ended. ``paused`` and ``restarting`` are nodes, by the run's own record.

    ``alive``: Airflow still works on it. ``left``: it has ended and named what it leaves to a person.
    """

    run_id: str
    dag_id: str
    kind: str
    guid: UUID
    began_at: datetime | None = None
    started_by: str = ""
    node: str = ""
    node_since: datetime | None = None
    doing: str = ""
    paused: tuple[str, ...] = ()
    restarting: tuple[str, ...] = ()
    alive: bool = True
    left: bool = False

    def __str__(self) -> str:
        return f"the {self.kind.replace('-', ' ')} {self.run_id} of this Airflow"


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """What was read. None is what could not be read; ``unread`` says why, in sentences.

    ``role`` are the parameters of CAU's self-updating role (empty: there is none), ``own`` the runs that this Airflow knows as
    open, ``own_next`` the next time of its timetable (``own_none``: why there is none), ``timezone`` the one in which the times
    of the cluster are meant.
    """

    cluster: str
    nodes: tuple[ClusterNode, ...] | None = None
    maintained: tuple[str, ...] = ()
    holders: tuple[LockHolder, ...] = ()
    cau_run: CauRunState | None = None
    role: Mapping[str, str] | None = None
    role_online: bool | None = None
    tasks: Mapping[str, tuple[ScheduledTask, ...]] = field(default_factory=dict)
    own: tuple[OwnRun, ...] = ()
    own_next: Upcoming | None = None
    own_none: str = NO_SCHEDULE
    timezone: str = "UTC"
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Updater:
    """Somebody who works on the cluster, or whose work stands in the way: ``active`` tells which. Times are UTC."""

    who: str
    active: bool
    nodes: tuple[str, ...] = ()
    since: datetime | None = None
    said: str = ""

    def __str__(self) -> str:
        where = f" on {', '.join(self.nodes)}" if self.nodes else ""
        since = f" since {show_moment(self.since)}" if self.since else ""
        return f"{self.who}{where}{since}{f': {self.said}' if self.said else ''}"


@dataclass(frozen=True, slots=True)
class NodeOut:
    """A node that is not in service as it should be, and by whom."""

    node: str
    state: str
    by: str

    def __str__(self) -> str:
        return f"{self.node} is {self.state}: {self.by}"


@dataclass(frozen=True, slots=True)
class UpdatingStatus:
    """The answer; ``headline`` says it in one sentence."""

    cluster: str
    read_at: datetime
    state: State
    headline: str
    updaters: tuple[Updater, ...] = ()
    out: tuple[NodeOut, ...] = ()
    coming: tuple[Next, ...] = ()
    unread: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return everything as lines of text."""
        return [
            self.headline,
            *(f"{'at work' if one.active else 'in the way'}: {one}" for one in self.updaters),
            *(f"out of service: {one}" for one in self.out),
            *(f"next: {one}" for one in self.coming),
            *(f"could not be read: {one}" for one in self.unread),
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the status as JSON data; times are ISO 8601 in UTC."""
        return {
            "cluster": self.cluster,
            "read_at": self.read_at.isoformat(),
            "state": self.state,
            "headline": self.headline,
            "updaters": [
                {
                    "who": one.who,
                    "active": one.active,
                    "nodes": list(one.nodes),
                    "since": one.since.isoformat() if one.since else None,
                    "said": one.said,
                }
                for one in self.updaters
            ],
            "out_of_service": [{"node": one.node, "state": one.state, "by": one.by} for one in self.out],
            "next": [one.to_json() for one in self.coming],
            "unread": list(self.unread),
        }


def updating_status(facts: StatusFacts, now: datetime) -> UpdatingStatus:
    """Return who is updating the cluster at ``now`` and what is known beside."""
    updaters = (*_own(facts), *_cau(facts), *_others(facts), *_tools(facts))
    active = [one for one in updaters if one.active]
    state: State = "updating" if active else "blocked" if updaters else "idle"
    # Only with both CAU's state and the locks unanswered is nothing known: one of them is enough to see CAU at work.
    if state == "idle" and facts.nodes is None:
        state = "unknown"
    return UpdatingStatus(
        cluster=facts.cluster,
        read_at=now,
        state=state,
        headline=_headline(facts, state, updaters),
        updaters=updaters,
        out=_out(facts),
        coming=next_times(facts.own_next, facts.role, facts.role_online, facts.timezone, now, facts.own_none),
        unread=facts.unread,
    )


def _headline(facts: StatusFacts, state: State, updaters: tuple[Updater, ...]) -> str:
    name = facts.cluster
    if state == "updating":
        who = " and ".join(one.who for one in updaters if one.active)
        nodes = tuple(dict.fromkeys(node for one in updaters if one.active for node in one.nodes))
        where = f", now {', '.join(nodes)}" if nodes else ""
        return f"{name} is being updated by {who}{where}."
    if state == "blocked":
        return f"Nobody is updating {name}, but {updaters[0].who} stands in the way: {updaters[0].said}."
    if state == "unknown":
        return f"Who is updating {name} cannot be told: no node of it answered."
    return f"Nobody is updating {name}{', as far as could be read' if facts.unread else ''}."


def _own(facts: StatusFacts) -> list[Updater]:
    found = []
    for run in facts.own:
        nodes = (run.node,) if run.node else ()
        if run.alive:
            found.append(Updater(str(run), True, nodes, run.node_since or run.began_at, run.doing))
            continue
        held = sorted({holder.node for holder in facts.holders if holder.guid == run.guid})
        what = f"it has {'ended and left something to a person' if run.left else 'died in Airflow'}"
        locks = f"; its lock still stands on {', '.join(held)}" if held else ""
        advice = f"trigger make_safe__ of {facts.cluster} to undo what it left" if run.left else "make_safe undoes it"
        found.append(Updater(str(run), False, run.paused, run.began_at, f"{what}{locks}; {advice}"))
    return found


def _cau(facts: StatusFacts) -> list[Updater]:
    run = facts.cau_run
    if run is None or run.is_free:
        return []
    named = "Cluster-Aware Updating"
    by = f", coordinated by {run.coordinator}" if run.coordinator else ""
    if run.state == "RunFailed":
        said = f"CAU reports RunFailed{by}: recover it with Invoke-CauRun -ForceRecovery once no coordinator is alive"
        return [Updater(named, False, (), run.started_at, said)]
    states = ", ".join(f"{node} {state}" for node, state in run.nodes if state)
    said = f"CAU reports {run.state}{by}{f' ({states})' if states else ''}"
    worked = tuple(holder.node for holder in _cau_locks(facts) if holder.kind == "MSFT_CAUNode")
    return [Updater(named, True, worked, run.started_at, said)]


def _cau_locks(facts: StatusFacts) -> tuple[LockHolder, ...]:
    """Return the locks that belong to CAU's own run.

    That the locks of a run carry its RunId is not documented, so a single coordinator beside ours counts as CAU where CAU runs.
    """
    run = facts.cau_run
    if run is None or run.is_free:
        return ()
    foreign = _foreign(facts)
    same = tuple(holder for holder in foreign if str(holder.guid) == run.run_id.strip("{}").lower())
    return same or (foreign if len({holder.guid for holder in foreign}) == 1 else ())


def _foreign(facts: StatusFacts) -> tuple[LockHolder, ...]:
    ours = {run.guid for run in facts.own}
    return tuple(holder for holder in facts.holders if holder.guid not in ours)


def _others(facts: StatusFacts) -> list[Updater]:
    taken = set(_cau_locks(facts))
    guids: dict[UUID, list[LockHolder]] = {}
    for holder in _foreign(facts):
        if holder not in taken:
            guids.setdefault(holder.guid, []).append(holder)
    found = []
    for guid, holders in sorted(guids.items()):
        at_work = tuple(sorted({each.node for each in holders if each.kind == "MSFT_CAUNode"}))
        everywhere = ", ".join(sorted({each.node for each in holders}))
        said = f"lock {guid} on {everywhere}, of no run that this Airflow knows; it disappears after an hour without activity"
        found.append(Updater("another coordinator", True, at_work, None, said))
    return found


def _tools(facts: StatusFacts) -> list[Updater]:
    found = []
    for node, tasks in sorted(facts.tasks.items()):
        for task in tasks:
            if task.is_active:
                who = "Windows Admin Center" if task.name == ADMIN_CENTER_TASK else f"the task {task.name}"
                found.append(Updater(who, True, (node,), None, f"its task {task.name} is {task.state}"))
    return found


def _out(facts: StatusFacts) -> tuple[NodeOut, ...]:
    found = []
    maintained = {name.lower() for name in facts.maintained}
    for node in facts.nodes or ():
        state = _state(node, node.name.lower() in maintained)
        if state:
            found.append(NodeOut(node.name, state, _by(facts, node)))
    return tuple(found)


def _state(node: ClusterNode, maintained: bool) -> str:
    parts = [] if node.is_up else [str(node.state)]
    if node.drain in (DrainStatus.IN_PROGRESS, DrainStatus.FAILED):
        parts.append("draining" if node.drain is DrainStatus.IN_PROGRESS else "not drained: its drain failed")
    parts += [node.kept_out] if node.kept_out else []
    parts += ["with its disks in maintenance mode"] if maintained else []
    return ", ".join(parts)


def _by(facts: StatusFacts, node: ClusterNode) -> str:
    name = node.name.lower()
    for run in facts.own:
        if name in (each.lower() for each in run.paused):
            doing = "is restarting it" if name in (each.lower() for each in run.restarting) else "took it out"
            return f"{run} {doing}{'' if run.alive else ', and is over'}"
    cau = _cau_locks(facts)
    for holder in _foreign(facts):
        if holder.kind == "MSFT_CAUNode" and holder.node.lower() == name:
            return (
                "Cluster-Aware Updating works on it" if holder in cau else f"the coordinator {holder.guid} works on it"
            )
    if facts.cau_run is not None and facts.cau_run.state == "RunInProgress":
        return "probably Cluster-Aware Updating, which is at work"
    if node.kept_out:
        return f"the cluster itself keeps it out ({node.kept_out})"
    if node.state is NodeState.PAUSED:
        return "no updater that is known: a person or another program paused it"
    return "no updater that is known"
