"""What was changed between the first and the last moment of a journal, by whom, and what it was before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.simulator.referee.history import Frame, History
from include.simulator.referee.living_vms import is_ordered
from include.simulator.referee.orders import CLUSTER, DRAIN
from include.simulator.referee.rules import CAU_ROLE, REMOTE_MANAGEMENT

#: What can be changed: (kind, place, name).
Key = tuple[str, str, str]
UNKNOWN = object()
#: What Set-WSManQuickConfig, Enable-PSRemoting and the rules for remote shutdown leave on a node.
_REMOTE_MANAGEMENT = frozenset(
    {("firewall", "Remote Shutdown"), ("firewall", "Windows Remote Management"), ("service", "WinRM")}
)


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that those who are judged left changed; ``frame`` is where it lost the value it was ``found`` with."""

    key: Key
    found: object
    now: object
    frame: Frame

    @property
    def place(self) -> str:
        """The machine it is on, or what is the cluster's."""
        return self.key[1]


@dataclass(slots=True)
class Ledger:
    """``mine`` is what those who are judged changed and did not restore; ``moved`` everything that anything happened to."""

    values: dict[Key, object] = field(default_factory=dict)
    mine: dict[Key, tuple[object, Frame]] = field(default_factory=dict)
    moved: set[Key] = field(default_factory=set)

    def note(self, key: Key, value: object, frame: Frame, *, ours: bool, before: object = UNKNOWN) -> None:
        """Note that ``key`` has a new value, and whether those who are judged gave it."""
        self.moved.add(key)
        was = self.values.get(key, before)
        self.values[key] = value
        if was == value:
            return
        if key in self.mine:
            if not ours or value == self.mine[key][0]:  # restored, or somebody else's by now
                del self.mine[key]
        elif ours:
            self.mine[key] = (was, frame)

    def left(self) -> list[Change]:
        """Return what was left changed, in the order in which it was changed."""
        found = [Change(key, was, self.values[key], frame) for key, (was, frame) in self.mine.items()]
        return sorted((each for each in found if not _is_wanted(each)), key=lambda change: change.frame.entry.seq)


def _is_wanted(change: Change) -> bool:
    """Tell whether the operator allowed it to stay.

    That is the self-updating role with what it needs of the nodes, or remote management, which a feature update wants set up on
    every node (azure-stack-docs, update-cluster).
    """
    allowed = change.frame.before.rules.permissions
    kind, _, name = change.key
    if REMOTE_MANAGEMENT in allowed and (kind, name) in _REMOTE_MANAGEMENT:
        return True
    if CAU_ROLE not in allowed:
        return False
    return kind in ("cau_role", "feature") or (kind == "firewall" and name == "Remote Shutdown")


def keep(history: History) -> Ledger:
    """Return the ledger of a whole journal."""
    ledger = Ledger()
    snapshots = history.of("world.snapshot")
    if snapshots:
        ledger.values.update(flatten(snapshots[0].detail))
    for frame in history.of(*_EVENTS):
        for key, value, before in _changes(frame):
            ledger.note(key, value, frame, ours=_ours(history, frame), before=before)
    return ledger


def flatten(snapshot: Mapping[str, Any]) -> dict[Key, object]:
    """Return what a snapshot says of everything that must be found again, whatever the age of its format."""
    values: dict[Key, object] = {}
    for node in snapshot.get("nodes", ()):
        values.update(_flatten_node(node))
    for vm in snapshot.get("vms", ()):
        values["vm", "", vm["name"]] = vm["state"]
    for name, version in (snapshot.get("vm_versions") or {}).items():
        values["vm version", "", name] = version
    for group in snapshot.get("groups", ()):
        values["group", "", group["name"]] = True
    if "cau_role" in snapshot:
        values.update(_flatten_role(snapshot["cau_role"]))
    for name, schedule in _named(snapshot.get("schedules")).items():
        values["schedule", "", name] = schedule
    return values


def _flatten_node(node: Mapping[str, Any]) -> Iterator[tuple[Key, object]]:
    name = node["name"]
    credssp = node.get("credssp")
    if isinstance(credssp, dict):
        for role, enabled in credssp.items():
            yield ("credssp", name, role), bool(enabled)
    elif credssp is not None:
        yield ("credssp", name, ""), bool(credssp)
    for service, facts in _named(node.get("services")).items():
        start = facts.get("start_type") if isinstance(facts, dict) else None
        if start is not None:
            yield ("service", name, service), start
    for kind in ("firewall", "policies", "bitlocker"):
        for key, value in _named(node.get(kind)).items():
            yield ("policy" if kind == "policies" else kind, name, key), value
    tasks = node.get("tasks")
    for task in tasks if isinstance(tasks, list | dict) else ():
        full = f"{task.get('path') or ''}{task.get('name')}" if isinstance(task, dict) else str(task)
        yield ("task", name, full), True
    yield ("maintenance", name, ""), node.get("maintenance") not in (None, False, "none", "None")
    if "state" in node:
        yield ("paused", name, ""), node["state"] == "Paused"
    for cls, guid in (node.get("locks") or {}).items():
        yield ("lock", name, cls), str(guid).lower() if guid else None


