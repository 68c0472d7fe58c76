"""The objects of the FailoverClusters module, as they look after one level of serialisation.

Properties that hold another cluster object (Cluster, OwnerNode, OwnerGroup, ResourceType) reach a remote client as its name.
"""

from __future__ import annotations

from enum import IntEnum

from include.simulator.objects import SimEnum, SimObject, UInt32, UInt64
from include.simulator.world.groups import Group
from include.simulator.world.levels import version_of
from include.simulator.world.machines import Information, Node
from include.simulator.world.resources import Resource, ResourceState
from include.simulator.world.world import World

_SPACE = "Microsoft.FailoverClusters.PowerShell."
#: StatusInformation of groups and resources (win32, GetClusterGroupState: CLUSGRP_STATUS_ values).
_LOCKED, _UNMONITORED = 0x1, 0x100


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


_RESILIENCY = {1: "IsolateOnSpecialHeartbeat", 2: "AlwaysIsolate"}


def cluster(world: World) -> SimObject:
    """Return the Cluster object.

    MaximumParallelMigrations came with the updates of September 2022; the rest of the last ones are in a class dump of 23H2.
    """
    spec = world.spec
    version = min((version_of(node) for node in world.nodes), key=lambda each: each.build)
    properties: dict[str, object] = {
        "AdministrativeAccessPoint": SimEnum(_SPACE + "AdminAccessPoint", 1, "ActiveDirectoryAndDns"),
        "AutoBalancerLevel": UInt32(1),
        "AutoBalancerMode": UInt32(2),
        "BlockCacheSize": UInt32(1024),
        "ClusterFunctionalLevel": UInt32(world.functional_level),
        "ClusterUpgradeVersion": UInt32(world.levels.upgrade_version),
        "CsvBalancer": UInt32(1),
        "DatabaseReadWriteMode": UInt32(0),
        "Domain": spec.domain,
        "DrainOnShutdown": UInt32(spec.drain_on_shutdown),
        "DynamicQuorum": UInt32(1),
        "FixQuorum": UInt32(world.quorum.forced),
        "Id": str(world.guid("cluster")),
        "Name": spec.cluster,
        "PlacementOptions": UInt32(0),
        "PreferredSite": "",
        "PreventQuorum": UInt32(0),
        "QuarantineDuration": UInt32(int(spec.quarantine_duration.total_seconds())),
        "QuarantineThreshold": UInt32(spec.quarantine_threshold),
        "ResiliencyDefaultPeriod": UInt32(int(spec.resiliency_default_period.total_seconds())),
        "ResiliencyLevel": SimEnum(
            _SPACE + "ClusterResiliencyLevel", spec.resiliency_level, _RESILIENCY[spec.resiliency_level]
        ),
        "S2DCacheDesiredState": SimEnum(_SPACE + "S2DCacheState", 2, "Enabled"),
        "S2DEnabled": UInt32(1),
        "SharedVolumesRoot": "C:\\ClusterStorage",
        "ShutdownTimeoutInMinutes": UInt32(20),
        "WitnessDynamicWeight": UInt32(world.quorum.witness_weight),
    }
    if version.parallel_migrations_property:
        properties["MaximumParallelMigrations"] = UInt32(spec.parallel_migrations)
    if version.unique_node_id:
        properties |= {
            "RolloutAudience": "",
            "SetSMBBandwidthLimit": UInt32(1),
            "SMBBandwidthLimitFactor": UInt32(40),
            "UseRdmaForStorage": UInt32(1),
        }
    return _object("Cluster", spec.cluster, properties, world)


def node(world: World, each: Node) -> SimObject:
    """Return the ClusterNode object."""
    level, upgrade = world.levels.node_pair(each)
    lowest = min((level, upgrade), (world.levels.functional_level, world.levels.upgrade_version))
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
        "NodeHighestVersion": UInt32(level << 16 | upgrade),
        "NodeInstanceID": str(each.instance_id),
        "NodeLowestVersion": UInt32(lowest[0] << 16 | lowest[1]),
        "NodeName": each.name,
        "NodeWeight": UInt32(each.weight),
        "SerialNumber": each.serial_number,
        "State": enum("ClusterNodeState", each.state),
        "StatusInformation": information(each.information),
        "Type": SimEnum(_SPACE + "NodeType", 0, "Node"),
    }
    if version_of(each).unique_node_id:
        properties["UniqueID"] = str(world.guid(f"unique:{each.name}"))
    return _object("ClusterNode", each.name, properties, each)


def group(world: World, each: Group) -> SimObject:
    """Return the ClusterGroup object; a locked role, or one that nobody watches any more, says so in StatusInformation."""
    kind = SimEnum(_SPACE + "GroupType", int(each.type), each.type.name)
    status = _status_flags(locked=each.locked, unmonitored=each.unmonitored)
    texts = [text for bit, text in ((_LOCKED, "Locked"), (_UNMONITORED, "Unmonitored")) if status & bit]
    information = SimEnum(_SPACE + "ClusterApplicationStatusInformation", status, ", ".join(texts) or "0")
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
        "StatusInformation": information,
    }
    return _object("ClusterGroup", each.name, properties, each)


def resource(world: World, each: Resource) -> SimObject:
    """Return a ClusterResource object; one of an isolated node says Unmonitored."""
    state = each.state
    if state in (ResourceState.OnlinePending, ResourceState.OfflinePending) and world.variant("core-states-with-gaps"):
        state = ResourceState.Pending
    status = _status_flags(locked=each.locked, unmonitored=each.unmonitored)
    properties: dict[str, object] = {
        "Cluster": world.spec.cluster,
        "Description": "",
        "Id": str(world.guid(f"resource:{each.name}")),
        "IsCoreResource": each.core,
        "LastOperationStatusCode": UInt64(0),
        "LockedFromMoving": UInt32(each.locked),
        "MaintenanceMode": each.maintenance,
        "Name": each.name,
        "OwnerGroup": each.group,
        "OwnerNode": each.owner.name,
        "PersistentState": UInt32(each.wanted),
        "ResourceType": each.type,
        "State": enum("ClusterResourceState", state),
        "StatusInformation": UInt64(status),
    }
    return _object("ClusterResource", each.name, properties, each.source)


def _status_flags(*, locked: bool, unmonitored: bool) -> int:
    return (_LOCKED if locked else 0) | (_UNMONITORED if unmonitored else 0)
