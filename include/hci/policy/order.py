"""The order in which nodes are updated."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from include.hci.cluster.nodes import ClusterGroup

#: Groups that every cluster has and that are no clustered roles.
CORE_GROUPS = frozenset({"Cluster", "AvailableStorage"})


@dataclass(frozen=True, slots=True)
class NodeOrder:
    """The nodes in their order, and for each of them why it stands there."""

    nodes: tuple[str, ...]
    why: Mapping[str, str]


def count_roles(groups: Collection[ClusterGroup], node: str) -> int:
    """Return how many clustered roles ``node`` owns, whatever their state."""
    return sum(1 for group in groups if group.owner.lower() == node.lower() and group.kind not in CORE_GROUPS)


def order_nodes(nodes: Sequence[str], groups: Collection[ClusterGroup] = (), explicit: Sequence[str] = ()) -> NodeOrder:
    """Return ``nodes`` in the order to update them.

    Those named in ``explicit`` come first, in that order; the others follow, the ones with the fewest clustered roles first
    (windowsserverdocs, cluster-aware-updating-options: NodeOrder), equals by name. Names in ``explicit`` that are no nodes are
    passed over.
    """
    by_key = {name.lower(): name for name in nodes}
    named = [by_key.pop(name.lower()) for name in explicit if name.lower() in by_key]
    roles = {name: count_roles(groups, name) for name in by_key.values()}
    rest = sorted(by_key.values(), key=lambda name: (roles[name], name.lower()))
    why = {name: f"place {place} of node_order" for place, name in enumerate(named, 1)}
    why |= {name: "1 clustered role" if roles[name] == 1 else f"{roles[name]} clustered roles" for name in rest}
    return NodeOrder((*named, *rest), why)
