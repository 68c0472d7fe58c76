"""The tables of decisions on the way back into service: restart, resume, resync, verify."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.hci.cluster.cau import LockHolder
from include.hci.cluster.machine import Build
from include.hci.cluster.storage import FaultDomain, StorageJob, VirtualDisk
from include.hci.cluster.values import DrainStatus
from include.hci.policy.gates import StorageFacts
from include.hci.policy.resync import Movement
from include.hci.report.facts import OpenRestart
from include.hci.steps.answer import NodeAnswer
from include.hci.steps.decisions import Wait
from include.hci.steps.restart import Restart, RestartFacts
from include.hci.steps.resume import Resume, ResumeFacts
from include.hci.steps.resync import Resync, ResyncFacts
from include.hci.steps.verify import Verify, VerifyFacts
from tests.hci.steps.facts import (
    DOWN,
    DRAINED,
    ISOLATED,
    JOINING,
    ME,
    NAMES,
    NOW,
    OURS,
    PAUSED,
    QUARANTINED,
    RESYNCING,
    THEIRS,
    UP,
    UPDATE,
    WELL,
    check,
    context,
    custody,
    install,
    lock,
    minutes,
    node,
    now,
    others,
    role,
    scan,
    service,
)

COMPLETED, IN_PROGRESS, FAILED = DrainStatus.COMPLETED, DrainStatus.IN_PROGRESS, DrainStatus.FAILED


# --- restart -------------------------------------------------------------------------------------------------------------

BOOT = NOW - minutes(60 * 24)
ORDER = OpenRestart(NOW - minutes(3), BOOT)
OLD = NodeAnswer(BOOT, (service("ClusSvc"),), Build(20348, 1))
SILENT = NodeAnswer(silence="no route to host")
IDLE = (service("ClusSvc"), service("TrustedInstaller", False))
BACK = NodeAnswer(NOW - minutes(1), IDLE, Build(20348, 2400))


def calm(**changes: Any) -> RestartFacts:
    facts = changes.pop("install", None) or install(scan=scan(pending=True))
    return RestartFacts(**{"node": DRAINED, "answer": NodeAnswer(BOOT), "install": facts, **changes})


def ordered(answer: NodeAnswer, age: float = 3, **changes: Any) -> RestartFacts:
    order = OpenRestart(NOW - minutes(age), BOOT)
    return RestartFacts(**{"node": DRAINED, "answer": answer, "order": order, "orders": 1, **changes})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (calm(), "act: Restart-Computer -Force on HCI02"),
        (calm(install=install(scan=scan())), "done skipped: needs no restart"),
        (calm(install=install(scan=scan()), restarts=2), "done restarted: restarted 2 times"),
        (calm(install=install(scan=scan()), restarts=1), "done restarted: restarted once"),
        (calm(install=install(scan=scan(UPDATE))), "act: download"),
        (calm(install=install(scan=scan(UPDATE), downloaded=True), restarts=1), "act: install"),
        (calm(install=install(roles=(role(),))), "stop: Installing on HCI02 was refused: it still runs VM1"),
        (calm(restarts=4), "stop: still needs a restart after 4"),
        (calm(answer=NodeAnswer()), "wait: since when it runs"),
        (calm(disks=(VirtualDisk("V1", "Unhealthy", ("Detached",)),)), "wait: V1 is Unhealthy"),
        (calm(disks=(VirtualDisk("V1", "Warning", ("No Redundancy",)),)), "wait: No Redundancy"),
        (calm(disks=(VirtualDisk("V1", "Warning", ("Degraded", "Incomplete")),)), "act: Restart-Computer"),
        # A drained node still votes.
        (
            calm(quorum_reason="without HCI02 the cluster has 1 of 3 votes"),
            "wait: HCI02 is not restarted: without HCI02",
        ),
        (calm(quorum_reason="1 of 3 votes", manual_maintenance=True), "wait: 1 of 3 votes"),
        (calm(quorum_reason="1 of 3 votes", install=install(scan=scan())), "done skipped"),
        (
            ordered(OLD, age=10, orders=0, custody=custody(), quorum_reason="1 of 3 votes"),
            "wait: not told to restart again: 1 of 3 votes",
        ),
        (calm(manual_maintenance=True), "act: Enable-StorageMaintenanceMode"),
        (calm(manual_maintenance=True, in_maintenance=True), "act: Restart-Computer"),
        # The command may have been broken off by its deadline: the drives go one after the other.
        (
            calm(manual_maintenance=True, in_maintenance=True, enters_maintenance=True),
            "wait: are entering maintenance mode",
        ),
        (calm(node=node(PAUSED, COMPLETED, QUARANTINED)), "stop: quarantined"),
        (ordered(OLD), "wait: has not gone down yet"),
        (ordered(SILENT), "wait: does not answer yet"),
        (ordered(SILENT, node=node(DOWN)), "wait: does not answer yet"),
        # The same try never orders twice; a later one does when the node has had time to heed the first order.
        (ordered(OLD, age=10), "wait: has not gone down yet"),
        (ordered(OLD, age=10, orders=0, custody=custody()), "act: Restart-Computer"),
        (ordered(OLD, age=10, custody=custody()), "wait: has not gone down yet"),
        (ordered(OLD, age=4, orders=0, custody=custody()), "wait: has not gone down yet"),
        # By then roles may have come back and another node may have left: what held for the first order is asked again.
        (ordered(OLD, age=10, orders=0), "wait: has not gone down yet"),
        (
            ordered(OLD, age=10, orders=0, custody=custody(roles=(role(),))),
            "stop: Restarting HCI02 was refused: it still",
        ),
        (ordered(OLD, age=10, orders=0, custody=custody(others=(node(DOWN),))), "stop: another node is out of service"),
        (ordered(SILENT, age=10, orders=0), "wait: does not answer"),
        (ordered(replace(BACK, services=(service("ClusSvc", False),))), "wait: cluster service does not run"),
        (
            ordered(replace(BACK, services=(service("ClusSvc"), service("TrustedInstaller")))),
            "wait: servicing is still at work",
        ),
        (ordered(BACK, node=node(JOINING)), "wait: Joining, not Paused yet"),
        (ordered(BACK, node=node(UP)), "wait: Up, not Paused yet"),
        (ordered(BACK, node=None), "act: note the restart of HCI02"),
        (ordered(OLD, node=None), "wait: has not gone down yet"),
        (ordered(BACK), "act: note the restart of HCI02"),
        (ordered(BACK, node=node(PAUSED)), "act: note the restart of HCI02"),
        # A few seconds are a clock that was set, not a restart.
        (ordered(replace(BACK, boot_time=BOOT + minutes(0.5))), "wait: has not gone down yet"),
        (ordered(SILENT, node=node(DOWN, status=QUARANTINED)), "stop: quarantined"),
        # The restart is noted first, so that the report does not lose it.
        (ordered(BACK, node=node(DOWN, status=QUARANTINED)), "act: note the restart"),
    ],
)
def test_a_restart_is_proved_by_a_later_boot_time(facts, expected):
    check(Restart(context(), ME, now).decide(facts, NOW), expected)


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        (OLD, "boot time is still 2026-11-02T01:00Z, 15 min after the order"),
        (SILENT, "did not come back within 15 min"),
        (replace(BACK, services=(service("ClusSvc", False),)), "was not ready within 15 min"),
    ],
)
def test_a_restart_that_is_late_says_what_is_missing(answer, title):
    decision = Restart(context(), ME, now).decide(ordered(answer), NOW)
    assert isinstance(decision, Wait)
    assert decision.deadline == ORDER.ordered_at + minutes(15)
    assert decision.on_deadline is not None
    assert title in decision.on_deadline.title
    assert decision.on_deadline.next_action


@pytest.mark.parametrize(
    ("state", "running", "patience"),
    [
        (PAUSED, ("ClusSvc", "TrustedInstaller"), 15 + 180),
        (JOINING, ("ClusSvc", "TrustedInstaller"), 15),
        (JOINING, ("ClusSvc",), 15),
    ],
)
def test_servicing_after_a_restart_has_the_time_of_an_installation(state, running, patience):
    answer = replace(BACK, services=tuple(map(service, running)))
    decision = Restart(context(), ME, now).decide(ordered(answer, node=node(state)), NOW)
    assert isinstance(decision, Wait)
    assert decision.deadline == ORDER.ordered_at + minutes(patience)


def test_a_node_is_given_up_when_a_disk_forbids_its_restart_for_as_long_as_a_repair_may_stand_still():
    facts = calm(disks=(VirtualDisk("V1", "Unhealthy", ("Detached",)),), unsafe_since=NOW)
    decision = Restart(context(), ME, now).decide(facts, NOW)
    assert isinstance(decision, Wait)
    assert decision.deadline == NOW + minutes(30)
    assert decision.on_deadline is not None
    assert decision.on_deadline.retry_is_safe is False


def test_a_node_is_given_up_when_the_quorum_forbids_its_restart_for_longer_than_another_one_takes_to_come_back():
    facts = calm(quorum_reason="without HCI02 the cluster has 2 of 4 votes, which is no majority", short_since=NOW)
    decision = Restart(context(), ME, now).decide(facts, NOW)
    assert isinstance(decision, Wait)
    assert decision.deadline == NOW + minutes(4 * 15)
    assert decision.on_deadline is not None
    assert decision.on_deadline.retry_is_safe is False


# --- resume --------------------------------------------------------------------------------------------------------------


def resume(**changes: Any) -> ResumeFacts:
    return ResumeFacts(**{"node": DRAINED, "paused_by_run": True, "failback": "Immediate", **changes})


def domain(*texts: str) -> FaultDomain:
    return FaultDomain(ME, "Healthy", texts)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (resume(), "act: Resume-ClusterNode -Name HCI02 -Failback Immediate"),
        (resume(failback="Policy"), "act: -Failback Policy"),
        (resume(paused_by_run=False), "done left-paused: left as found"),
        (resume(paused_by_run=False, node=node()), "done nothing-to-do"),
        # Nobody saw the order to pause it arrive: without a drain it was somebody else.
        (resume(node=node(PAUSED), unseen=True, paused_at=NOW - minutes(2)), "done left-paused: seems not by this run"),
        (resume(unseen=True, paused_at=NOW - minutes(15)), "done left-paused: seems not by this run"),
        (resume(node=node(PAUSED), unseen=True, paused_at=NOW), "wait: its drain is not to be seen yet"),
        (resume(unseen=True, paused_at=NOW - minutes(2)), "act: Resume-ClusterNode"),
        (resume(node=node(), unseen=True, resumed_at=NOW), "done resumed: if a person has paused it, pause it again"),
        (resume(node=node(), unseen=True), "done resumed: HCI02 is Up"),
        (resume(node=None), "stop: not in the cluster"),
        # The cluster gives an isolated node some minutes by itself.
        (resume(node=node(DOWN, status=ISOLATED)), "wait: HCI02 is isolated"),
        (resume(node=node(DOWN)), "wait: HCI02 is Down"),
        (resume(node=node(JOINING)), "wait: HCI02 is Joining"),
        (resume(node=node(DOWN, status=QUARANTINED)), "stop: quarantined"),
        (resume(maintenance_by_run=True, disks=domain("In Maintenance Mode")), "act: Disable-StorageMaintenanceMode"),
        (resume(maintenance_by_run=True, disks=domain("Stopping Maintenance Mode")), "wait: leaving maintenance mode"),
        (resume(maintenance_by_run=True, disks=domain("OK")), "act: note that the disks of HCI02 are in service"),
        (resume(maintenance_by_run=True, disks=None), "act: note that the disks"),
        (resume(order=ORDER, answer=SILENT), "wait: told to restart"),
        (resume(order=ORDER, answer=OLD), "wait: told to restart"),
        (resume(order=OpenRestart(NOW - minutes(20), BOOT), answer=OLD), "act: Resume-ClusterNode"),
        (resume(order=ORDER, answer=BACK), "act: note that HCI02 has restarted"),
        (resume(node=node(), holders=(LockHolder(ME, "MSFT_CAUNode", OURS),)), "act: remove our MSFT_CAUNode"),
        (resume(node=node(), holders=(LockHolder(ME, "MSFT_CAUNode", THEIRS),)), "done resumed"),
        (resume(node=node()), "done resumed"),
        (resume(node=node(), drained_roles=("A", "B"), missing_roles=("B",), resumed_at=NOW), "wait: 1 of 2 roles"),
        (
            resume(node=node(), drained_roles=("A",), missing_roles=("A",), resumed_at=NOW - minutes(15)),
            "done resumed: stayed elsewhere: A",
        ),
        (
            resume(node=node(), drained_roles=("A",), missing_roles=("A",), resumed_at=NOW, failback="NoFailback"),
            "done resumed",
        ),
    ],
)
def test_only_what_this_run_paused_is_resumed(facts, expected):
    check(Resume(context(), ME).decide(facts, NOW), expected)


# --- resync --------------------------------------------------------------------------------------------------------------


def resync(storage: StorageFacts = WELL, reads: int = 3, still: float = 0, **changes: Any) -> ResyncFacts:
    movement = Movement(NOW, NOW - minutes(still), rate=3.1 * 1024**3)
    return ResyncFacts(storage, movement, reads, NOW - minutes(60), **changes)


SUSPENDED = replace(RESYNCING, jobs=(StorageJob("V1-Repair", "Suspended", 10, 40),))
MAINTAINED = replace(WELL, domains=(FaultDomain(ME, "Healthy", ("In Maintenance Mode",)),))
SINCE = NOW - minutes(11)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (resync(), "done resynced"),
        (resync(reads=2), "wait: a few more reads"),
        (resync(RESYNCING, 0), "wait: resync of V1: 10 of 40 GiB, 3.1 GiB/s, about 10 s left"),
        (resync(RESYNCING, 0, still=29), "wait: not whole"),
        (resync(RESYNCING, 0, still=30), "stop: Nothing has changed for 30 min"),
        (resync(StorageFacts(), 0), "wait: no virtual disk is to be seen"),
        (resync(MAINTAINED, 0), "wait: HCI02 has its disks in maintenance mode"),
        (resync(replace(WELL, jobs=RESYNCING.jobs), 0), "wait: 1 storage job Running"),
        (resync(SUSPENDED, 0, suspended_since=NOW - minutes(9)), "wait: Suspended"),
        (resync(SUSPENDED, 0, suspended_since=SINCE), "act: Repair-VirtualDisk -FriendlyName 'V1'"),
        (resync(SUSPENDED, 0, suspended_since=SINCE, repaired=frozenset({"V1"})), "wait: Suspended"),
        (resync(SUSPENDED, 0, still=30, suspended_since=SINCE, repaired=frozenset({"V1"})), "stop: does not move"),
        (resync(replace(SUSPENDED, domains=MAINTAINED.domains), 0, suspended_since=SINCE), "wait: maintenance"),
    ],
)
def test_the_storage_is_waited_for_by_bytes_and_stable_reads(facts, expected):
    check(Resync(context(), ME, now).decide(facts, NOW), expected)


@pytest.mark.parametrize(
    ("options", "reads", "done"), [({"resync_stable_reads": 1}, 1, True), ({"resync_stable_reads": 5}, 4, False)]
)
def test_the_number_of_stable_reads_is_an_option(options, reads, done):
    decision = Resync(context(**options), ME, now).decide(resync(reads=reads), NOW)
    check(decision, "done resynced" if done else "wait: a few more")


def test_when_a_repair_counts_as_stuck_is_an_option():
    facts = resync(RESYNCING, 0, still=40)
    check(Resync(context(stuck_repair_minutes=60), ME, now).decide(facts, NOW), "wait: not whole")


# --- verify --------------------------------------------------------------------------------------------------------------


def verify(**changes: Any) -> VerifyFacts:
    well: dict[str, Any] = {
        "nodes": (node(), *others()),
        "storage": WELL,
        "lock": lock(),
        "scans": dict.fromkeys(NAMES, scan()),
        "began": NOW,
    }
    return VerifyFacts(**{**well, **changes})


OTHER_BUILD = replace(scan(), version=replace(scan().version, build=Build(20348, 1)))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (verify(), "done verified: all 3 nodes are Up with build 20348.2113"),
        (verify(nodes=(node(DOWN), *others())), "wait: HCI02 is Down"),
        (verify(nodes=(node(DOWN), *others()), given_up=frozenset({ME})), "stop: HCI02 is Down"),
        (verify(nodes=(node(DOWN), *others()), tolerated=(ME,)), "done verified: all 2 nodes"),
        (verify(storage=RESYNCING), "wait: V1 is Warning"),
        (verify(vms_failed=("VM1",)), "wait: have failed: VM1"),
        (verify(lock=lock("missing")), "act: take the run lock"),
        (verify(lock=lock("foreign")), "stop: Another coordinator"),
        (verify(scans={"HCI02": scan()}), "act: scan HCI0"),
        (verify(scans={**dict.fromkeys(NAMES, scan()), ME: scan(UPDATE)}), "stop: HCI02 still needs KB5044288"),
        (
            verify(scans={**dict.fromkeys(NAMES, scan()), ME: scan(pending=True)}),
            "stop: HCI02 still waits for a restart",
        ),
        (verify(scans={**dict.fromkeys(NAMES, scan()), ME: OTHER_BUILD}), "stop: different builds"),
    ],
)
def test_a_run_is_verified_by_what_is_read_now(facts, expected):
    check(Verify(context(), now).decide(facts, NOW), expected)
