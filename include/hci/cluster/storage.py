"""Virtual disks, pools, repair jobs and fault domains, as the Storage module shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from include.hci.cluster.values import HEALTH, JOB_STATES, OPERATIONAL, SEVERITIES, enum_name, named, squeeze
from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH

#: The provider asks every server of the cluster: with many drives, or one server just back, that takes minutes.
_READING = timedelta(minutes=5)
#: Drives enter and leave maintenance mode one after the other.
_SWITCHING = timedelta(minutes=15)
_ENDED = frozenset({"completed"})
_BROKEN_OFF = frozenset({"terminated", "killed", "exception"})


@dataclass(frozen=True, slots=True)
class VirtualDisk:
    """One virtual disk; a server may only be taken out when all are Healthy and OK (windowsserverdocs, maintain-servers)."""

    name: str
    health: str
    operational: tuple[str, ...]
    copies: int | None = None
    resiliency: str = ""
    size: int | None = None

    @property
    def is_well(self) -> bool:
        """Whether it is Healthy and its only operational status is OK."""
        return self.health == "Healthy" and {squeeze(text) for text in self.operational} == {"ok"}

    def describe(self) -> str:
        """Return the disk and its state: ``Volume1 is Warning (In Service)``."""
        return f"{self.name} is {self.health} ({', '.join(self.operational) or 'no operational status'})"


@dataclass(frozen=True, slots=True)
class StoragePool:
    """One storage pool."""

    name: str
    health: str
    operational: tuple[str, ...]
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class StorageJob:
    """One storage job. ``processed`` and ``total`` are bytes; its ``percent`` is what the job itself claims."""

    name: str
    state: str
    processed: int = 0
    total: int = 0
    percent: int | None = None
    identity: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has completed; a job that was killed or broke off is over too, but has not completed."""
        return squeeze(self.state) in _ENDED | _BROKEN_OFF

    @property
    def is_suspended(self) -> bool:
        """Whether it waits instead of moving data."""
        return squeeze(self.state) == "suspended"

    @property
    def remaining(self) -> int:
        """The bytes it still has to move."""
        return max(0, self.total - self.processed)


@dataclass(frozen=True, slots=True)
class FaultDomain:
    """One server as the storage sees it (a storage scale unit)."""

    name: str
    health: str
    operational: tuple[str, ...]

    @property
    def in_maintenance(self) -> bool:
        """Whether its disks are in storage maintenance mode, or on the way into it or out of it."""
        return any("maintenancemode" in squeeze(text) for text in self.operational)

    @property
    def enters_maintenance(self) -> bool:
        """Whether some of its disks are still on the way into storage maintenance mode."""
        return any(squeeze(text).startswith("startingmaintenance") for text in self.operational)

    @property
    def leaves_maintenance(self) -> bool:
        """Whether its disks are on the way out of storage maintenance mode."""
        return self.in_maintenance and all(
            squeeze(text).startswith("stopping") for text in self.operational if "maintenancemode" in squeeze(text)
        )


@dataclass(frozen=True, slots=True)
class PhysicalDisk:
    """One drive."""

    name: str
    serial: str
    health: str
    operational: tuple[str, ...]


def get_virtual_disks(shell: Shell) -> tuple[VirtualDisk, ...]:
    """Return every virtual disk."""
    return tuple(
        VirtualDisk(
            name=_name(item),
            health=enum_name(item, "HealthStatus", HEALTH),
            operational=_operational(item),
            copies=item.integer("NumberOfDataCopies", None),
            resiliency=item.string("ResiliencySettingName", ""),
            size=item.integer("Size", None),
        )
        for item in shell.run(Command("Get-VirtualDisk"), timeout=_READING).require().objects()
    )


def get_storage_pools(shell: Shell) -> tuple[StoragePool, ...]:
    """Return every pool but the primordial ones."""
    return tuple(
        StoragePool(
            name=_name(item),
            health=enum_name(item, "HealthStatus", HEALTH),
            operational=_operational(item),
            read_only=item.boolean("IsReadOnly", False),
        )
        for item in shell.run(Command("Get-StoragePool", {"IsPrimordial": False}), timeout=_READING).require().objects()
    )


