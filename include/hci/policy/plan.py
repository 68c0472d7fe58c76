"""The plan of a run: the nodes in their order, what each one gets, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.updates import Update
from include.hci.policy.budget import out_of_service
from include.hci.policy.gates import find_node, nodes_out
from include.hci.policy.interference import Fingerprint
from include.hci.policy.order import NodeOrder
from include.hci.settings.node_choice import is_chosen


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One node of a plan.

    ``excluded`` maps update ids that are left out to the reason, ``superseded`` are those of them that another one replaces, and
    ``reasons`` say by update id why the others are in; ``skip`` says why the node is not touched at all (empty: it
    is updated); ``manual_maintenance`` says that storage maintenance mode is entered by hand before its restart;
    ``updater`` is how it is installed, and ``updater_why`` why that way. ``restart_asked``: it is restarted in any case,
    because the run was told to.
    """

    name: str
    updates: tuple[Update, ...] = ()
    excluded: Mapping[str, str] = field(default_factory=dict)
    superseded: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    build: str = ""
    restart_pending: bool = False
    manual_maintenance: bool = False
    skip: str = ""
    updater: str = ""
    updater_why: str = ""
    restart_asked: bool = False

    @property
    def has_work(self) -> bool:
        """Whether the node has anything to install, or a restart to make up for or to make because it was asked for."""
        return not self.skip and (bool(self.updates) or self.restart_pending or self.restart_asked)

    @property
    def work(self) -> str:
        """What is done on it in a few words, or why nothing is."""
        if not self.has_work:
            return self.skip or "nothing to install"
        restart = "a restart, as asked for" if self.restart_asked else "a restart that is pending"
        parts = [f"{len(self.updates)} update{'' if len(self.updates) == 1 else 's'}"] if self.updates else []
        parts += [restart] if self.restart_asked or self.restart_pending else []
        return " and ".join(parts)

    @classmethod
    def from_scan(cls, details: Mapping[str, Any], skip: str = "") -> PlannedNode:
        """Return the planned node of a scan step's ``Done.details``."""
        return _node({"skip": skip, **details, "name": details["node"]})


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is going to do.

    ``members`` are all nodes of the cluster as found, ``already_out`` those not Up then. ``per_node`` is how long one node
    probably takes, ``longest_node`` what it hardly exceeds: that much has to be left in a window before a node is begun.
    ``options`` are those under which it was made, as JSON data, and ``fingerprint`` is what nobody else should change since.
    """

    cluster: str
    made_at: datetime
    nodes: tuple[PlannedNode, ...]
    members: tuple[str, ...]
    already_out: tuple[str, ...] = ()
    order_reason: str = ""
    max_failed_nodes: int = 0
    per_node: timedelta | None = None
    longest_node: timedelta | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: Fingerprint | None = None

    @property
    def tolerated(self) -> tuple[str, ...]:
        """The nodes found out of service beside which one more node may be taken out; none unless the budget allows it."""
        return self.already_out if out_of_service(self.max_failed_nodes, self.already_out).allows else ()

    def node(self, name: str) -> PlannedNode:
        """Return the plan of one node; raises KeyError when it is not planned."""
        for node in self.nodes:
            if node.name.lower() == name.lower():
                return node
        raise KeyError(
            f"Node {name} is not in the plan of {self.cluster} ({', '.join(node.name for node in self.nodes)})."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON data."""
        return {
            "cluster": self.cluster,
            "made_at": self.made_at.isoformat(),
            "members": list(self.members),
            "already_out": list(self.already_out),
            "order_reason": self.order_reason,
            "max_failed_nodes": self.max_failed_nodes,
            "per_node_seconds": None if self.per_node is None else self.per_node.total_seconds(),
            "longest_node_seconds": None if self.longest_node is None else self.longest_node.total_seconds(),
            "options": dict(self.options),
            "fingerprint": None if self.fingerprint is None else self.fingerprint.to_json(),
            "nodes": [
                {
                    "name": node.name,
                    "updater": node.updater,
                    "updater_why": node.updater_why,
                    "updates": [
                        {"update_id": update.update_id, "title": update.title, "kb": update.kb}
                        for update in node.updates
                    ],
                    "excluded": dict(node.excluded),
                    "superseded": list(node.superseded),
                    "reasons": dict(node.reasons),
                    "build": node.build,
                    "restart_pending": node.restart_pending,
                    "manual_maintenance": node.manual_maintenance,
                    "skip": node.skip,
                    "restart_asked": node.restart_asked,
                }
                for node in self.nodes
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Return the plan that ``to_json`` gave; raises KeyError or ValueError for anything else."""
        seconds, longest = data["per_node_seconds"], data.get("longest_node_seconds")
        found = data.get("fingerprint")
        return cls(
            cluster=str(data["cluster"]),
            made_at=datetime.fromisoformat(data["made_at"]),
            members=tuple(data["members"]),
            already_out=tuple(data["already_out"]),
            order_reason=str(data["order_reason"]),
            max_failed_nodes=int(data["max_failed_nodes"]),
            per_node=None if seconds is None else timedelta(seconds=float(seconds)),
            longest_node=None if longest is None else timedelta(seconds=float(longest)),
            # A plan that an earlier version kept has neither.
            options=dict(data.get("options", {})),
            fingerprint=None if found is None else Fingerprint.from_json(found),
            nodes=tuple(_node(node) for node in data["nodes"]),
        )


def make_plan(
    cluster: str,
    made_at: datetime,
    members: Sequence[ClusterNode],
    scans: Mapping[str, Mapping[str, Any]],
    order: NodeOrder,
    max_failed_nodes: int,
    per_node: timedelta | None = None,
    longest_node: timedelta | None = None,
    restart_nodes: tuple[str, ...] | Literal["all"] = (),
) -> Plan:
    """Return the plan for the nodes of ``order``; a node that is not Up, or was not scanned, is passed over and said so.

    ``scans`` maps node names to the ``Done.details`` of their scan steps; ``restart_nodes`` are restarted in any case.
    """
    nodes = []
    for name in order.nodes:
        member = find_node(members, name)
        state = member.state if member else "not in the cluster"
        skip = "" if member is not None and member.is_up else f"{name} is {state}, so this run leaves it alone"
        if name not in scans:
            nodes.append(PlannedNode(name, skip=skip or f"{name} was not scanned"))
        else:
            asked = is_chosen(restart_nodes, name)
            nodes.append(replace(PlannedNode.from_scan(scans[name], skip), restart_asked=asked))
    return Plan(
        cluster=cluster,
        made_at=made_at,
        nodes=tuple(nodes),
        members=tuple(member.name for member in members),
        already_out=tuple(member.name for member in nodes_out(members)),
        order_reason="; ".join(f"{name}: {why}" for name, why in order.why.items()),
        max_failed_nodes=max_failed_nodes,
        per_node=per_node,
        longest_node=longest_node,
    )


def _node(data: Mapping[str, Any]) -> PlannedNode:
    return PlannedNode(
        name=str(data["name"]),
        updates=tuple(Update(str(item["update_id"]), str(item["title"])) for item in data["updates"]),
        excluded=dict(data["excluded"]),
        # A plan that an earlier version kept has neither.
        superseded=tuple(data.get("superseded", ())),
        reasons=dict(data.get("reasons", {})),
        build=str(data["build"]),
        restart_pending=bool(data["restart_pending"]),
        manual_maintenance=bool(data["manual_maintenance"]),
        skip=str(data["skip"]),
        updater=str(data.get("updater", "")),
        updater_why=str(data.get("updater_why", "")),
        restart_asked=bool(data.get("restart_asked", False)),
    )
