"""How each change of a fast offline update is read at the end of a run, and what is done about it."""

from __future__ import annotations

from typing import Any

import pytest

from include.hci.powershell.errors import NodeUnreachable
from include.hci.report import events as ev
from include.hci.report.facts import Change
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.steps.offline_undo import FORMING, OfflineDisk, StartType, StoppedService, StoppedVm
from include.hci.steps.undo import Stages, Standing, read_standings
from include.hci.steps.undoers import UNDOERS
from tests.hci.cluster.fakes import FakeCluster, FakeShell, node_obj, obj
from tests.hci.steps.facts import NOW, context, minutes

NODES = ("HCI01", "HCI02")


def change(
    kind: ev.ChangeKind, subject: str, node: str = "", before: str = "Running", after: str = "Stopped"
) -> Change:
    return Change(kind, node, subject, before, after, NOW)


TYPE = change("service-start-type", "ClusSvc", "HCI02", "Automatic", "Disabled")
SERVICE = change("cluster-stopped", "ClusSvc", "HCI02")
DISK = change("virtual-disk-offline", "Cluster Virtual Disk (V1)", before="Online", after="Offline")
VM = change("vm-stopped", "SQL01", after="Off")


def service(name: str, status: str, start: str = "Automatic") -> Any:
    return obj(name, Name=name, Status=status, StartType=start)


def resource(name: str, kind: str, state: str, group: str = "G") -> Any:
    return obj(name, Name=name, ResourceType=kind, State=state, OwnerGroup=group, OwnerNode="HCI01")


def cluster(
    *, services: Any = (), resources: Any = (), volumes: Any = (), nodes: Any = None, pool: str = "Healthy"
) -> FakeCluster:
    replies = {
        "Get-ClusterSharedVolume": list(volumes),
        "Get-Service": list(services) if isinstance(services, tuple) else services,
        "Get-ClusterResource": list(resources) if isinstance(resources, tuple) else resources,
        "Get-ClusterNode": nodes if nodes is not None else [node_obj(name) for name in NODES],
        "Get-StoragePool": [obj(FriendlyName="S2D", HealthStatus=pool, OperationalStatus=("OK",))],
    }
    return FakeCluster({name: FakeShell(replies, name) for name in NODES})


def said(standing: Standing) -> str:
    if standing.wait:
        return f"wait: {standing.wait}{' then ' + standing.undo.describe() if standing.undo else ''}"
    return standing.undo.describe() if standing.undo else "as found"


GONE = NodeUnreachable("no route", node="HCI02")
SILENT = NodeUnreachable("the cluster service is not running", node="HCI01")


@pytest.mark.parametrize(
    ("undoer", "what", "found", "expected"),
    [
        (StartType(), TYPE, {"services": (service("ClusSvc", "Stopped"),)}, "as found"),
        (
            StartType(),
            TYPE,
            {"services": (service("ClusSvc", "Stopped", "Disabled"),)},
            "Set-Service ClusSvc -StartupType Automatic on HCI02",
        ),
        (StartType(), TYPE, {"services": GONE}, "wait: no route"),
        (StoppedService(), SERVICE, {"services": (service("ClusSvc", "Stopped"),)}, "Start-Service ClusSvc on HCI02"),
        (StoppedService(), SERVICE, {"services": (service("ClusSvc", "Running"),)}, "as found"),
        (StoppedService(), SERVICE, {"services": (service("ClusSvc", "Running"),), "nodes": SILENT}, "as found"),
        (
            StoppedService(),
            SERVICE,
            {"services": (service("ClusSvc", "Running"),), "nodes": [node_obj("HCI01"), node_obj("HCI02", "Joining")]},
            "wait: the node is Joining",
        ),
        (
            StoppedService(),
            SERVICE,
            {"services": (service("ClusSvc", "Stopped"), service("TrustedInstaller", "Running"))},
            "wait: servicing is at work on the server then Start-Service ClusSvc on HCI02",
        ),
        (StoppedService(), SERVICE, {"services": (service("ClusSvc", "StartPending"),)}, "wait: it is StartPending"),
        (
            StoppedService(),
            SERVICE,
            {"services": (service("ClusSvc", "Stopped", "Disabled"),)},
            "wait: it is still disabled",
        ),
        (OfflineDisk(), DISK, {"resources": (resource(DISK.subject, "Physical Disk", "Online"),)}, "as found"),
        (
            OfflineDisk(),
            DISK,
            {"resources": (resource(DISK.subject, "Physical Disk", "Offline"),)},
            "Start-ClusterResource -Name 'Cluster Virtual Disk (V1)'",
        ),
        (
            OfflineDisk(),
            DISK,
            {"volumes": (obj(Name=DISK.subject, State="Offline", OwnerNode="HCI01"),)},
            "Get-ClusterSharedVolume -Name 'Cluster Virtual Disk (V1)' | Start-ClusterResource",
        ),
        (
            OfflineDisk(),
            DISK,
            {"resources": (resource(DISK.subject, "Physical Disk", "Offline"),), "pool": "Warning"},
            "wait: S2D is Warning then Start-ClusterResource -Name 'Cluster Virtual Disk (V1)'",
        ),
        # Without a server its pool is never healthy: nobody waits for that.
        (
            OfflineDisk(),
            DISK,
            {
                "resources": (resource(DISK.subject, "Physical Disk", "Offline"),),
                "pool": "Warning",
                "nodes": [node_obj("HCI01"), node_obj("HCI02", "Down")],
            },
            "Start-ClusterResource -Name 'Cluster Virtual Disk (V1)'",
        ),
        (
            OfflineDisk(),
            DISK,
            {
                "resources": (resource(DISK.subject, "Physical Disk", "Offline"),),
                "nodes": [node_obj("HCI01"), node_obj("HCI02", "Joining")],
            },
            "wait: HCI02 is joining the cluster then Start-ClusterResource -Name 'Cluster Virtual Disk (V1)'",
        ),
        (StoppedVm(), VM, {"resources": (resource("VM SQL01", "Virtual Machine", "Online", "SQL01"),)}, "as found"),
        (
            StoppedVm(),
            VM,
            {"resources": (resource("VM SQL01", "Virtual Machine", "Offline", "SQL01"),)},
            "Start-ClusterGroup SQL01",
        ),
        (
            StoppedVm(),
            VM,
            {"resources": (resource("VM SQL01", "Virtual Machine", "OnlinePending", "SQL01"),)},
            "wait: it is OnlinePending",
        ),
        (StoppedVm(), VM, {}, "wait: the cluster has no such virtual machine any more"),
    ],
)
def test_how_a_change_stands(undoer: Any, what: Change, found: dict[str, Any], expected: str) -> None:
    record = RunRecord(MemoryStorage())
    announced = ev.Changing(
        step="stop_vms", change=what.kind, node=what.node or None, subject=what.subject, before=what.before
    )
    record.add(announced, NOW)
    assert said(undoer.read(cluster(**found), context(record), what)) == expected


