"""Backups right before a node is paused: a machine that is backed up cannot be moved.

The readiness checks have looked for them, but that may have been hours ago.
"""

from __future__ import annotations

from include.hci.cluster.facade import Cluster
from include.hci.cluster.virtual_machines import get_virtual_machines
from include.hci.powershell.errors import CommandNotAvailable


def read_backups(cluster: Cluster, node: str) -> tuple[str, ...]:
    """Return the running virtual machines of ``node`` that are being backed up at this moment; raises RemotingError.

    A pause would not wait for them: its drain fails at them, or takes the volume away below a backup that is half done
    (win32, Microsoft.HyperV.PowerShell.VMOperationalStatus; windowsserverdocs, live migration).
    """
    try:
        machines = get_virtual_machines(cluster.on(node), node)
    except CommandNotAvailable:
        return ()  # a cluster that hosts no virtual machines need not have Hyper-V
    return tuple(machine.name for machine in machines if machine.clustered and machine.is_backed_up)
