"""BitLocker on the machines' operating system volumes, and what a firmware change does to a volume that is still protected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine, Node

if TYPE_CHECKING:
    from include.simulator.world.world import World

SYSTEM_VOLUME = "C:"


@dataclass(slots=True, eq=False)
class Volume:
    """One volume: ``suspended_for`` is how many more restarts protection stays off, 0 until it is resumed, None: it is on."""

    mount_point: str
    encrypted: bool
    suspended_for: int | None = None
    capacity_gib: float = 446.0
    firmware_changed: bool = False

    @property
    def status(self) -> str:
        """ProtectionStatus."""
        return "On" if self.encrypted and self.suspended_for is None else "Off"


class BitLocker:
    """Suspends and resumes protection (windows-powershell-docs, Suspend-BitLocker)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._volumes: dict[str, list[Volume]] = {}
        self._recovering: set[str] = set()

    def volumes(self, machine: Machine) -> list[Volume]:
        """Return the machine's volumes."""
        return self._volumes.setdefault(machine.name, [Volume(SYSTEM_VOLUME, encrypted=False)])

    def encrypt(self, machine: Machine) -> None:
        """Encrypt and protect the operating system volume."""
        for volume in self.volumes(machine):
            volume.encrypted = True
            self._announce(machine, volume)

    def suspend(self, machine: Machine, volume: Volume, restarts: int = 1) -> None:
        """Switch protection off for ``restarts`` restarts (0 to 15), 0 until it is resumed; ValueError for other numbers."""
        if not 0 <= restarts <= 15:
            raise ValueError(f"BitLocker can be suspended for 0 to 15 restarts, not {restarts}.")
        volume.suspended_for = restarts
        self._announce(machine, volume)

    def resume(self, machine: Machine, volume: Volume) -> None:
        """Switch protection on again; the keys are sealed to the firmware as it is now."""
        volume.suspended_for = None
        volume.firmware_changed = False
        self._announce(machine, volume)

    def firmware_changed(self, machine: Machine) -> None:
        """Note that what the TPM measures differs from the next restart on."""
        for volume in self.volumes(machine):
            volume.firmware_changed = True

    def stops_boot(self, node: Node) -> bool:
        """Tell whether ``node`` stops at the recovery screen: protected, and the keys are sealed to another firmware."""
        stops = any(volume.status == "On" and volume.firmware_changed for volume in self.volumes(node))
        if stops:
            self._recovering.add(node.name)
            self._world.emit(
                "bitlocker", node, {"node": node.name, "volume": SYSTEM_VOLUME, "status": "RecoveryRequired"}
            )
        return stops

    def enter_recovery_key(self, node: Node) -> None:
        """Let a node go on that stops at the recovery screen, as a person at its console would; else nothing happens."""
        if node.name in self._recovering:
            self._recovering.discard(node.name)
            for volume in self.volumes(node):
                volume.firmware_changed = False
            self._world.power.start(node)

    def booted(self, machine: Machine) -> None:
        """Count a restart off and protect again where it was the last one."""
        for volume in self.volumes(machine):
            if volume.suspended_for:
                volume.suspended_for -= 1
                if not volume.suspended_for:
                    self.resume(machine, volume)

    def state(self, machine: Machine) -> dict[str, str]:
        """Return the protection of every volume for the snapshot."""
        return {volume.mount_point: volume.status for volume in self.volumes(machine)}

    def _announce(self, machine: Machine, volume: Volume) -> None:
        node = machine if isinstance(machine, Node) else None
        detail = {"node": machine.name, "volume": volume.mount_point, "status": volume.status}
        self._world.emit("bitlocker", node, detail)
