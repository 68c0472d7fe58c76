"""The cluster, its nodes, roles and quorum, as the FailoverClusters module shows them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from include.hci.cluster.values import (
    DRAIN_STATES,
    GROUP_STATES,
    GROUP_TYPES,
    NODE_STATES,
    RESOURCE_STATES,
    DrainStatus,
    GroupState,
    NodeState,
    StatusInformation,
    enum_member,
    enum_name,
    flags,
    squeeze,
)
from include.hci.powershell.command import Command
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH

#: Reasons for redirected I/O that belong to the volume for good: its file system, its tiers, its replication.
_BY_DESIGN = frozenset({"filesystemrefs", "filesystemtiering", "volumereplicationenabled"})
#: SharedVolumeBackupState (win32, CLUSTER_SHARED_VOLUME_BACKUP_STATE).
BACKUP_STATES = MappingProxyType({0: "VolumeBackupNone", 1: "VolumeBackupInProgress"})


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """The cluster itself; the quarantine values are the limits after which a node is kept out (Get-Cluster)."""

    name: str
    functional_level: int | None = None
    upgrade_version: int | None = None
    s2d_enabled: bool | None = None
    quarantine_threshold: int | None = None
    quarantine_seconds: int | None = None
    witness_weight: int | None = None
    dynamic_quorum: bool | None = None


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """One node: ``state`` and ``drain`` are read together, since a node is Paused as soon as its drain begins."""

    name: str
    state: NodeState
    drain: DrainStatus = DrainStatus.NOT_INITIATED
    status: StatusInformation = StatusInformation.NORMAL
    vote: int = 1
    dynamic_vote: int = 1

    @property
    def is_up(self) -> bool:
        """Whether the node is Up and takes roles."""
        return self.state is NodeState.UP

    @property
    def is_drained(self) -> bool:
        """Whether the node is Paused and its drain has completed."""
        return self.state is NodeState.PAUSED and self.drain is DrainStatus.COMPLETED

    @property
    def kept_out(self) -> str:
        """Why the cluster keeps the node out: 'quarantined', 'isolated' or nothing."""
        if StatusInformation.QUARANTINED in self.status:
            return "quarantined"
        return "isolated" if StatusInformation.ISOLATED in self.status else ""


@dataclass(frozen=True, slots=True)
class ClusterGroup:
    """One role (cluster group) and the node that owns it; ``kind`` is its GroupType, unknown ones as they came.

    ``locked``: an operation such as a backup keeps the role where it is (LockedFromMoving).
    """

    name: str
    owner: str
    state: GroupState
    kind: str = "Unknown"
    status: str = ""
    locked: bool = False

    @property
    def is_running(self) -> bool:
        """Whether it would be interrupted if its node went away."""
        return self.state in (GroupState.ONLINE, GroupState.PARTIAL_ONLINE, GroupState.PENDING)

    def describe(self) -> str:
        """Return the role as a person names it: ``SQL01 (VirtualMachine, Online)``."""
        return f"{self.name} ({self.kind}, {self.state}{', ' + self.status if self.status else ''})"


@dataclass(frozen=True, slots=True)
class ClusterResource:
    """One resource of a role."""

    name: str
    kind: str
    state: str
    group: str
    owner: str


@dataclass(frozen=True, slots=True)
class Quorum:
    """The quorum's witness resource, where there is one, and its type as the cluster names it."""

    resource: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class SharedVolume:
    """One cluster shared volume."""

    name: str
    state: str
    owner: str


@dataclass(frozen=True, slots=True)
class VolumeAccess:
    """How one node reaches a cluster shared volume; ``why`` are the reasons for redirected I/O, as the cluster names them."""

    volume: str
    node: str
    state: str
    why: tuple[str, ...] = ()

    @property
    def is_redirected(self) -> bool:
        """Whether its I/O takes a detour that is not a normal one: ReFS volumes are always redirected."""
        if squeeze(self.state) in ("direct", "unknown"):
            return False
        return not {squeeze(reason) for each in self.why for reason in each.split(",")} <= _BY_DESIGN

    @property
    def is_interrupted(self) -> bool:
        """Whether the node does not reach it at all, or its I/O is held."""
        return squeeze(self.state) in ("unavailable", "paused")


def get_cluster(shell: Shell) -> ClusterInfo:
    """Return the cluster that the node belongs to."""
    item = shell.run(Command("Get-Cluster")).require().one()
    return ClusterInfo(
        name=item.string("Name"),
        functional_level=item.integer("ClusterFunctionalLevel", None),
        upgrade_version=item.integer("ClusterUpgradeVersion", None),
        s2d_enabled=_truth(item.integer("S2DEnabled", None)),
        quarantine_threshold=item.integer("QuarantineThreshold", None),
        quarantine_seconds=item.integer("QuarantineDuration", None),
        witness_weight=item.integer("WitnessDynamicWeight", None),
        dynamic_quorum=_truth(item.integer("DynamicQuorum", None)),
    )


