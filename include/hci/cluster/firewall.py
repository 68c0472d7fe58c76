"""The firewall rules with which CAU's coordinator restarts other nodes (windows-powershell-docs, NetSecurity)."""

from __future__ import annotations

from include.hci.cluster.as_found import FIREWALL_GROUPS, get_firewall_groups
from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell

#: The rule group "Remote Shutdown", by the resource that names it in every language.
REMOTE_SHUTDOWN = FIREWALL_GROUPS[0]


def allows_remote_shutdown(shell: Shell) -> bool | None:
    """Return whether every rule of the group is enabled in the machine's own store; None where it has no such group."""
    groups = get_firewall_groups(shell, (REMOTE_SHUTDOWN,))
    return all(groups.values()) if groups else None


def allow_remote_shutdown(shell: Shell) -> None:
    """Enable every rule of the group in the machine's own store; a group policy may still say otherwise."""
    shell.run(Command("Enable-NetFirewallRule", {"Group": REMOTE_SHUTDOWN})).require()


def forbid_remote_shutdown(shell: Shell) -> None:
    """Disable every rule of the group again in the machine's own store."""
    shell.run(Command("Disable-NetFirewallRule", {"Group": REMOTE_SHUTDOWN})).require()
