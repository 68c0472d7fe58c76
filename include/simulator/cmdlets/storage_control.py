"""The Storage cmdlets that change the pool and its virtual disks."""

from __future__ import annotations

from collections.abc import Callable

from include.simulator.cmdlets import storage_objects as shape
from include.simulator.cmdlets.cim_objects import query_not_found, storage_error
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, ask, cmdlet
from include.simulator.cmdlets.storage import objects, viewer
from include.simulator.objects import SimObject
from include.simulator.world.machines import Node
from include.simulator.world.repair import RepairJob
from include.simulator.world.storage import Storage, VirtualDisk

#: Error codes of the storage management API (windows-driver-docs).
_READ_ONLY = 48009
_NOT_ATTACHED = 46000
_ALREADY_ATTACHED = 46001


@cmdlet("Update-StoragePool")
async def update_storage_pool(call: Call) -> None:
    """Raise the version of the pool to that of the nodes, for good; it asks unless -Confirm:$false is given.

    Source: windows-powershell-docs, Update-StoragePool; azure-stack-docs, update-cluster.
    """
    host = _pool(call)
    if host is None:
        return
    ask(call)
    if shape.pool_read_only(call.world) != "None":
        raise storage_error(call, "The storage pool is read-only.", _READ_ONLY)
    call.world.storage.upgrade_pool()
    if call.has("PassThru"):
        call.sink.output(shape.pool(call.world, host, primordial=False))


@cmdlet("Optimize-StoragePool")
async def optimize_storage_pool(call: Call) -> None:
    """Spread data evenly over the drives; without -AsJob return when that is over."""
    host = _pool(call)
    if host is None:
        return
    job = call.world.repairs.optimize()
    if job is not None and not call.has("AsJob"):
        await call.world.until(lambda: job.state not in ("Running", "Suspended"), call.clock)
    if call.has("PassThru"):
        call.sink.output(shape.pool(call.world, host, primordial=False))


@cmdlet("Stop-StorageJob")
async def stop_storage_job(call: Call) -> None:
    """End storage jobs."""
    ended = [item.source for item in objects(call) if isinstance(item.source, RepairJob)]
    names = call.texts("Name")
    ended += [job for job in call.world.repairs.jobs if any(matching(name, [job.name]) for name in names)]
    for job in ended:
        call.world.repairs.end(job)


@cmdlet("Disconnect-VirtualDisk")
async def disconnect_virtual_disk(call: Call) -> None:
    """Detach virtual disks; those of a cluster are normally taken offline through their resource."""

    def detach(disk: VirtualDisk) -> None:
        if not disk.attached:
            raise storage_error(call, f"The virtual disk {disk.name} is not attached.", _NOT_ATTACHED)
        call.world.storage.take_offline(disk, f"Disconnect-VirtualDisk by {call.session.user}")

    _each(call, detach)


@cmdlet("Connect-VirtualDisk")
async def connect_virtual_disk(call: Call) -> None:
    """Attach virtual disks; impossible while the pool is offline or too many copies are missing."""

    def attach(disk: VirtualDisk) -> None:
        if disk.attached:
            raise storage_error(call, f"The virtual disk {disk.name} is attached already.", _ALREADY_ATTACHED)
        call.world.storage.bring_online(disk, f"Connect-VirtualDisk by {call.session.user}")
        if not disk.attached:
            why = f"The virtual disk {disk.name} cannot be attached: {disk.detached_reason}."
            raise storage_error(call, why, _NOT_ATTACHED)

    _each(call, attach)


def _each(call: Call, action: Callable[[VirtualDisk], None]) -> None:
    host = viewer(call)
    if host is None:
        return
    disks = [item.source for item in objects(call) if isinstance(item.source, VirtualDisk)]
    for name in (*call.texts("FriendlyName"), *call.texts("Name")):
        found = [disk for disk in call.world.storage.virtual_disks if matching(name, [disk.name])]
        if not found:
            call.sink.error(query_not_found(call, "MSFT_VirtualDisk", "FriendlyName", name))
        disks += found
    for disk in disks:
        action(disk)
        if call.has("PassThru"):
            call.sink.output(shape.virtual_disk(call.world, host, disk))


def _pool(call: Call) -> Node | None:
    """Return the node that answers where the cluster's pool was named or piped; else write that there is no such pool."""
    host = viewer(call)
    piped = [item for item in objects(call) if isinstance(item, SimObject) and isinstance(item.source, Storage)]
    if any(item.properties["IsPrimordial"] is False for item in piped):
        return host
    identities = call.texts("UniqueId")
    if host and identities:
        own = shape.pool(call.world, host, primordial=False).properties["UniqueId"]
        if any(identity.lower() == str(own).lower() for identity in identities):
            return host
        call.sink.error(query_not_found(call, "MSFT_StoragePool", "UniqueId", identities[0]))
        return None
    names = call.texts("FriendlyName") or call.texts("Name")
    if host and any(matching(name, [call.world.storage.pool_name]) for name in names):
        return host
    for name in names:
        call.sink.error(query_not_found(call, "MSFT_StoragePool", "FriendlyName", name))
    return None
