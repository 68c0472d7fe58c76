"""Moving one role by hand: a virtual machine live, any other role as the cluster does it."""

from __future__ import annotations

from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH


def live_migrate(shell: Shell, cluster: str, role: str, node: str) -> None:
    """Order the virtual machine in ``role`` to ``node``, running all the while, and do not wait for it.

    The page of Move-ClusterVirtualMachineRole says that it cannot be run remotely without CredSSP: ``shell`` has a session that
    passes its credentials on.
    """
    command = Command(
        "Move-ClusterVirtualMachineRole",
        {"Name": role, "Node": node, "MigrationType": "Live", "Wait": 0, "Cluster": cluster},
    )
    shell.run(command).require()


def cancel_migration(shell: Shell, cluster: str, role: str) -> None:
    """Break off the migration of the virtual machine in ``role``; it stays where it is."""
    command = Command("Move-ClusterVirtualMachineRole", {"Name": role, "Cancel": SWITCH, "Cluster": cluster})
    shell.run(command).require()


def move_cluster_group(shell: Shell, role: str, node: str) -> None:
    """Order ``role`` to ``node`` and do not wait for it; it is offline on the way (Move-ClusterGroup)."""
    shell.run(Command("Move-ClusterGroup", {"Name": role, "Node": node, "Wait": 0})).require()
