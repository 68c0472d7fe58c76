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
    """A restart that was ordered and not yet seen: only a boot time after ``boot_time_before`` ends it.

    ``local_time_before`` is what the node's own clock showed then.
    """

    ordered_at: datetime
    boot_time_before: datetime
    local_time_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked of the run: when, who, and why."""

    at: datetime
    by: str
    comment: str = ""

    def __str__(self) -> str:
        return f"{self.by} at {self.at:%H:%M} UTC{f' ({self.comment})' if self.comment else ''}"


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was announced and not yet seen to be taken back. ``node``: the machine it is on, empty for the cluster."""

    kind: ev.ChangeKind
    node: str
    subject: str
    before: str
    after: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RunFacts:
    """The open changes of a run, per node in the order of the events.

    ``lock_guid`` and ``lock_nodes``: where the lock was (or may have been) taken. ``paused``: node -> when this run began
    to pause it; ``pause_unseen``: those of them of which nobody has seen that the order arrived. ``in_maintenance``: nodes whose
    disks this run put into storage maintenance mode. ``restarting``: restarts not yet seen. ``installing``: node -> the install
    pass that was started and not seen to end. ``restarts``: how many ordered restarts were seen. ``passes``: how many install
    passes were started in the node's present turn. ``failed`` and ``skipped``: nodes given up in their last turn, with the
    reason. ``retries``: node -> how often its steps were tried again in its present turn. ``pause``: a person wants the run held
    and has not let it go on; ``cancel``: a person wants it to end.
    ``parked``: why no node is begun any more (empty: they are).
    ``missed``: why the run does nothing at all because its window has passed (empty: it has not).
    ``held``: (node, pause point) -> since when it is held there; ``passed``: the pause points that a person has let a node go
    past in its present turn. ``changes``: everything else that the run is to take back, oldest first.
    ``vms_online``: the virtual machines that were Online when this run last began to pause a node; ``vms_down``: virtual machine
    -> state of those of them that are not now. ``warned``: that the run takes longer than it should (empty: it does not).
    """

    lock_guid: str | None = None
    lock_nodes: tuple[str, ...] = ()
    paused: Mapping[str, datetime] = field(default_factory=dict)
    pause_unseen: frozenset[str] = frozenset()
    in_maintenance: Mapping[str, datetime] = field(default_factory=dict)
    restarting: Mapping[str, OpenRestart] = field(default_factory=dict)
    installing: Mapping[str, int] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    passes: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    retries: Mapping[str, int] = field(default_factory=dict)
    pause: Asked | None = None
    cancel: Asked | None = None
    parked: str = ""
    missed: str = ""
    held: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    passed: frozenset[tuple[str, str]] = frozenset()
    changes: tuple[Change, ...] = ()
    vms_online: frozenset[str] = frozenset()
    vms_down: Mapping[str, str] = field(default_factory=dict)
    warned: str = ""

    def open_changes(self, kind: ev.ChangeKind) -> tuple[Change, ...]:
        """Return the open changes of one kind, oldest first."""
        return tuple(change for change in self.changes if change.kind == kind)


