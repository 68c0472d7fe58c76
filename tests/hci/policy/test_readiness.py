from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from include.hci.cluster.cau import CauRunState, LockHolder
from include.hci.cluster.machine import Build, WindowsVersion
from include.hci.cluster.nodes import ClusterGroup, ClusterInfo, ClusterNode, ClusterResource, Quorum
from include.hci.cluster.storage import StorageJob, VirtualDisk
from include.hci.cluster.values import GroupState, NodeState, StatusInformation
from include.hci.policy.gates import StorageFacts
from include.hci.policy.readiness import ReadinessFacts, ReadinessRules, Severity, check_readiness

OURS, THEIRS = UUID(int=1), UUID(int=2)
NAMES = ("HCI01", "HCI02", "HCI03")
SERVER = WindowsVersion(Build(20348, 2113), "Windows Server 2022 Datacenter", "ServerDatacenter")
FINE = ReadinessFacts(
    cluster=ClusterInfo("HCI-CL01"),
    nodes=tuple(ClusterNode(name, NodeState.UP) for name in NAMES),
    expected=NAMES,
    groups=(ClusterGroup("VM1", "HCI01", GroupState.ONLINE, "VirtualMachine"),),
    resources=(ClusterResource("Cloud Witness", "Cloud Witness", "Online", "Cluster Group", "HCI01"),),
    quorum=Quorum("Cloud Witness"),
    storage=StorageFacts((VirtualDisk("V1", "Healthy", ("OK",)),)),
    versions=dict.fromkeys(NAMES, SERVER),
    cau_run=CauRunState("RunNotInProgress"),
)
RULES = ReadinessRules(OURS, max_failed_nodes=1)


def with_node(name: str, state: NodeState = NodeState.UP, status: int = 0) -> ReadinessFacts:
    nodes = tuple(
        ClusterNode(node.name, state, status=StatusInformation(status)) if node.name == name else node
        for node in FINE.nodes
    )
    return replace(FINE, nodes=nodes)


def failed(facts: ReadinessFacts, rules: ReadinessRules = RULES) -> dict[str, Severity]:
    return {check.id: check.severity for check in check_readiness(facts, rules) if not check.passed}


def test_a_healthy_cluster_passes_every_check():
    checks = check_readiness(FINE, RULES)
    assert len(checks) == 15
    assert failed(FINE) == {}
    assert len({check.id for check in checks}) == len(checks)
    assert all(check.evidence and not check.remediation for check in checks)


CRITICAL, WARNING, INFORMATION = Severity.CRITICAL, Severity.WARNING, Severity.INFORMATION


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (replace(FINE, cau_run=CauRunState("RunInProgress", "HCI03")), {"cau-run": CRITICAL}),
        (replace(FINE, cau_run=CauRunState("RunFailed")), {"cau-run": CRITICAL}),
        (replace(FINE, cau_run=CauRunState("SomethingNew")), {"cau-run": CRITICAL}),
        (replace(FINE, cau_run=None, cau_problem="not installed"), {"cau-run": WARNING}),
        (replace(FINE, holders=(LockHolder("HCI02", "MSFT_CAURun", THEIRS),)), {"lock": CRITICAL}),
        (replace(FINE, holders=(LockHolder("HCI02", "MSFT_CAUNode", THEIRS),)), {"lock": CRITICAL}),
        (replace(FINE, holders=(LockHolder("HCI02", "MSFT_CAURun", OURS),)), {}),
        (replace(FINE, cau_role={"DaysOfWeek": "Tuesday"}), {"cau-role": WARNING}),
        (replace(FINE, expected=("HCI01", "HCI02", "HCI03", "HCI04")), {"members": CRITICAL}),
        (replace(FINE, expected=("HCI01", "hci02")), {"members": CRITICAL}),
        (replace(FINE, expected=("hci01", "hci02", "hci03")), {}),
        (replace(FINE, unreachable={"HCI02": "no route"}), {"reachability": CRITICAL}),
        (with_node("HCI02", status=2), {"quarantine": CRITICAL}),
        (replace(FINE, storage=StorageFacts((VirtualDisk("V1", "Warning", ("Degraded",)),))), {"storage": CRITICAL}),
        (replace(FINE, storage=replace(FINE.storage, jobs=(StorageJob("R", "Running"),))), {"storage": CRITICAL}),
        (replace(FINE, storage=StorageFacts()), {"storage": CRITICAL}),
        (replace(FINE, health_faults=("a drive is slow",)), {"health-faults": WARNING}),
        (
            replace(FINE, groups=(ClusterGroup("VM1", "HCI01", GroupState.FAILED, "VirtualMachine"),)),
            {"failed-roles": CRITICAL},
        ),
        (
            replace(FINE, groups=(ClusterGroup("VM1", "HCI01", GroupState.PENDING, "VirtualMachine"),)),
            {"pending-roles": WARNING},
        ),
        (
            replace(FINE, versions={**FINE.versions, "HCI02": replace(SERVER, build=Build(20348, 1))}),
            {"same-build": WARNING},
        ),
        (
            replace(FINE, versions=dict.fromkeys(NAMES, WindowsVersion(Build(25398, 1), "Azure Stack HCI"))),
            {"azure-local": CRITICAL},
        ),
        (
            replace(
                FINE, versions=dict.fromkeys(NAMES, WindowsVersion(Build(26100, 1), "Windows Server 2025 Datacenter"))
            ),
            {},
        ),
        (replace(FINE, pending_restarts=("HCI02",)), {"pending-restart": INFORMATION}),
        (replace(FINE, pending_restarts=()), {}),
    ],
)
def test_each_check_fails_for_its_own_reason_only(facts, expected):
    assert failed(facts) == expected


@pytest.mark.parametrize("facts", [with_node("HCI02", NodeState.DOWN), with_node("HCI02", NodeState.PAUSED)])
def test_a_node_that_is_out_is_a_warning_within_the_budget_and_a_refusal_outside(facts):
    facts = replace(facts, quorum=FINE.quorum)
    assert failed(facts, ReadinessRules(OURS, max_failed_nodes=2))["nodes-up"] is WARNING
    assert failed(facts, ReadinessRules(OURS, max_failed_nodes=1))["nodes-up"] is CRITICAL
    assert failed(facts, ReadinessRules(OURS, 2, require_all_nodes_online=True))["nodes-up"] is CRITICAL


def test_a_down_node_that_does_not_answer_is_not_said_twice():
    facts = replace(with_node("HCI02", NodeState.DOWN), unreachable={"HCI02": "no route"})
    assert "reachability" not in failed(facts)


def test_three_nodes_with_one_down_do_not_survive_the_next_one_without_the_witness():
    facts = replace(with_node("HCI02", NodeState.DOWN), quorum=Quorum())
    assert failed(facts)["quorum"] is CRITICAL


def test_a_refusal_has_evidence_and_a_remedy():
    facts = replace(FINE, holders=tuple(LockHolder(name, "MSFT_CAURun", THEIRS) for name in NAMES))
    (check,) = [check for check in check_readiness(facts, RULES) if check.refuses]
    assert check.evidence == f"{THEIRS} holds MSFT_CAURun on HCI01, HCI02, HCI03"
    assert check.remediation
