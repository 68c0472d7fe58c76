"""Observing with fake shells: what each step reads, from which node, and that it changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from include.hci.cluster.machine import WrongMachine
from include.hci.cluster.witness import read_from_witness
from include.hci.powershell.errors import (
    AuthenticationRefused,
    CommandFailed,
    ConnectionLost,
    NodeUnreachable,
)
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.facts import OpenRestart
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.report.values import UpdateRef, UpdateResult
from include.hci.steps.actions import RestartNode
from include.hci.steps.answer import NodeAnswer, open_orders, read_answer
from include.hci.steps.context import deadline_for, orchestrator_guid
from include.hci.steps.decisions import Scene
from include.hci.steps.drain import Drain
from include.hci.steps.factory import make_step
from include.hci.steps.failures import is_refused
from include.hci.steps.readiness import Readiness
from include.hci.steps.resume import Resume
from include.hci.steps.resync import Resync
from include.hci.steps.work import LostInstall, ScanNode, Work, lost_installs
from tests.hci.cluster.fakes import FakeCluster, FakeShell, group_obj, node_obj, obj
from tests.hci.cluster.test_updater import methods
from tests.hci.steps.facts import ME, NAMES, NOW, OURS, context, minutes, now

BOOT = NOW - minutes(600)


def shell(name: str, **states: Any) -> FakeShell:
    nodes = [node_obj(node, states.get(node, "Up"), states.get(f"{node}_drain", "NotInitiated")) for node in NAMES]
    return FakeShell(
        {
            "Get-ClusterNode": nodes,
            "Get-ClusterGroup": [group_obj("VM1", ME), group_obj("VM2", "HCI01"), group_obj("VM3", ME, "Offline")],
            "Get-VirtualDisk": [obj(FriendlyName="V1", HealthStatus="Healthy", OperationalStatus="OK")],
            "Get-Cluster": [obj(Name="HCI-CL01")],
            "Get-ClusterQuorum": [obj(QuorumResource=obj("Witness"))],
            "Get-ClusterResource": [obj(Name="Witness", State="Online")],
            "Get-CimInstance": lambda pipeline: (
                [obj(OrchestratorGuid=str(OURS))]
                if "MSFT_CAU" in pipeline.describe()
                else [obj(LastBootUpTime=BOOT.isoformat())]
            ),
            "Get-ItemProperty": [obj(CurrentBuild="20348", UBR=2113, ProductName="Windows Server 2022")],
            "Get-Service": [obj(Name="ClusSvc", Status=4), obj(Name="TrustedInstaller", Status=1)],
            "Get-Volume": [obj(SizeRemaining=40 * 1024**3)],
            "Get-CauRun": ["RunNotInProgress"],
            "Get-CauClusterRole": CommandFailed(
                [ErrorRecord("The current cluster is not configured with a Cluster-Aware Updating clustered role.")]
            ),
        },
        name,
    )


def cluster(**states: Any) -> FakeCluster:
    return FakeCluster({name: shell(name, **states) for name in NAMES})


def changes_sent(of: FakeCluster) -> list[str]:
    return [pipeline.describe() for each in of.shells.values() for pipeline in each.sent if pipeline.is_change]


# --- the witness ---------------------------------------------------------------------------------------------------------


def witness(of: FakeCluster, avoid: tuple[str, ...] = ()) -> str:
    return read_from_witness(of, avoid)[0].node  # type: ignore[attr-defined,no-any-return]


def test_a_node_in_service_is_asked_and_the_one_in_maintenance_last():
    assert witness(cluster()) == "HCI01"
    assert witness(cluster(), avoid=("hci01",)) == "HCI02"
    assert witness(cluster(HCI01="Paused")) == "HCI02"
    assert witness(cluster(HCI01="Joining", HCI02="Down")) == "HCI03"


def test_a_paused_node_is_better_than_none():
    assert witness(cluster(HCI01="Down", HCI02="Paused", HCI03="Down")) == "HCI02"


@pytest.mark.parametrize(
    "error", [NodeUnreachable("down"), ConnectionLost("cut"), CommandFailed([ErrorRecord("x", native_code=1753)])]
)
def test_a_node_that_cannot_answer_is_passed_over(error):
    some = cluster()
    some.shells["HCI01"].replies["Get-ClusterNode"] = error
    assert witness(some) == "HCI02"


def test_when_no_node_will_do_each_is_named_with_its_reason():
    none = cluster(HCI01="Down", HCI02="Joining")
    none.shells["HCI03"].replies["Get-ClusterNode"] = NodeUnreachable("no route")
    with pytest.raises(NodeUnreachable, match="HCI01 is Down; HCI02 is Joining; HCI03: no route"):
        read_from_witness(none)


def test_a_node_that_denies_access_is_passed_over_and_named_when_no_other_will_do():
    denied = CommandFailed([ErrorRecord("Access is denied", native_code=5)])
    some = cluster()
    some.shells["HCI01"].replies["Get-ClusterNode"] = denied
    assert witness(some) == "HCI02"
    none = cluster(HCI02="Down", HCI03="Down")
    none.shells["HCI01"].replies["Get-ClusterNode"] = denied
    with pytest.raises(CommandFailed):
        read_from_witness(none)


def test_logins_that_two_nodes_refuse_are_not_passed_over():
    some = cluster()
    some.shells["HCI01"].replies["Get-ClusterNode"] = AuthenticationRefused("no")
    some.shells["HCI02"].replies["Get-ClusterNode"] = AuthenticationRefused("no")
    with pytest.raises(AuthenticationRefused):
        read_from_witness(some)


# --- steps ---------------------------------------------------------------------------------------------------------------


def test_readiness_reads_the_cluster_and_every_node_and_changes_nothing():
    seen = cluster()
    facts = Readiness(context()).observe(seen)
    assert sorted(facts.versions) == sorted(NAMES)
    assert len(facts.holders) == 6
    assert (facts.unreachable, facts.cau_role, facts.cau_problem) == ({}, None, "")
    assert facts.cau_run is not None
    assert facts.cau_run.is_free
    assert changes_sent(seen) == []


def test_readiness_takes_a_node_that_does_not_answer_as_a_finding():
    seen = cluster()
    for name in ("Get-ItemProperty", "Get-CimInstance"):
        seen.shells["HCI03"].replies[name] = NodeUnreachable("no route")
    assert Readiness(context()).observe(seen).unreachable == {"HCI03": "no route"}


def test_readiness_goes_on_without_caus_tools():
    seen = cluster()
    for each in seen.shells.values():
        each.replies["Get-CauRun"] = CommandFailed([ErrorRecord("x", "CommandNotFoundException")])
        each.replies["Debug-StorageSubSystem"] = CommandFailed([ErrorRecord("not supported")])
    facts = Readiness(context()).observe(seen)
    assert facts.cau_run is None
    assert {entry.subject for entry in facts.unread} == {"cau-run", "health"}
    assert "cau-role" in facts.not_asked


def test_draining_is_watched_from_another_node():
    seen = cluster(HCI02="Paused", HCI02_drain="InProgress")
    record = RunRecord(MemoryStorage())
    record.add(ev.Pausing(node=ME, roles=("VM1", "VM9")), NOW)
    facts = Drain(context(record), ME).observe(seen)
    assert facts.paused_by_run
    assert facts.roles_before == 2
    assert [role.name for role in facts.roles] == ["VM1"]
    assert not facts.ordered
    assert not any("Get-Cluster" in line for line in seen.shells[ME].lines)
    assert changes_sent(seen) == []


def test_a_drain_ordered_in_this_try_is_told_from_an_earlier_one():
    record = RunRecord(MemoryStorage())
    record.add(ev.Pausing(node=ME), NOW)
    step = Drain(context(record), ME)
    assert not step.observe(cluster()).ordered
    record.add(ev.Pausing(node=ME), NOW)
    assert step.observe(cluster()).ordered


def test_a_resumed_node_begins_afresh():
    record = RunRecord(MemoryStorage())
    record.add(ev.Pausing(node=ME, roles=("OLD",)), NOW)
    record.add(ev.Resumed(node=ME), NOW)
    record.add(ev.Pausing(node=ME, roles=("VM1",)), NOW)
    assert Resume(context(record), ME).observe(cluster()).drained_roles == ("VM1",)


def test_the_clusters_own_groups_are_not_waited_for_after_the_failback():
    seen = cluster()
    for each in seen.shells.values():
        each.replies["Get-ClusterGroup"] = [group_obj("Cluster Group", "HCI01", "Online", 1), group_obj("VM1", "HCI01")]
    record = RunRecord(MemoryStorage())
    record.add(ev.Pausing(node=ME, roles=("Cluster Group", "VM1")), NOW)
    facts = Resume(context(record), ME).observe(seen)
    assert (facts.drained_roles, facts.missing_roles) == (("VM1",), ("VM1",))


def test_another_machine_that_answers_for_the_node_is_not_restarted():
    some = cluster(**{ME: "Paused"})
    own = some.shells[ME].replies["Get-CimInstance"]
    other = [obj(LastBootUpTime=BOOT.isoformat(), CSName="HCI01")]
    some.shells[ME].replies["Get-CimInstance"] = lambda pipeline: (
        other if "Win32_OperatingSystem" in pipeline.describe() else own(pipeline)
    )
    with pytest.raises(WrongMachine, match="answers for HCI02 is called HCI01") as caught:
        make_step("restart", context(), ME).observe(some)
    assert is_refused(caught.value)
    # Nor is its boot time any proof of the node's restart.
    answer = read_answer(some, ME)
    assert (answer.boot_time, answer.silence) == (None, "the machine that answers for HCI02 is called HCI01")
    assert changes_sent(some) == []


# --- what is known of restarts and installs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [NodeUnreachable("down"), AuthenticationRefused("domain not there yet"), CommandFailed([ErrorRecord("busy")])],
)
def test_whatever_a_restarting_node_says_is_no_verdict(error):
    seen = cluster()
    seen.shells[ME].replies["Get-Service"] = error
    assert read_answer(seen, ME).silence == error.detail


#: Ordered when the node's own clock showed NOW; it had been running for ten hours.
ORDERED = OpenRestart(NOW, BOOT, NOW)


@pytest.mark.parametrize(
    ("boot", "local", "shown"),
    [
        (NOW + minutes(3), NOW + minutes(5), True),
        # Its clock was set forward by an hour and took the boot time along: it has been running all the time.
        (BOOT + minutes(60), NOW + minutes(65), False),
        (BOOT + minutes(60), NOW + minutes(500), False),
        # Its clock was ahead by an hour until the restart set it right.
        (NOW - minutes(57), NOW - minutes(55), True),
        (BOOT + minutes(0.5), NOW + minutes(5), False),
        # A node that does not say what time it has is believed by its boot time.
        (BOOT + minutes(60), None, True),
    ],
)
def test_a_clock_that_is_set_shows_no_restart(boot, local, shown):
    assert NodeAnswer(boot, local_time=local).shows_restart(ORDERED) is shown


def test_an_order_on_record_keeps_what_the_clock_of_the_node_showed():
    seen, record = cluster(), RunRecord(MemoryStorage())
    seen.shells[ME].replies["Get-CimInstance"] = [obj(LastBootUpTime=BOOT, LocalDateTime=NOW + minutes(7))]
    answer = read_answer(seen, ME)
    RestartNode(ME, BOOT, "updates", local_time=answer.local_time).perform(Scene(seen, record, now))
    (order,) = open_orders(record, ME)
    assert order == OpenRestart(NOW, BOOT, NOW + minutes(7))
    assert not answer.shows_restart(order)


def test_orders_are_open_until_a_restart_was_seen_or_the_node_resumed():
    record = RunRecord(MemoryStorage())
    order = ev.RestartOrdered(node=ME, boot_time_before=BOOT)
    assert open_orders(record, ME) == ()
    record.add(order, NOW)
    record.add(order, NOW + minutes(1))
    assert [item.ordered_at for item in open_orders(record, ME)] == [NOW, NOW + minutes(1)]
    record.add(ev.Restarted(node=ME, boot_time=NOW), NOW + minutes(2))
    assert open_orders(record, ME) == ()
    record.add(order, NOW + minutes(3))
    record.add(ev.Resumed(node=ME), NOW + minutes(4))
    assert open_orders(record, ME) == ()


A_ID, B_ID = "aaaaaaaa-0000-4000-8000-000000000001", "bbbbbbbb-0000-4000-8000-000000000002"
A, B = UpdateRef(update_id=A_ID), UpdateRef(update_id=B_ID)


def started(record: RunRecord, number: int, *updates: UpdateRef) -> None:
    record.add(ev.InstallStarted(node=ME, install_pass=number, updates=updates), NOW + minutes(number))


def finished(record: RunRecord, number: int, *ids: str, answered: bool) -> None:
    results = tuple(UpdateResult(update_id=each, result="succeeded") for each in ids)
    event = ev.InstallFinished(node=ME, install_pass=number, results=results, restart_needed=True if answered else None)
    record.add(event, NOW + minutes(number))


def test_an_install_is_lost_until_its_answer_or_a_scan_accounts_for_it():
    record = RunRecord(MemoryStorage())
    started(record, 1, A, B)
    assert lost_installs(record, ME) == (LostInstall(1, NOW + minutes(1), (A, B)),)
    finished(record, 1, A_ID, answered=False)
    assert lost_installs(record, ME) == (LostInstall(1, NOW + minutes(1), (B,)),)
    finished(record, 1, B_ID, answered=False)
    assert lost_installs(record, ME) == ()
    started(record, 2, A)
    finished(record, 2, answered=True)
    assert lost_installs(record, ME) == ()


def test_a_later_answer_about_an_update_settles_it_for_earlier_installs_too():
    record = RunRecord(MemoryStorage())
    started(record, 1, A, B)
    started(record, 2, A)
    finished(record, 2, A_ID, answered=True)
    assert lost_installs(record, ME) == (LostInstall(1, NOW + minutes(1), (B,)),)


def scanning(
    record: RunRecord,
    offered: tuple[Any, ...],
    step: ev.StepName = "install",
    installed: tuple[Any, ...] | CommandFailed = (),
) -> Work:
    def search(text: str) -> tuple[Any, ...]:
        if "IsInstalled=1" not in text:
            return () if "CategoryIDs" in text else offered
        if isinstance(installed, CommandFailed):
            raise installed
        return installed

    seen = cluster()
    seen.shells[ME].replies |= {
        "Select-Object": methods("QueryString"),
        "Invoke-CimMethod": lambda pipeline: [
            obj(ReturnValue=False)
            if "ScanUpdates" not in pipeline.describe()
            else obj(Info=search(pipeline.describe()), ReturnValue=0)
        ],
    }
    work = Work(downloaded=True)
    ScanNode(context(record), ME, work, step).perform(Scene(seen, record, now))
    return work


def test_what_a_scan_finds_installed_and_no_longer_offers_has_been_installed_by_the_lost_install():
    record = RunRecord(MemoryStorage())
    started(record, 1, A, B)
    work = scanning(record, (obj(UpdateId=B_ID, UpdateTitle="B"),), installed=(obj(UpdateId=A_ID, UpdateTitle="A"),))
    (event,) = [stamped.event for stamped in record.all_of(ev.InstallFinished)]
    assert [(item.update_id, item.result) for item in event.results] == [(A_ID, "succeeded")]
    assert event.restart_needed is None
    assert work.scan is not None
    assert [update.update_id for update in work.scan.selection.updates] == [B_ID]
    assert not work.downloaded


@pytest.mark.parametrize("installed", [(), CommandFailed([ErrorRecord("invalid criteria")], node=ME)])
def test_an_update_that_is_no_longer_offered_may_have_been_replaced_and_stays_unknown(installed):
    record = RunRecord(MemoryStorage())
    started(record, 1, A)
    scanning(record, (obj(UpdateId=B_ID, UpdateTitle="its successor"),), installed=installed)
    assert record.all_of(ev.InstallFinished) == ()
    assert [install.updates for install in lost_installs(record, ME)] == [(A,)]


def test_a_scan_before_the_run_accounts_for_nothing():
    record = RunRecord(MemoryStorage())
    started(record, 1, A)
    scanning(record, (), "scan")
    assert record.all_of(ev.InstallFinished) == ()
    assert record.last(ev.NodeUpdaterChosen) is not None


def test_staging_looks_at_the_lock_of_its_own_node_only():
    lab = cluster()
    facts = make_step("stage", context(), ME).observe(lab)
    asked = [name for name, one in lab.shells.items() if any("MSFT_CAURun" in sent.describe() for sent in one.sent)]
    assert asked == [ME]
    assert (facts.lock.asked, facts.lock.ours) == ((ME,), (ME,))


# --- making steps --------------------------------------------------------------------------------------------------------


def test_the_lock_id_is_the_same_on_every_try_and_another_for_every_run():
    assert orchestrator_guid("C", "run-1") == orchestrator_guid("c", "run-1")
    assert len({orchestrator_guid("C", "run-1"), orchestrator_guid("C", "run-2"), orchestrator_guid("D", "run-1")}) == 3


NODE_STEPS = ("scan", "stage", "turn", "drain", "install", "restart", "resume", "resync")
CLUSTER_STEPS = ("readiness", "take_lock", "verify", "conclude")


@pytest.mark.parametrize("name", NODE_STEPS)
def test_a_step_of_a_node_is_made_with_its_node_only(name):
    step = make_step(name, context(), ME)
    assert (step.name, step.node) == (name, ME)
    with pytest.raises(ValueError, match="name it"):
        make_step(name, context())


@pytest.mark.parametrize("name", CLUSTER_STEPS)
def test_a_step_of_the_cluster_is_made_without_a_node_only(name):
    step = make_step(name, context())
    assert (step.name, step.node) == (name, None)
    with pytest.raises(ValueError, match="takes no node"):
        make_step(name, context(), ME)


def test_what_is_no_step_is_refused():
    with pytest.raises(ValueError, match="no step called plan"):
        make_step("plan", context(), ME)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("drain", "drain_timeout_minutes", 7),
        ("stage", "install_timeout_minutes", 7),
        ("install", "install_timeout_minutes", 7),
        ("install", "max_passes_per_node", 1),
        ("restart", "reboot_timeout_minutes", 7),
        ("restart", "max_passes_per_node", 1),
        ("resync", "resync_timeout_minutes", 7),
    ],
)
def test_each_timeout_option_changes_its_steps_deadline(name, option, value):
    assert deadline_for(name, context(**{option: value}).options) != deadline_for(name, context().options)


@pytest.mark.parametrize("name", [*NODE_STEPS, *CLUSTER_STEPS])
def test_every_step_has_a_deadline(name):
    assert deadline_for(name, context().options) > minutes(0)


def test_a_run_without_a_plan_says_so_before_a_node_is_touched():
    bare = context()
    object.__setattr__(bare, "plan", None)
    with pytest.raises(ValueError, match="no plan yet"):
        bare.require_plan()


@pytest.mark.parametrize(("age", "repaired"), [(9, {"V1"}), (10, set())])
def test_a_repair_counts_as_ordered_for_some_minutes_only(age, repaired):
    record = RunRecord(MemoryStorage())
    record.add(ev.RepairOrdered(virtual_disk="V1"), NOW - minutes(age))
    assert Resync(context(record), ME, now).observe(cluster()).repaired == repaired
