"""Stopping the whole cluster, and taking its virtual disks offline and online.

The order of an offline update is that of azure-stack-docs and of MSLab, "S2D and Emergency Patching".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from include.hci.cluster.nodes import ClusterResource, get_cluster_shared_volumes
from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.quoting import quoted
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH

#: Stopping a cluster or a disk takes as long as its slowest resource.
_TIMEOUT = timedelta(minutes=15)
_DISK = "Physical Disk"
#: What stands for the type of a shared volume's resource, which the cluster shows as an object of another kind.
SHARED_VOLUME = "Cluster Shared Volume"


def stop_cluster(shell: Shell) -> None:
    """Stop the cluster service on every node, from a node itself (Stop-Cluster; -Force, or it would ask)."""
    shell.run(Command("Stop-Cluster", {"Force": SWITCH}), timeout=_TIMEOUT).require()


def stop_cluster_resource(shell: Shell, name: str, *, shared: bool = False) -> None:
    """Take a resource offline; it stays so until it is started, over a restart of the cluster too (Stop-ClusterResource).

    ``shared``: it is that of a shared volume, which is piped as microsoft/MSLab does it.
    """
    shell.run(_resource("Stop-ClusterResource", name, shared=shared), timeout=_TIMEOUT).require()


def start_cluster_resource(shell: Shell, name: str, *, shared: bool = False) -> None:
    """Bring a resource online, a ``shared`` volume's or another (Start-ClusterResource)."""
    shell.run(_resource("Start-ClusterResource", name, shared=shared), timeout=_TIMEOUT).require()


def start_cluster_group(shell: Shell, name: str) -> None:
    """Order a role online and do not wait for it, so that many of them start at once (Start-ClusterGroup -Wait 0)."""
    shell.run(Command("Start-ClusterGroup", {"Name": name, "Wait": 0})).require()


def get_disk_resources(shell: Shell, resources: Iterable[ClusterResource]) -> tuple[ClusterResource, ...]:
    """Return the resources of the virtual disks, those of shared volumes first, which are of the kind SHARED_VOLUME.

    Of ``resources``, which Get-ClusterResource gave, they are those of type Physical Disk. It gives no shared volumes
    (zenoss/ZenPacks.zenoss.Microsoft.Windows, pull request 1057); on Storage Spaces Direct all are but the performance history.
    """
    volumes = get_cluster_shared_volumes(shell)
    shared = tuple(ClusterResource(each.name, SHARED_VOLUME, each.state, "", each.owner) for each in volumes)
    known = {each.name.lower() for each in shared}
    return (*shared, *(each for each in resources if each.kind == _DISK and each.name.lower() not in known))


def show_starting(name: str) -> str:
    """Return the command that a person types to bring a disk's resource online, be it a shared volume's or not."""
    found = f"Where-Object Name -eq {quoted(name)}"
    return f"@(Get-ClusterSharedVolume) + @(Get-ClusterResource) | {found} | Start-ClusterResource"


def _resource(verb: str, name: str, *, shared: bool) -> Command | Pipeline:
    return (
        Command("Get-ClusterSharedVolume", {"Name": name}) | Command(verb) if shared else Command(verb, {"Name": name})
    )
