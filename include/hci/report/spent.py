"""Where the time of a run went: the cluster's own work, waiting for people, and the coordinator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby, pairwise

from include.hci.report import events as ev
from include.hci.report.doing import open_question
from include.hci.report.model_parts import TimeReport, WaitReport
from include.hci.report.record import Entry

Span = tuple[datetime, datetime]
#: What a run announces before it happens, and what says that it is over.
_PAIRS: tuple[tuple[type[ev.RunEvent], tuple[type[ev.RunEvent], ...]], ...] = (
    (ev.Staging, (ev.Staged,)),
    (ev.Pausing, (ev.Drained, ev.PauseRefused)),
    (ev.MaintenanceEntering, (ev.MaintenanceEntered,)),
    (ev.InstallStarted, (ev.InstallFinished,)),
    (ev.RestartOrdered, (ev.Restarted,)),
    (ev.Resuming, (ev.Resumed,)),
    (ev.UpdatingBegun, (ev.UpdatingEnded,)),
)


def time_spent(entries: Sequence[Entry], waits: Iterable[WaitReport], end: datetime) -> TimeReport | None:
    """Return where the time between the first of ``entries`` and ``end`` went; None when nothing is on record."""
    if not entries:
        return None
    whole = [(entries[0].at, max(end, entries[0].at))]
    people = _cut(time_with_people(entries, end), whole)
    waited = [(wait.started_at, wait.ended_at) for wait in waits]
    cluster = _cut(_union([*waited, *_at_work(entries), *_acting(entries)]), whole)
    wall, asked = _length(whole), _length(people)
    # A person's part of a wait is the person's, whatever else went on.
    worked = _length(_union([*cluster, *people])) - asked
    poll = next((entry.event.poll_seconds for entry in entries if isinstance(entry.event, ev.RunStarted)), None)
    return TimeReport(
        wall_seconds=wall,
        cluster_seconds=worked,
        people_seconds=asked,
        coordinator_seconds=wall - worked - asked,
        noticed_late_seconds=None if poll is None else min(worked, poll * len(waited)),
    )


def _at_work(entries: Sequence[Entry]) -> list[Span]:
    """Return the times between what was announced for a node and what says that it is over."""
    found: list[Span] = []
    for begin, ends in _PAIRS:
        began: dict[str | None, datetime] = {}
        for entry in entries:
            if isinstance(entry.event, begin):
                began.setdefault(entry.node, entry.at)
            elif isinstance(entry.event, ends) and entry.node in began:
                found.append((began.pop(entry.node), entry.at))
    return found


def _acting(entries: Sequence[Entry]) -> list[Span]:
    """Return the times in which a step's command went on: from its decision to the next thing on record about the step."""
    found: list[Span] = []
    by_owner = sorted(entries, key=lambda entry: (entry.node or "", entry.step))
    for _, group in groupby(by_owner, key=lambda entry: (entry.node, entry.step)):
        own = sorted(group, key=lambda entry: (entry.at, entry.sequence))
        for entry, after in pairwise(own):
            if isinstance(entry.event, ev.Decided) and entry.event.decision == "act":
                found.append((entry.at, after.at))
    return found


def time_with_people(entries: Sequence[Entry], end: datetime) -> list[Span]:
    """Return the times in which the run waited for an answer or was held, in order, none of them touching another."""
    found: list[Span] = []
    planned: datetime | None = None
    asked: dict[str, datetime] = {}
    held: datetime | None = None
    for entry in entries:
        match entry.event:
            case ev.Planned():
                planned = entry.at
            case ev.Approved() if planned is not None:
                found.append((planned, entry.at))
                planned = None
            case ev.PostAsked():
                asked.setdefault(entry.step, entry.at)
            case ev.PostAnswered() if entry.step in asked:
                found.append((asked.pop(entry.step), entry.at))
            case ev.Held():
                held = held or entry.at
            case ev.OperatorAsked(action="continue" | "cancel") if held is not None:
                found.append((held, entry.at))
                held = None
            case _:
                pass
    if held is not None:
        found.append((held, end))
    if (question := open_question(entries)) is not None:
        found.append((question.since, end))
    return _union(found)


def _union(spans: Iterable[Span]) -> list[Span]:
    """Return ``spans`` in order, with those that touch as one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif end > begin:
            found.append((begin, end))
    return found


def _cut(spans: Iterable[Span], whole: Sequence[Span]) -> list[Span]:
    """Return the parts of ``spans`` that lie in ``whole``, which is one span."""
    [(first, last)] = whole
    return [(max(begin, first), min(end, last)) for begin, end in spans if begin < last and end > first]


def _length(spans: Iterable[Span]) -> float:
    return sum((end - begin).total_seconds() for begin, end in spans)
