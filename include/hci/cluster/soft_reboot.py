"""Whether CAU restarts nodes by Kernel Soft Reboot: a private property of the cluster (azure-stack-docs, kernel-soft-reboot)."""

from __future__ import annotations

from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell

SOFT_REBOOT = "CauEnableSoftReboot"


def get_soft_reboot(shell: Shell) -> str:
    """Return the value of the property, empty where it is not set: only 1 switches soft reboots on.

    All private properties are read, because one that is asked for by name and not there may be an error or nothing at all.
    """
    pipeline = Command("Get-Cluster") | Command("Get-ClusterParameter")
    for item in shell.run(pipeline).require().objects():
        if item.string("Name", "").lower() == SOFT_REBOOT.lower():
            return item.string("Value", "")
    return ""
