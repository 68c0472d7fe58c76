"""Whether a server takes part in remote management as CAU needs it, and setting that up.

Source: windowsserverdocs, cluster-aware-updating-requirements; PowerShell-Docs, Set-WSManQuickConfig, Enable-PSRemoting and
Get-PSSessionConfiguration.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from include.hci.cluster.machine import Service, get_services
from include.hci.powershell.command import Command
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH

WINRM = "WinRM"
#: The session configuration that CAU's coordinator uses on the nodes.
DEFAULT_ENDPOINT = "microsoft.powershell"
#: The network users (NU) in a security descriptor, where they are denied (D) everything (PowerShell-Docs, Disable-PSRemoting).
_DENIES_NETWORK = "(D;;GA;;;NU)"
#: The same as a name in the server's own language and a kind of entry in none.
_DENIED = "AccessDenied"
_TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class RemoteManagement:
    """How far a server takes part.

    ``service`` is WinRM's; ``listens``: it answers on its own machine; ``lets_in``: PowerShell lets remote users in.
    """

    service: Service
    listens: bool
    lets_in: bool

    @property
    def starts_by_itself(self) -> bool:
        """Whether the service runs and starts with the server."""
        return self.service.is_running and self.service.start_type == "Automatic"


def get_remote_management(shell: Shell) -> RemoteManagement:
    """Return how the server takes part (Get-Service, Test-WSMan, Get-PSSessionConfiguration)."""
    [service] = get_services(shell, (WINRM,))
    return RemoteManagement(service, _listens(shell), _lets_in(shell))


def set_wsman_quick_config(shell: Shell) -> None:
    """Start WinRM with the server, give it a listener and open its firewall rules (Set-WSManQuickConfig)."""
    shell.run(Command("Set-WSManQuickConfig", {"Force": SWITCH}), timeout=_TIMEOUT).require()


def enable_ps_remoting(shell: Shell) -> None:
    """Let remote users into PowerShell (Enable-PSRemoting).

    It restarts WinRM, so that this very session ends with it: that nobody answers says nothing about what came of it.
    """
    shell.run(Command("Enable-PSRemoting", {"Force": SWITCH}), timeout=_TIMEOUT).require()


def _listens(shell: Shell) -> bool:
    try:
        shell.run(Command("Test-WSMan")).require()
    except CommandFailed:
        return False
    return True


def _lets_in(shell: Shell) -> bool:
    for item in shell.run(Command("Get-PSSessionConfiguration")).require().objects():
        if item.string("Name", "").lower() == DEFAULT_ENDPOINT:
            return _is_enabled(item)
    return False


def _is_enabled(item: PSObject) -> bool:
    if item.string("Enabled", "True").lower() == "false":
        return False
    descriptor = item.string("SecurityDescriptorSddl", "")
    if descriptor:
        return _DENIES_NETWORK not in descriptor.replace(" ", "")
    return _DENIED not in item.string("Permission", "")
