"""Where the commands about CAU's self-updating role are given, and what every step about it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from include.hci.cluster.cau import CauRunState, get_cau_cluster_role, get_cau_run
from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import get_windows_version
from include.hci.cluster.nodes import get_cluster_nodes, get_cluster_resources
from include.hci.cluster.time_zone import get_time_zone
from include.hci.policy.cau_role import RoleState
from include.hci.policy.checks.coordination import is_role_online
from include.hci.powershell.errors import RemotingError
from include.hci.powershell.shell import Shell

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """A machine on which CAU's cmdlets are run. ``on_node``: why it is a node of the cluster, empty where it is outside."""

    shell: Shell
    name: str
    on_node: str = ""


def role_place(cluster: Cluster) -> Place:
    """Return the management host where its session carries its credentials on to the cluster, else a node of the cluster.

    From a node the role can be read and switched, because the local cluster service acts by itself; adding it is documented for
    a machine outside of the cluster only (azure-stack-docs, update-cluster; PowerShell-Docs, ps-remoting-second-hop).
    """
    management = cluster.management()
    if management is None:
        return Place(cluster.any(), "a node", "the cluster has no management_host")
    if management.shell is None:
        return Place(cluster.any(), "a node", management.problem or "the management host cannot be reached")
    if not management.passes_credentials:
        why = "the connection of the management host passes no credentials on (auth credssp, or negotiate_delegate)"
        return Place(cluster.any(), "a node", why)
    return Place(management.shell, "the management host")


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """The role, CAU's run, and the place of the commands with its Windows build.

    ``down`` are the nodes that are not up: their clocks were not asked for.
    """

    state: RoleState
    run: CauRunState
    place: str
    on_node: str
    build: int
    down: tuple[str, ...] = ()


def read_role(cluster: Cluster) -> RoleFacts:
    """Read the role and all that it depends on; raises what the shell raises when the cluster itself does not answer."""
    place = role_place(cluster)
    shell = cluster.any()
    hosts = (place.shell, shell) if not place.on_node else (shell,)
    role = _first(hosts, lambda host: get_cau_cluster_role(host, cluster.name))
    enabled = is_role_online(get_cluster_resources(shell))
    if enabled is None and role is not None:
        status = next((value for name, value in role.items() if name.lower() == "status"), "")
        enabled = None if not status else status.lower() == "online"
    nodes = get_cluster_nodes(shell)
    up = [node.name for node in nodes if node.is_up]
    return RoleFacts(
        state=RoleState(role, enabled, {name: get_time_zone(cluster.on(name)) for name in up}),
        run=_first(hosts, lambda host: get_cau_run(host, cluster.name)),
        place=place.name,
        on_node=place.on_node,
        build=get_windows_version(place.shell).build.number,
        down=tuple(node.name for node in nodes if not node.is_up),
    )


def _first(shells: Sequence[Shell], read: Callable[[Shell], T]) -> T:
    *others, last = shells
    for shell in others:
        try:
            return read(shell)
        except RemotingError:
            continue
    return read(last)
