"""I10: after every end CredSSP as found, no maintenance mode that we set, service start types as found, lock released."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from include.simulator.journal import Entry
from include.simulator.referee.history import History
from include.simulator.referee.ledger import UNKNOWN, Change, Ledger
from include.simulator.referee.violation import Violation, violation

NAME = "I10"
SENTENCE = (
    "after every end CredSSP, start types, tasks and firewall as found, no maintenance mode that we set, lock released"
)
#: What is put back at the end, by kind, and the commands that put it back.
_UNDOING = {
    kind: re.compile(pattern)
    for kind, pattern in {
        "credssp": r"wsmancredssp|set-item$",
        "service": r"-service$|-cimmethod$",
        "firewall": r"netfirewall",
        "bitlocker": r"bitlocker",
        "task": r"unregister-scheduledtask",
        "maintenance": r"disable-storagemaintenancemode|resume-clusternode",
        "paused": r"resume-clusternode",
        "lock": r"remove-ciminstance",
    }.items()
}
#: What a run may leave where it says so: a node that failed stays out of service on purpose.
_OWNED_UP = frozenset({"maintenance", "paused"})


def check(history: History, ledger: Ledger, report: Mapping[str, Any] | None = None) -> list[Violation]:
    """Return everything that was changed and not put back.

    A machine that is down at the end cannot be put in order, what was tried and refused was not forgotten, and leaving
    maintenance mode takes a while. A node that is left paused on purpose, or is out of the cluster, is named in the report, and
    so is a lock or a task that the run could not reach any more, with the command that removes it.
    """
    end = history.frames[-1].after if history.frames else None
    named, locks = _left(report or {}), _locks_left(report or {})
    undoing = _undoing(history)
    found = []
    for change in ledger.left():
        kind, place, _ = change.key
        node = end.nodes.get(place) if end else None
        away = node is not None and node.state not in ("Up", "Paused")
        if not belongs(change) or (node is not None and not node.up):
            continue
        if place.lower() in named and (kind in _OWNED_UP or away):
            continue
        if kind == "lock" and (place.lower(), change.key[2].lower()) in locks:
            continue
        if kind == "task" and change.now and _is_task_left(report or {}, place, change.key[2]):
            continue
        if any(each.undoes(change) for each in undoing):
            continue
        found.append(violation(NAME, change.frame.entry, place or None, sentence(change)))
    return found


def belongs(change: Change) -> bool:
    """Tell whether the change is one that this invariant is about; the others are no run's business at all."""
    if change.key[0] in _OWNED_UP:
        return not change.found
    return change.key[0] in _UNDOING and not (change.key[0] == "lock" and change.now is None)


def unjudged(history: History, report: Mapping[str, Any] | None, *, ended: bool) -> str:
    """Return why the invariant cannot be judged, or nothing where it can: it is about the end of a run."""
    if not history.frames:
        return "the journal is empty"
    if report is not None or ended:
        return ""
    holding = sorted(node for node, guid in history.frames[-1].after.locks.items() if guid in history.guids)
    if holding:
        return f"the run has not ended: {', '.join(holding)} still has its lock, and there is no report"
    work = [frame.entry.seq for frame in history.of("command") if history.is_run(frame.entry.actor)]
    snapshots = history.of("world.snapshot")
    if not work or not snapshots or snapshots[-1].entry.seq < work[-1]:
        return "there is no snapshot after the run's last command, and no report"
    return ""


def sentence(change: Change) -> str:
    """Return in words what was left changed."""
    kind, place, name = change.key
    match kind:
        case "credssp":
            role = f" {name}" if name else ""
            return f"CredSSP{role} on {place} was left {_on(change.now)}; it was found {_on(change.found)}."
        case "service":
            return f"The start type of {name} on {place} was left {change.now}; it was found {_shown(change.found)}."
        case "firewall":
            return f"The firewall group {name} on {place} was left {_on(change.now)}; it was found {_on(change.found)}."
        case "task":
            verb = "left behind on" if change.now else "removed from"
            return f"The task {name} was {verb} {place}."
        case "maintenance":
            return f"The disks of {place} were left {'in' if change.now else 'out of'} storage maintenance mode."
        case "paused":
            return f"{place} was left {'paused' if change.now else 'running; somebody else had paused it'}."
        case "lock":
            return f"{name} {change.now} was left on {place}."
        case "vm":
            return f"Virtual machine {name} was left {change.now}; it was found {_shown(change.found)}."
    what = f"{kind} {name}".strip() + (f" on {place}" if place else "")
    return f"The {what} was left {_shown(change.now)}; it was found {_shown(change.found)}."


def _left(report: Mapping[str, Any]) -> frozenset[str]:
    items: Iterable[Any] = report.get("left") or ()
    return frozenset(str(item["node"]).lower() for item in items if isinstance(item, dict) and item.get("node"))


def _locks_left(report: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """Return the locks, by node and class, for which the report gives the command that removes them."""
    return frozenset(
        (str(item["node"]).lower(), cls.lower())
        for item in report.get("left") or ()
        if isinstance(item, dict) and item.get("node")
        for cls in re.findall(r"MSFT_CAU\w+", str(item.get("command")))
    )


def _is_task_left(report: Mapping[str, Any], node: str, task: str) -> bool:
    """Tell whether the report names the task on that node, with the command that removes it."""
    name = task.rpartition("\\")[2].lower()
    return any(
        str(item.get("node")).lower() == node.lower()
        and "unregister-scheduledtask" in (command := str(item.get("command")).lower())
        and name in command
        for item in report.get("left") or ()
        if isinstance(item, dict)
    )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A command by those who are judged, how it ended, and everything that it names."""

    seq: int
    name: str
    status: str
    about: str

    def undoes(self, change: Change) -> bool:
        """Tell whether it was to put ``change`` back and was refused, or takes its time."""
        kind, place, _ = change.key
        # Only storage maintenance mode ends some time after the command that ends it.
        if self.status == "ok" and kind != "maintenance":
            return False
        late = self.seq > change.frame.entry.seq
        return late and place.lower() in self.about and bool(_UNDOING[kind].search(self.name))


def _undoing(history: History) -> list[_Attempt]:
    begun: dict[str, Entry] = {}
    attempts: list[_Attempt] = []
    for frame in history.of("command"):
        entry, activity = frame.entry, str(frame.detail.get("activity"))
        if entry.status == "invoke":
            begun[activity] = entry
        elif activity in begun and history.is_run(entry.actor):
            start = begun[activity].detail
            about = f"{entry.node} {start.get('parameters')} {start.get('input')}".lower()
            attempts.append(_Attempt(entry.seq, str(start.get("command", "")).lower(), entry.status, about))
    return attempts


def _on(value: object) -> str:
    return "unknown" if value is UNKNOWN else "on" if value else "off"


def _shown(value: object) -> str:
    return "unknown" if value is UNKNOWN else str(value)
