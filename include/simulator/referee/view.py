"""What the journal says the cluster looked like before and after each of its entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from include.simulator.journal import Entry
from include.simulator.referee.orders import ordered_nodes

LOCK = "MSFT_CAURun"
#: Job states in which nothing is left to be done (MSFT_StorageJob, JobState).
_OVER = frozenset({"Completed", "Terminated", "Killed", "Exception"})
_RUNNING = frozenset({"on", "shutting down", "up", "true"})


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node; ``restart_due`` says that something installed since its last boot, or before the journal, waits for a restart."""

    name: str
    state: str = "Up"
    drain_status: str = "NotInitiated"
    up: bool = True
    build: str = ""
    restart_due: bool = False

    @property
    def in_service(self) -> bool:
        """Whether it runs and takes part in the cluster without being paused."""
        return self.up and self.state == "Up"


@dataclass(frozen=True, slots=True)
class GroupView:
    """One role of the cluster."""

    name: str
    type: str
    owner: str
    state: str


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster between two entries.

    ``ordered`` are the nodes that somebody ordered out of service and that are not back; ``orders`` the unanswered commands that
    did so; ``guids`` the ids under which somebody asked for the lock; ``last_out`` the node that left service most recently.
    """

    nodes: Mapping[str, NodeView] = field(default_factory=dict)
    groups: Mapping[str, GroupView] = field(default_factory=dict)
    vms: Mapping[str, str] = field(default_factory=dict)
    disks: Mapping[str, str] = field(default_factory=dict)
    jobs: Mapping[str, str] = field(default_factory=dict)
    locks: Mapping[str, str] = field(default_factory=dict)
    ordered: frozenset[str] = frozenset()
    orders: Mapping[str, frozenset[str]] = field(default_factory=dict)
    guids: frozenset[str] = frozenset()
    last_out: str | None = None

    @property
    def out_of_service(self) -> list[str]:
        """The nodes that are down, paused or joining."""
        return sorted(node.name for node in self.nodes.values() if not node.in_service)

    @property
    def unhealthy_disks(self) -> list[str]:
        """The virtual disks that are not Healthy."""
        return sorted(name for name, health in self.disks.items() if health != "Healthy")

    @property
    def open_repairs(self) -> list[str]:
        """The repair jobs that are not over, running or suspended alike."""
        return sorted(f"{name} ({state})" for name, state in self.jobs.items() if state not in _OVER)

    def online_on(self, node: str) -> list[str]:
        """Return the roles that are online on ``node``."""
        return sorted(
            group.name
            for group in self.groups.values()
            if group.owner == node and group.state != "Offline" and group.state != "Failed"
        )

    def find(self, name: str | None) -> NodeView | None:
        """Return the node called ``name``, short or fully qualified, in any case."""
        short = (name or "").split(".")[0].lower()
        return next((node for node in self.nodes.values() if node.name.lower() == short), None)

    def with_node(self, name: str, **changes: Any) -> ClusterView:
        """Return a view in which the node called ``name`` has changed."""
        node = replace(self.nodes.get(name, NodeView(name)), **changes)
        back, gone = node.in_service, not node.in_service and self.nodes.get(name, NodeView(name)).in_service
        return replace(
            self,
            nodes={**self.nodes, name: node},
            ordered=self.ordered - {name} if back else self.ordered,
            last_out=name if gone else self.last_out,
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """One entry and the cluster on both sides of it."""

    entry: Entry
    before: ClusterView
    after: ClusterView


def frames(entries: Iterable[Entry]) -> Sequence[Frame]:
    """Return every entry with the cluster before and after it."""
    made = []
    view = ClusterView()
    for entry in entries:
        following = _step(view, entry)
        made.append(Frame(entry, view, following))
        view = following
    return made


def _step(view: ClusterView, entry: Entry) -> ClusterView:
    if entry.op == "command":
        return _command(view, entry)
    change = _CHANGES.get(entry.op)
    return change(view, entry, entry.detail) if change else view


def _command(view: ClusterView, entry: Entry) -> ClusterView:
    detail = entry.detail
    activity = str(detail.get("activity", entry.seq))
    if entry.status == "invoke":
        guid = _guid_asked_for(detail)
        if guid:
            view = replace(view, guids=view.guids | {guid})
        found = [view.find(name) for name in ordered_nodes(detail, entry.node)]
        names = frozenset(node.name for node in found if node)
        if names:
            return replace(view, ordered=view.ordered | names, orders={**view.orders, activity: names})
        return view
    names = view.orders.get(activity, frozenset())
    orders = {key: value for key, value in view.orders.items() if key != activity}
    if entry.status == "fail":  # nothing came of it: who leaves later was not sent away by this command
        still_in = frozenset(name for name in names if view.nodes[name].in_service)
        return replace(view, orders=orders, ordered=view.ordered - still_in)
    return replace(view, orders=orders)


def _guid_asked_for(detail: Mapping[str, Any]) -> str | None:
    properties = detail.get("parameters", {}).get("Property")
    if str(detail.get("command", "")).lower() != "new-ciminstance" or not isinstance(properties, dict):
        return None
    return next((str(value).lower() for key, value in properties.items() if key.lower() == "orchestratorguid"), None)


def _snapshot(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    nodes, locks = {}, {}
    for each in detail.get("nodes", ()):
        name = each["name"]
        was = view.nodes.get(name)
        nodes[name] = NodeView(
            name=name,
            state=each["state"],
            drain_status=each["drain_status"],
            up=_is_on(each["power"]),
            build=f"{each['build']}.{each['ubr']}",
            restart_due=bool(each["pending_restart"]) or bool(was and was.restart_due),
        )
        guid = (each.get("locks") or {}).get(LOCK)
        if guid:
            locks[name] = str(guid).lower()
    groups = {
        each["name"]: GroupView(each["name"], each["type"], each["owner"], each["state"])
        for each in detail.get("groups", ())
    }
    disks = {each["name"]: each["health"] for each in detail.get("virtual_disks", ())}
    jobs = {str(each.get("job") or each.get("name")): str(each.get("state")) for each in detail.get("jobs", ())}
    vms = {each["name"]: str(each["state"]) for each in detail.get("vms", ())}
    return replace(view, nodes=nodes, groups=groups, disks=disks, jobs=jobs, locks=locks, vms={**view.vms, **vms})


def _is_on(power: object) -> bool:
    return str(power).lower() in _RUNNING


def _node_state(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    return view.with_node(detail["node"], state=detail["state"], drain_status=detail["drain_status"])


def _node_power(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    up = bool(detail["up"])
    changes: dict[str, Any] = {"up": up, "restart_due": False} if up else {"up": up}
    return view.with_node(detail["node"], **changes)


def _node_restart(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    return replace(view, ordered=view.ordered | {detail["node"]}) if detail.get("ordered") else view


def _build(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    return view.with_node(detail["node"], build=f"{detail['build']}.{detail['ubr']}")


def _installed(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    return view.with_node(detail["node"], restart_due=True) if detail.get("result_code") in (2, 3) else view


def _group_moved(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    name = detail["group"]
    was = view.groups.get(name, GroupView(name, detail.get("type", ""), "", "Online"))
    return replace(view, groups={**view.groups, name: replace(was, owner=detail["destination"])})


def _group_state(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    name = detail["group"]
    return replace(
        view, groups={**view.groups, name: GroupView(name, detail.get("type", ""), detail["owner"], detail["state"])}
    )


def _vm_state(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    return replace(view, vms={**view.vms, detail["vm"]: detail["state"]})


def _disk_health(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    return replace(view, disks={**view.disks, detail["virtual_disk"]: detail["health"]})


def _repair(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    return replace(view, jobs={**view.jobs, str(detail["job"]): detail["state"]})


def _lock_taken(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    if detail["class"] != LOCK or entry.node is None:
        return view
    return replace(view, locks={**view.locks, entry.node: str(detail["guid"]).lower()})


def _lock_gone(view: ClusterView, entry: Entry, detail: Mapping[str, Any]) -> ClusterView:
    if detail["class"] != LOCK:
        return view
    return replace(view, locks={node: guid for node, guid in view.locks.items() if node != entry.node})


_CHANGES = {
    "world.snapshot": _snapshot,
    "node.state": _node_state,
    "node.power": _node_power,
    "node.restart": _node_restart,
    "build": _build,
    "update.installed": _installed,
    "group.moved": _group_moved,
    "group.state": _group_state,
    "vm.state": _vm_state,
    "disk.health": _disk_health,
    "repair.state": _repair,
    "lock.taken": _lock_taken,
    "lock.released": _lock_gone,
    "lock.expired": _lock_gone,
}
