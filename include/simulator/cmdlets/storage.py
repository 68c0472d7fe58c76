"""The Storage cmdlets. In a failover cluster they act on the clustered subsystem from any node."""

from __future__ import annotations

from collections.abc import Iterable

from include.simulator.cmdlets import storage_objects as shape
from include.simulator.cmdlets import storage_place_objects as places
from include.simulator.cmdlets.cim_objects import query_not_found, storage_error
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimEnum, SimObject
from include.simulator.world.health import faults
from include.simulator.world.machines import Node
from include.simulator.world.storage import LastCopyError, VirtualDisk

#: MSFT storage provider errors (windows-driver-docs, storage management API: "operation not supported", "not enough resources").
_WOULD_LOSE_DATA = 46008
_NOT_HEALTHY = 46007


def viewer(call: Call) -> Node | None:
    """Return the node whose clustered subsystem answers, or None where there is none: outside the cluster, or service stopped."""
    host = call.host
    return host if isinstance(host, Node) and (host.member or host.joining) else None


def named(call: Call, cls: str, parameter: str, found: Iterable[SimObject]) -> None:
    """Write those of ``found`` that ``parameter`` names and whose HealthStatus was asked for; complain of unmatched names."""
    names, health = call.texts(parameter), {each.lower() for each in call.texts("HealthStatus")}
    items = list(found)
    for name in names:
        if not any(matching(name, [str(item.properties[parameter])]) for item in items) and "*" not in name:
            call.sink.error(query_not_found(call, cls, parameter, name))
    for item in items:
        wanted = not names or any(matching(name, [str(item.properties[parameter])]) for name in names)
        if wanted and (not health or str(item.notes.get("HealthStatus")).lower() in health):
            call.sink.output(item)


@cmdlet("Get-VirtualDisk")
async def get_virtual_disk(call: Call) -> None:
    """Write the virtual disks."""
    host = viewer(call)
    disks = [shape.virtual_disk(call.world, host, disk) for disk in call.world.storage.virtual_disks] if host else []
    named(call, "MSFT_VirtualDisk", "UniqueId" if call.has("UniqueId") else "FriendlyName", disks)


@cmdlet("Get-StoragePool")
async def get_storage_pool(call: Call) -> None:
    """Write the primordial pool and the cluster's pool, or the kind that was asked for."""
    host = viewer(call)
    wanted = call.parameters.get("IsPrimordial")
    kinds = {bool(each) for each in wanted} if isinstance(wanted, list | tuple) else {True, False}
    if wanted is not None and not isinstance(wanted, list | tuple):
        kinds = {bool(wanted)}
    pools = [shape.pool(call.world, host, primordial=kind) for kind in (True, False) if kind in kinds] if host else []
    named(call, "MSFT_StoragePool", "FriendlyName", pools)


@cmdlet("Get-StorageJob")
async def get_storage_job(call: Call) -> None:
    """Write the storage jobs; none means that nothing is being repaired."""
    host = viewer(call)
    if host is None:
        return
    call.world.repairs.settle()
    states = {state.lower() for state in call.texts("JobState")}
    names = call.texts("Name")
    for job in call.world.repairs.jobs:
        named = not names or any(matching(name, [job.name]) for name in names)
        if named and (not states or job.state.lower() in states):
            call.sink.output(shape.job(call.world, host, job))


@cmdlet("Get-PhysicalDisk")
async def get_physical_disk(call: Call) -> None:
    """Write the physical disks of all nodes."""
    host = viewer(call)
    disks = [shape.physical_disk(call.world, host, disk) for disk in call.world.storage.physical_disks] if host else []
    named(call, "MSFT_PhysicalDisk", "SerialNumber" if call.has("SerialNumber") else "FriendlyName", disks)


@cmdlet("Get-StorageFaultDomain")
async def get_storage_fault_domain(call: Call) -> None:
    """Write servers (StorageScaleUnit), enclosures and drives, or the kind that was asked for; no racks or sites are defined.

    Of servers that come down the pipeline it gives what they hold (PowerShell/PrivateCloud.DiagnosticInfo looks at one so).
    """
    host = viewer(call)
    if host is None:
        return
    piped = [item.source for item in call.input if isinstance(item, SimObject) and isinstance(item.source, Node)]
    nodes = [node for node in call.world.nodes if not piped or node in piped]
    kind, place = (call.text("Type") or "").lower(), call.text("PhysicalLocation")
    found: list[SimObject] = []
    if kind in ("", "storagescaleunit") and not piped:
        found += [shape.scale_unit(call.world, host, node) for node in nodes]
    if kind in ("", "storageenclosure"):
        found += [places.enclosure(call.world, host, node) for node in nodes]
    if kind in ("", "physicaldisk"):
        drives = [disk for disk in call.world.storage.physical_disks if disk.node in nodes]
        found += [shape.physical_disk(call.world, host, disk) for disk in drives]
    for item in found:
        if place is None or matching(place, [str(item.get("PhysicalLocation"))]):
            call.sink.output(item)


