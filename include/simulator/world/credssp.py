"""CredSSP on every machine: whether it accepts delegated credentials, and to whom it may pass on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine, Node

if TYPE_CHECKING:
    from include.simulator.world.world import World


@dataclass(frozen=True, slots=True)
class ClientRole:
    """The client role: ``enabled`` is its setting under Client, Auth, ``targets`` the AllowFreshCredentials policy."""

    enabled: bool = False
    targets: tuple[str, ...] = ()


class CredSsp:
    """Switches both roles and journals it (PowerShell-Docs, Enable-WSManCredSSP)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clients: dict[str, ClientRole] = {}

    def client(self, machine: Machine) -> ClientRole:
        """Return the client role of ``machine``."""
        return self._clients.get(machine.name, ClientRole())

    def enable_client(self, machine: Machine, targets: tuple[str, ...]) -> None:
        """Let ``machine`` delegate fresh credentials to ``targets`` beside those it may delegate to already."""
        before = self.client(machine)
        known = {each.lower() for each in before.targets}
        more = tuple(f"wsman/{each}" for each in targets if f"wsman/{each}".lower() not in known)
        self._clients[machine.name] = ClientRole(True, (*before.targets, *more))
        self._announce(machine, "client", before.enabled, True)

    def disable_client(self, machine: Machine) -> None:
        """Take the client role away with everything it may delegate to."""
        before = self._clients.pop(machine.name, ClientRole())
        self._announce(machine, "client", before.enabled, False)

    def set_server(self, machine: Machine, enabled: bool) -> None:
        """Let ``machine`` accept delegated credentials or not."""
        before, machine.credssp = machine.credssp, enabled
        self._announce(machine, "server", before, enabled)

    def state(self, machine: Machine) -> dict[str, bool]:
        """Return both roles for the snapshot."""
        return {"client": self.client(machine).enabled, "server": machine.credssp}

    def _announce(self, machine: Machine, role: str, before: bool, after: bool) -> None:
        if before != after:
            node = machine if isinstance(machine, Node) else None
            self._world.emit("credssp", node, {"machine": machine.name, "role": role, "enabled": after})
