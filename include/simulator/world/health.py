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
    found += _witness(world) + _drives(world) + _full_volumes(world)
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


def _witness(world: World) -> list[HealthFault]:
    if not world.spec.witness or world.quorum.witness_online:
        return []
    kind = "Microsoft.Health.FaultType.ClusterQuorumWitness.Error"
    return [
        HealthFault(
            world.guid(f"fault:{kind}"),
            kind,
            5,
            "The cluster is one server failure away from going down.",
            "Microsoft.Health.EntityType.Cluster",
            world.spec.witness,
            world.spec.cluster,
            "Check the witness resource, and restart it as needed.",
        )
    ]


def _drives(world: World) -> list[HealthFault]:
    """Return what drives of nodes that are there complain of; those of a lost node are explained by the node."""
    found = []
    for drive in world.storage.physical_disks:
        if not drive.fault or not drive.node.member:
            continue
        name = "".join(part.capitalize() for part in drive.fault.split())
        kind = f"Microsoft.Health.FaultType.PhysicalDisk.{name}"
        found.append(
            HealthFault(
                world.guid(f"fault:{kind}:{drive.serial_number}"),
                kind,
                5,
                f"The physical disk reports: {drive.fault}.",
                "Microsoft.Health.EntityType.PhysicalDisk",
                drive.serial_number,
                f"{drive.node.name} : Slot {drive.number}",
                "Replace the physical disk.",
            )
        )
    return found


def _full_volumes(world: World) -> list[HealthFault]:
    """Return the volumes that run out of space, from 80 % on."""
    kind = "Microsoft.Health.FaultType.Volume.Capacity"
    return [
        HealthFault(
            world.guid(f"fault:{kind}:{disk.name}"),
            kind,
            6 if disk.used >= 0.9 else 5,
            "The volume is running out of available space.",
            "Microsoft.Health.EntityType.Volume",
            disk.name,
            world.spec.cluster,
            "Expand the volume or migrate workloads to other volumes.",
        )
        for disk in world.storage.virtual_disks
        if disk.used >= 0.8
    ]


def _server_down(world: World, node: Node) -> HealthFault:
    state = "Quarantined" if node.quarantined else "Isolated" if node.isolated else "Down"
    kind = f"Microsoft.Health.FaultType.Server.{state}"
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