class FactsFold:
    """Folds a record's events one by one, oldest first: ``facts`` is what is open after those it was given."""

    def __init__(self) -> None:
        self._guid: str | None = None
        self._lock_nodes: dict[str, None] = {}
        self._paused: dict[str, datetime] = {}
        self._pause_unseen: set[str] = set()
        self._maintenance: dict[str, datetime] = {}
        self._restarting: dict[str, OpenRestart] = {}
        self._installing: dict[str, int] = {}
        self._restarts: dict[str, int] = {}
        self._passes: dict[str, int] = {}
        self._failed: dict[str, str] = {}
        self._skipped: dict[str, str] = {}
        self._retries: dict[str, int] = {}
        self._pause: Asked | None = None
        self._cancel: Asked | None = None
        self._parked = ""
        self._missed = ""
        self._held: dict[tuple[str, str], datetime] = {}
        self._passed: set[tuple[str, str]] = set()
        self._changes: dict[tuple[str, str, str], Change] = {}
        self._vms_online: frozenset[str] = frozenset()
        self._vms_down: dict[str, str] = {}
        self._warned = ""
        self._facts: RunFacts | None = None

    def take(self, at: datetime, event: ev.AnyEvent) -> None:
        """Take the next event."""
        if isinstance(event, ev.Decided):  # most of a record is decisions, which change nothing by themselves
            return
        self._facts = None
        match event:
            case ev.LockTaking() | ev.LockTaken():
                self._guid = event.guid
                self._lock_nodes.update(dict.fromkeys(event.nodes))
            case ev.LockReleased():
                for node in event.nodes or tuple(self._lock_nodes):
                    self._lock_nodes.pop(node, None)
                self._guid = self._guid if self._lock_nodes else None
            case ev.TurnGiven():
                # A new turn of a node that was given up starts afresh.
                self._failed.pop(event.node, None)
                self._skipped.pop(event.node, None)
                self._retries.pop(event.node, None)
                self._passes.pop(event.node, None)
                self._passed = {place for place in self._passed if place[0] != event.node}
                self._parked = ""
            case ev.OperatorAsked(action="pause"):
                self._pause = Asked(at, event.by, event.comment)
            case ev.OperatorAsked(action="continue"):
                self._pause = None
                self._passed.update(self._held)
                self._held.clear()
            case ev.OperatorAsked():
                self._cancel = self._cancel or Asked(at, event.by, event.comment)
            case ev.Parked():
                self._parked = event.why
            case ev.WindowMissed():
                self._missed = event.why
            case ev.ReadinessChecked():
                # A longer start_within lets a run that is cleared begin after all.
                self._missed = ""
            case ev.Held():
                self._held.setdefault((event.node, event.point), at)
            case ev.Pausing():
                if event.node not in self._paused:
                    self._pause_unseen.add(event.node)
                self._paused.setdefault(event.node, at)
                self._vms_online = frozenset(role.name for role in event.seen if role.is_vm and role.is_online)
            case ev.Paused():
                # Taken by the cluster after somebody had found the node Up and noted that: it is out by this run all the same.
                self._paused.setdefault(event.node, at)
                self._pause_unseen.discard(event.node)
            case ev.Drained():
                self._pause_unseen.discard(event.node)
            case ev.VmNotOnline():
                self._vms_down[event.vm] = event.state
            case ev.VmOnline():
                self._vms_down.pop(event.vm, None)
            case ev.RanLong():
                self._warned = self._warned or event.why
            case ev.Resumed() | ev.PauseRefused():
                self._paused.pop(event.node, None)
                self._pause_unseen.discard(event.node)
            case ev.MaintenanceEntering():
                self._maintenance.setdefault(event.node, at)
                self._pause_unseen.discard(event.node)
            case ev.MaintenanceLeft():
                self._maintenance.pop(event.node, None)
            case ev.InstallStarted():
                self._installing[event.node] = event.install_pass
                self._passes[event.node] = max(self._passes.get(event.node, 0), event.install_pass)
                # Only a node that was seen drained is worked on.
                self._pause_unseen.discard(event.node)
            case ev.InstallFinished():
                self._installing.pop(event.node, None)
            case ev.RestartOrdered():
                self._restarting[event.node] = OpenRestart(at, event.boot_time_before, event.local_time_before)
                self._pause_unseen.discard(event.node)
            case ev.Restarted():
                # Seen twice (a retried step) is still one restart, and one that nobody here ordered is not ours.
                if self._restarting.pop(event.node, None) is not None:
                    self._restarts[event.node] = self._restarts.get(event.node, 0) + 1
            case ev.Changing():
                # Announced again after a crash it keeps what was found at first.
                key = (event.change, event.node or "", event.subject)
                change = Change(event.change, event.node or "", event.subject, event.before, event.after, at)
                self._changes.setdefault(key, change)
            case ev.ChangeTakenBack():
                self._changes.pop((event.change, event.node or "", event.subject), None)
            case ev.Failed(node=str() as node):
                self._failed[node] = event.problem.title
                self._retries.pop(node, None)  # whoever clears one of its tasks tries anew
            case ev.TriedAgain():
                self._retries[event.node] = self._retries.get(event.node, 0) + 1
            case ev.Skipped():
                self._skipped[event.node] = event.reason
            case _:
                pass

    @property
    def facts(self) -> RunFacts:
        """What is open now."""
        if self._facts is None:
            self._facts = RunFacts(
                lock_guid=self._guid,
                lock_nodes=tuple(self._lock_nodes),
                paused=dict(self._paused),
                pause_unseen=frozenset(self._pause_unseen),
                in_maintenance=dict(self._maintenance),
                restarting=dict(self._restarting),
                installing=dict(self._installing),
                restarts=dict(self._restarts),
                passes=dict(self._passes),
                failed=dict(self._failed),
                skipped=dict(self._skipped),
                retries=dict(self._retries),
                pause=self._pause,
                cancel=self._cancel,
                parked=self._parked,
                missed=self._missed,
                held=dict(self._held),
                passed=frozenset(self._passed),
                changes=tuple(self._changes.values()),
                vms_online=self._vms_online,
                vms_down=dict(self._vms_down),
                warned=self._warned,
            )
        return self._facts


def fold_facts(events: Iterable[tuple[datetime, ev.AnyEvent]]) -> RunFacts:
    """Return what is open after ``events``, given with their times, oldest first."""
    fold = FactsFold()
    for at, event in events:
        fold.take(at, event)
    return fold.facts
