"""Reading who is updating a cluster: a few read-only commands; what cannot be read is said and stops nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from include.hci.cluster.cau import LockHolder, get_cau_cluster_role, get_cau_run, get_lock_holders
from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import get_cluster_resources
from include.hci.cluster.rollout import ScheduledTask, get_admin_center_tasks
from include.hci.cluster.storage import get_fault_domains
from include.hci.cluster.witness import read_from_witness
from include.hci.policy.checks.coordination import is_role_online
from include.hci.policy.upcoming import Upcoming
from include.hci.policy.updating_status import OwnRun, StatusFacts
from include.hci.powershell.errors import RemotingError
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.record import Entry, RunRecord
from include.hci.steps.context import orchestrator_guid
from include.hci.steps.decisions import Clock
from include.hci.steps.readings import Readings

_SUBJECTS: Mapping[str, str] = {
    "cluster": "the cluster's resources",
    "storage": "the storage's maintenance mode",
    "cau-run": "CAU's own run",
    "cau-role": "CAU's self-updating role",
    "locks": "the update locks",
    "tasks": "the scheduled tasks",
}


@dataclass(slots=True)
class _OnNodes:
    holders: list[LockHolder] = field(default_factory=list)
    tasks: dict[str, tuple[ScheduledTask, ...]] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)


def read_status(
    cluster: Cluster, clock: Clock, own: Sequence[OwnRun] = (), own_next: Upcoming | None = None, timezone: str = "UTC"
) -> StatusFacts:
    """Read ``cluster``; ``own`` and ``own_next`` are what this Airflow knows by itself. No answer of a cluster raises."""
    readings = Readings(clock)
    try:
        shell, nodes = read_from_witness(cluster)
    except RemotingError as error:
        return StatusFacts(cluster.name, own=tuple(own), own_next=own_next, timezone=timezone, unread=(error.detail,))
    known = {name.lower() for name in cluster.nodes}
    up = [cluster.on(node.name) for node in nodes if node.is_up and node.name.lower() in known]
    shells = (shell, *(other for other in up if other != shell))
    resources = readings.cluster("cluster", shells, get_cluster_resources)
    domains = readings.cluster("storage", shells, get_fault_domains)
    management = cluster.management()
    hosts: list[Shell] = [management.shell] if management is not None and management.shell is not None else []
    hosts += shells
    run = readings.cluster("cau-run", hosts, lambda host: get_cau_run(host, cluster.name), any_error=True)
    role = readings.cluster(
        "cau-role", hosts, lambda host: get_cau_cluster_role(host, cluster.name) or {}, any_error=True
    )
    found = _on_nodes(cluster, [node.name for node in nodes if node.name.lower() in known], readings)
    missed = (f"{_SUBJECTS.get(entry.subject, entry.subject)}: {entry}" for entry in readings.unread)
    return StatusFacts(
        cluster=cluster.name,
        nodes=nodes,
        maintained=tuple(domain.name for domain in domains or () if domain.in_maintenance),
        holders=tuple(found.holders),
        cau_run=run,
        role=role,
        role_online=None if resources is None else is_role_online(resources),
        tasks=found.tasks,
        own=tuple(own),
        own_next=own_next,
        timezone=timezone,
        unread=(*found.silent, *dict.fromkeys(missed)),
    )


def _on_nodes(cluster: Cluster, names: Sequence[str], readings: Readings) -> _OnNodes:
    found = _OnNodes()
    for name in names:
        shell = cluster.on(name)
        try:
            found.holders += readings.node("locks", name, lambda shell=shell, name=name: _holders(shell, name)) or ()  # type: ignore[misc]
            tasks = readings.node("tasks", name, lambda shell=shell: get_admin_center_tasks(shell))  # type: ignore[misc]
        except RemotingError as error:
            found.silent.append(f"{name} itself does not answer: {error.detail}")
            continue
        if tasks is not None:
            found.tasks[name] = tasks
    return found


def _holders(shell: Shell, name: str) -> tuple[LockHolder, ...]:
    return (*get_lock_holders(shell, name, "MSFT_CAURun"), *get_lock_holders(shell, name, "MSFT_CAUNode"))


def own_run(cluster: str, run_id: str, dag_id: str, record: RunRecord, *, alive: bool, left: bool) -> OwnRun:
    """Return what the record of a run says of it now."""
    facts = record.facts
    started = record.last(ev.RunStarted)
    node, turn = _worked_on(record)
    last = _last_said(record, node)
    return OwnRun(
        run_id=run_id,
        dag_id=dag_id,
        kind="rolling-update" if started is None else started.event.run_kind,
        guid=orchestrator_guid(cluster, run_id),
        began_at=None if started is None else started.at,
        started_by="" if started is None else started.event.started_by or "",
        node=node,
        node_since=None if turn is None else turn.at,
        doing="" if last is None else _doing(last),
        paused=tuple(facts.paused),
        restarting=tuple(facts.restarting),
        alive=alive,
        left=left,
    )


def _worked_on(record: RunRecord) -> tuple[str, Entry | None]:
    """Return the node whose turn it is and the event that gave it the turn; no name when no node has one."""
    turn = record.latest(name="turn_given")
    if turn is None or turn.node is None:
        return "", None
    over = (ev.Resynced, ev.Skipped, ev.Failed)
    ended = any(isinstance(entry.event, over) and entry.at >= turn.at for entry in record.events(turn.node))
    return ("", None) if ended else (turn.node, turn)


def _last_said(record: RunRecord, node: str) -> Entry | None:
    return record.latest(node or None, name="decided")


def _doing(entry: Entry) -> str:
    event = entry.event
    if not isinstance(event, ev.Decided):
        return entry.step
    if event.decision == "act" and event.action:
        return f"{entry.step}: {event.action}"
    return f"{entry.step}: {event.why}" if event.why else entry.step
