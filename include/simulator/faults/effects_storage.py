"""Effects on Storage Spaces Direct: stale copies, maintenance mode, volumes and pools that are not what they should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.simulator.faults.registry import CannotStrike, Details, Undo, effect, number, targets, together
from include.simulator.world.machines import Maintenance, Node
from include.simulator.world.spec import DiskSpec
from include.simulator.world.storage import GIB, LastCopyError, VirtualDisk

if TYPE_CHECKING:
    from include.simulator.world.world import World


def _disk(world: World, details: Details) -> VirtualDisk:
    if not world.storage.virtual_disks:
        raise CannotStrike("There is no virtual disk.")
    if "disk" not in details:
        return world.storage.virtual_disks[0]
    disk = world.storage.find(str(details["disk"]))
    if disk is None:
        raise ValueError(f"There is no virtual disk {details['disk']}.")
    return disk


@effect("degrade", "disk", "gib")
def degrade(world: World, node: Node | None, details: Details) -> Undo | None:
    """Make one copy of a virtual disk stale without any job that repairs it; healing lets the repair begin."""
    disk = _disk(world, details)
    holder = node or next((each for each in reversed(world.nodes) if world.storage.available(each)), world.nodes[-1])
    world.repairs.held.add((disk.name, holder.name))
    disk.stale[holder.name] = disk.stale.get(holder.name, 0.0) + number(details, "gib", 40) * GIB
    world.storage.judge(disk)

    def undo() -> None:
        world.repairs.held.discard((disk.name, holder.name))
        world.repairs.plan()

    return undo


@effect("maintenance", "by")
def maintenance(world: World, node: Node | None, details: Details) -> Undo | None:
    """Put the node's disks into storage maintenance mode."""
    by, undone = str(details.get("by", "an operator")), list[Undo]()
    for target in targets(world, node):
        if target.maintenance is Maintenance.NONE:
            try:
                world.storage.enter_maintenance(target, by)
            except LastCopyError as why:
                raise CannotStrike(str(why)) from None
            undone.append(lambda target=target: world.storage.leave_maintenance(target, by))  # type: ignore[misc]
    return together(undone)


@effect("single-copy-volume", "name", "gib")
def single_copy_volume(world: World, node: Node | None, details: Details) -> Undo | None:
    """Add a volume without resiliency: it goes offline with any node."""
    name = str(details.get("name", "Scratch01"))
    if world.storage.find(name) is not None:
        raise CannotStrike(f"There is a virtual disk called {name} already.")
    world.storage.add(DiskSpec(name, int(number(details, "gib", 256)), 1, 5.0))
    disk = world.storage.find(name)
    assert disk is not None  # noqa: S101 - it was just added
    world.storage.judge(disk)

    def undo() -> None:
        if disk in world.storage.virtual_disks:
            world.storage.virtual_disks.remove(disk)
            world.emit("disk.removed", None, {"virtual_disk": disk.name})
            world.repairs.plan()

    return undo


@effect("disk-fault", "status", "gib", "another")
def disk_fault(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let one drive of a node, or of another one, have a status of its own.

    ``gib`` of the copies on it must be copied again once the fault is healed.
    """
    status = str(details.get("status", "Lost Communication"))
    holder = node or world.nodes[-1]
    if details.get("another"):
        holder = next((each for each in reversed(world.nodes) if each is not node), holder)
    drive = next((each for each in world.storage.physical_disks if each.node is holder and not each.fault), None)
    if drive is None:
        raise CannotStrike(f"Node {holder.name} has no drive that could fail.")
    drive.fault = status
    world.emit("drive.state", holder, {"node": holder.name, "serial_number": drive.serial_number, "status": status})
    lost = number(details, "gib", 0) * GIB
    share = [disk for disk in world.storage.virtual_disks if disk.copies > 1]
    for disk in share if lost else []:
        world.repairs.held.add((disk.name, holder.name))
        disk.stale[holder.name] = disk.stale.get(holder.name, 0.0) + lost / len(share)
        world.storage.judge(disk)

    def undo() -> None:
        drive.fault = ""
        world.emit("drive.state", holder, {"node": holder.name, "serial_number": drive.serial_number, "status": "OK"})
        for disk in share:
            world.repairs.held.discard((disk.name, holder.name))
        world.repairs.plan()
        for disk in share:
            world.storage.judge(disk)

    return undo


@effect("csv-redirected", "disk")
def csv_redirected(world: World, node: Node | None, details: Details) -> Undo | None:
    """Put a cluster shared volume into redirected mode (windows-powershell-docs, Get-ClusterSharedVolumeState)."""
    return _volume_mode(world, _disk(world, details), "redirected")


@effect("csv-backup", "disk")
def csv_backup(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let a backup run on a cluster shared volume."""
    return _volume_mode(world, _disk(world, details), "backup")


def _volume_mode(world: World, disk: VirtualDisk, mode: str) -> Undo:
    def switch(on: bool) -> None:
        setattr(disk, mode, on)
        world.emit("csv.state", None, {"virtual_disk": disk.name, "mode": mode, "on": on})

    return world.faults.layers.put((disk.name, mode), bool(getattr(disk, mode)), True, switch)


@effect("pool-read-only", "reason")
def pool_read_only(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let the pool be read-only (windowsserverdocs, storage-spaces-states: pool states)."""
    storage, reason = world.storage, str(details.get("reason", "Incomplete"))

    def switch(why: str) -> None:
        storage.pool_read_only = why
        world.emit("pool.state", None, {"pool": storage.pool_name, "read_only": bool(why), "reason": why or "None"})

    return world.faults.layers.put("pool", storage.pool_read_only, reason, switch)


@effect("virtual-disk-offline", "disk")
def virtual_disk_offline(world: World, node: Node | None, details: Details) -> Undo | None:
    """Take a virtual disk offline as an administrator would; healing brings it online and starts what ran on it."""
    disk = _disk(world, details)
    if disk.offline:
        raise CannotStrike(f"The virtual disk {disk.name} is offline already.")
    world.storage.take_offline(disk, f"virtual disk {disk.name} went offline")

    def undo() -> None:
        world.storage.bring_online(disk, f"virtual disk {disk.name} is back")
        for group in world.groups.all:
            if group.vm and group.vm.disk == disk.name:
                group.configuration_failed = False
        world.groups.place_orphans()

    return undo
