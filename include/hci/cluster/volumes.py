"""The volumes that a node sees: its own and those on the virtual disks."""

from __future__ import annotations

from dataclasses import dataclass

from include.hci.cluster.values import HEALTH, enum_name
from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume; ``label`` is its file system's."""

    label: str
    health: str


def get_volumes(shell: Shell) -> tuple[Volume, ...]:
    """Return the volumes of the node and those of attached virtual disks (Get-Volume)."""
    return tuple(
        Volume(item.string("FileSystemLabel", ""), enum_name(item, "HealthStatus", HEALTH))
        for item in shell.run(Command("Get-Volume")).require().objects()
    )
