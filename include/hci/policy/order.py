"""The order in which nodes are updated."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from include.hci.cluster.nodes import ClusterGroup, ClusterResource

#: Groups that the cluster has for itself and that are no clustered roles: the pool of Storage Spaces Direct is in one of its own
#: (win32, CLUSGROUP_TYPE).
CORE_GROUPS = frozenset({"Cluster", "AvailableStorage", "Temporary", "ClusterSharedVolume", "ClusterStoragePool"})
_CAU_RESOURCE = "clusterawareupdatingresource"


@dataclass(frozen=True, slots=True)
class NodeOrder:
    """The nodes in their order, and for each of them why it stands there."""

    nodes: tuple[str, ...]
    why: Mapping[str, str]


def count_roles(groups: Collection[ClusterGroup], node: str) -> int:
    """Return how many clustered roles ``node`` owns, whatever their state."""
    return sum(1 for group in groups if group.owner.lower() == node.lower() and group.kind not in CORE_GROUPS)


def coordinator_owner(resources: Collection[ClusterResource]) -> str:
    """Return the node that owns the self-updating role; empty where there is no such role.

    The role moves away when its node is drained; as the last one it moves once only.
    """
    roles = (resource.owner for resource in resources if resource.kind.lower() == _CAU_RESOURCE)
    return next(filter(None, roles), "")


def order_nodes(
    nodes: Sequence[str], groups: Collection[ClusterGroup] = (), explicit: Sequence[str] = (), last: str = ""
) -> NodeOrder:
    """Return ``nodes`` in the order to update them.

    Those named in ``explicit`` come first, in that order; the others follow, the ones with the fewest clustered roles first
    (windowsserverdocs, cluster-aware-updating-options: NodeOrder), equals by name. ``last`` (see ``coordinator_owner``) comes
    after them all unless ``explicit`` names it. Names in ``explicit`` that are no nodes are passed over.
    """
    by_key = {name.lower(): name for name in nodes}
    named = [by_key.pop(name.lower()) for name in explicit if name.lower() in by_key]
    roles = {name: count_roles(groups, name) for name in by_key.values()}
    rest = sorted(by_key.values(), key=lambda name: (name.lower() == last.lower(), roles[name], name.lower()))
    why = {name: f"place {place} of node_order" for place, name in enumerate(named, 1)}
    why |= {name: "1 clustered role" if roles[name] == 1 else f"{roles[name]} clustered roles" for name in rest}
    if rest and rest[-1].lower() == last.lower():
        why[rest[-1]] += ", owner of the coordinating role: last"
    return NodeOrder((*named, *rest), why)
