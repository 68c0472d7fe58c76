"""The objects of the Storage module: numbers from the provider, texts from the module's type data.

Sources of names and numbers: windows-driver-docs, msft-virtualdisk, msft-storagepool, msft-storagejob, msft-storagefaultdomain.
"""

from __future__ import annotations

from collections.abc import Sequence

from include.simulator.cmdlets.cim_objects import instance
from include.simulator.objects import SimObject, UInt16, UInt64
from include.simulator.world.health import HealthFault
from include.simulator.world.levels import version_of
from include.simulator.world.machines import Maintenance, Node
from include.simulator.world.repair import RepairJob
from include.simulator.world.storage import Health, PhysicalDisk, VirtualDisk
from include.simulator.world.versions import VERSIONS
from include.simulator.world.world import World

NAMESPACE = "ROOT/Microsoft/Windows/Storage"

_STATUS_NUMBERS = {
    "Unknown": 0,
    "Other": 1,
    "OK": 2,
    "Degraded": 3,
    "Stressed": 4,
    "Predictive Failure": 5,
    "Error": 6,
    "Non-Recoverable Error": 7,
    "Starting": 8,
    "Stopping": 9,
    "Stopped": 10,
    "InService": 11,
    "No Contact": 12,
    "Lost Communication": 13,
    "Aborted": 14,
    "Dormant": 15,
    "Supporting Entity in Error": 16,
    "Power Mode": 18,
    "Relocating": 19,
    "Detached": 0xD002,
    "Failed Media": 0xD004,
    "Split": 0xD005,
    "Stale Metadata": 0xD006,
    "IO Error": 0xD007,
    "Unrecognized Metadata": 0xD008,
    "Incomplete": 0xD003,
    "In Maintenance Mode": 0xD00D,
    "Stopping Maintenance Mode": 0xD00F,
    "Completed": 17,
}
_JOB_STATES = {
    "New": 2,
    "Starting": 3,
    "Running": 4,
    "Suspended": 5,
    "ShuttingDown": 6,
    "Completed": 7,
    "Terminated": 8,
    "Killed": 9,
    "Exception": 10,
    "Service": 11,
    "QueryPending": 12,
}
#: Numbers of pool versions; only those up to 3 (Windows Server 2012 R2) are documented.
_POOL_NUMBERS = {2016: 4, 2019: 5, 2022: 6, 2023: 7, 2025: 8}
#: What a fault of a drive's own means for its health (windowsserverdocs, storage-spaces-states).
_DRIVE_HEALTH = {
    "Abnormal Latency": Health.Healthy,
    "Failed Media": Health.Unhealthy,
    "Device Hardware Error": Health.Unhealthy,
    "Split": Health.Unhealthy,
}
_DETACHED = {"Unknown": 0, "None": 1, "By Policy": 2, "Majority Disks Unhealthy": 3, "Incomplete": 4}
#: PerceivedSeverity as the class page has it, and as the Health Service's article has it.
_SEVERITY = {2: "Information", 3: "Degraded/Warning", 4: "Minor", 5: "Major", 6: "Critical"}
_SEVERITY_OF_HEALTH_SERVICE = {4: "Informational", 5: "Warning", 6: "Error"}


def _build(
    host: str,
    classes: Sequence[str],
    name: str,
    health: Health | None,
    status: Sequence[str],
    raw: dict[str, object],
    **more: object,
) -> SimObject:
    source = more.pop("source", None)
    texts: dict[str, object] = dict(more)
    properties = dict(raw)
    # Texts without a documented number are Other underneath.
    properties["OperationalStatus"] = [UInt16(_STATUS_NUMBERS.get(each, 1)) for each in status]
    # A script property that returns an array of one element hands out the element.
    texts["OperationalStatus"] = status[0] if len(status) == 1 else list(status)
    if health is not None:
        properties["HealthStatus"] = UInt16(health.value)
        texts["HealthStatus"] = health.name
    return instance(NAMESPACE, classes, properties, host=host, texts=texts, to_string=name, source=source)


