"""Facts for the tables of decisions: everything well unless said otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from include.hci.cluster.cau import LockHolder
from include.hci.cluster.lock import LockState
from include.hci.cluster.machine import Build, Service, WindowsVersion
from include.hci.cluster.nodes import ClusterGroup, ClusterNode
from include.hci.cluster.storage import StorageJob, VirtualDisk
from include.hci.cluster.updates import Update, UpdateResult
from include.hci.cluster.values import DrainStatus, GroupState, NodeState, StatusInformation
from include.hci.policy.gates import StorageFacts
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.policy.selection import Selection
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.settings import RunOptions
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Decision, Done, Stop, Wait
from include.hci.steps.gates import Custody
from include.hci.steps.install import InstallFacts
from include.hci.steps.work import NodeScan

NOW = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
NAMES = ("HCI01", "HCI02", "HCI03")
ME = "HCI02"
THEIRS = UUID("22222222-2222-2222-2222-222222222222")
UP, DOWN, PAUSED, JOINING = NodeState.UP, NodeState.DOWN, NodeState.PAUSED, NodeState.JOINING
UPDATE = Update("11111111-1111-1111-1111-111111111111", "2026-11 Cumulative Update (KB5044288)")
WELL = StorageFacts((VirtualDisk("V1", "Healthy", ("OK",)),))
RESYNCING = StorageFacts(
    (VirtualDisk("V1", "Warning", ("In Service",)),), (StorageJob("V1-Repair", "Running", 10 * 1024**3, 40 * 1024**3),)
)
VERSION = WindowsVersion(Build(20348, 2113), "Windows Server 2022 Datacenter")


def now() -> datetime:
    return NOW


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def plan(**changes: Any) -> Plan:
    nodes = tuple(PlannedNode(name, (UPDATE,), build="20348.2113") for name in NAMES)
    return Plan(**{"cluster": "C", "made_at": NOW, "nodes": nodes, "members": NAMES, "max_failed_nodes": 1, **changes})


def context(record: RunRecord | None = None, *, plan_: Plan | None = None, **options: Any) -> StepContext:
    return StepContext(
        "C", "run-1", RunOptions(max_failed_nodes=1, **options), record or RunRecord(MemoryStorage()), plan_ or plan()
    )


OURS = context().guid


def node(
    state: NodeState = UP,
    drain: DrainStatus = DrainStatus.NOT_INITIATED,
    status: StatusInformation = StatusInformation.NORMAL,
    name: str = ME,
) -> ClusterNode:
    return ClusterNode(name, state, drain, status)


DRAINED = node(PAUSED, DrainStatus.COMPLETED)
QUARANTINED, ISOLATED = StatusInformation.QUARANTINED, StatusInformation.ISOLATED


def others(state: NodeState = UP) -> tuple[ClusterNode, ...]:
    return tuple(node(state if name == "HCI01" else UP, name=name) for name in NAMES if name != ME)


def role(name: str = "VM1", state: GroupState = GroupState.ONLINE) -> ClusterGroup:
    return ClusterGroup(name, ME, state, "VirtualMachine")


def lock(kind: str = "ours") -> LockState:
    holders = {
        "ours": [LockHolder(name, "MSFT_CAURun", OURS) for name in NAMES],
        "foreign": [LockHolder("HCI01", "MSFT_CAURun", THEIRS)],
        "missing": [LockHolder("HCI01", "MSFT_CAURun", OURS)],
    }
    return LockState(OURS, NAMES, tuple(holders[kind]))


def custody(**changes: Any) -> Custody:
    well: dict[str, Any] = {
        "name": ME,
        "node": DRAINED,
        "roles": (),
        "paused_by_run": True,
        "restarted": False,
        "others": (),
        "lock": lock(),
    }
    return Custody(**{**well, **changes})


def scan(*updates: Update, pending: bool = False, servicing: bool = False) -> NodeScan:
    return NodeScan(Selection(updates, (), "IsInstalled=0"), pending, VERSION, servicing, NOW)


def result(code: int = 2, hresult: int = 0) -> UpdateResult:
    return UpdateResult(UPDATE, code, hresult)


def service(name: str, running: bool = True) -> Service:
    return Service(name, "Running" if running else "Stopped")


def said(decision: Decision) -> str:
    """Return the decision as 'kind: text', for tables."""
    match decision:
        case Done():
            return f"done {decision.outcome}: {decision}"
        case Act():
            return f"act: {decision}"
        case Wait():
            return f"wait: {decision}"
        case Stop():
            return f"stop: {decision}"


def check(decision: Decision, expected: str) -> None:
    """Check that the decision is of the kind that ``expected`` begins with, and says what follows after the first colon."""
    kind, _, text = expected.partition(":")
    found = said(decision)
    assert found.startswith(kind), found
    assert text.strip() in found, found
    if isinstance(decision, Stop):
        assert decision.problem.title
        assert decision.problem.next_action


def install(*, holders: tuple[LockHolder, ...] = (), **changes: Any) -> InstallFacts:
    mine = {
        key: changes.pop(key)
        for key in list(changes)
        if key in ("node", "roles", "paused_by_run", "restarted", "others", "lock")
    }
    return InstallFacts(custody(**mine), holders, **changes)