@cmdlet("Get-StorageScaleUnit")
async def get_storage_scale_unit(call: Call) -> None:
    """Write the servers as storage fault domains (azure-stack-docs, maintain-servers; there is no page of the cmdlet)."""
    host = viewer(call)
    units = [shape.scale_unit(call.world, host, node) for node in call.world.nodes] if host else []
    named(call, "MSFT_StorageScaleUnit", "FriendlyName", units)


@cmdlet("Enable-StorageMaintenanceMode")
async def enable_storage_maintenance_mode(call: Call) -> None:
    """Put the disks of servers into maintenance mode; refused where that would take the last copy of data offline."""
    storage = call.world.storage
    for node in _servers(call):
        validate = call.parameters.get("ValidateVirtualDisksHealthy") is not False
        if validate and not storage.healthy():
            raise storage_error(call, "Virtual disks are not healthy, so maintenance mode is refused.", _NOT_HEALTHY)
        try:
            storage.enter_maintenance(node, call.session.user, validate=not call.has("IgnoreDetachedVirtualDisks"))
        except LastCopyError as why:
            raise storage_error(
                call, f"The operation would take virtual disks offline. {why}", _WOULD_LOSE_DATA
            ) from None


@cmdlet("Disable-StorageMaintenanceMode")
async def disable_storage_maintenance_mode(call: Call) -> None:
    """Take the disks of servers out of maintenance mode."""
    for node in _servers(call):
        call.world.storage.leave_maintenance(node, call.session.user)


@cmdlet("Get-StorageSubSystem")
async def get_storage_subsystem(call: Call) -> None:
    """Write the server's own subsystem and the clustered one."""
    host = call.host
    if isinstance(host, Node):
        kinds = (False, True) if viewer(call) else (False,)
        found = [shape.subsystem(call.world, host, clustered=kind) for kind in kinds]
        named(call, "MSFT_StorageSubSystem", "FriendlyName", found)


@cmdlet("Debug-StorageSubSystem")
async def debug_storage_subsystem(call: Call) -> None:
    """Write the current faults of the Health Service; nothing means that there is none."""
    host = viewer(call)
    piped = [item.source for item in objects(call) if isinstance(item.source, tuple)]
    named = [
        name
        for name in call.texts("StorageSubSystemFriendlyName")
        if matching(name, [f"Clustered Windows Storage on {call.world.spec.cluster}"])
    ]
    if host and (("subsystem", True) in piped or named):
        for fault in faults(call.world):
            call.sink.output(shape.diagnose_result(call.world, host, fault))


@cmdlet("Repair-VirtualDisk")
async def repair_virtual_disk(call: Call) -> None:
    """Start a repair by hand; without -AsJob return when it is over."""
    world = call.world
    disks = [item.source for item in objects(call) if isinstance(item.source, VirtualDisk)]
    for name in call.texts("FriendlyName"):
        found = [disk for disk in world.storage.virtual_disks if matching(name, [disk.name])]
        if not found:
            call.sink.error(query_not_found(call, "MSFT_VirtualDisk", "FriendlyName", name))
        disks += found
    for number, disk in enumerate(disks, 1):
        world.repairs.repair(disk)
        if call.has("AsJob"):
            state = SimEnum("System.Management.Automation.JobState", 1, "Running")
            properties: dict[str, object] = {
                "Id": number,
                "Name": f"CIMJob{number}",
                "State": state,
                "HasMoreData": True,
            }
            types = (
                "Microsoft.PowerShell.Cmdletization.Cim.CimJob",
                "System.Management.Automation.Job",
                "System.Object",
            )
            call.sink.output(SimObject(types, properties, to_string=types[0]))
        else:
            await world.until(lambda disk=disk: not disk.stale or not world.repairs.running(disk), call.clock)  # type: ignore[misc]


def objects(call: Call) -> list[SimObject]:
    """Return what came down the pipeline or was given by parameter."""
    given = call.parameters.get("InputObject")
    extra = list(given) if isinstance(given, list | tuple) else [given]
    return [item for item in (*call.input, *extra) if isinstance(item, SimObject)]


def _servers(call: Call) -> list[Node]:
    return [item.source for item in objects(call) if isinstance(item.source, Node)]
