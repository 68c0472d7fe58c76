"""The objects of the Storage module that stand for places: enclosures, storage nodes, volumes.

Sources of names and numbers: windows-driver-docs, msft-storageenclosure, msft-storagenode, msft-volume.
"""

from __future__ import annotations

from include.simulator.cmdlets.cim_objects import instance
from include.simulator.cmdlets.storage_objects import NAMESPACE
from include.simulator.objects import SimObject, UInt16, UInt32, UInt64
from include.simulator.world.machines import Node, NodeState
from include.simulator.world.storage import GIB, VirtualDisk
from include.simulator.world.world import World

_NODE_STATES = {"Unknown": 0, "Up": 2, "Down": 3, "Joining": 4, "Paused": 5}
#: The size of a node's boot volume, and what is free on it unless a condition says otherwise.
_BOOT_SIZE, _BOOT_FREE = 237 * GIB, 168.0


def enclosure(world: World, host: Node, node: Node) -> SimObject:
    """Return the MSFT_StorageEnclosure of a server's drive bays."""
    there = node.member
    raw: dict[str, object] = {
        "FriendlyName": f"HPE {node.name} Bays",
        "HealthStatus": UInt16(0 if there else 5),
        "Manufacturer": "HPE",
        "Model": "Smart Adapter",
        "NumberOfSlots": UInt32(24),
        "OperationalStatus": [UInt16(2 if there else 13)],
        "PhysicalLocation": node.name,
        "SerialNumber": f"PE{node.serial_number}",
        "UniqueId": world.guid(f"enclosure:{node.name}").hex.upper(),
    }
    texts = {
        "HealthStatus": "Healthy" if there else "Unknown",
        "OperationalStatus": "OK" if there else "Lost Communication",
    }
    classes = ("MSFT_StorageEnclosure", "MSFT_StorageFaultDomain", "MSFT_StorageObject")
    name = str(raw["FriendlyName"])
    return instance(NAMESPACE, classes, raw, host=host.name, texts=texts, to_string=name, source=("enclosure", node))


def storage_node(world: World, host: Node, node: Node) -> SimObject:
    """Return the MSFT_StorageNode of a server as the clustered subsystem sees it."""
    state = node.state.name if node.state is not NodeState.Unknown else "Unknown"
    raw: dict[str, object] = {
        "Name": f"{node.name}.{world.spec.domain}",
        "NameFormat": UInt16(1),
        "OperationalStatus": [UInt16(_NODE_STATES[state])],
        "UniqueId": str(world.guid(f"storage node:{node.name}")),
    }
    texts = {"OperationalStatus": state}
    return instance(
        NAMESPACE, ("MSFT_StorageNode",), raw, host=host.name, texts=texts, to_string=node.name, source=node
    )


def volume(world: World, host: Node, disk: VirtualDisk) -> SimObject:
    """Return the MSFT_Volume of a virtual disk."""
    system, used = "CSVFS_ReFS" if disk.shared else "ReFS", int(disk.size * disk.used)
    return _volume(host, disk.name, f"\\\\?\\Volume{{{disk.id}}}\\", system, disk.size, disk.size - used, disk)


def boot_volume(world: World, host: Node) -> SimObject:
    """Return the MSFT_Volume that the server boots from; the condition boot-volume-full says how many GiB are free."""
    condition = world.rig.find("boot-volume-full", host.name)
    free = condition.number("gib", 3.0) if condition else _BOOT_FREE
    path = f"\\\\?\\Volume{{{world.guid(f'boot:{host.name}')}}}\\"
    found = _volume(host, "", path, "NTFS", _BOOT_SIZE, int(free * GIB), ("boot volume", host))
    found.properties["DriveLetter"] = found.notes["DriveLetter"] = "C"
    return found


def _volume(host: Node, label: str, path: str, system: str, size: int, free: int, source: object) -> SimObject:
    raw: dict[str, object] = {
        "AllocationUnitSize": UInt32(4096),
        "DedupMode": UInt32(4),
        "DriveLetter": None,
        "DriveType": UInt32(3),
        "FileSystem": system,
        "FileSystemLabel": label,
        "FileSystemType": UInt16(0x8001 if system.startswith("CSVFS") else 15 if system == "ReFS" else 14),
        "HealthStatus": UInt16(0),
        "OperationalStatus": [UInt16(2)],
        "Path": path,
        "Size": UInt64(size),
        "SizeRemaining": UInt64(free),
        "UniqueId": path,
    }
    texts = {
        "DedupMode": "NotAvailable",
        "DriveType": "Fixed",
        "FileSystemType": system,
        "HealthStatus": "Healthy",
        "OperationalStatus": "OK",
    }
    return instance(
        NAMESPACE,
        ("MSFT_Volume", "MSFT_StorageObject"),
        raw,
        host=host.name,
        texts=texts,
        to_string=path,
        source=source,
    )
