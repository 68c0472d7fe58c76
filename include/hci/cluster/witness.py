"""Which node's word is taken for the cluster's state: one that is in the cluster and in service."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from include.hci.cluster.facade import Cluster, is_denied, may_ask_another
from include.hci.cluster.nodes import ClusterNode, get_cluster_nodes
from include.hci.cluster.values import NodeState
from include.hci.powershell.errors import AuthenticationRefused, NodeUnreachable, RemotingError
from include.hci.powershell.shell import Shell


def spelled(nodes: Iterable[ClusterNode], cluster: Cluster) -> tuple[ClusterNode, ...]:
    """Return ``nodes`` under the names of the fleet file, whose spelling the cluster need not share: HCI01 may be hci01 there.

    Tasks, record and plan go by the file's names, so that one node must not have two. A node that the file lacks keeps its own.
    """
    known = {name.lower(): name for name in cluster.nodes}
    return tuple(replace(node, name=known.get(node.name.lower(), node.name)) for node in nodes)


def read_from_witness(cluster: Cluster, avoid: Collection[str] = ()) -> tuple[Shell, tuple[ClusterNode, ...]]:
    """Return a shell on a node that is Up, and the nodes of the cluster as it sees them.

    A node outside the cluster, or only just back in it, shows a storage without disks and without jobs, which must not be taken
    for a whole one (azure-stack-docs, maintain-servers). Nodes that are paused, and those to ``avoid``, are asked last. Raises
    NodeUnreachable, naming every node and its reason, when none will do; what a node said that denied access, when one did.
    """
    shunned = {name.lower() for name in avoid}
    reasons: list[str] = []
    denied: RemotingError | None = None
    logins = False
    second_best: tuple[Shell, tuple[ClusterNode, ...]] | None = None
    for name in sorted(cluster.nodes, key=lambda node: node.lower() in shunned):
        shell = cluster.on(name)
        try:
            nodes = spelled(get_cluster_nodes(shell), cluster)
        except RemotingError as error:
            if not may_ask_another(error, changes=False, logins=logins):
                raise
            logins = logins or isinstance(error, AuthenticationRefused)
            denied = denied or (error if is_denied(error) else None)
            reasons.append(f"{name}: {error.detail}")
            continue
        state = next((node.state for node in nodes if node.name.lower() == name.lower()), NodeState.UNKNOWN)
        if state is NodeState.UP and name.lower() not in shunned:
            return shell, nodes
        if state in (NodeState.UP, NodeState.PAUSED):
            second_best = second_best or (shell, nodes)
        else:
            reasons.append(f"{name} is {state}")
    if second_best is not None:
        return second_best
    if denied is not None:
        raise denied
    raise NodeUnreachable(f"no node of {cluster.name} could tell its state ({'; '.join(reasons)})")
