"""The roles that moved for a node and the virtual machines that were not Online, folded from the record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from include.hci.report import events as ev
from include.hci.report.model_node import RoleReport
from include.hci.report.model_parts import OutageReport
from include.hci.report.record import Entry
from include.hci.report.values import VM


@dataclass(frozen=True, slots=True)
class Moves:
    """The roles of a node that this run paused, and how long they took to leave and to come back."""

    roles: tuple[RoleReport, ...] = ()
    drain_seconds: float | None = None
    failback_seconds: float | None = None


def moves_of(name: str, own: Sequence[Entry], seen_out: Iterable[OutageReport]) -> Moves:
    """Return the moves of node ``name`` in its last turn from its ``own`` entries, oldest first."""
    turn = _last_turn(own)
    pauses = [entry.event for entry in turn if isinstance(entry.event, ev.Pausing)]
    if not pauses:
        return Moves()
    kinds = {role.name: role.kind for pause in pauses for role in pause.seen}
    # What the cluster itself is made of (the group of its name and address) is moved as well, and is nobody's role.
    names = dict.fromkeys(role for pause in pauses for role in pause.roles if not kinds or role in kinds)
    drained = [entry.event for entry in turn if isinstance(entry.event, ev.Drained)]
    resumed = [entry.event for entry in turn if isinstance(entry.event, ev.Resumed)]
    left = {role.name: role.owner for event in drained for role in event.seen}
    back = {role.name: role.owner.lower() == name.lower() for event in resumed for role in event.seen}
    out: dict[str, float] = {}
    for outage in seen_out:
        if outage.node == name and outage.began_at >= turn[0].at:
            out[outage.vm] = out.get(outage.vm, 0.0) + outage.seconds
    roles = tuple(
        RoleReport(
            name=role,
            kind=kinds.get(role, ""),
            moved_to=left.get(role),
            is_back=back.get(role),
            not_online_seconds=out.get(role, 0.0) if kinds.get(role) == VM else None,
        )
        for role in names
    )
    return Moves(roles, _between(turn, ev.Pausing, ev.Drained), _between(turn, ev.Resuming, ev.Resumed))


def outages(entries: Iterable[Entry], end: datetime) -> tuple[OutageReport, ...]:
    """Return every time in which a watched virtual machine was not Online, oldest first; ``end`` ends what still lasts."""
    began: dict[str, tuple[Entry, ev.VmNotOnline]] = {}
    found: list[OutageReport] = []
    for entry in entries:
        if isinstance(entry.event, ev.VmNotOnline):
            began.setdefault(entry.event.vm, (entry, entry.event))
        elif isinstance(entry.event, ev.VmOnline) and entry.event.vm in began:
            found.append(_outage(*began.pop(entry.event.vm), entry.at, end))
    found += [_outage(entry, event, None, end) for entry, event in began.values()]
    return tuple(sorted(found, key=lambda outage: (outage.began_at, outage.vm)))


def watched(entries: Iterable[Entry]) -> int | None:
    """Return how many virtual machines were Online when any node was paused; None when that was never looked at."""
    pauses = [entry.event for entry in entries if isinstance(entry.event, ev.Pausing) and entry.event.seen]
    if not pauses:
        return None
    return len({role.name for pause in pauses for role in pause.seen if role.is_vm and role.is_online})


def vm_sentence(vms: int | None, moved: int, seen_out: Sequence[OutageReport]) -> str:
    """Return what came of the virtual machines in one sentence; empty when none was watched or none was moved."""
    names = tuple(dict.fromkeys(outage.vm for outage in seen_out))
    if names:
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")
        one = len(names) == 1
        if any(outage.ended_at is None for outage in seen_out):
            return f"{listed} {'is' if one else 'are'} not Online."
        return f"{listed} {'was' if one else 'were'} not Online for a while."
    if not vms or not moved:
        return ""
    return f"{moved} VM{'' if moved == 1 else 's'} moved, all Online at every reading."


def _outage(entry: Entry, event: ev.VmNotOnline, ended_at: datetime | None, end: datetime) -> OutageReport:
    return OutageReport(
        vm=event.vm,
        state=event.state,
        node=event.node,
        owner=event.owner,
        began_at=entry.at,
        ended_at=ended_at,
        seconds=max(0.0, ((ended_at or end) - entry.at).total_seconds()),
    )


def _last_turn(own: Sequence[Entry]) -> Sequence[Entry]:
    starts = [index for index, entry in enumerate(own) if isinstance(entry.event, ev.TurnGiven)]
    return own[starts[-1] :] if starts else own


def _between(turn: Sequence[Entry], begin: type[ev.RunEvent], end: type[ev.RunEvent]) -> float | None:
    """Return the seconds from the first ``begin`` to the first ``end`` after it; a refused order does not count."""
    began: datetime | None = None
    for entry in turn:
        if isinstance(entry.event, ev.PauseRefused):
            began = None
        elif isinstance(entry.event, begin):
            began = began or entry.at
        elif isinstance(entry.event, end) and began is not None:
            return (entry.at - began).total_seconds()
    return None
