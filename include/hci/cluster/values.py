"""Reading the vendor's enumerations, which arrive as text, as a number or as both."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntFlag, StrEnum
from types import MappingProxyType
from typing import TypeVar

from include.hci.powershell.psobject import PSObject


class NodeState(StrEnum):
    """ClusterNodeState; a value that is not known is UNKNOWN, never a guess."""

    UP = "Up"
    DOWN = "Down"
    PAUSED = "Paused"
    JOINING = "Joining"
    UNKNOWN = "Unknown"


class DrainStatus(StrEnum):
    """NodeDrainStatus."""

    NOT_INITIATED = "NotInitiated"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


class StatusInformation(IntFlag):
    """The flags of a cluster node (ClusAPI, CLUSTER_NODE_STATUS)."""

    NORMAL = 0
    ISOLATED = 0x1
    QUARANTINED = 0x2
    DRAIN_IN_PROGRESS = 0x4
    DRAIN_COMPLETED = 0x8
    DRAIN_FAILED = 0x10
    AVOID_PLACEMENT = 0x20


class GroupState(StrEnum):
    """ClusterGroupState."""

    ONLINE = "Online"
    OFFLINE = "Offline"
    FAILED = "Failed"
    PARTIAL_ONLINE = "PartialOnline"
    PENDING = "Pending"
    UNKNOWN = "Unknown"


NODE_STATES = MappingProxyType({-1: "Unknown", 0: "Up", 1: "Down", 2: "Paused", 3: "Joining"})
DRAIN_STATES = MappingProxyType({0: "NotInitiated", 1: "InProgress", 2: "Completed", 3: "Failed"})
GROUP_STATES = MappingProxyType(
    {-1: "Unknown", 0: "Online", 1: "Offline", 2: "Failed", 3: "PartialOnline", 4: "Pending"}
)
#: GroupType of the module FailoverClusters, version 2.0.0.0.
GROUP_TYPES = MappingProxyType(
    {
        1: "Cluster",
        2: "AvailableStorage",
        3: "Temporary",
        4: "ClusterSharedVolume",
        5: "ClusterStoragePool",
        100: "FileServer",
        102: "DhcpServer",
        103: "Dtc",
        104: "Msmq",
        105: "Wins",
        106: "StandAloneDfs",
        107: "GenericApplication",
        108: "GenericService",
        109: "GenericScript",
        110: "IScsiNameService",
        111: "VirtualMachine",
        112: "TsSessionBroker",
        113: "IScsiTarget",
        114: "ScaleoutFileServer",
        115: "VMReplicaBroker",
        116: "TaskScheduler",
        122: "InfrastructureFileServer",
        9999: "Unknown",
    }
)
RESOURCE_STATES = MappingProxyType(
    {
        -1: "Unknown",
        0: "Inherited",
        1: "Initializing",
        2: "Online",
        3: "Offline",
        4: "Failed",
        128: "Pending",
        129: "OnlinePending",
        130: "OfflinePending",
    }
)
HEALTH = MappingProxyType({0: "Healthy", 1: "Warning", 2: "Unhealthy", 5: "Unknown"})
OPERATIONAL = MappingProxyType(
    {
        0: "Unknown",
        1: "Other",
        2: "OK",
        3: "Degraded",
        4: "Stressed",
        5: "Predictive Failure",
        6: "Error",
        7: "Non-Recoverable Error",
        8: "Starting",
        9: "Stopping",
        10: "Stopped",
        11: "In Service",
        12: "No Contact",
        13: "Lost Communication",
        14: "Aborted",
        15: "Dormant",
        16: "Supporting Entity in Error",
        17: "Completed",
        18: "Power Mode",
        19: "Relocating",
        0xD002: "Detached",
        0xD003: "Incomplete",
        0xD004: "Failed Media",
        0xD005: "Split",
        0xD006: "Stale Metadata",
        0xD007: "IO Error",
        0xD008: "Unrecognized Metadata",
        # Not on the pages of the classes: what the Storage module's own types make of them since Windows Server 2016.
        0xD015: "Removing From Pool",
        0xD016: "In Maintenance Mode",
        0xD017: "Updating Firmware",
        0xD018: "Device Hardware Error",
        0xD019: "Not Usable",
        0xD01A: "Transient Error",
        0xD01C: "Starting Maintenance Mode",
        0xD01D: "Stopping Maintenance Mode",
        0xD025: "Threshold Exceeded",
        0xD026: "Abnormal Latency",
    }
)
#: PerceivedSeverity of StorageDiagnoseResult, the mildest first.
SEVERITIES = MappingProxyType(
    {0: "Unknown", 2: "Information", 3: "Degraded/Warning", 4: "Minor", 5: "Major", 6: "Critical", 7: "Fatal"}
)
JOB_STATES = MappingProxyType(
    {
        2: "New",
        3: "Starting",
        4: "Running",
        5: "Suspended",
        6: "ShuttingDown",
        7: "Completed",
        8: "Terminated",
        9: "Killed",
        10: "Exception",
        11: "Service",
        12: "QueryPending",
    }
)
SERVICE_STATES = MappingProxyType(
    {
        1: "Stopped",
        2: "StartPending",
        3: "StopPending",
        4: "Running",
        5: "ContinuePending",
        6: "PausePending",
        7: "Paused",
    }
)
START_TYPES = MappingProxyType({0: "Boot", 1: "System", 2: "Automatic", 3: "Manual", 4: "Disabled"})

E = TypeVar("E", bound=Enum)


def squeeze(text: str) -> str:
    """Return ``text`` without spaces and in lower case, so that 'In Service' and 'InService' are the same."""
    return text.replace(" ", "").lower()


def named(value: object, names: Mapping[int, str]) -> str:
    """Return the name of one enumeration value that arrived as number or text; unknown ones as they came."""
    if value is None:
        return "Unknown"
    text = str(value).strip()
    if text in names.values():
        return text
    try:
        return names.get(int(text, 0), text)
    except ValueError:
        return next((name for name in names.values() if squeeze(name) == squeeze(text)), text)


def enum_name(item: PSObject, name: str, names: Mapping[int, str]) -> str:
    """Return the enumeration property ``name`` of ``item`` as its name; unknown texts as they came, 'Unknown' if absent."""
    value = item.enum(name, None)
    return "Unknown" if value is None else named(value, names)


def enum_member(item: PSObject, name: str, names: Mapping[int, str], kind: type[E]) -> E:
    """Return the property as a member of ``kind``, its 'Unknown' when the value is not one of them."""
    try:
        return kind(enum_name(item, name, names))
    except ValueError:
        return kind("Unknown")


def flags(item: PSObject, name: str) -> StatusInformation:
    """Return the status flags of a node from their number or from names joined by commas."""
    value = item.enum(name, None)
    if value is None:
        return StatusInformation.NORMAL
    if value.number is not None:
        return StatusInformation(value.number)
    found = StatusInformation.NORMAL
    for word in (value.name or "").split(","):
        for flag in StatusInformation:
            if squeeze(flag.name or "").replace("_", "") == squeeze(word):
                found |= flag
    return found
