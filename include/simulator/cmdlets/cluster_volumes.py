"""The FailoverClusters cmdlets about cluster shared volumes: their I/O state, maintenance and redirected access."""

from __future__ import annotations

from include.simulator.cmdlets.cluster_errors import check_service, cluster_error, find_node, matching, not_found
from include.simulator.cmdlets.cluster_roles import named_resources, piped
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimEnum, SimObject, TerminatingError, UInt64
from include.simulator.world.machines import Node
from include.simulator.world.storage import VirtualDisk
from include.simulator.world.world import World

_SPACE = "Microsoft.FailoverClusters.PowerShell."
#: Win32 error codes (win32, system error codes).
ALREADY_REDIRECTED = 5966
NOT_REDIRECTED = 5967
RESOURCE_IN_MAINTENANCE = 5970
#: SharedVolumeInfo.FaultState as the constants of Microsoft's management library have them.
_FAULT_STATES = {0: "NoFaults", 1: "NoDirectIO", 2: "NoAccess", 4: "InMaintenance"}
#: Reasons why a volume's file system is redirected; ReFS on a shared volume always is.
_USER_REQUEST, _REFS = (1, "UserRequest"), (32, "FileSystemReFs")


def fault_state(disk: VirtualDisk) -> int:
    """Return the fault state of a shared volume: in order of gravity no access, in maintenance, redirected, or none."""
    if not disk.attached:
        return 2
    if disk.maintenance:
        return 4
    return 1 if disk.redirected else 0


def shared_volume(world: World, disk: VirtualDisk) -> SimObject:
    """Return the ClusterSharedVolume object of a virtual disk."""
    name = disk.resource_name
    state = world.resources.find(name)
    number, text = (int(state.state), state.state.name) if state else (-1, "Unknown")
    fault = fault_state(disk)
    used = int(disk.size * disk.used)
    partition: dict[str, object] = {
        "FileSystem": "CSVFS",
        "FreeSpace": UInt64(disk.size - used),
        "Name": f"\\\\?\\Volume{{{disk.id}}}\\",
        "PercentFree": round(100.0 * (1 - disk.used), 2),
        "Size": UInt64(disk.size),
        "UsedSpace": UInt64(used),
    }
    backup = (1, "VolumeBackupInProgress") if disk.backup else (0, "VolumeBackupNone")
    details: dict[str, object] = {
        # win32, clusapi: CLUSTER_SHARED_VOLUME_BACKUP_STATE
        "BackupState": SimEnum(_SPACE + "SharedVolumeBackupState", *backup),
        "FaultState": SimEnum(_SPACE + "SharedVolumeFaultState", fault, _FAULT_STATES[fault]),
        "FriendlyVolumeName": f"C:\\ClusterStorage\\{disk.name}",
        "MaintenanceMode": disk.maintenance,
        "Partition": SimObject(
            (_SPACE + "ClusterDiskPartitionInfo", "System.Object"),
            partition,
            to_string=_SPACE + "ClusterDiskPartitionInfo",
        ),
        "RedirectedAccess": disk.redirected,
        "VolumeOffset": UInt64(16777216),
    }
    info = SimObject(
        (_SPACE + "ClusterSharedVolumeInfo", "System.Object"), details, to_string=_SPACE + "ClusterSharedVolumeInfo"
    )
    properties: dict[str, object] = {
        "Id": str(world.guid(f"resource:{name}")),
        "Name": name,
        "OwnerNode": disk.owner.name,
        "SharedVolumeInfo": [info],
        "State": SimEnum(_SPACE + "ClusterResourceState", number, text),
    }
    types = (_SPACE + "ClusterSharedVolume", _SPACE + "ClusterObject", "System.Object")
    return SimObject(types, properties, to_string=name, source=disk)


@cmdlet("Get-ClusterSharedVolume")
async def get_cluster_shared_volume(call: Call) -> None:
    """Write the cluster shared volumes."""
    check_service(call)
    names, disks = call.texts("Name"), _shared(call)
    for name in names:
        if not matching(name, [disk.resource_name for disk in disks]):
            call.sink.error(not_found(call, "resource", name))
    for disk in disks:
        if not names or any(matching(name, [disk.resource_name]) for name in names):
            call.sink.output(shared_volume(call.world, disk))


