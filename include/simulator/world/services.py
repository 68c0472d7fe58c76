"""Windows services of the simulated machines, as far as an update touches them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine, Node, Service

if TYPE_CHECKING:
    from include.simulator.world.world import World


def node_services() -> dict[str, Service]:
    """Return the services of a cluster node right after a quiet start."""
    services = (
        Service("ClusSvc", "Cluster Service"),
        Service("TrustedInstaller", "Windows Modules Installer", "Stopped", "Manual"),
        Service("wuauserv", "Windows Update", "Stopped", "Manual"),
        Service("WinRM", "Windows Remote Management (WS-Management)"),
        Service("vmms", "Hyper-V Virtual Machine Management"),
    )
    return {service.name: service for service in services}


def host_services() -> dict[str, Service]:
    """Return the services of a machine outside the cluster."""
    names = ("TrustedInstaller", "wuauserv", "WinRM")
    return {name: service for name, service in node_services().items() if name in names}


class Services:
    """Changes services and journals the change."""

    def __init__(self, world: World) -> None:
        self._world = world

    def set(self, machine: Machine, name: str, status: str) -> None:
        """Set the status of a service where it differs."""
        service = machine.services[name]
        if service.status == status:
            return
        service.status = status
        node = machine if isinstance(machine, Node) else None
        detail = {"node": machine.name, "name": name, "status": status, "start_type": service.start_type}
        self._world.emit("service", node, detail)
