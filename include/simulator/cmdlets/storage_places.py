"""The Storage cmdlets about places: volumes, enclosures, storage nodes."""

from __future__ import annotations

from include.simulator.cmdlets import storage_place_objects as shape
from include.simulator.cmdlets.cim_objects import query_not_found
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.cmdlets.storage import named, objects, viewer
from include.simulator.objects import SimObject
from include.simulator.world.machines import Node
from include.simulator.world.storage import VirtualDisk


@cmdlet("Get-Volume")
async def get_volume(call: Call) -> None:
    """Write the boot volume of the server and the volumes of attached virtual disks; a detached one has none."""
    if not isinstance(call.host, Node):
        return
    host = viewer(call)
    disks = [disk for disk in call.world.storage.virtual_disks if disk.attached] if host else []
    chosen = [item.source for item in objects(call) if isinstance(item.source, VirtualDisk)]
    found = [shape.volume(call.world, call.host, disk) for disk in disks if not chosen or disk in chosen]
    if not chosen:
        found.insert(0, shape.boot_volume(call.world, call.host))
    parameter = next((each for each in ("FileSystemLabel", "DriveLetter", "Path") if call.has(each)), None)
    for item in found if parameter is None else _asked(call, parameter, found):
        call.sink.output(item)


def _asked(call: Call, parameter: str, found: list[SimObject]) -> list[SimObject]:
    wanted = call.texts(parameter)
    for name in wanted:
        if not any(matching(name, [str(item.get(parameter))]) for item in found) and "*" not in name:
            call.sink.error(query_not_found(call, "MSFT_Volume", parameter, name))
    return [item for item in found if any(matching(name, [str(item.get(parameter))]) for name in wanted)]


@cmdlet("Get-StorageEnclosure")
async def get_storage_enclosure(call: Call) -> None:
    """Write the enclosures: the drive bays of every server."""
    host = viewer(call)
    found = [shape.enclosure(call.world, host, node) for node in call.world.nodes] if host else []
    parameter = next((each for each in ("UniqueId", "SerialNumber") if call.has(each)), "FriendlyName")
    named(call, "MSFT_StorageEnclosure", parameter, found)


@cmdlet("Get-StorageNode")
async def get_storage_node(call: Call) -> None:
    """Write the servers as the clustered subsystem knows them: Up, Down, Joining or Paused."""
    host = viewer(call)
    found = [shape.storage_node(call.world, host, node) for node in call.world.nodes] if host else []
    named(call, "MSFT_StorageNode", "UniqueId" if call.has("UniqueId") else "Name", found)
