"""What becomes of a reading that fails: a finding, and whether it is one of missing rights."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from include.hci.cluster.cau import LockHolder
from include.hci.cluster.nodes import ClusterGroup
from include.hci.cluster.values import GroupState
from include.hci.powershell.errors import (
    AuthenticationRefused,
    CommandFailed,
    CommandNotAvailable,
    ConnectionLost,
    DeadlineExceeded,
    EndpointRefused,
    NodeUnreachable,
    RemotingError,
)
from include.hci.powershell.records import ErrorRecord
from include.hci.settings import RunOptions
from include.hci.steps.readings import Readings
from include.hci.steps.readings_cluster import read_whole
from include.hci.steps.readings_nodes import NodeReadings, read_nodes
from tests.hci.cluster.fakes import FakeCluster, FakeShell, obj
from tests.hci.steps.facts import NOW, now

MISSING = CommandNotAvailable([ErrorRecord("no such command", "CommandNotFoundException")])
DENIED = CommandFailed([ErrorRecord("Access is denied", native_code=5)])
BROKEN = CommandFailed([ErrorRecord("invalid class")])


def failing(error: RemotingError):
    def read(*shell: object) -> str:
        raise error

    return read


@pytest.mark.parametrize(
    ("subject", "error", "refused"),
    [
        ("storage", DENIED, True),
        ("storage", CommandFailed([ErrorRecord("no", category="PermissionDenied")]), True),
        ("storage", MISSING, True),
        ("cau-run", MISSING, False),
        ("storage", BROKEN, False),
        ("storage", DeadlineExceeded("too long"), False),
        ("cau-setup", EndpointRefused("no rights"), True),
        ("cau-setup", AuthenticationRefused("wrong password"), True),
    ],
)
def test_a_reading_of_the_cluster_that_fails_is_a_finding(subject, error, refused):
    readings = Readings(now)
    assert readings.cluster(subject, [FakeShell({})], failing(error)) is None
    (entry,) = readings.unread
    assert (entry.subject, entry.reason, entry.node, entry.refused) == (subject, error.detail, "", refused)


@pytest.mark.parametrize("error", [ConnectionLost("cut"), NodeUnreachable("down")])
def test_another_node_is_asked_when_one_cannot_be_reached(error):
    first, second = FakeShell({}, "HCI01"), FakeShell({}, "HCI02")
    readings = Readings(now)

    def read(shell: FakeShell) -> str:
        if shell is first:
            raise error
        return shell.node

    assert readings.cluster("storage", [first, second], read) == "HCI02"
    assert readings.unread == []


def test_an_answer_is_an_answer_unless_the_next_may_know_better():
    first, second = FakeShell({}, "MGMT"), FakeShell({}, "HCI02")

    def read(shell: FakeShell) -> str:
        if shell is first:
            raise MISSING
        return shell.node

    strict, lenient = Readings(now), Readings(now)
    assert strict.cluster("cau-run", [first, second], read) is None
    assert lenient.cluster("cau-run", [first, second], read, any_error=True) == "HCI02"


@pytest.mark.parametrize("error", [BROKEN, DENIED, MISSING])
def test_what_one_node_alone_cannot_tell_of_the_cluster_another_one_is_asked_for(error):
    well: dict[str, Any] = {
        "Get-Cluster": [obj(Name="CL01")],
        "Get-ClusterQuorum": [obj(QuorumType="Majority")],
        "Get-VirtualDisk": [obj(FriendlyName="V1", HealthStatus="Healthy", OperationalStatus="OK")],
    }
    first = FakeShell({**well, "Get-VirtualDisk": error, "Debug-StorageSubSystem": error}, "HCI01")
    second = FakeShell(well, "HCI02")
    readings = Readings(now)
    whole = read_whole("CL01", (first, second), RunOptions(max_failed_nodes=0), readings)
    assert [disk.name for disk in whole.storage.disks] == ["V1"]
    assert readings.unread == []


def test_a_provider_that_hangs_is_not_waited_for_on_every_node():
    first, second = FakeShell({"Get-VirtualDisk": DeadlineExceeded("5 min")}, "HCI01"), FakeShell({}, "HCI02")
    readings = Readings(now)
    well = {"Get-Cluster": [obj(Name="CL01")], "Get-ClusterQuorum": [obj(QuorumType="Majority")]}
    first.replies.update(well)
    read_whole("CL01", (first, second), RunOptions(max_failed_nodes=0), readings)
    assert [entry.subject for entry in readings.unread] == ["storage"]
    assert second.sent == []


def test_each_subject_is_timed_over_all_nodes():
    moments = iter(NOW + timedelta(seconds=second) for second in (0, 2, 10, 15, 20, 21))
    readings = Readings(lambda: next(moments))
    readings.node("memory", "HCI01", lambda: 1)
    readings.node("memory", "HCI02", failing(BROKEN))
    readings.cluster("storage", [FakeShell({})], lambda shell: 1)
    assert readings.durations == {"memory": 7.0, "storage": 1.0}


@pytest.mark.parametrize("error", [NodeUnreachable("down"), AuthenticationRefused("no")])
def test_a_node_that_does_not_answer_is_asked_once(error):
    silent = FakeShell({"Get-ItemProperty": error}, "HCI01")
    found = read_nodes(FakeCluster({"HCI01": silent}), ["HCI01"], (), Readings(now))
    assert found.unreachable == {"HCI01": error.detail}
    assert len(silent.sent) == 1


def test_a_node_whose_connection_broke_is_asked_once_more_and_nothing_is_there_twice():
    lost = FakeShell({"Get-ItemProperty": ConnectionLost("cut")}, "HCI01")
    assert read_nodes(FakeCluster({"HCI01": lost}), ["HCI01"], (), Readings(now)).unreachable == {"HCI01": "cut"}
    assert len(lost.sent) == 2

    guid = UUID("77777777-7777-7777-7777-777777777777")
    found = NodeReadings(holders=[LockHolder("HCI01", "MSFT_CAURun", guid), LockHolder("HCI02", "MSFT_CAURun", guid)])
    found.forget("HCI01")
    assert [holder.node for holder in found.holders] == ["HCI02"]


@pytest.mark.parametrize(("kind", "missed"), [("VirtualMachine", {"virtual-machines", "media"}), ("FileServer", set())])
def test_a_cluster_without_virtual_machines_needs_no_hyper_v(kind, missed):
    replies = {
        "Get-ItemProperty": [obj(CurrentBuild="20348", UBR=1)],
        "Get-CimInstance -ClassName 'Win32_OperatingSystem'": [obj(LastBootUpTime=NOW.isoformat())],
        "Get-Volume": [obj(SizeRemaining=1)],
        "Get-VM": MISSING,
        "Get-VMDvdDrive": MISSING,
    }
    readings = Readings(now)
    groups = (ClusterGroup("G", "HCI01", GroupState.ONLINE, kind),)
    found = read_nodes(FakeCluster({"HCI01": FakeShell(replies)}), ["HCI01"], groups, readings)
    assert found.unreachable == {}
    assert {entry.subject for entry in readings.unread} == missed
