"""Whether a machine takes part in remote management: its WSMan listener and PowerShell's session configurations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.world.firewall import REMOTE_MANAGEMENT
from include.simulator.world.machines import Machine
from include.simulator.world.services import REMOTE_MANAGEMENT as WINRM

if TYPE_CHECKING:
    from include.simulator.world.world import World


#: The session configurations that Windows Server comes with (PowerShell-Docs, Get-PSSessionConfiguration).
CONFIGURATIONS = (
    "microsoft.powershell",
    "microsoft.powershell.workflow",
    "microsoft.powershell32",
    "microsoft.windows.servermanagerworkflows",
)


#: How long after the order the service is started again: it takes some seconds to stop.
RESTART = timedelta(seconds=15)


@dataclass(slots=True)
class RemotingState:
    """``listener``: WSMan has an HTTP listener. ``powershell``: session configurations let remote users in.

    ``configurations``: the names of the session configurations.
    """

    listener: bool = True
    powershell: bool = True
    configurations: tuple[str, ...] = CONFIGURATIONS


class Remoting:
    """Sets remote management up (PowerShell-Docs, Set-WSManQuickConfig, Enable-PSRemoting)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._states: dict[str, RemotingState] = {}

    def state(self, machine: Machine) -> RemotingState:
        """Return how far remote management is set up."""
        return self._states.setdefault(machine.name, RemotingState())

    def configured(self, machine: Machine) -> bool:
        """Tell whether Set-WSManQuickConfig would find nothing to do."""
        service = machine.services[WINRM]
        return (
            self.state(machine).listener
            and service.status == "Running"
            and service.start_type == "Automatic"
            and self._world.firewall.in_effect(machine, REMOTE_MANAGEMENT)
        )

    def quick_config(self, machine: Machine) -> None:
        """Start the service, have it start by itself, create the listener and open the firewall."""
        self._world.services.set_start_type(machine, WINRM, "Automatic")
        self._world.services.start(machine, WINRM)
        self._world.firewall.enable_group(machine, REMOTE_MANAGEMENT)
        self.state(machine).listener = True

    def restart(self, machine: Machine) -> None:
        """Restart the service, which ends every session of the machine; it answers again after some seconds."""
        self._world.services.stop(machine, WINRM)
        self._world.after(RESTART, lambda: self._world.services.start(machine, WINRM) if machine.up else None)

    def enable_powershell(self, machine: Machine) -> None:
        """Do what quick_config does and let remote users into PowerShell's session configurations."""
        if not self.configured(machine):
            self.quick_config(machine)
        self.state(machine).powershell = True

    def disable_powershell(self, machine: Machine) -> None:
        """Keep remote users out of PowerShell's session configurations; service, listener and firewall stay."""
        self.state(machine).powershell = False
