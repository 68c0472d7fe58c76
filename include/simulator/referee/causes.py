"""Whose command an event of the world comes from: the accounts behind changes, told from the commands that were open then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.simulator.journal import Entry

#: Which commands can bring an event about, by the event's name.
_CAUSES = {
    "credssp": r"credssp|set-item$",
    "firewall": r"netfirewall|caurun|cauclusterrole|quickconfig|psremoting",
    "policy": r"item|policy|gpregistry|cauclusterrole|credssp|psremoting|quickconfig|previewchannel",
    "service": r"-service$|-cimmethod$|psremoting|quickconfig",
    "feature": r"windowsfeature|windowsoptionalfeature|cauclusterrole",
    "task": r"scheduledtask|clusteredscheduledtask",
    "bitlocker": r"bitlocker",
    "cau.role": r"cauclusterrole",
    "cau.run": r"invoke-caurun$|cauclusterrole",
    "vm.state": r"-vm$|clustergroup|clusterresource|virtualmachine",
    "group.state": r"-vm$|clustergroup|clusterresource|virtualmachine|cauclusterrole",
    "vm.version": r"vmversion",
    "cluster.functional_level": r"clusterfunctionallevel",
    "pool.version": r"storagepool",
    "maintenance": r"storagemaintenancemode|clusternode",
    "lock.taken": r"new-ciminstance",
    "lock.released": r"remove-ciminstance",
    "node.state": r"clusternode|-cluster$|-service$|-computer$",
}
CAUSES = {op: re.compile(pattern) for op, pattern in _CAUSES.items()}
#: Events of one machine, which only commands about that machine bring about.
_LOCAL = frozenset(
    {"credssp", "firewall", "policy", "service", "feature", "task", "bitlocker", "lock.taken", "lock.released"}
)
_NAMING = ("Name", "ComputerName", "InputObject", "CimSession", "DelegateComputer", "VMName")
#: What the world says it does by itself once a drain is over or a node is resumed.
_CONSEQUENCES = frozenset({"drain", "resume"})


@dataclass(frozen=True, slots=True)
class Command:
    """A command that changes something and has not ended yet."""

    actor: str
    machine: str | None
    name: str
    means: frozenset[str]


@dataclass(slots=True)
class Causes:
    """The open commands, and who last paused or resumed each node, which has consequences after the command is over."""

    open: dict[str, Command] = field(default_factory=dict)
    handled: dict[str, str] = field(default_factory=dict)

    def begin(self, entry: Entry) -> None:
        """Note a command that changes something."""
        detail = entry.detail
        command = Command(entry.actor, _short(entry.node), str(detail.get("command", "")).lower(), _named(detail))
        activity = detail.get("activity")
        if activity is not None:
            self.open[str(activity)] = command
        if CAUSES["maintenance"].search(command.name):
            for name in command.means or {command.machine or ""}:
                self.handled[name] = command.actor

    def end(self, entry: Entry) -> Command | None:
        """Note that a command is over and return it where it changed something."""
        return self.open.pop(str(entry.detail.get("activity")), None)

    def of(self, entry: Entry) -> str | None:
        """Return the account whose command brought the event about, or None where the world did it."""
        if entry.op not in CAUSES or entry.detail.get("fault"):
            return None
        target = _short(str(entry.detail.get("node") or entry.detail.get("machine") or entry.node or "")) or ""
        by = entry.detail.get("by")
        if entry.op == "maintenance" and by:
            return self.handled.get(target) if by in _CONSEQUENCES else str(by)
        can = [each for each in self.open.values() if CAUSES[entry.op].search(each.name)]
        about = [each for each in can if target and target in each.means]
        there = [each for each in can if target and target == each.machine]
        found = about or there or ([] if entry.op in _LOCAL and target else can)
        return found[-1].actor if found else None


def _named(detail: Mapping[str, Any]) -> frozenset[str]:
    """Return the short names of whatever the command names."""
    parameters = detail.get("parameters") or {}
    values = [parameters.get(key) for key in _NAMING] + [detail.get("input")]
    names: list[object] = []
    for value in values:
        names += value if isinstance(value, list | tuple) else [value]
    return frozenset(short for short in (_short(str(name)) for name in names if name) if short)


def _short(name: str | None) -> str | None:
    return name.split(".")[0].lower() if name else None