def virtual_disk(world: World, host: Node, disk: VirtualDisk) -> SimObject:
    """Return the MSFT_VirtualDisk as ``host`` sees it; one whose cluster service still starts sees copies missing."""
    health, status = disk.health, disk.operational_status
    if not host.member and health is Health.Healthy:
        health, status = Health.Warning, ("Incomplete",)
    raw: dict[str, object] = {
        "FriendlyName": disk.name,
        "Name": disk.name,
        "UniqueId": disk.id.hex.upper(),
        "ObjectId": f"{{1}}\\\\{world.spec.cluster}\\root/Microsoft/Windows/Storage/Providers_v2:VD:{{{disk.id}}}",
        "ResiliencySettingName": "Mirror",
        "NumberOfDataCopies": UInt16(disk.copies),
        "PhysicalDiskRedundancy": UInt16(disk.copies - 1),
        "ProvisioningType": UInt16(2),
        "Size": UInt64(disk.size),
        "AllocatedSize": UInt64(disk.size),
        "FootprintOnPool": UInt64(disk.size * disk.copies),
        "IsManualAttach": True,
        "DetachedReason": UInt16(_DETACHED[disk.detached_reason]),
    }
    if version_of(host).unique_node_id:
        raw |= {"MaxIoBandwidth": UInt64(0), "MaxIops": UInt64(0), "MinimumLogicalDataCopies": UInt16(disk.copies)}
        raw["TrackValidData"] = False
    classes = ("MSFT_VirtualDisk", "MSFT_StorageObject")
    texts: dict[str, object] = {"DetachedReason": disk.detached_reason, "ProvisioningType": "Fixed"}
    return _build(host.name, classes, disk.name, health, status, raw, source=disk, **texts)


_READ_ONLY = {"None": 1, "Policy": 2, "Incomplete": 3}


def pool_read_only(world: World) -> str:
    """Return why the cluster's pool is read-only: taken offline, or most of its drives are out of reach.

    Source: windowsserverdocs, storage-spaces-states.
    """
    if world.storage.pool_read_only:
        return world.storage.pool_read_only
    if world.storage.pool_offline:
        return "Policy"
    drives = world.storage.physical_disks
    there = sum(drive.node.member for drive in drives)
    return "Incomplete" if drives and there * 2 <= len(drives) and len(world.nodes) > 2 else "None"


def pool_number(world: World) -> int:
    """Return the number under the pool's version; 0 says that none is documented."""
    if not world.variant("pool-version-number-counts-on"):
        return 0
    known = {version.pool_version: version.pool_number for version in VERSIONS.values()}
    return _POOL_NUMBERS[known[world.storage.pool_version]]


def pool(world: World, host: Node, *, primordial: bool) -> SimObject:
    """Return an MSFT_StoragePool."""
    disks = world.storage.physical_disks
    degraded = any(not world.storage.available(disk.node) for disk in disks)
    health = Health.Warning if degraded and not primordial else Health.Healthy
    reason = "None" if primordial else pool_read_only(world)
    if reason != "None":
        health = Health.Unknown
    name = "Primordial" if primordial else world.storage.pool_name
    used = sum(disk.size * disk.copies for disk in world.storage.virtual_disks)
    raw: dict[str, object] = {
        "FriendlyName": name,
        "UniqueId": f"{{{world.guid('pool:' + name)}}}",
        "IsPrimordial": primordial,
        "IsReadOnly": reason != "None",
        "IsClustered": True,
        "ReadOnlyReason": UInt16(_READ_ONLY[reason]),
        "Size": UInt64(sum(disk.size for disk in disks)),
        "AllocatedSize": UInt64(used),
        "LogicalSectorSize": UInt64(4096),
        "RepairPolicy": UInt16(3),
        "Version": UInt16(pool_number(world)),
    }
    texts: dict[str, object] = {
        "ReadOnlyReason": reason,
        "RepairPolicy": "Parallel",
        "Version": world.storage.pool_version,
    }
    status = {Health.Warning: ("Degraded",), Health.Unknown: ("Read-only",)}.get(health, ("OK",))
    return _build(
        host.name, ("MSFT_StoragePool", "MSFT_StorageObject"), name, health, status, raw, source=world.storage, **texts
    )


def job(world: World, host: Node, each: RepairJob) -> SimObject:
    """Return the MSFT_StorageJob of a repair."""
    percent = int(each.processed * 100 / each.total) if each.total else 100
    raw: dict[str, object] = {
        "Name": each.name,
        "UniqueId": f"{{{each.id}}}",
        "JobState": UInt16(_JOB_STATES[each.state]),
        "JobStatus": "",
        "PercentComplete": UInt16(percent),
        "BytesProcessed": UInt64(int(each.processed)),
        "BytesTotal": UInt64(int(each.total)),
        "IsBackgroundTask": True,
        "StatusDescriptions": [],
        "TimeBeforeRemoval": world.spec.timings.job_linger,
        "ElapsedTime": world.now - each.started,
        "StartTime": each.started,
        "ErrorCode": UInt16(0),
        "ErrorDescription": "",
        "DeleteOnCompletion": False,
    }
    status = ("Completed",) if each.state == "Completed" else ("OK",)
    return _build(host.name, ("MSFT_StorageJob",), each.name, None, status, raw, source=each, JobState=each.state)


