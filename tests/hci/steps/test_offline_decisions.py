"""Every decision of a fast offline update, by table."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from include.hci.cluster.cau import LockHolder
from include.hci.cluster.cluster_power import SHARED_VOLUME
from include.hci.cluster.lock import LockState
from include.hci.cluster.machine import Service
from include.hci.cluster.nodes import ClusterResource
from include.hci.cluster.virtual_machines import VirtualMachine
from include.hci.cluster.vm_power import ClusteredVm
from include.hci.report import events as ev
from include.hci.report.facts import Asked, Change, OpenRestart, RunFacts
from include.hci.report.offline_events import OfflinePlanned, PlannedVm
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.settings.offline import OfflineRequest
from include.hci.steps.answer import NodeAnswer
from include.hci.steps.context import StepContext
from include.hci.steps.install import InstallFacts
from include.hci.steps.offline_admission import admit_offline
from include.hci.steps.offline_gate import DowntimeGate, GateFacts
from include.hci.steps.offline_install import InstallOffline, OfflineCustody, OfflineInstallFacts
from include.hci.steps.offline_plan import is_cleared, offline_hash
from include.hci.steps.offline_restart import OfflineRestartFacts, RestartOffline
from include.hci.steps.offline_start import PATIENCE, StartCluster, TakeBackFacts
from include.hci.steps.offline_stop import StopCluster, StopClusterFacts
from include.hci.steps.offline_text import offline_markdown
from include.hci.steps.offline_vms import MOST_TRIES, StopVms, StopVmsFacts
from include.hci.steps.undo import Standing
from tests.hci.steps.facts import (
    DOWN,
    ME,
    NAMES,
    NOW,
    OURS,
    RESYNCING,
    THEIRS,
    UPDATE,
    WELL,
    check,
    context,
    custody,
    lock,
    minutes,
    node,
    now,
    others,
    plan,
    result,
    scan,
)

ALL_UP = (node(), *others())
RUNNING = ClusteredVm("SQL01", ME, "Online")
STOPPED = ClusteredVm("SQL01", ME, "Offline")
PLANNED = OfflinePlanned(
    nodes=NAMES,
    vms=(PlannedVm(name="SQL01", node=ME, running=True), PlannedVm(name="OLD01", node=ME, running=False)),
    request=OfflineRequest().to_json(),
    window_minutes=120,
)


def run(**request: Any) -> StepContext:
    record = RunRecord(MemoryStorage())
    asked = OfflineRequest(**request).to_json()
    started = ev.RunStarted(run_id="run-1", cluster="C", nodes=NAMES, run_kind="offline-update", request=asked)
    record.add(started, NOW)
    return context(record)


# --- the gate ------------------------------------------------------------------------------------------------------------


def gate(**changes: Any) -> GateFacts:
    well: dict[str, Any] = {
        "nodes": ALL_UP,
        "storage": WELL,
        "lock": lock(),
        "vms": (RUNNING,),
        "machines": (VirtualMachine("SQL01", ME, "Running", clustered=True),),
        "planned": PLANNED,
    }
    return GateFacts(**{**well, **changes})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (gate(), "done clear: 1 virtual machines are to be stopped"),
        (gate(planned=None), "stop: nothing was planned"),
        (gate(vms=(STOPPED,)), "done clear:"),
        (
            gate(vms=(RUNNING, ClusteredVm("OLD01", ME, "Online"))),
            "stop: OLD01 runs, and nobody has approved to stop it",
        ),
        (gate(nodes=ALL_UP[:2]), "stop: hci03 is gone"),
        (gate(nodes=(node(DOWN), *others())), "stop: not every server is Up: HCI02 is Down"),
        (gate(machines=(VirtualMachine("DC1", ME, "Running", False),)), "stop: DC1 on HCI02 is Running and no role"),
        (gate(machines=(VirtualMachine("DC1", ME, "Off", False),)), "done clear:"),
        (gate(machines=(VirtualMachine("SQL01", ME, "Paused", True),)), "stop: SQL01 on HCI02 is Paused"),
        (gate(lock=lock("foreign")), "stop: Another coordinator"),
        (gate(lock=lock("missing")), "act: take the run lock on HCI02, HCI03"),
        (gate(storage=RESYNCING), "wait: the storage is not whole"),
    ],
)
def test_the_gate_before_the_downtime(facts, expected):
    check(DowntimeGate(run()).decide(facts, NOW), expected)


def test_a_clearance_is_void_once_the_run_has_ended():
    record = RunRecord(MemoryStorage())
    assert not is_cleared(record)
    record.add(ev.DowntimeCleared(), NOW)
    assert is_cleared(record)
    record.add(ev.Concluded(), NOW + minutes(1))
    assert not is_cleared(record)


# --- virtual machines ----------------------------------------------------------------------------------------------------


def machines(**changes: Any) -> StopVmsFacts:
    well: dict[str, Any] = {
        "cleared": True,
        "lock": lock(),
        "nodes": ALL_UP,
        "storage": WELL,
        "vms": (RUNNING, ClusteredVm("SQL02", ME, "Online")),
    }
    return StopVmsFacts(**{**well, **changes})


LONG_AGO: dict[str, datetime] = {"SQL01": NOW - minutes(11), "SQL02": NOW - minutes(11)}
JUST_NOW: dict[str, datetime] = {"SQL01": NOW, "SQL02": NOW}
TOLD = {("SQL01", "shutdown"): 1, ("SQL02", "shutdown"): 1}


@pytest.mark.parametrize(
    ("request_", "facts", "expected"),
    [
        ({}, machines(), "act: Stop-VM SQL01 on HCI02"),
        ({"vm_action": "save"}, machines(), "act: Save-VM SQL01 on HCI02"),
        ({}, machines(cleared=False), "stop: the gate before the downtime was not passed"),
        ({}, machines(storage=RESYNCING), "wait: the storage is not whole"),
        ({}, machines(nodes=(node(DOWN), *others())), "stop: not every server is Up"),
        # Once machines are down there is no way back but on, and the storage may look as it likes.
        ({}, machines(storage=None, begun=True, asked=JUST_NOW, tries=TOLD), "wait: SQL01, SQL02 shuts down"),
        # Every machine is told before anybody waits for one of them.
        ({}, machines(begun=True, asked={"SQL01": NOW}, tries={("SQL01", "shutdown"): 1}), "act: Stop-VM SQL02"),
        # A process that died may not have sent what it announced.
        ({}, machines(begun=True, asked=JUST_NOW), "act: Stop-VM SQL01"),
        ({}, machines(begun=True, asked=LONG_AGO, tries=TOLD), "act: Save-VM SQL01"),
        ({"vm_fallback": "stop_run"}, machines(begun=True, asked=LONG_AGO, tries=TOLD), "stop: did not shut down"),
        (
            {},
            machines(begun=True, asked=LONG_AGO, tries={**TOLD, ("SQL01", "save"): MOST_TRIES}),
            "stop: it was told 3 times to save itself",
        ),
        ({"vm_patience_minutes": 30}, machines(begun=True, asked=LONG_AGO, tries=TOLD), "wait: shuts down"),
        ({}, machines(vms=(STOPPED,)), "done stopped: none of the 1 virtual machines of HCI02 runs"),
        ({}, machines(vms=()), "done stopped:"),
    ],
)
def test_stopping_the_machines_of_a_node(request_, facts, expected):
    check(StopVms(run(**request_), ME).decide(facts, NOW), expected)


# --- the cluster ---------------------------------------------------------------------------------------------------------


def disk(name: str, state: str = "Online", kind: str = "Physical Disk") -> ClusterResource:
    return ClusterResource(name, kind, state, "G", "HCI01")


def before(**changes: Any) -> StopClusterFacts:
    well: dict[str, Any] = {
        "began": NOW,
        "ordered": False,
        "cleared": True,
        "lock": lock(),
        "nodes": ALL_UP,
        "vms": (STOPPED,),
        "disks": (disk("D1"), disk("D2")),
    }
    return StopClusterFacts(**{**well, **changes})


def after(silent: dict[str, str] | None = None, **services: Service) -> StopClusterFacts:
    down = {name: Service("ClusSvc", "Stopped", "Disabled") for name in NAMES}
    return StopClusterFacts(NOW, True, True, {**down, **services}, silent or {})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (before(), "act: Stop-ClusterResource -Name 'D1'"),
        (
            before(disks=(disk("V1", kind=SHARED_VOLUME), disk("D2"))),
            "act: Get-ClusterSharedVolume -Name 'V1' | Stop-ClusterResource",
        ),
        (before(disks=(disk("D1", "Offline"), disk("D2"))), "act: Stop-ClusterResource -Name 'D2'"),
        (before(disks=(disk("D1", "OfflinePending"), disk("D2"))), "wait: D1 is OfflinePending"),
        (before(disks=(disk("D1", "Offline"), disk("D2", "Failed"))), "act: Stop-Cluster (HCI02, HCI01, HCI03)"),
        (before(cleared=False), "stop: the gate before the downtime"),
        (before(vms=(RUNNING,)), "stop: SQL01 still runs"),
        (before(nodes=(node(DOWN), *others())), "stop: not every server is Up"),
        (before(lock=lock("foreign")), "stop: Another coordinator"),
        (after(), "done stopped: stopped and disabled on HCI01, HCI02, HCI03"),
        (after(HCI02=Service("ClusSvc", "Running", "Automatic")), "act: Stop-Cluster (HCI02)"),
        (after(HCI02=Service("ClusSvc", "StopPending", "Automatic")), "wait: HCI02 is StopPending"),
        (
            after(HCI02=Service("ClusSvc", "Stopped", "Automatic")),
            "act: Set-Service ClusSvc -StartupType Disabled on HCI02",
        ),
        (after({"HCI03": "no route"}), "wait: HCI03 does not answer"),
    ],
)
def test_stopping_the_cluster(facts, expected):
    check(StopCluster(run(), now).decide(facts, NOW), expected)


# --- installing and restarting -------------------------------------------------------------------------------------------

OFF = Service("ClusSvc", "Stopped", "Disabled")


def held(**changes: Any) -> OfflineCustody:
    mine = LockState(OURS, (ME,), (LockHolder(ME, "MSFT_CAURun", OURS),))
    return OfflineCustody(**{"began": NOW, "service": OFF, "stopped_by_run": True, "lock": mine, **changes})


def work(**changes: Any) -> InstallFacts:
    return InstallFacts(custody(), (), **changes)


FOREIGN = LockState(OURS, (ME,), (LockHolder(ME, "MSFT_CAURun", THEIRS),))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (OfflineInstallFacts(held(), work()), "act: scan HCI02"),
        (OfflineInstallFacts(held(), work(scan=scan(UPDATE))), "act: download 1 updates"),
        (OfflineInstallFacts(held(), work(scan=scan(UPDATE), downloaded=True)), "act: install 1 updates on HCI02"),
        (OfflineInstallFacts(held(), work(scan=scan(pending=True))), "done restart-needed:"),
        (OfflineInstallFacts(held(), work(scan=scan())), "done nothing-to-install:"),
        (OfflineInstallFacts(held(), work(results=(result(4, 0x80070643),))), "stop: failed on HCI02"),
        (OfflineInstallFacts(held(stopped_by_run=False), work()), "stop: this run has not stopped the cluster"),
        (OfflineInstallFacts(held(service=Service("ClusSvc", "Running", "Automatic")), work()), "stop: is Running"),
        # What starts with the server would start in the midst of a restart.
        (
            OfflineInstallFacts(held(service=Service("ClusSvc", "Stopped", "Automatic")), work()),
            "stop: starts Automatic",
        ),
        (OfflineInstallFacts(held(lock=FOREIGN), work()), "stop: Another coordinator"),
        (OfflineInstallFacts(held(lock=LockState(OURS, (ME,))), work()), "act: take the run lock on HCI02"),
        # A provider that says nothing while its cluster service is stopped is no other coordinator.
        (OfflineInstallFacts(held(lock=None), work()), "act: scan HCI02"),
        (OfflineInstallFacts(held(service=None, silence="no route")), "wait: HCI02 does not answer: no route"),
    ],
)
def test_installing_while_the_cluster_is_stopped(facts, expected):
    check(InstallOffline(run(), ME, now).decide(facts, NOW), expected)


BOOT = NOW - minutes(600)
ORDER = OpenRestart(NOW - minutes(3), BOOT)
BACK = NodeAnswer(NOW - minutes(1))


def watched(answer: NodeAnswer, **changes: Any) -> OfflineRestartFacts:
    return OfflineRestartFacts(answer, order=ORDER, **changes)


def idle(**changes: Any) -> OfflineRestartFacts:
    return OfflineRestartFacts(NodeAnswer(BOOT), held(), **changes)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (idle(install=work(scan=scan(pending=True))), "act: Restart-Computer -Force on HCI02"),
        (idle(install=work(scan=scan(pending=True)), restarts=10), "stop: still needs a restart after 10"),
        (idle(install=work(scan=scan())), "done skipped:"),
        (idle(install=work(scan=scan()), restarts=1), "done restarted: once"),
        (idle(install=work(scan=scan(UPDATE), downloaded=True)), "act: install 1 updates"),
        (idle(install=work(), given_up=True), "act: scan HCI02"),
        (idle(install=work(scan=scan(UPDATE)), given_up=True), "done skipped: an install has failed"),
        (idle(install=work(scan=scan(UPDATE, pending=True)), given_up=True), "act: Restart-Computer"),
        (watched(NodeAnswer(silence="no route")), "wait: HCI02 restarts and does not answer yet"),
        (watched(NodeAnswer(BOOT)), "wait: has not gone down yet"),
        # An order that an earlier process announced may never have been sent.
        (watched(NodeAnswer(BOOT), custody=held()), "act: Restart-Computer"),
        (watched(NodeAnswer(BOOT), custody=held(stopped_by_run=False)), "stop: this run has not stopped the cluster"),
        (
            watched(replace(BACK, services=(Service("TrustedInstaller", "Running"),))),
            "wait: servicing is still at work",
        ),
        (watched(BACK), "act: note the restart of HCI02"),
    ],
)
def test_restarting_while_the_cluster_is_stopped(facts, expected):
    check(RestartOffline(run(), ME, now).decide(facts, NOW), expected)


# --- taking back ---------------------------------------------------------------------------------------------------------


def change(kind: ev.ChangeKind = "cluster-stopped", where: str = ME) -> Change:
    return Change(kind, where, "ClusSvc", "Running", "Stopped", NOW)


class Undo:
    """An action that does nothing."""

    def describe(self) -> str:
        return "put it back"

    def perform(self, scene: object) -> None:
        raise AssertionError


def back(*standings: Standing, **changes: Any) -> TakeBackFacts:
    return TakeBackFacts(**{"began": NOW, "standings": standings, **changes})


def standing(**changes: Any) -> Standing:
    return Standing(**{"change": change(), "what": "the service is stopped", "command": "Start-Service", **changes})


WAITS = standing(wait="it is starting", holds_up=False)
KEY = "change cluster-stopped HCI02 ClusSvc"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (back(), "done back:"),
        (back(standing()), "act: note that ClusSvc is as it was found"),
        (back(standing(undo=Undo())), "act: put it back"),
        (back(standing(undo=Undo()), tries={KEY: 3}), "act: go on without this"),
        (back(standing(wait="silent")), "wait: silent"),
        (back(WAITS), "wait: it is starting"),
        (back(WAITS, standing(change=change(where="HCI01"), undo=Undo())), "act: put it back"),
        (back(standing(wait="silent"), standing(undo=Undo())), "wait: silent"),
        (back(standing(wait="the pool is Warning", undo=Undo())), "wait: the pool is Warning"),
        (back(standing(wait="the pool is Warning", undo=Undo()), began=NOW - PATIENCE), "act: put it back"),
        (back(standing(wait="silent"), began=NOW - PATIENCE), "act: go on without this"),
        (back(standing(wait="silent", until=NOW + minutes(1)), began=NOW - PATIENCE), "wait: silent"),
        # Nobody waits for a server that the run has given up.
        (back(standing(wait="silent"), failed=frozenset({ME})), "act: go on without this"),
        (back(left={KEY: "the service is stopped (silent)"}), "stop: Not everything is back"),
        (back(unwell=("V1 is Unhealthy",)), "wait: V1 is Unhealthy"),
        (back(builds=ev.BuildsCompared(builds={ME: "20348.1"})), "act: note that the builds"),
    ],
)
def test_taking_back_what_went_down(facts, expected):
    check(StartCluster(run(), now).decide(facts, NOW), expected)


# --- which task begins ---------------------------------------------------------------------------------------------------

LOCKED = RunFacts(lock_guid=str(OURS), lock_nodes=NAMES)
CANCELLED = Asked(NOW, "ops")
IS_DOWN = replace(LOCKED, changes=(change(),))
IDLE_PLAN = replace(plan(), nodes=tuple(replace(each, updates=()) for each in plan().nodes))


@pytest.mark.parametrize(
    ("step", "where", "facts", "more", "expected"),
    [
        ("take_lock", None, RunFacts(), {}, "goes"),
        ("take_lock", None, RunFacts(), {"missing_approval": "nobody said yes"}, "refused"),
        ("stop_vms", ME, LOCKED, {"missing_approval": "nobody said yes"}, "refused"),
        ("downtime_gate", None, RunFacts(), {}, "skipped"),
        ("downtime_gate", None, replace(LOCKED, cancel=CANCELLED), {}, "refused"),
        ("stop_vms", ME, replace(LOCKED, parked="the window closes"), {}, "skipped"),
        ("stop_vms", ME, LOCKED, {"plan": IDLE_PLAN}, "goes"),  # it goes down with the others
        ("stage", ME, LOCKED, {"plan": IDLE_PLAN}, "skipped"),
        ("install_offline", ME, LOCKED, {"is_down": True}, "skipped"),
        ("install_offline", ME, IS_DOWN, {}, "skipped"),  # the cluster was told to stop and was not seen to
        ("install_offline", ME, IS_DOWN, {"is_down": True}, "goes"),
        ("install_offline", ME, replace(IS_DOWN, failed={ME: "x"}), {"is_down": True}, "skipped"),
        ("restart_offline", ME, replace(IS_DOWN, failed={ME: "x"}), {"is_down": True}, "goes"),
        ("restart_offline", ME, replace(IS_DOWN, cancel=CANCELLED), {"is_down": True}, "skipped"),
        ("restart_offline", ME, replace(IS_DOWN, cancel=CANCELLED, passes={ME: 1}), {"is_down": True}, "goes"),
        ("start_cluster", None, replace(IS_DOWN, cancel=CANCELLED), {}, "goes"),
        ("start_cluster", None, IS_DOWN, {"missing_approval": "gone"}, "goes"),
        ("start_cluster", None, LOCKED, {}, "skipped"),
        ("start_vms", None, IS_DOWN, {}, "skipped"),
        ("start_vms", None, replace(LOCKED, changes=(change("vm-stopped", ""),)), {}, "goes"),
        ("verify", None, LOCKED, {}, "skipped"),
        ("verify", None, replace(LOCKED, passes={ME: 1}), {}, "goes"),
        ("verify", None, replace(IS_DOWN, passes={ME: 1}), {}, "skipped"),
        ("conclude", None, RunFacts(), {}, "goes"),
    ],
)
def test_which_task_begins(step, where, facts, more, expected):
    given = {"plan": plan(), **more}
    admitted = admit_offline(step, where, given.pop("plan"), facts, **given)
    assert ("goes" if admitted.goes else "refused" if admitted.refused else "skipped") == expected
    assert admitted.goes or admitted.why


# --- what is approved ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        PLANNED.model_copy(update={"vms": ()}),
        PLANNED.model_copy(update={"nodes": NAMES[:2]}),
        PLANNED.model_copy(update={"request": {**PLANNED.request, "vm_action": "save"}}),
        PLANNED.model_copy(update={"request": {**PLANNED.request, "install_before": True}}),
    ],
)
def test_the_approval_covers_what_goes_down_and_how(other):
    assert offline_hash(plan(), {}, other) != offline_hash(plan(), {}, PLANNED)


def test_patience_and_what_stays_as_it_is_are_not_part_of_it():
    other = PLANNED.model_copy(
        update={"vms": PLANNED.vms[:1], "request": {**PLANNED.request, "vm_patience_minutes": 60}, "window_minutes": 7}
    )
    assert offline_hash(plan(), {}, other) == offline_hash(plan(), {}, PLANNED)


def test_the_person_reads_which_machines_go_down_and_no_name_becomes_markup():
    evil = PlannedVm(name="SQL|<b>", node=ME, running=True)
    text = offline_markdown(plan(), PLANNED.model_copy(update={"vms": (*PLANNED.vms, evil)}), "abcdef" * 10)
    assert "2 virtual machines are shut down" in text
    assert "- HCI02: SQL01, SQL\\|\\<b\\>" in text
    assert "Not running, and left so: OLD01." in text