@cmdlet("Get-ClusterSharedVolumeState")
async def get_cluster_shared_volume_state(call: Call) -> None:
    """Write how every node reaches every shared volume.

    A volume of Storage Spaces Direct with ReFS is redirected by its file system at all times; one that was suspended with
    -RedirectedAccess says UserRequest (windows-powershell-docs, Get-ClusterSharedVolumeState).
    """
    check_service(call)
    names = call.texts("Name")
    nodes = [find_node(call, name) for name in call.texts("Node")] or [each for each in call.world.nodes if each.member]
    chosen = [item.source for item in piped(call) if isinstance(item.source, VirtualDisk)]
    for disk in _shared(call):
        asked = not names or any(matching(name, [disk.resource_name]) for name in names)
        if asked and (not chosen or disk in chosen):
            for node in nodes:
                call.sink.output(_state(disk, node))


def _state(disk: VirtualDisk, node: Node) -> SimObject:
    state, block = (3, "FileSystemRedirected"), (0, "NotBlockRedirected")
    if not node.member or not disk.attached or disk.maintenance:
        state = (0, "Unavailable")
    elif node.maintenance.name != "NONE":
        block = (1, "NoDiskConnectivity")
        state = (4, "BlockRedirected")
    properties: dict[str, object] = {
        "BlockRedirectedIOReason": SimEnum(_SPACE + "BlockRedirectedIOReason", *block),
        "FileSystemRedirectedIOReason": SimEnum(
            _SPACE + "FileSystemRedirectedIOReason", *(_USER_REQUEST if disk.redirected else _REFS)
        ),
        "Name": disk.resource_name,
        "Node": node.name,
        "StateInfo": SimEnum(_SPACE + "SharedVolumeStateInfo", *state),
        "VolumeFriendlyName": disk.name,
        "VolumeName": f"\\\\?\\Volume{{{disk.id}}}\\",
    }
    return SimObject((_SPACE + "ClusterSharedVolumeStateInfo", "System.Object"), properties, to_string=disk.name)


@cmdlet("Suspend-ClusterResource")
async def suspend_cluster_resource(call: Call) -> None:
    """Turn on maintenance mode of a disk, or with -RedirectedAccess redirected access of a shared volume.

    Maintenance of a volume takes what runs on it down; without -Force that is asked for (windows-powershell-docs,
    Suspend-ClusterResource).
    """
    check_service(call)
    for disk in _disks(call):
        if disk.redirected and call.has("RedirectedAccess"):
            raise cluster_error(
                call, f"'{disk.resource_name}' is redirected already.", ALREADY_REDIRECTED, "NotSpecified"
            )
        if disk.maintenance:
            raise cluster_error(
                call, f"'{disk.resource_name}' is in maintenance mode.", RESOURCE_IN_MAINTENANCE, "NotSpecified"
            )
        if call.has("RedirectedAccess"):
            disk.redirected = True
        else:
            call.world.storage.suspend(disk, f"Suspend-ClusterResource by {call.session.user}")
        call.sink.output(shared_volume(call.world, disk))


@cmdlet("Resume-ClusterResource")
async def resume_cluster_resource(call: Call) -> None:
    """Turn maintenance mode or redirected access off again."""
    check_service(call)
    for disk in _disks(call):
        if not disk.redirected and not disk.maintenance:
            raise cluster_error(call, f"'{disk.resource_name}' is not redirected.", NOT_REDIRECTED, "NotSpecified")
        disk.redirected = disk.maintenance = False
        call.sink.output(shared_volume(call.world, disk))


def _shared(call: Call) -> list[VirtualDisk]:
    return [disk for disk in call.world.storage.virtual_disks if disk.shared]


def _disks(call: Call) -> list[VirtualDisk]:
    found = [each.source for each in named_resources(call) if isinstance(each.source, VirtualDisk)]
    if not found:
        raise TerminatingError(not_found(call, "resource", ", ".join(call.texts("Name"))))
    return found