def _node_status(world: World, node: Node) -> tuple[Health, tuple[str, ...]]:
    if node.maintenance is Maintenance.IN:
        return Health.Warning, ("In Maintenance Mode",)
    if node.maintenance is Maintenance.LEAVING:
        return Health.Warning, ("Stopping Maintenance Mode", "OK")
    if not world.storage.available(node):
        return Health.Warning, ("Lost Communication",)
    return Health.Healthy, ("OK",)


def physical_disk(world: World, host: Node, disk: PhysicalDisk) -> SimObject:
    """Return the MSFT_PhysicalDisk."""
    health, status = _node_status(world, disk.node)
    if disk.fault and health is Health.Healthy:
        health = _DRIVE_HEALTH.get(disk.fault, Health.Warning)
        status = ("OK", disk.fault) if health is Health.Healthy else (disk.fault,)
    name = f"KIOXIA KCD8XRUG{disk.size // 1024**3}"
    raw: dict[str, object] = {
        "FriendlyName": name,
        "SerialNumber": disk.serial_number,
        "UniqueId": world.guid(f"drive:{disk.serial_number}").hex.upper(),
        "DeviceId": str(disk.node.id * 1000 + disk.number),
        "Manufacturer": "KIOXIA",
        "Model": name.split()[1],
        "FirmwareVersion": disk.firmware,
        "Size": UInt64(disk.size),
        "CanPool": False,
        "PhysicalLocation": f"{disk.node.name} : Slot {disk.number}",
        "MediaType": UInt16(4),
        "Usage": UInt16(1),
    }
    classes = ("MSFT_PhysicalDisk", "MSFT_StorageFaultDomain", "MSFT_StorageObject")
    texts: dict[str, object] = {"MediaType": disk.media_type, "Usage": "Auto-Select"}
    return _build(host.name, classes, name, health, status, raw, source=disk, **texts)


def scale_unit(world: World, host: Node, node: Node) -> SimObject:
    """Return the MSFT_StorageScaleUnit: a server as a storage fault domain."""
    health, status = _node_status(world, node)
    raw: dict[str, object] = {
        "FriendlyName": node.name,
        "UniqueId": str(world.guid(f"scale unit:{node.name}")),
        "Manufacturer": "HPE",
        "Model": "ProLiant DL380 Gen10",
        "SerialNumber": node.serial_number,
        "PhysicalLocation": "",
        "OperationalDetails": None,
    }
    classes = ("MSFT_StorageScaleUnit", "MSFT_StorageFaultDomain", "MSFT_StorageObject")
    return _build(host.name, classes, node.name, health, status, raw, source=node)


def subsystem(world: World, host: Node, *, clustered: bool) -> SimObject:
    """Return the MSFT_StorageSubSystem of the cluster, or the server's own."""
    name = f"Clustered Windows Storage on {world.spec.cluster}" if clustered else f"Windows Storage on {host.name}"
    worst = max((disk.health.value for disk in world.storage.virtual_disks), default=0) if clustered else 0
    if worst == Health.Unknown.value:
        worst = Health.Unhealthy.value
    raw: dict[str, object] = {
        "FriendlyName": name,
        "UniqueId": f"{{{world.guid(name)}}}",
        "Model": name.split(" on ")[0],
    }
    if clustered and version_of(host).unique_node_id:
        depth = UInt16(world.spec.repair_queue_depth)
        raw |= {"VirtualDiskRepairEnabled": True, "VirtualDiskRepairQueueDepth": depth}
    classes = ("MSFT_StorageSubSystem", "MSFT_StorageObject")
    status = ("OK",) if worst == 0 else ("Degraded",)
    return _build(host.name, classes, name, Health(worst), status, raw, source=("subsystem", clustered))


def diagnose_result(world: World, host: Node, fault: HealthFault) -> SimObject:
    """Return the MSFT_StorageDiagnoseResult of a Health Service fault."""
    by_article = world.variant("severities-of-the-health-service")
    raw: dict[str, object] = {
        "FaultId": str(fault.id),
        "FaultType": fault.type,
        "Reason": fault.reason,
        "PerceivedSeverity": UInt16(fault.severity),
        "FaultingObjectType": fault.object_type,
        "FaultingObjectDescription": fault.object_name,
        "FaultingObjectLocation": fault.location,
        "RecommendedActions": [fault.action],
    }
    texts = {"PerceivedSeverity": (_SEVERITY_OF_HEALTH_SERVICE if by_article else _SEVERITY)[fault.severity]}
    return instance(
        NAMESPACE, ("MSFT_StorageDiagnoseResult",), raw, host=host.name, texts=texts, to_string=fault.type, source=fault
    )
