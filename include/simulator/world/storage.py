"""Storage Spaces Direct: which copies of a virtual disk are there, which are stale, and what the disks look like meanwhile.

Every node holds an equal share of each mirror. While a node is away, or its disks are in maintenance mode, what is written in
the meantime makes its share stale (azure-stack-docs, maintain-servers).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from include.simulator.world.levels import formed_with, version_of
from include.simulator.world.machines import Maintenance, Node
from include.simulator.world.versions import VERSIONS

if TYPE_CHECKING:
    from include.simulator.world.spec import DiskSpec
    from include.simulator.world.world import World

MIB = 1024**2
GIB = 1024**3


class Health(Enum):
    """HealthStatus by name and number."""

    Healthy = 0
    Warning = 1
    Unhealthy = 2
    Unknown = 5


class LastCopyError(Exception):
    """Maintenance mode would take the last copy of a virtual disk offline."""


@dataclass(slots=True, eq=False)
class PhysicalDisk:
    """One drive of a node; ``fault`` is an operational status of its own, such as "Abnormal Latency" or "Failed Media"."""

    node: Node
    number: int
    size: int
    serial_number: str
    media_type: str = "SSD"
    firmware: str = "0107"
    fault: str = ""


@dataclass(slots=True, eq=False)
class VirtualDisk:
    """One mirrored virtual disk.

    ``written`` counts the bytes written to it by ``counted``; ``missing`` tells where the count stood when a node's share
    went out of reach, ``stale`` how much of a share must be copied again. ``offline``: an administrator took it offline.
    ``redirected`` and ``maintenance`` are the modes that Suspend-ClusterResource sets.
    """

    name: str
    size: int
    copies: int
    write_rate: float
    owner: Node
    id: uuid.UUID
    counted: datetime
    written: float = 0.0
    missing: dict[str, float] = field(default_factory=dict)
    stale: dict[str, float] = field(default_factory=dict)
    health: Health = Health.Healthy
    operational_status: tuple[str, ...] = ("OK",)
    detached_reason: str = "None"
    shared: bool = True
    used: float = 0.35
    offline: bool = False
    redirected: bool = False
    backup: bool = False
    maintenance: bool = False

    @property
    def resource_name(self) -> str:
        """The name of its cluster resource."""
        return f"Cluster Virtual Disk ({self.name})"

    @property
    def attached(self) -> bool:
        """Whether it can be read and written."""
        return "Detached" not in self.operational_status


class Storage:
    """The pool, its disks, and storage maintenance mode."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.virtual_disks: list[VirtualDisk] = []
        self.physical_disks: list[PhysicalDisk] = []
        self.pool_name = f"S2D on {world.spec.cluster}"
        self.pool_version = formed_with(world).pool_version
        self.pool_offline = False
        self.pool_read_only = ""
        self.settings = {
            "System.Storage.PhysicalDisk.AutoFirmwareUpdate.RollOut.Enabled": "True",
            "System.Storage.SupportedComponents.Document": "",
        }

    def add(self, spec: DiskSpec) -> None:
        """Create a healthy virtual disk."""
        nodes = self._world.nodes
        owner = nodes[len(self.virtual_disks) % len(nodes)]
        rate = spec.write_mib_per_second * MIB
        guid = self._world.guid(f"disk:{spec.name}")
        disk = VirtualDisk(spec.name, spec.size_gib * GIB, spec.copies, rate, owner, guid, self._world.now)
        disk.shared, disk.used = spec.shared, spec.used
        self.virtual_disks.append(disk)

    def add_drives(self, node: Node, count: int, size_gib: int) -> None:
        """Put drives into ``node``."""
        for number in range(count):
            serial = f"S4YN{node.id:02d}{number:02d}{self._world.random.randrange(16**6):06X}"
            self.physical_disks.append(PhysicalDisk(node, number, size_gib * GIB, serial))

    def find(self, name: str) -> VirtualDisk | None:
        """Return the virtual disk called ``name``, or None."""
        return next((disk for disk in self.virtual_disks if disk.name.lower() == name.lower()), None)

    def serves(self, name: str) -> bool:
        """Tell whether the virtual disk called ``name`` is attached; no name means local storage."""
        disk = self.find(name) if name else None
        return disk is None or (disk.attached and not disk.maintenance)

    def healthy(self) -> bool:
        """Tell whether every virtual disk is Healthy."""
        return all(disk.health is Health.Healthy for disk in self.virtual_disks)

    def available(self, node: Node) -> bool:
        """Tell whether the disks of ``node`` are read and written."""
        return node.member and node.maintenance is Maintenance.NONE

    def enter_maintenance(self, node: Node, by: str, *, validate: bool = True) -> None:
        """Put the disks of ``node`` into maintenance mode; raises LastCopyError where data would go offline."""
        if node.maintenance is Maintenance.IN:
            return
        if validate and any(len(self._not_current(disk) | {node.name}) >= disk.copies for disk in self.virtual_disks):
            raise LastCopyError(f"The disks of {node.name} hold the last copy of data.")
        node.maintenance, node.maintenance_by = Maintenance.IN, by
        self._world.emit("maintenance", node, {"node": node.name, "on": True, "by": by})
        self.refresh()

    def leave_maintenance(self, node: Node, by: str) -> None:
        """Take the disks of ``node`` out of maintenance mode again; that takes a few seconds."""
        if node.maintenance is not Maintenance.IN:
            return
        node.maintenance = Maintenance.LEAVING

        def done() -> None:
            if node.maintenance is Maintenance.LEAVING:
                node.maintenance, node.maintenance_by = Maintenance.NONE, ""
                self._world.emit("maintenance", node, {"node": node.name, "on": False, "by": by})
                self.refresh()

        self._world.after(self._world.spec.timings.maintenance_exit, done)

    def take_offline(self, disk: VirtualDisk, reason: str) -> None:
        """Detach a virtual disk because an administrator says so; what runs on it stops, and their configurations fail."""
        disk.offline = True
        for group in self._world.groups.all:
            if group.vm and group.vm.disk == disk.name:
                group.configuration_failed = True
        self.judge(disk, reason)

    def bring_online(self, disk: VirtualDisk, reason: str) -> None:
        """Attach a virtual disk again; what ran on it is not started by that."""
        disk.offline = False
        self.judge(disk, reason)

    def suspend(self, disk: VirtualDisk, reason: str) -> None:
        """Turn maintenance mode of a volume on: nothing can use it meanwhile."""
        disk.maintenance = True
        for group in self._world.groups.all:
            if group.vm and group.vm.disk == disk.name:
                self._world.groups.stop(group, reason)

    def set_pool(self, *, online: bool, reason: str) -> None:
        """Take the pool offline with every virtual disk in it, or bring it back."""
        self.pool_offline = not online
        for disk in self.virtual_disks:
            self.judge(disk, reason)

    def upgrade_pool(self) -> bool:
        """Raise the pool to what every node supports, for good; return whether anything changed.

        Source: azure-stack-docs, update-cluster; windows-powershell-docs, Update-StoragePool.
        """
        target = min((version_of(node) for node in self._world.nodes), key=lambda version: version.pool_number)
        before = self.pool_version
        known = {version.pool_version: version.pool_number for version in VERSIONS.values()}
        if target.pool_number <= known[before]:
            return False
        self.pool_version = target.pool_version
        self._world.emit("pool.version", None, {"pool": self.pool_name, "before": before, "after": self.pool_version})
        return True

    def node_gone(self, node: Node) -> None:
        """The disks of ``node`` are out of reach."""
        others = [each for each in self._world.nodes if each.member]
        for number, disk in enumerate(self.virtual_disks):
            if disk.owner is node and others:
                disk.owner = others[number % len(others)]
        self.refresh()

    def node_back(self, node: Node) -> None:
        """The disks of ``node`` are within reach again."""
        self.refresh()

    def hand_over(self, node: Node) -> None:
        """Give the cluster shared volumes of ``node`` to others, as a drain does."""
        others = [each for each in self._world.nodes if each.can_host]
        for number, disk in enumerate(self.virtual_disks):
            if disk.owner is node and others:
                disk.owner = others[number % len(others)]

    def refresh(self) -> None:
        """Take note of shares that went away or came back, and of what that means for every virtual disk."""
        for disk in self.virtual_disks:
            self._count_writes(disk)
            for node in self._world.nodes:
                if self.available(node):
                    self._count_stale(disk, node.name)
                else:
                    disk.missing.setdefault(node.name, disk.written)
        self._world.repairs.plan()
        for disk in self.virtual_disks:
            self.judge(disk)

    def _count_writes(self, disk: VirtualDisk) -> None:
        if disk.attached:
            disk.written += (self._world.now - disk.counted).total_seconds() * disk.write_rate
        disk.counted = self._world.now

    def _count_stale(self, disk: VirtualDisk, name: str) -> None:
        before = disk.missing.pop(name, disk.written)
        share = disk.copies / len(self._world.nodes)
        missed = disk.stale.get(name, 0.0) + (disk.written - before) * share
        if missed:
            disk.stale[name] = min(disk.size * share, missed)

    def _not_current(self, disk: VirtualDisk) -> set[str]:
        return set(disk.missing) | set(disk.stale)

    def judge(self, disk: VirtualDisk, reason: str = "") -> None:
        """Derive health and operational status, and journal them where they changed."""
        self._count_writes(disk)
        before, was_attached = (disk.health, disk.operational_status), disk.attached
        disk.health, disk.operational_status, disk.detached_reason = self._status(disk)
        if disk.attached and not was_attached:
            self._world.repairs.disk_back(disk)
            disk.health, disk.operational_status, disk.detached_reason = self._status(disk)
        if (disk.health, disk.operational_status) == before:
            return
        status = list(disk.operational_status)
        detail = {"virtual_disk": disk.name, "health": disk.health.name, "operational_status": status}
        self._world.emit("disk.health", None, detail)
        if was_attached and not disk.attached:
            self._world.repairs.disk_gone(disk)
            for group in self._world.groups.all:
                if group.vm and group.vm.disk == disk.name:
                    self._world.groups.stop(group, reason or f"virtual disk {disk.name} detached")
        elif disk.attached and not was_attached:
            self._world.after(self._world.spec.timings.failover, self._world.groups.place_orphans)

    def _status(self, disk: VirtualDisk) -> tuple[Health, tuple[str, ...], str]:
        """Return the state; a detached virtual disk's health is Unknown (windowsserverdocs, storage-spaces-states)."""
        if disk.offline or self.pool_offline:
            return Health.Unknown, ("Detached",), "By Policy"
        if len(disk.missing) * 2 > len(self._world.nodes):
            return Health.Unknown, ("Detached",), "Majority Disks Unhealthy"
        if len(self._not_current(disk)) >= disk.copies:
            return Health.Unknown, ("Detached",), "Incomplete"
        if disk.missing:
            gone = any(not node.member for node in self._world.nodes if node.name in disk.missing)
            return Health.Warning, ("Incomplete",) if gone else ("Degraded",), "None"
        if disk.stale:
            return Health.Warning, ("InService",) if self._world.repairs.running(disk) else ("Degraded",), "None"
        return Health.Healthy, ("OK",), "None"
