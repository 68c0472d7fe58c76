from __future__ import annotations

from dataclasses import fields, replace

import pytest

from include.hci.cluster.cau import CauRunState, LockHolder
from include.hci.cluster.machine import Build, WindowsVersion
from include.hci.cluster.nodes import ClusterGroup, Quorum
from include.hci.cluster.storage import StorageJob, VirtualDisk
from include.hci.cluster.values import GroupState, NodeState
from include.hci.policy.gates import StorageFacts
from include.hci.policy.readiness import ReadinessFacts, ReadinessRules, Severity, Status, Unread, check_readiness
from tests.hci.policy.readiness_facts import FINE, NAMES, OURS, RULES, SERVER, THEIRS, failed, with_node


def test_a_healthy_cluster_passes_every_check():
    checks = check_readiness(FINE, RULES)
    assert failed(FINE) == {}
    assert {check.status for check in checks} == {Status.PASSED}
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


#: What a run may do without reading, as it did before it was asked for.
OPTIONAL = tuple(
    field.name
    for field in fields(ReadinessFacts)
    if field.default is None and field.name not in ("cau_run", "cau_role")
)


def test_what_was_not_asked_for_is_said_and_keeps_nothing_from_starting():
    facts = replace(FINE, **dict.fromkeys(OPTIONAL))
    checks = check_readiness(facts, RULES)
    skipped = {check.id for check in checks if check.status is Status.NOT_APPLICABLE}
    assert failed(facts) == {}
    assert {"unclustered-vms", "memory", "automatic-updates", "cau-setup", "validation"} <= skipped
    assert all(check.evidence == "not read in this run" for check in checks if check.id in skipped)


@pytest.mark.parametrize(
    ("subject", "ids"),
    [
        ("storage", {"storage", "pools", "single-copy"}),
        ("update-policy", {"automatic-updates", "update-source"}),
        ("virtual-machines", {"unclustered-vms", "backup", "memory"}),
        ("locks", {"lock"}),
        ("cluster", {"quorum", "witness", "failed-roles", "pending-roles", "locked-roles"}),
        ("nodes", {"members", "nodes-up", "quarantine", "quorum"}),
    ],
)
def test_what_was_asked_for_and_not_answered_is_unknown(subject, ids):
    facts = replace(FINE, unread=(Unread(subject, "the connection was lost", "HCI02"),))
    unknown = {check.id: check for check in check_readiness(facts, RULES) if check.status is Status.UNKNOWN}
    assert set(unknown) == ids
    for check in unknown.values():
        assert check.evidence == "could not be read: HCI02: the connection was lost"
        assert check.refuses is (check.severity is Severity.CRITICAL)
        assert check.remediation


@pytest.mark.parametrize(
    ("node", "status", "evidence"),
    [
        ("HCI02", Status.FAILED, "no virtual disk is to be seen"),
        ("", Status.UNKNOWN, "could not be read: no answer"),
    ],
)
def test_a_known_problem_counts_more_than_a_silent_node_and_nothing_is_known_of_what_was_never_read(
    node, status, evidence
):
    facts = replace(FINE, storage=StorageFacts(), unread=(Unread("storage", "no answer", node),))
    (storage,) = [check for check in check_readiness(facts, RULES) if check.id == "storage"]
    assert (storage.status, storage.evidence) == (status, evidence)


def test_each_check_says_how_long_its_reading_took():
    facts = replace(FINE, durations={"virtual-machines": 1.5, "memory": 0.5, "health": 2.0})
    seconds = {check.id: check.duration_seconds for check in check_readiness(facts, RULES)}
    assert (seconds["memory"], seconds["backup"], seconds["health-faults"], seconds["storage"]) == (2.0, 1.5, 2.0, None)