def test_a_silent_cluster_is_waited_for_while_it_may_be_forming() -> None:
    record = RunRecord(MemoryStorage())
    back = ev.ChangeTakenBack(step="start_cluster", node="HCI02", change="cluster-stopped", subject="ClusSvc")
    record.add(back, NOW + minutes(3))
    for undoer, what in ((OfflineDisk(), DISK), (StoppedVm(), VM)):
        standing = undoer.read(cluster(nodes=SILENT), context(record), what)
        assert standing.wait.startswith("the cluster does not answer")
        assert standing.until == NOW + minutes(3) + FORMING
        assert standing.holds_up


def test_a_server_that_was_told_to_restart_is_given_its_time_before_anything_is_started_there() -> None:
    record = RunRecord(MemoryStorage())
    ordered = ev.RestartOrdered(step="restart_offline", node="HCI02", boot_time_before=NOW)
    record.add(ordered, NOW + minutes(1))
    standing = StoppedService().read(cluster(services=(service("ClusSvc", "Stopped"),)), context(record), SERVICE)
    limit = context(record).options.reboot_timeout_minutes
    assert standing.wait == "the server was told to restart and has not gone down yet"
    assert standing.until == NOW + minutes(1) + minutes(limit)
    assert not standing.holds_up


def test_a_server_that_may_still_install_is_given_the_time_of_its_install() -> None:
    record = RunRecord(MemoryStorage())
    record.add(ev.InstallStarted(step="install_offline", node="HCI02", install_pass=1), NOW)
    standing = StartType().read(cluster(services=GONE), context(record), TYPE)
    assert standing.until == NOW + minutes(context(record).options.install_timeout_minutes)


def test_a_wait_for_one_server_lets_the_others_be_read_and_nothing_is_read_too_early() -> None:
    lab = cluster(services=(service("ClusSvc", "Stopped"),))
    lab.shells["HCI02"].replies["Get-Service"] = GONE
    other = change("cluster-stopped", "ClusSvc", "HCI01")
    found = read_standings(lab, context(), (VM, DISK, other, SERVICE), UNDOERS)
    assert [standing.change for standing in found] == [SERVICE, other]


def test_what_has_come_to_a_new_stage_has_its_time_from_then_on() -> None:
    stages = Stages()
    waits = Standing(SERVICE, "w", "c", wait="servicing")
    joins = Standing(SERVICE, "w", "c", wait="joining", stage="joining")
    assert stages.note((waits,), NOW) == {}
    assert set(stages.note((joins,), NOW + minutes(20)).values()) == {NOW + minutes(20)}
    assert set(stages.note((joins,), NOW + minutes(22)).values()) == {NOW + minutes(20)}
