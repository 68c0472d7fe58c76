"""A healthy cluster in which everything was read, for the tests of the checks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from include.hci.cluster.cau import CauRunState
from include.hci.cluster.machine import Build, WindowsVersion
from include.hci.cluster.nodes import ClusterGroup, ClusterInfo, ClusterNode, ClusterResource, Quorum, VolumeAccess
from include.hci.cluster.policies import PendingRestart, UpdatePolicy
from include.hci.cluster.rollout import FirmwareRollout, ScheduledTask
from include.hci.cluster.storage import StoragePool, VirtualDisk
from include.hci.cluster.validation import CauFinding, ClusterValidation
from include.hci.cluster.values import GroupState, NodeState, StatusInformation
from include.hci.cluster.virtual_machines import DvdDrive, VirtualMachine
from include.hci.policy.gates import StorageFacts
from include.hci.policy.readiness import NodeMemory, ReadinessFacts, ReadinessRules, Severity, check_readiness

OURS, THEIRS = UUID(int=1), UUID(int=2)
NAMES = ("HCI01", "HCI02", "HCI03")
GIB = 1024**3
SERVER = WindowsVersion(Build(20348, 2113), "Windows Server 2022 Datacenter", "ServerDatacenter")
FINE = ReadinessFacts(
    cluster=ClusterInfo("HCI-CL01"),
    nodes=tuple(ClusterNode(name, NodeState.UP) for name in NAMES),
    expected=NAMES,
    groups=(ClusterGroup("VM1", "HCI01", GroupState.ONLINE, "VirtualMachine"),),
    resources=(ClusterResource("Cloud Witness", "Cloud Witness", "Online", "Cluster Group", "HCI01"),),
    quorum=Quorum("Cloud Witness"),
    storage=StorageFacts(
        (VirtualDisk("V1", "Healthy", ("OK",), copies=2, resiliency="Mirror"),),
        pools=(StoragePool("S2D on HCI-CL01", "Healthy", ("OK",)),),
    ),
    versions=dict.fromkeys(NAMES, SERVER),
    cau_run=CauRunState("RunNotInProgress"),
    restart_keys=dict.fromkeys(NAMES, PendingRestart()),
    volume_access=tuple(VolumeAccess("V1", name, "FileSystemRedirected", ("FileSystemReFs",)) for name in NAMES),
    volumes_in_backup=(),
    virtual_machines=(VirtualMachine("VM1", "HCI01", "Running", True, 8 * GIB, ("Ok",)),),
    media=(DvdDrive("VM1", "None"),),
    memory=dict.fromkeys(NAMES, NodeMemory(64 * GIB, 32 * GIB)),
    free_space=dict.fromkeys(NAMES, 40 * GIB),
    cau_setup=(CauFinding("1", "The failover cluster must be available", "Passed", "Error"),),
    validation=ClusterValidation(r"C:\Windows\Cluster\Reports\Validation.htm"),
    update_policies=dict.fromkeys(NAMES, UpdatePolicy(au_options=3)),
    wmi_blocked=dict.fromkeys(NAMES, False),
    rollout=FirmwareRollout(has_targets=False, enabled=True),
    tasks=dict.fromkeys(NAMES, (ScheduledTask("SMEWindowsUpdateInstallUpdates", "\\", "Ready"),)),
    servicing=(),
    missing_scripts=(),
    hook_problems=(),
    pending_restarts=(),
)
RULES = ReadinessRules(OURS, max_failed_nodes=1)


def with_node(name: str, state: NodeState = NodeState.UP, status: int = 0) -> ReadinessFacts:
    nodes = tuple(
        ClusterNode(node.name, state, status=StatusInformation(status)) if node.name == name else node
        for node in FINE.nodes
    )
    return replace(FINE, nodes=nodes)


def but(**changes: Any) -> ReadinessFacts:
    return replace(FINE, **changes)


def failed(facts: ReadinessFacts, rules: ReadinessRules = RULES) -> dict[str, Severity]:
    return {check.id: check.severity for check in check_readiness(facts, rules) if not check.passed}
