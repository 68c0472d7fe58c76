"""Windows services of the simulated machines, as far as an update touches them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine, Node, Service

if TYPE_CHECKING:
    from include.simulator.world.world import World

CLUSTER = "ClusSvc"
REMOTE_MANAGEMENT = "WinRM"
#: Services that refuse to be stopped.
UNSTOPPABLE = frozenset({"Schedule", "mpssvc"})
START_TYPES = ("Automatic", "Manual", "Disabled")
_TAKES = timedelta(seconds=4)


class ServiceRefusedError(Exception):
    """The service control manager refused; the text says why."""


def node_services() -> dict[str, Service]:
    """Return the services of a cluster node right after a quiet start."""
    services = (
        Service("ClusSvc", "Cluster Service"),
        Service("TrustedInstaller", "Windows Modules Installer", "Stopped", "Manual"),
        Service("wuauserv", "Windows Update", "Stopped", "Manual"),
        Service("WinRM", "Windows Remote Management (WS-Management)"),
        Service("vmms", "Hyper-V Virtual Machine Management"),
        Service("Schedule", "Task Scheduler"),
        Service("mpssvc", "Windows Defender Firewall"),
        Service("BITS", "Background Intelligent Transfer Service", "Stopped", "Manual"),
    )
    return {service.name: service for service in services}


def host_services() -> dict[str, Service]:
    """Return the services of a machine outside the cluster."""
    names = ("TrustedInstaller", "wuauserv", "WinRM", "Schedule", "mpssvc", "BITS")
    return {name: service for name, service in node_services().items() if name in names}


class Services:
    """Changes services and journals the change."""

    def __init__(self, world: World) -> None:
        self._world = world

    def set(self, machine: Machine, name: str, status: str) -> None:
        """Set the status of a service where it differs; nothing else follows from it."""
        service = machine.services[name]
        if service.status == status:
            return
        service.status = status
        self._announce(machine, service)

    def set_start_type(self, machine: Machine, name: str, start_type: str) -> None:
        """Change when a service starts; what runs goes on running. ValueError for a start type that there is not."""
        if start_type not in START_TYPES:
            raise ValueError(f"A service starts {', '.join(START_TYPES)}, not {start_type}.")
        service = machine.services[name]
        if service.start_type != start_type:
            service.start_type = start_type
            self._announce(machine, service)

    def stop(self, machine: Machine, name: str) -> None:
        """Stop a service; it is StopPending for some seconds. Raises ServiceRefusedError where it cannot be stopped.

        A node whose cluster service stops leaves the cluster in good order: its roles fail over.
        """
        service = machine.services[name]
        if name in UNSTOPPABLE:
            raise ServiceRefusedError(f"Cannot stop {name} service on computer '.'.")
        if service.status != "Running":
            return
        self.set(machine, name, "StopPending")
        self._world.after(self._world.spread(_TAKES), lambda: self._stopped(machine, name))

    def start(self, machine: Machine, name: str) -> None:
        """Start a service; it is StartPending for some seconds. Raises ServiceRefusedError for a disabled one."""
        service = machine.services[name]
        if service.start_type == "Disabled":
            raise ServiceRefusedError(f"Cannot start service {name} on computer '.'.")
        if service.status == "Stopped":
            self.set(machine, name, "StartPending")
            self._world.after(self._world.spread(_TAKES), lambda: self._started(machine, name))

    def booted(self, machine: Machine) -> None:
        """Let those services run that start by themselves; the cluster's and servicing's have their own starters."""
        for service in machine.services.values():
            if service.name not in (CLUSTER, "TrustedInstaller"):
                self.set(machine, service.name, "Running" if service.start_type == "Automatic" else "Stopped")

    def reachable(self, machine: Machine) -> bool:
        """Tell whether the machine answers remote management."""
        return machine.up and machine.services[REMOTE_MANAGEMENT].status == "Running"

    def _stopped(self, machine: Machine, name: str) -> None:
        if not machine.up or machine.services[name].status != "StopPending":
            return
        self.set(machine, name, "Stopped")
        if name == CLUSTER and isinstance(machine, Node):
            self._world.cluster_service.stop(machine)
        elif name == "wuauserv" and isinstance(machine, Node):
            self._world.updates.interrupt(machine)
        elif name == REMOTE_MANAGEMENT:
            self._world.power_changed(machine.name, False)

    def _started(self, machine: Machine, name: str) -> None:
        if not machine.up or machine.services[name].status != "StartPending":
            return
        self.set(machine, name, "Running")
        if name == CLUSTER and isinstance(machine, Node):
            if not machine.joining:
                self._world.membership.start_joining(machine)
        elif name == REMOTE_MANAGEMENT:
            self._world.power_changed(machine.name, True)

    def _announce(self, machine: Machine, service: Service) -> None:
        node = machine if isinstance(machine, Node) else None
        detail = {
            "node": machine.name,
            "name": service.name,
            "status": service.status,
            "start_type": service.start_type,
        }
        self._world.emit("service", node, detail)
