"""I11: what we did not change stays unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.simulator.referee.as_found import belongs, sentence
from include.simulator.referee.history import Frame, History
from include.simulator.referee.ledger import Change, Key, Ledger, flatten
from include.simulator.referee.rules import PREVIEW_CHANNEL, VM_VERSION
from include.simulator.referee.violation import Violation, violation

NAME = "I11"
SENTENCE = "what we did not change stays unchanged"
#: Which commands explain that something differs between snapshots although no event tells of it.
_EXPLAINS = {
    "service": re.compile(r"-service$|-cimmethod$|psremoting|quickconfig"),
    "policy": re.compile(r"item|policy|gpregistry"),
    "firewall": re.compile(r"netfirewall|cauclusterrole|caurun|psremoting|quickconfig"),
    "credssp": re.compile(r"credssp|item"),
    "bitlocker": re.compile(r"bitlocker"),
    "cau_role": re.compile(r"cauclusterrole|caurun|clustergroup"),
    "schedule": re.compile(r"cauclusterrole|scheduledtask"),
    "vm version": re.compile(r"vmversion"),
    "group": re.compile(r"clustergroup|clusterrole|virtualmachine|-vm$|scaleout"),
}


def check(history: History, ledger: Ledger) -> list[Violation]:
    """Return everything that is no run's business and was left changed by those who are judged.

    That is roles, CAU's schedule, policies, features, the power state and version of virtual machines, and what others had set:
    a node that somebody else paused, disks that somebody else put into maintenance mode. What differs between the first and the
    last snapshot although no event tells why counts as well, unless a command of somebody else or a fault explains it.
    """
    found = [
        violation(NAME, change.frame.entry, change.place or None, sentence(change))
        for change in ledger.left()
        if not belongs(change) and change.key[0] != "lock" and not _is_permitted(change)
    ]
    found += [
        violation(
            NAME, change.frame.entry, change.place or None, f"{sentence(change)} Nobody else's doing explains it."
        )
        for change in _unexplained(history, ledger)
    ]
    return found


def _is_permitted(change: Change) -> bool:
    """Tell whether the operator has allowed it before: neither a virtual machine's version nor the channel ever goes back."""
    allowed = change.frame.before.rules.permissions
    if change.key[0] == "vm version":
        return VM_VERSION in allowed
    return change.key[0] == "policy" and change.key[2] == "PreviewChannel" and PREVIEW_CHANNEL in allowed


def unjudged(history: History) -> str:
    """Return why the invariant cannot be judged, or nothing where it can."""
    return "" if len(history.of("world.snapshot")) > 1 else "there are no two snapshots to compare"


def _unexplained(history: History, ledger: Ledger) -> Iterator[Change]:
    snapshots = history.of("world.snapshot")
    commands = [frame.entry for frame in history.of("command") if frame.entry.status == "invoke"]
    if len(snapshots) < 2 or not any(history.is_run(entry.actor) for entry in commands):
        return
    others = [str(entry.detail.get("command")).lower() for entry in commands if not history.is_run(entry.actor)]
    first, last = flatten(snapshots[0].detail), flatten(snapshots[-1].detail)
    roles = bool(history.of("cau.role"))  # the clustered role of Cluster-Aware Updating is a group
    for key in sorted(first.keys() | last.keys(), key=str):
        pattern = _EXPLAINS.get(key[0])
        if pattern is None or key in ledger.moved or first.get(key) == last.get(key):
            continue
        appeared = key not in first or key not in last
        if appeared and (key[0] != "group" or roles):  # formats differ, or events have told of it
            continue
        if any(pattern.search(name) for name in others) or _fault_at(history, key):
            continue
        yield Change(key, first.get(key), last.get(key), snapshots[-1])


def _fault_at(history: History, key: Key) -> bool:
    def concerns(frame: Frame) -> bool:
        return not key[1] or frame.detail.get("node") in (None, key[1])

    return any(concerns(frame) for frame in history.of("fault.injected"))
