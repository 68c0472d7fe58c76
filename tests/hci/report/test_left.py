"""What stands first in a report: everything that may still be as the run changed it, with the command that puts it back."""

from __future__ import annotations

from typing import get_args

import pytest

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.model import LeftReport
from tests.hci.report.example import GUID, Night

HCI03 = "HCI03"


def left(*events: ev.RunEvent) -> tuple[LeftReport, ...]:
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=(HCI03,)))
    for event in (*events, ev.Concluded()):
        night.after(1, event)
    return report_of(night.record, night.now).left


def changing(change: ev.ChangeKind, subject: str, node: str | None = HCI03, **more: str) -> ev.Changing:
    return ev.Changing(step="conclude", node=node, change=change, subject=subject, **more)


@pytest.mark.parametrize(
    ("event", "what", "command"),
    [
        (changing("credssp-server", "CredSSP"), "CredSSP (role Server)", "Disable-WSManCredSSP -Role Server"),
        (
            changing("service-start-type", "ClusSvc", before="Automatic", after="Disabled"),
            "The start type of ClusSvc may still be Disabled on HCI03, it was Automatic.",
            "Set-Service -Name 'ClusSvc' -StartupType Automatic",
        ),
        (changing("cluster-stopped", "ClusSvc"), "may still be stopped on HCI03", "Start-Service -Name 'ClusSvc'"),
        (changing("virtual-disk-offline", "Volume01", None), "Volume01 may still be offline", "Start-ClusterResource"),
        (changing("vm-stopped", "Bob's VM", None), "Bob's VM", "Start-ClusterGroup -Name 'Bob''s VM'"),
        (
            changing("vm-moved", "VM1", None, before="HCI01", after="HCI02"),
            "VM1 may still be on HCI02, it was on HCI01.",
            "Move-ClusterVirtualMachineRole -Name 'VM1' -Node HCI01 -MigrationType Live",
        ),
        (changing("scheduled-task", "HciUpdate-1"), "HciUpdate-1", "Unregister-ScheduledTask -TaskName 'HciUpdate-1'"),
        (changing("file", r"C:\Windows\HciUpdate"), "may still be there", r"-LiteralPath 'C:\Windows\HciUpdate'"),
    ],
)
def test_a_change_that_nobody_saw_taken_back_is_named_with_its_command(event: ev.Changing, what: str, command: str):
    [found] = left(event)
    assert what in found.what
    assert command in (found.command or "")
    assert event.change not in found.what


def test_every_kind_of_change_has_its_words():
    for change in get_args(ev.ChangeKind):
        [found] = left(changing(change, "something", before="a", after="b"))
        assert found.what.endswith(".")


def test_what_was_noted_of_a_server_hides_nothing_else_on_it():
    noted = ev.Left(node=HCI03, what="the run lock on HCI03", why="it is Down", command="Remove it")
    found = left(
        ev.LockTaking(guid=GUID, nodes=(HCI03,)),
        ev.Pausing(node=HCI03),
        changing("credssp-server", "CredSSP"),
        noted,
    )
    assert [each.what for each in found] == [
        "the run lock on HCI03",
        "HCI03 may still be paused by this run.",
        "CredSSP (role Server) may still be enabled on HCI03.",
    ]


def test_what_was_noted_of_the_cluster_hides_no_lock():
    noted = ev.Left(what="CAU's clustered role is still disabled.", command="Enable-CauClusterRole")
    found = left(ev.LockTaking(guid=GUID, nodes=(HCI03,)), noted)
    assert [each.what for each in found] == [noted.what, f"The update lock {GUID} may still be held on {HCI03}."]


def test_what_was_noted_is_not_told_twice():
    told = (
        ev.Left(node=HCI03, what="HCI03 is paused by this run", command="Resume-ClusterNode -Name HCI03"),
        ev.Left(node=HCI03, what="CredSSP (role Server) on HCI03", command="Disable-WSManCredSSP -Role Server"),
        ev.Left(node=HCI03, what="the run lock on HCI03"),
    )
    found = left(
        ev.LockTaking(guid=GUID, nodes=(HCI03,)), ev.Pausing(node=HCI03), changing("credssp-server", "CredSSP"), *told
    )
    assert [each.what for each in found] == [each.what for each in told]