def _flatten_role(role: Any) -> Iterator[tuple[Key, object]]:
    there = bool(role) and (not isinstance(role, dict) or role.get("present", True) is not False)
    yield ("cau_role", "", "present"), there
    if there and isinstance(role, dict):
        yield ("cau_role", "", "enabled"), role.get("enabled")
        yield ("cau_role", "", "schedule"), _plain(role.get("schedule"))


def _named(value: Any) -> Mapping[str, Any]:
    """Return ``value`` where it is a mapping by name, else nothing: early formats have lists, or nothing at all."""
    return value if isinstance(value, dict) else {}


def _plain(value: Any) -> object:
    return tuple(sorted((str(key), str(member)) for key, member in value.items())) if isinstance(value, dict) else value


def _changes(frame: Frame) -> Iterator[tuple[Key, object, object]]:
    """Yield (what, its new value, its value before where the event tells)."""
    op, detail = frame.entry.op, frame.detail
    node = str(detail.get("node") or detail.get("machine") or frame.entry.node or "")
    if op == "credssp":
        enabled = bool(detail["enabled"])
        yield ("credssp", node, str(detail.get("role", ""))), enabled, not enabled
    elif op == "service":
        yield ("service", node, str(detail["name"])), detail.get("start_type"), UNKNOWN
    elif op == "firewall":
        yield ("firewall", node, str(detail["group"])), bool(detail["enabled"]), not detail["enabled"]
    elif op == "policy":
        yield ("policy", node, str(detail["name"])), detail.get("after"), detail.get("before")
    elif op == "bitlocker":
        yield ("bitlocker", node, str(detail.get("volume", ""))), detail.get("status"), UNKNOWN
    elif op == "feature":
        yield ("feature", node, str(detail["name"])), bool(detail["installed"]), not detail["installed"]
    elif op == "task" and detail.get("action") in ("registered", "removed"):
        there = detail["action"] == "registered"
        yield ("task", node, str(detail["name"])), there or None, None if there else True
    elif op == "maintenance":
        yield ("maintenance", node, ""), bool(detail["on"]), not detail["on"]
    elif op == "node.state" and detail["state"] in ("Up", "Paused"):  # Down hides whether it is paused
        yield ("paused", node, ""), detail["state"] == "Paused", UNKNOWN
    elif op == "lock.taken":
        yield ("lock", node, str(detail["class"])), str(detail["guid"]).lower(), None
    elif op in ("lock.released", "lock.expired"):
        yield ("lock", node, str(detail["class"])), None, str(detail["guid"]).lower()
    elif op == "vm.state":
        yield ("vm", "", str(detail["vm"])), detail["state"], UNKNOWN
    elif op == "vm.version":
        yield ("vm version", "", str(detail["vm"])), detail.get("after"), detail.get("before")
    elif op == "cau.role":
        yield from _role_changes(detail)


def _role_changes(detail: Mapping[str, Any]) -> Iterator[tuple[Key, object, object]]:
    action = detail.get("action")
    if action in ("moved", "updating"):
        return
    yield ("cau_role", "", "present"), action != "removed", action == "removed"
    if action != "removed":
        if "enabled" in detail or action in ("enabled", "disabled"):
            enabled = bool(detail.get("enabled", action == "enabled"))
            yield ("cau_role", "", "enabled"), enabled, UNKNOWN
        if "schedule" in detail:
            yield ("cau_role", "", "schedule"), _plain(detail["schedule"]), UNKNOWN


def _ours(history: History, frame: Frame) -> bool:
    if frame.is_fault:
        return False
    if frame.entry.op == "node.state":
        node = str(frame.detail["node"])
        if frame.detail["state"] == "Up":  # back from wherever it was, if somebody resumed it
            return history.is_run(frame.by)
        order = frame.before.ordered.get(node)
        return order is not None and order.kind in (DRAIN, CLUSTER) and history.is_run(order.actor)
    if frame.entry.op == "maintenance" and frame.detail.get("by") == "resume" and not frame.detail["on"]:
        return False  # Windows takes any node's disks out when it is resumed, whoever had put them in
    if frame.entry.op == "firewall" and frame.by is None:
        return bool(frame.detail["enabled"]) and _told_cau_to_enable(history, frame)
    if frame.entry.op == "lock.taken":
        return str(frame.detail["guid"]).lower() in history.guids
    if frame.entry.op == "vm.state" and frame.by is None:
        return frame.detail["state"] != "Running" and is_ordered(history, frame)
    return history.is_run(frame.by)


def _told_cau_to_enable(history: History, frame: Frame) -> bool:
    """Tell whether CAU enabled the rules because those who are judged told it so when they began its run."""
    return any(
        str(each.detail.get("command", "")).lower() == "invoke-caurun"
        and "EnableFirewallRules" in (each.detail.get("parameters") or {})
        and history.is_run(each.entry.actor)
        for each in history.of("command")
        if each.entry.seq < frame.entry.seq
    )


_EVENTS = (
    "credssp",
    "service",
    "firewall",
    "policy",
    "bitlocker",
    "feature",
    "task",
    "maintenance",
    "node.state",
    "lock.taken",
    "lock.released",
    "lock.expired",
    "vm.state",
    "vm.version",
    "cau.role",
)
