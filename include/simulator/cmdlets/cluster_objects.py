"""The objects of the FailoverClusters module, as they look after one level of serialisation.

Properties that hold another cluster object (Cluster, OwnerNode, OwnerGroup, ResourceType) reach a remote client as its name.
"""

from __future__ import annotations

from enum import IntEnum

from include.simulator.objects import SimEnum, SimObject, UInt32, UInt64
from include.simulator.world.groups import Group, GroupState
from include.simulator.world.machines import Information, Node
from include.simulator.world.storage import VirtualDisk
from include.simulator.world.world import World

_SPACE = "Microsoft.FailoverClusters.PowerShell."


def enum(type_name: str, value: IntEnum) -> SimEnum:
    """Return a value of one of the module's enumerations."""
    return SimEnum(_SPACE + type_name, int(value), value.name)


def information(flags: Information) -> SimEnum:
    """Return ClusterNodeStatusInformation; several flags print as Windows joins them."""
    names = [flag.name for flag in Information if flag and flag in flags]
    return SimEnum(
        _SPACE + "ClusterNodeStatusInformation", int(flags), ", ".join(str(name) for name in names) or "Normal"
    )


def _object(type_name: str, name: str, properties: dict[str, object], source: object) -> SimObject:
    types = (_SPACE + type_name, _SPACE + "ClusterObject", "System.Object")
    return SimObject(types, properties, to_string=name, source=source)


def cluster(world: World) -> SimObject:
    """Return the Cluster object."""
    spec = world.spec
    properties: dict[str, object] = {
        "AdministrativeAccessPoint": SimEnum(_SPACE + "AdminAccessPoint", 1, "ActiveDirectoryAndDns"),
        "AutoBalancerLevel": UInt32(1),
        "AutoBalancerMode": UInt32(2),
        "BlockCacheSize": UInt32(1024),
        "ClusterFunctionalLevel": UInt32(world.functional_level),
        "ClusterUpgradeVersion": UInt32(spec.os.upgrade_version),
        "CsvBalancer": UInt32(1),
        "DatabaseReadWriteMode": UInt32(0),
        "Domain": spec.domain,
        "DrainOnShutdown": UInt32(spec.drain_on_shutdown),
        "DynamicQuorum": UInt32(1),
        "FixQuorum": UInt32(0),
        "Id": str(world.guid("cluster")),
        "Name": spec.cluster,
        "PlacementOptions": UInt32(0),
        "PreferredSite": "",
        "PreventQuorum": UInt32(0),
        "QuarantineDuration": UInt32(int(spec.quarantine_duration.total_seconds())),
        "QuarantineThreshold": UInt32(spec.quarantine_threshold),
        "ResiliencyDefaultPeriod": UInt32(240),
        "ResiliencyLevel": SimEnum(_SPACE + "ClusterResiliencyLevel", 2, "AlwaysIsolate"),
        "S2DCacheDesiredState": SimEnum(_SPACE + "S2DCacheState", 2, "Enabled"),
        "S2DEnabled": UInt32(1),
        "SharedVolumesRoot": "C:\\ClusterStorage",
        "ShutdownTimeoutInMinutes": UInt32(20),
        "WitnessDynamicWeight": UInt32(world.quorum.witness_weight),
    }
    return _object("Cluster", spec.cluster, properties, world)


