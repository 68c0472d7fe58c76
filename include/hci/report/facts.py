"""What a run changed and has not taken back yet, folded from its record.

An announced change counts as made until the record says that it was taken back: after a crash it may have happened, and only
reading the cluster can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from include.hci.report import events as ev


@dataclass(frozen=True, slots=True)
class OpenRestart:
    """A restart that was ordered and not yet seen: only a boot time after ``boot_time_before`` ends it."""

    ordered_at: datetime
    boot_time_before: datetime


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked of the run: when, who, and why."""

    at: datetime
    by: str
    comment: str = ""

    def __str__(self) -> str:
        return f"{self.by} at {self.at:%H:%M} UTC{f' ({self.comment})' if self.comment else ''}"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The open changes of a run, per node in the order of the events.

    ``lock_guid`` and ``lock_nodes``: where the lock was (or may have been) taken. ``paused``: node -> when this run began
    to pause it. ``in_maintenance``: nodes whose disks this run put into storage maintenance mode. ``restarting``: restarts
    not yet seen. ``installing``: node -> the install pass that was started and not seen to end. ``restarts``: how many
    ordered restarts were seen. ``passes``: how many install passes were started in the node's present turn. ``failed`` and
    ``skipped``: nodes given up in their last turn, with the reason. ``pause``: a person wants the run held and has not let it
    go on; ``cancel``: a person wants it to end. ``held``: (node, pause point) -> since when it is held there; ``passed``: the
    pause points that a person has let a node go past in its present turn.
    """

    lock_guid: str | None = None
    lock_nodes: tuple[str, ...] = ()
    paused: Mapping[str, datetime] = field(default_factory=dict)
    in_maintenance: Mapping[str, datetime] = field(default_factory=dict)
    restarting: Mapping[str, OpenRestart] = field(default_factory=dict)
    installing: Mapping[str, int] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    passes: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    pause: Asked | None = None
    cancel: Asked | None = None
    held: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    passed: frozenset[tuple[str, str]] = frozenset()


def fold_facts(events: Iterable[tuple[datetime, ev.AnyEvent]]) -> RunFacts:
    """Return what is open after ``events``, given with their times, oldest first."""
    guid: str | None = None
    lock_nodes: dict[str, None] = {}
    paused: dict[str, datetime] = {}
    maintenance: dict[str, datetime] = {}
    restarting: dict[str, OpenRestart] = {}
    installing: dict[str, int] = {}
    restarts: dict[str, int] = {}
    passes: dict[str, int] = {}
    failed: dict[str, str] = {}
    skipped: dict[str, str] = {}
    pause: Asked | None = None
    cancel: Asked | None = None
    held: dict[tuple[str, str], datetime] = {}
    passed: set[tuple[str, str]] = set()
    for at, event in events:
        if isinstance(event, ev.Decided):  # most of a record is decisions, which change nothing by themselves
            continue
        match event:
            case ev.LockTaking() | ev.LockTaken():
                guid = event.guid
                lock_nodes.update(dict.fromkeys(event.nodes))
            case ev.LockReleased():
                for node in event.nodes or tuple(lock_nodes):
                    lock_nodes.pop(node, None)
                guid = guid if lock_nodes else None
            case ev.TurnGiven():
                # A new turn of a node that was given up starts afresh.
                failed.pop(event.node, None)
                skipped.pop(event.node, None)
                passes.pop(event.node, None)
                passed = {place for place in passed if place[0] != event.node}
            case ev.OperatorAsked(action="pause"):
                pause = Asked(at, event.by, event.comment)
            case ev.OperatorAsked(action="continue"):
                pause = None
                passed.update(held)
                held.clear()
            case ev.OperatorAsked():
                cancel = cancel or Asked(at, event.by, event.comment)
            case ev.Held():
                held.setdefault((event.node, event.point), at)
            case ev.Pausing():
                paused.setdefault(event.node, at)
            case ev.Resumed() | ev.PauseRefused():
                paused.pop(event.node, None)
            case ev.MaintenanceEntering():
                maintenance.setdefault(event.node, at)
            case ev.MaintenanceLeft():
                maintenance.pop(event.node, None)
            case ev.InstallStarted():
                installing[event.node] = event.install_pass
                passes[event.node] = max(passes.get(event.node, 0), event.install_pass)
            case ev.InstallFinished():
                installing.pop(event.node, None)
            case ev.RestartOrdered():
                restarting[event.node] = OpenRestart(at, event.boot_time_before)
            case ev.Restarted():
                # Seen twice (a retried step) is still one restart, and one that nobody here ordered is not ours.
                if restarting.pop(event.node, None) is not None:
                    restarts[event.node] = restarts.get(event.node, 0) + 1
            case ev.Failed(node=str() as node):
                failed[node] = event.problem.title
            case ev.Skipped():
                skipped[event.node] = event.reason
            case _:
                pass
    return RunFacts(
        lock_guid=guid,
        lock_nodes=tuple(lock_nodes),
        paused=paused,
        in_maintenance=maintenance,
        restarting=restarting,
        installing=installing,
        restarts=restarts,
        passes=passes,
        failed=failed,
        skipped=skipped,
        pause=pause,
        cancel=cancel,
        held=held,
        passed=frozenset(passed),
    )