def get_cluster_nodes(shell: Shell) -> tuple[ClusterNode, ...]:
    """Return every node of the cluster, sorted by name."""
    nodes = map(read_node, shell.run(Command("Get-ClusterNode")).require().objects())
    return tuple(sorted(nodes, key=lambda node: node.name.lower()))


def get_cluster_groups(shell: Shell) -> tuple[ClusterGroup, ...]:
    """Return every role of the cluster."""
    return tuple(
        ClusterGroup(
            name=item.string("Name"),
            owner=item.string("OwnerNode", ""),
            state=enum_member(item, "State", GROUP_STATES, GroupState),
            kind=enum_name(item, "GroupType", GROUP_TYPES),
            status=_status(item.string("StatusInformation", "")),
            locked=bool(item.integer("LockedFromMoving", 0)),
        )
        for item in shell.run(Command("Get-ClusterGroup")).require().objects()
    )


def get_cluster_resources(shell: Shell) -> tuple[ClusterResource, ...]:
    """Return every resource of the cluster."""
    return tuple(
        ClusterResource(
            name=item.string("Name"),
            kind=item.string("ResourceType", ""),
            state=enum_name(item, "State", RESOURCE_STATES),
            group=item.string("OwnerGroup", ""),
            owner=item.string("OwnerNode", ""),
        )
        for item in shell.run(Command("Get-ClusterResource")).require().objects()
    )


def get_cluster_quorum(shell: Shell) -> Quorum:
    """Return the quorum settings; the names of its types are not documented, so they pass as they come."""
    item = shell.run(Command("Get-ClusterQuorum")).require().one()
    return Quorum(resource=item.string("QuorumResource", ""), kind=item.string("QuorumType", ""))


def get_cluster_shared_volumes(shell: Shell) -> tuple[SharedVolume, ...]:
    """Return every cluster shared volume."""
    return tuple(
        SharedVolume(item.string("Name"), enum_name(item, "State", RESOURCE_STATES), item.string("OwnerNode", ""))
        for item in shell.run(Command("Get-ClusterSharedVolume")).require().objects()
    )


def get_cluster_shared_volume_states(shell: Shell) -> tuple[VolumeAccess, ...]:
    """Return how every node reaches every cluster shared volume (Get-ClusterSharedVolumeState)."""
    found = []
    for item in shell.run(Command("Get-ClusterSharedVolumeState")).require().objects():
        reasons = (item.string(f"{kind}RedirectedIOReason", "") for kind in ("FileSystem", "Block"))
        found.append(
            VolumeAccess(
                volume=item.string("VolumeFriendlyName", "") or item.string("Name"),
                node=item.string("Node", ""),
                state=item.string("StateInfo", "Unknown"),
                why=tuple(reason for reason in reasons if reason and not squeeze(reason).startswith("not")),
            )
        )
    return tuple(found)


def get_volumes_in_backup(shell: Shell) -> tuple[str, ...]:
    """Return the cluster shared volumes of which a backup runs (win32, CLUSTER_SHARED_VOLUME_BACKUP_STATE)."""
    pipeline = Command("Get-ClusterSharedVolume") | Command("Select-Object", {"ExpandProperty": "SharedVolumeInfo"})
    return tuple(
        item.string("FriendlyVolumeName")
        for item in shell.run(pipeline).require().objects()
        if enum_name(item, "BackupState", BACKUP_STATES) == BACKUP_STATES[1]
    )


def suspend_cluster_node(shell: Shell, node: str) -> None:
    """Pause ``node`` and begin to drain it; returns while the drain runs (Suspend-ClusterNode without -Wait).

    Raises CommandFailed, with 5987 (ERROR_CLUSTER_SPACE_DEGRADED) when the storage is not healthy.
    """
    shell.run(Command("Suspend-ClusterNode", {"Name": node, "Drain": SWITCH})).require()


def resume_cluster_node(shell: Shell, node: str, failback: str) -> None:
    """Resume ``node``; ``failback`` is Immediate, NoFailback or Policy (Resume-ClusterNode)."""
    shell.run(Command("Resume-ClusterNode", {"Name": node, "Failback": failback})).require()


def read_node(item: PSObject) -> ClusterNode:
    """Return one node object."""
    return ClusterNode(
        name=item.string("Name"),
        state=enum_member(item, "State", NODE_STATES, NodeState),
        drain=enum_member(item, "DrainStatus", DRAIN_STATES, DrainStatus),
        status=flags(item, "StatusInformation"),
        vote=item.integer("NodeWeight", 1),
        dynamic_vote=item.integer("DynamicWeight", 1),
    )


def _status(text: str) -> str:
    return "" if text.lower() in ("0", "normal") else text


def _truth(number: int | None) -> bool | None:
    return None if number is None else bool(number)
