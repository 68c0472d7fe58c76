"""How each entry of the journal changes what is known of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from include.simulator.journal import Entry
from include.simulator.referee.orders import RESTART, Order, kind_of, ordered_nodes
from include.simulator.referee.rules import asked_nodes
from include.simulator.referee.view import LOCK, ClusterView, GroupView, NodeView, Votes

_RUNNING = frozenset({"on", "shutting down", "up", "true"})
Detail = Mapping[str, Any]


def step(view: ClusterView, entry: Entry) -> ClusterView:
    """Return the cluster after ``entry``."""
    if entry.op == "command":
        return _command(view, entry)
    change = CHANGES.get(entry.op)
    return change(view, entry, entry.detail) if change else view


def asked_guid(detail: Detail) -> str | None:
    """Return the id under which the command in ``detail`` asks for a lock."""
    properties = (detail.get("parameters") or {}).get("Property")
    if str(detail.get("command", "")).lower() != "new-ciminstance" or not isinstance(properties, dict):
        return None
    return next((str(value).lower() for key, value in properties.items() if key.lower() == "orchestratorguid"), None)


def _command(view: ClusterView, entry: Entry) -> ClusterView:
    detail = entry.detail
    if entry.status != "invoke":
        return _answered(view, entry)
    guid = asked_guid(detail)
    if guid:
        return replace(view, guids={**view.guids, guid: view.guids.get(guid, frozenset()) | {entry.actor}})
    kind = kind_of(detail)
    if kind is None:
        return view
    found = [view.find(name) for name in ordered_nodes(detail, entry.node, view.nodes)]
    names = {node.name for node in found if node}
    if not names:
        return view
    activity = str(detail.get("activity", entry.seq))
    before = tuple((name, view.ordered.get(name)) for name in sorted(names))
    order = Order(entry.actor, kind)
    return replace(
        view, ordered={**view.ordered, **dict.fromkeys(names, order)}, orders={**view.orders, activity: before}
    )


def _answered(view: ClusterView, entry: Entry) -> ClusterView:
    activity = str(entry.detail.get("activity", entry.seq))
    if activity not in view.orders:
        return view
    before = view.orders[activity]
    orders = {key: value for key, value in view.orders.items() if key != activity}
    if entry.status != "fail":
        return replace(view, orders=orders)
    ordered = dict(view.ordered)
    for name, earlier in before:  # nothing came of it: who leaves later was not sent away by this command
        if earlier is not None:
            ordered[name] = earlier
        elif view.nodes[name].in_service:
            ordered.pop(name, None)
    return replace(view, orders=orders, ordered=ordered)


def _snapshot(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    nodes, locks = {}, {}
    for each in detail.get("nodes", ()):
        name = each["name"]
        was = view.nodes.get(name)
        nodes[name] = NodeView(
            name=name,
            state=each.get("state", "Up"),
            drain_status=each.get("drain_status", "NotInitiated"),
            up=str(each.get("power", "on")).lower() in _RUNNING,
            build=f"{each['build']}.{each['ubr']}" if "build" in each and "ubr" in each else "",
            restart_due=bool(each.get("pending_restart")) or bool(was and was.restart_due),
        )
        guid = (each.get("locks") or {}).get(LOCK)
        if guid:
            locks[name] = str(guid).lower()
    groups = {
        each["name"]: GroupView(each["name"], each.get("type", ""), each["owner"], each["state"])
        for each in detail.get("groups", ())
    }
    disks = {each["name"]: each["health"] for each in detail.get("virtual_disks", ())}
    jobs = {str(each.get("job") or each.get("name")): str(each.get("state")) for each in detail.get("jobs", ())}
    vms = {each["name"]: str(each["state"]) for each in detail.get("vms", ())}
    view = replace(view, nodes=nodes, groups=groups, disks=disks, jobs=jobs, locks=locks, vms={**view.vms, **vms})
    return _votes(view, entry, detail.get("quorum") or {})


def _votes(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    if "votes" not in detail or "up_votes" not in detail:
        return view
    return replace(view, votes=Votes(int(detail["votes"]), int(detail["up_votes"])))


def _node_state(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    return view.with_node(
        detail["node"], state=detail["state"], drain_status=detail.get("drain_status", "NotInitiated")
    )


def _node_power(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    up = bool(detail["up"])
    if not up:
        return view.with_node(detail["node"], up=False)
    return view.with_node(detail["node"], up=True, restart_due=bool(detail.get("pending_restart")))


def _node_restart(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    if not detail.get("ordered"):
        return view
    order = Order(str(detail["by"]) if detail.get("by") else None, RESTART)
    return replace(view, ordered={**view.ordered, detail["node"]: order})


def _build(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    return view.with_node(detail["node"], build=f"{detail['build']}.{detail['ubr']}")


def _installed(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    return view.with_node(detail["node"], restart_due=True) if detail.get("result_code") in (2, 3) else view


def _feature(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    return view.with_node(detail["node"], restart_due=True)


def _group_moved(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    name = detail["group"]
    was = view.groups.get(name) or GroupView(name, detail.get("type", ""), "", "Online")
    return replace(view, groups={**view.groups, name: replace(was, owner=detail["destination"])})


def _group_state(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    name = detail["group"]
    return replace(
        view, groups={**view.groups, name: GroupView(name, detail.get("type", ""), detail["owner"], detail["state"])}
    )


def _vm_state(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    return replace(view, vms={**view.vms, detail["vm"]: detail["state"]})


def _disk_health(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    if view.disks.get(detail["virtual_disk"]) == detail["health"]:
        return view
    return replace(view, disks={**view.disks, detail["virtual_disk"]: detail["health"]})


def _disk_removed(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    return replace(view, disks={name: health for name, health in view.disks.items() if name != detail["virtual_disk"]})


def _repair(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    job = str(detail["job"])
    return view if view.jobs.get(job) == detail["state"] else replace(view, jobs={**view.jobs, job: detail["state"]})


def _lock_taken(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    if detail["class"] != LOCK or entry.node is None:
        return view
    return replace(view, locks={**view.locks, entry.node: str(detail["guid"]).lower()})


def _lock_gone(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    if detail["class"] != LOCK:
        return view
    return replace(view, locks={node: guid for node, guid in view.locks.items() if node != entry.node})


def _rule(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    known = len(view.rules.unreadable)
    view = replace(view, rules=view.rules.with_rule(detail))
    if detail.get("kind") == "restart" and len(view.rules.unreadable) == known:
        named = asked_nodes(detail)
        for node in tuple(view.nodes.values()) if named is None else filter(None, map(view.find, named)):
            view = view.with_node(node.name, restart_due=True)
    return view


def _policy(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    """A server that joins the preview channel has to restart for it (azure-stack-docs, update-cluster)."""
    joins = detail.get("name") == "PreviewChannel" and detail.get("node") and detail.get("after")
    return view.with_node(detail["node"], restart_due=True) if joins and view.find(detail["node"]) else view


def _stopped(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    return replace(view, stopped=entry.op == "cluster.stopped")


def _cau_run(view: ClusterView, entry: Entry, detail: Detail) -> ClusterView:
    """A run of Cluster-Aware Updating holds the lock under its own id; whoever started it works under that."""
    guid = str(detail.get("run_id") or "").lower()
    return replace(view, guids={**view.guids, guid: view.guids.get(guid, frozenset())}) if guid else view


CHANGES: Mapping[str, Callable[[ClusterView, Entry, Detail], ClusterView]] = {
    "world.snapshot": _snapshot,
    "node.state": _node_state,
    "node.power": _node_power,
    "node.restart": _node_restart,
    "build": _build,
    "update.installed": _installed,
    "feature": _feature,
    "policy": _policy,
    "group.moved": _group_moved,
    "group.state": _group_state,
    "vm.state": _vm_state,
    "disk.health": _disk_health,
    "disk.removed": _disk_removed,
    "repair.state": _repair,
    "lock.taken": _lock_taken,
    "lock.released": _lock_gone,
    "lock.expired": _lock_gone,
    "quorum": _votes,
    "rule": _rule,
    "cluster.stopped": _stopped,
    "cluster.started": _stopped,
    "cau.run": _cau_run,
}
