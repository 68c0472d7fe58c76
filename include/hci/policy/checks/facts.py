"""What is read for the readiness checks, and what a run demands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from include.hci.cluster.cau import CauRunState, LockHolder
from include.hci.cluster.machine import WindowsVersion
from include.hci.cluster.nodes import ClusterGroup, ClusterInfo, ClusterNode, ClusterResource, Quorum, VolumeAccess
from include.hci.cluster.policies import PendingRestart, UpdatePolicy
from include.hci.cluster.rollout import FirmwareRollout, ScheduledTask
from include.hci.cluster.validation import CauFinding, ClusterValidation
from include.hci.cluster.virtual_machines import DvdDrive, VirtualMachine
from include.hci.policy.gates import StorageFacts
from include.hci.settings import Schedule

#: What a check reads, as ``ReadinessFacts.unread`` and ``durations`` name it.
Subject = Literal[
    "cluster",
    "nodes",
    "storage",
    "health",
    "volumes",
    "virtual-machines",
    "media",
    "memory",
    "free-space",
    "locks",
    "cau-run",
    "cau-role",
    "cau-setup",
    "validation",
    "versions",
    "restart",
    "update-policy",
    "defender",
    "rollout",
    "tasks",
    "servicing",
    "scripts",
    "hooks",
    "soft-reboot",
    "agents",
    "levels",
    "vm-versions",
]


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that was asked for and not answered; ``refused``: for want of rights. ``node`` is empty for the whole cluster."""

    subject: Subject
    reason: str
    node: str = ""
    refused: bool = False

    def __str__(self) -> str:
        return f"{self.node}: {self.reason}" if self.node else self.reason


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """The memory of a node in bytes."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class ReadinessFacts:
    """What was read for the checks.

    ``expected`` are the nodes that the settings name; ``unreachable`` maps nodes that did not answer to the reason; ``cau_run``
    is None when CAU's state could not be asked, for ``cau_problem``; ``pending_restarts`` is None before a scan.

    Everything that is None, or lacks a node, was not asked for in this run, or is in ``unread`` with the reason. Mappings go by
    the node's name. ``durations`` are seconds per subject. ``servicing`` are the nodes that install or clean up right now.
    ``missing_scripts`` are (node, path), ``hook_problems`` sentences about required hooks, ``unused_commands`` scripts and hooks
    that runs of this kind have no use for. ``not_asked`` says why a subject was left out of this run.
    """

    cluster: ClusterInfo
    nodes: tuple[ClusterNode, ...]
    expected: tuple[str, ...]
    groups: tuple[ClusterGroup, ...] = ()
    resources: tuple[ClusterResource, ...] = ()
    quorum: Quorum = field(default_factory=Quorum)
    storage: StorageFacts = field(default_factory=StorageFacts)
    versions: Mapping[str, WindowsVersion] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    holders: tuple[LockHolder, ...] = ()
    cau_run: CauRunState | None = None
    cau_problem: str = ""
    cau_role: Mapping[str, str] | None = None
    health_faults: tuple[str, ...] = ()
    pending_restarts: tuple[str, ...] | None = None
    restart_keys: Mapping[str, PendingRestart] | None = None
    volume_access: tuple[VolumeAccess, ...] | None = None
    volumes_in_backup: tuple[str, ...] | None = None
    virtual_machines: tuple[VirtualMachine, ...] | None = None
    media: tuple[DvdDrive, ...] | None = None
    memory: Mapping[str, NodeMemory] | None = None
    free_space: Mapping[str, int] | None = None
    cau_setup: tuple[CauFinding, ...] | None = None
    validation: ClusterValidation | None = None
    update_policies: Mapping[str, UpdatePolicy] | None = None
    wmi_blocked: Mapping[str, bool] | None = None
    rollout: FirmwareRollout | None = None
    tasks: Mapping[str, tuple[ScheduledTask, ...]] | None = None
    servicing: tuple[str, ...] | None = None
    missing_scripts: tuple[tuple[str, str], ...] | None = None
    hook_problems: tuple[str, ...] | None = None
    unused_commands: tuple[str, ...] | None = None
    unread: tuple[Unread, ...] = ()
    durations: Mapping[Subject, float] = field(default_factory=dict)
    not_asked: Mapping[Subject, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadinessRules:
    """What a run demands: its own lock id, and CAU's options of these names. ``uses_cau``: the run is left to CAU.

    ``schedule`` is the cluster's in the fleet file, whoever begins its runs; None: it is updated by hand only. ``local_vms`` are
    virtual machines that may go down with their node.
    """

    guid: UUID
    max_failed_nodes: int
    require_all_nodes_online: bool = False
    uses_cau: bool = False
    schedule: Schedule | None = None
    local_vms: tuple[str, ...] = ()
