"""What the Health Service has to report (windowsserverdocs, health-service-faults)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.machines import Node
from include.simulator.world.storage import Health

if TYPE_CHECKING:
    from include.simulator.world.world import World


@dataclass(frozen=True, slots=True)
class HealthFault:
    """One current fault; severities are those of MSFT_StorageDiagnoseResult."""

    id: uuid.UUID
    type: str
    severity: int
    reason: str
    object_type: str
    object_name: str
    location: str
    action: str


def faults(world: World) -> list[HealthFault]:
    """Return the faults that stand at the moment: servers that are down, and virtual disks that need repair or are detached."""
    found = [_server_down(world, node) for node in world.nodes if not node.member]
    for disk in world.storage.virtual_disks:
        if disk.health is Health.Healthy:
            continue
        name, severity, reason = ("NeedsRepair", 4, "The volume's resiliency is reduced.")
        if not disk.attached:
            name, severity, reason = ("Detached", 6, "The volume is inaccessible.")
        kind = f"Microsoft.Health.FaultType.VirtualDisks.{name}"
        found.append(
            HealthFault(
                world.guid(f"fault:{kind}:{disk.name}"),
                kind,
                severity,
                reason,
                "Microsoft.Health.EntityType.VirtualDisk",
                disk.name,
                world.spec.cluster,
                "Bring the servers and disks that hold its copies back, and let the repair finish.",
            )
        )
    return found


def _server_down(world: World, node: Node) -> HealthFault:
    kind = "Microsoft.Health.FaultType.Server." + ("Quarantined" if node.quarantined else "Down")
    return HealthFault(
        world.guid(f"fault:{kind}:{node.name}"),
        kind,
        5,
        "The server cannot take part in the cluster.",
        "Microsoft.Health.EntityType.Server",
        node.name,
        node.name,
        "Start or replace the server.",
    )
