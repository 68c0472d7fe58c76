"""What the journal says the cluster looked like at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from include.simulator.referee.orders import Order
from include.simulator.referee.rules import NO_RULES, Rules

LOCK = "MSFT_CAURun"
#: Job states in which nothing is left to be done (MSFT_StorageJob, JobState).
_OVER = frozenset({"Completed", "Terminated", "Killed", "Exception"})
_DARK = frozenset({"Offline", "Failed"})


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
class Votes:
    """The votes that count, dynamic weights and the witness included, and how many of them are up."""

    all: int
    up: int

    def survive(self, lost: int) -> bool:
        """Tell whether ``lost`` more votes may go at once without the cluster's losing its quorum."""
        return (self.up - lost) * 2 > self.all


@dataclass(frozen=True, slots=True)
class ClusterView:
    """The cluster between two entries.

    ``ordered`` are the nodes that somebody ordered out of service and that are not back; ``orders`` the unanswered commands that
    did so, with what was ordered before; ``guids`` the ids under which somebody asked for the lock, with the accounts that did;
    ``last_out`` the node that left service most recently; ``stopped`` whether the whole cluster was stopped.
    """

    nodes: Mapping[str, NodeView] = field(default_factory=dict)
    groups: Mapping[str, GroupView] = field(default_factory=dict)
    vms: Mapping[str, str] = field(default_factory=dict)
    disks: Mapping[str, str] = field(default_factory=dict)
    jobs: Mapping[str, str] = field(default_factory=dict)
    locks: Mapping[str, str] = field(default_factory=dict)
    ordered: Mapping[str, Order] = field(default_factory=dict)
    orders: Mapping[str, tuple[tuple[str, Order | None], ...]] = field(default_factory=dict)
    guids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rules: Rules = NO_RULES
    votes: Votes | None = None
    last_out: str | None = None
    stopped: bool = False

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
        return sorted(group.name for group in self.groups.values() if group.owner == node and group.state not in _DARK)

    def find(self, name: str | None) -> NodeView | None:
        """Return the node called ``name``, short or fully qualified, in any case."""
        short = (name or "").split(".")[0].lower()
        return next((node for node in self.nodes.values() if node.name.lower() == short), None)

    def with_node(self, name: str, **changes: Any) -> ClusterView:
        """Return a view in which the node called ``name`` has changed."""
        was = self.nodes.get(name) or NodeView(name)
        node = replace(was, **changes)
        ordered = self.ordered
        if node.in_service and not was.in_service and name in ordered:
            ordered = {key: order for key, order in ordered.items() if key != name}
        gone = was.in_service and not node.in_service
        return replace(
            self, nodes={**self.nodes, name: node}, ordered=ordered, last_out=name if gone else self.last_out
        )