def node(world: World, each: Node) -> SimObject:
    """Return the ClusterNode object."""
    highest = (world.spec.os.functional_level << 16) | world.spec.os.upgrade_version
    properties: dict[str, object] = {
        "BuildNumber": UInt32(each.build),
        "Cluster": world.spec.cluster,
        "CSDVersion": "",
        "Description": "",
        "DrainStatus": enum("ClusterNodeDrainStatus", each.drain_status),
        "DrainTarget": UInt32(each.drain_target),
        "DynamicWeight": UInt32(each.dynamic_weight),
        "FaultDomain": ["Site:", "Rack:", "Chassis:"],
        "Id": str(each.id),
        "MajorVersion": UInt32(10),
        "Manufacturer": "HPE",
        "MinorVersion": UInt32(0),
        "Model": "ProLiant DL380 Gen10",
        "Name": each.name,
        "NeedsPreventQuorum": UInt32(0),
        "NodeHighestVersion": UInt32(highest),
        "NodeInstanceID": str(each.instance_id),
        "NodeLowestVersion": UInt32(highest),
        "NodeName": each.name,
        "NodeWeight": UInt32(each.weight),
        "SerialNumber": each.serial_number,
        "State": enum("ClusterNodeState", each.state),
        "StatusInformation": information(each.information),
        "Type": SimEnum(_SPACE + "NodeType", 0, "Node"),
    }
    if world.spec.os.unique_node_id:
        properties["UniqueID"] = str(world.guid(f"unique:{each.name}"))
    return _object("ClusterNode", each.name, properties, each)


def group(world: World, each: Group) -> SimObject:
    """Return the ClusterGroup object; a Locked role or one that waits says so in StatusInformation."""
    kind = SimEnum(_SPACE + "GroupType", int(each.type), each.type.name)
    locked = SimEnum(_SPACE + "ClusterApplicationStatusInformation", int(each.locked), "Locked" if each.locked else "0")
    properties: dict[str, object] = {
        "AutoFailbackType": UInt32(0),
        "Cluster": world.spec.cluster,
        "ColdStartSetting": UInt32(0),
        "DefaultOwner": UInt32(0xFFFFFFFF),
        "Description": "",
        "FailoverPeriod": UInt32(6),
        "FailoverThreshold": UInt32(0xFFFFFFFF),
        "GroupType": kind,
        "Id": str(each.id),
        "IsCoreGroup": each.is_core,
        "LockedFromMoving": UInt32(each.locked),
        "Name": each.name,
        "OwnerNode": each.owner.name,
        "PersistentState": UInt32(each.wanted),
        "Priority": UInt32(2000),
        "State": enum("ClusterGroupState", each.state),
        "StatusInformation": locked,
    }
    return _object("ClusterGroup", each.name, properties, each)


_RESOURCE_STATES = {
    GroupState.Online: (2, "Online"),
    GroupState.Offline: (3, "Offline"),
    GroupState.Failed: (4, "Failed"),
    GroupState.Pending: (129, "OnlinePending"),
}


def resource(
    world: World, name: str, kind: str, owner: Node, owner_group: str, state: GroupState, source: object
) -> SimObject:
    """Return a ClusterResource object."""
    number, text = _RESOURCE_STATES.get(state, (-1, "Unknown"))
    properties: dict[str, object] = {
        "Cluster": world.spec.cluster,
        "Description": "",
        "Id": str(world.guid(f"resource:{name}")),
        "IsCoreResource": owner_group == "Cluster Group",
        "LastOperationStatusCode": UInt64(0),
        "MaintenanceMode": False,
        "Name": name,
        "OwnerGroup": owner_group,
        "OwnerNode": owner.name,
        "PersistentState": UInt32(1),
        "ResourceType": kind,
        "State": SimEnum(_SPACE + "ClusterResourceState", number, text),
    }
    return _object("ClusterResource", name, properties, source)


def shared_volume(world: World, disk: VirtualDisk) -> SimObject:
    """Return the ClusterSharedVolume object of a virtual disk."""
    name = f"Cluster Virtual Disk ({disk.name})"
    state = (2, "Online") if disk.attached else (4, "Failed")
    properties: dict[str, object] = {
        "Id": str(world.guid(f"resource:{name}")),
        "Name": name,
        "OwnerNode": disk.owner.name,
        "SharedVolumeInfo": [_SPACE + "ClusterSharedVolumeInfo"],
        "State": SimEnum(_SPACE + "ClusterResourceState", *state),
    }
    return _object("ClusterSharedVolume", name, properties, disk)
