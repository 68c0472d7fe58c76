"""The whole world at one moment, for the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.simulator.world.locks import CLASSES
from include.simulator.world.machines import Maintenance, Node

if TYPE_CHECKING:
    from include.simulator.world.world import World


def snapshot(world: World) -> dict[str, object]:
    """Return nodes, roles, virtual disks, repair jobs and votes as plain JSON values."""
    world.repairs.settle()
    quorum = world.quorum
    return {
        "cluster": world.spec.cluster,
        "os_version": world.spec.os.key,
        "functional_level": world.functional_level,
        "upgrade_version": world.levels.upgrade_version,
        "pool_version": world.storage.pool_version,
        "vm_versions": {group.vm.name: group.vm.version for group in world.groups.all if group.vm},
        "nodes": [_node(world, node) for node in world.nodes],
        "groups": [
            {"name": group.name, "type": group.type.name, "owner": group.owner.name, "state": group.state.name}
            for group in world.groups.all
        ],
        "vms": [
            {"name": group.vm.name, "owner": group.owner.name, "state": group.vm.state}
            for group in world.groups.all
            if group.vm
        ],
        "virtual_disks": [
            {
                "name": disk.name,
                "health": disk.health.name,
                "operational_status": list(disk.operational_status),
                "copies": disk.copies,
            }
            for disk in world.storage.virtual_disks
        ],
        "jobs": [
            {
                "job": job.name,
                "virtual_disk": job.disk.name,
                "state": job.state,
                "bytes_total": int(job.total),
                "bytes_processed": int(job.processed),
            }
            for job in world.repairs.jobs
        ],
        "quorum": {"votes": quorum.votes, "up_votes": quorum.up_votes, "witness": world.spec.witness},
        **world.cau.view(),
    }


def _node(world: World, node: Node) -> dict[str, object]:
    return {
        "name": node.name,
        "state": node.state.name,
        "drain_status": node.drain_status.name,
        "information": int(node.information),
        "power": node.power.value,
        "boot_time": node.boot_time.isoformat(),
        "build": node.build,
        "ubr": node.ubr,
        "installed": world.updates.installed_kbs(node),
        "pending_restart": node.pending_restart,
        "locks": {cls: node.locks[cls].guid if cls in node.locks else None for cls in CLASSES},
        "services": {
            name: {"status": service.status, "start_type": service.start_type}
            for name, service in node.services.items()
        },
        "credssp": world.credssp.state(node),
        "firewall": world.firewall.groups(node),
        "policies": world.policies.values(node),
        "bitlocker": world.bitlocker.state(node),
        "tasks": world.tasks.state(node),
        "files": world.files.paths(node),
        "maintenance": node.maintenance is not Maintenance.NONE,
    }