def get_storage_jobs(shell: Shell) -> tuple[StorageJob, ...]:
    """Return every storage job; none at all means that nothing runs (windows-powershell-docs, Get-StorageJob)."""
    return tuple(
        StorageJob(
            name=item.string("Name", "") or "storage job",
            state=enum_name(item, "JobState", JOB_STATES),
            processed=item.integer("BytesProcessed", 0),
            total=item.integer("BytesTotal", 0),
            percent=item.integer("PercentComplete", None),
            identity=item.string("UniqueId", "") or item.string("ObjectId", ""),
        )
        for item in shell.run(Command("Get-StorageJob"), timeout=_READING).require().objects()
    )


def get_fault_domains(shell: Shell) -> tuple[FaultDomain, ...]:
    """Return every server as a storage scale unit."""
    return tuple(
        FaultDomain(_name(item), enum_name(item, "HealthStatus", HEALTH), _operational(item))
        for item in shell.run(_SCALE_UNITS, timeout=_READING).require().objects()
    )


def get_physical_disks(shell: Shell) -> tuple[PhysicalDisk, ...]:
    """Return every drive."""
    return tuple(
        PhysicalDisk(
            name=item.string("FriendlyName", ""),
            serial=item.string("SerialNumber", ""),
            health=enum_name(item, "HealthStatus", HEALTH),
            operational=_operational(item),
        )
        for item in shell.run(Command("Get-PhysicalDisk"), timeout=_READING).require().objects()
    )


def enable_storage_maintenance_mode(shell: Shell, node: str) -> None:
    """Put the disks of ``node`` into maintenance mode; only where pausing does not do it (2019, 20H2, 2016)."""
    shell.run(_scale_unit(node) | Command("Enable-StorageMaintenanceMode"), timeout=_SWITCHING).require()


def disable_storage_maintenance_mode(shell: Shell, node: str) -> None:
    """Take the disks of ``node`` out of maintenance mode."""
    shell.run(_scale_unit(node) | Command("Disable-StorageMaintenanceMode"), timeout=_SWITCHING).require()


def release_drives(shell: Shell, node: str) -> None:
    """Take those drives of ``node`` out of maintenance mode that are in it by themselves.

    The server as a whole is not in it then, and leaving it would do nothing for them.
    """
    drives = _scale_unit(node) | Command("Get-StorageFaultDomain", {"Type": "PhysicalDisk"})
    held = Command("Where-Object", {"Property": "OperationalStatus", "EQ": SWITCH, "Value": "In Maintenance Mode"})
    shell.run(drives | held | Command("Disable-StorageMaintenanceMode"), timeout=_SWITCHING).require()


def repair_virtual_disk(shell: Shell, name: str) -> None:
    """Start the repair of a virtual disk; the repair itself shows as a storage job."""
    shell.run(Command("Repair-VirtualDisk", {"FriendlyName": name, "AsJob": SWITCH})).require()


def get_health_faults(shell: Shell) -> tuple[str, ...]:
    """Return the faults that the Health Service sees now, worst first (Debug-StorageSubSystem)."""
    subsystem = Command("Get-StorageSubSystem", {"FriendlyName": "Clustered*"})
    command = Command("Debug-StorageSubSystem").marked(changes=False)
    items = shell.run(subsystem | command, timeout=_READING).require().objects()
    ranks = {name: number for number, name in SEVERITIES.items()}
    found = [
        (
            ranks.get(enum_name(item, "PerceivedSeverity", SEVERITIES), 0),
            item.string("Reason", "") or item.string("FaultType", ""),
        )
        for item in items
    ]
    return tuple(reason for _, reason in sorted(found, key=lambda fault: -fault[0]))


_SCALE_UNITS = Command("Get-StorageFaultDomain", {"Type": "StorageScaleUnit"})


def _scale_unit(node: str) -> Pipeline:
    return _SCALE_UNITS | Command("Where-Object", {"Property": "FriendlyName", "EQ": SWITCH, "Value": node})


def _name(item: PSObject) -> str:
    """Return what ``item`` is called; what has no friendly name is judged all the same."""
    return item.string("FriendlyName", "") or item.string("UniqueId", "") or "unnamed"


def _operational(item: PSObject) -> tuple[str, ...]:
    return tuple(named(text, OPERATIONAL) for text in item.strings("OperationalStatus", ()))
