"""Stopping the whole cluster, and taking its virtual disks offline and online.

The order of an offline update is that of azure-stack-docs and of MSLab, "S2D and Emergency Patching".
"""

from __future__ import annotations

from datetime import timedelta

from include.hci.cluster.nodes import ClusterResource
from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH

#: Stopping a cluster or a disk takes as long as its slowest resource.
_TIMEOUT = timedelta(minutes=15)
_DISK = "Physical Disk"


def stop_cluster(shell: Shell) -> None:
    """Stop the cluster service on every node, from a node itself (Stop-Cluster; -Force, or it would ask)."""
    shell.run(Command("Stop-Cluster", {"Force": SWITCH}), timeout=_TIMEOUT).require()


def stop_cluster_resource(shell: Shell, name: str) -> None:
    """Take a resource offline; it stays so until it is started, over a restart of the cluster too (Stop-ClusterResource)."""
    shell.run(Command("Stop-ClusterResource", {"Name": name}), timeout=_TIMEOUT).require()


def start_cluster_resource(shell: Shell, name: str) -> None:
    """Bring a resource online (Start-ClusterResource)."""
    shell.run(Command("Start-ClusterResource", {"Name": name}), timeout=_TIMEOUT).require()


def start_cluster_group(shell: Shell, name: str) -> None:
    """Order a role online and do not wait for it, so that many of them start at once (Start-ClusterGroup -Wait 0)."""
    shell.run(Command("Start-ClusterGroup", {"Name": name, "Wait": 0})).require()


def is_virtual_disk(resource: ClusterResource) -> bool:
    """Return whether the resource is a virtual disk: in the cluster it is one of type Physical Disk."""
    return resource.kind == _DISK
