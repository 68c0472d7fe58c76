"""Storage maintenance mode by hand: what is left behind when the order breaks off."""

from __future__ import annotations

from typing import Any

import pytest

from include.hci.powershell.errors import CommandFailed, NodeUnreachable
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.steps.actions import EnterMaintenance
from include.hci.steps.decisions import Scene
from tests.hci.cluster.fakes import FakeCluster, FakeShell
from tests.hci.steps.facts import ME, NAMES, now

UNSAFE = CommandFailed([ErrorRecord("Currently unsafe to perform the operation")], node="HCI01")


def entering(**replies: Any) -> tuple[FakeShell, RunRecord, Scene]:
    seen = FakeCluster({name: FakeShell(replies, name) for name in NAMES})
    record = RunRecord(MemoryStorage())
    return seen.any(avoid=(ME,)), record, Scene(seen, record, now)


def test_drives_that_an_order_has_taken_before_it_broke_off_are_given_back():
    shell, record, scene = entering(**{"Enable-StorageMaintenanceMode": UNSAFE})
    with pytest.raises(CommandFailed, match="Currently unsafe"):
        EnterMaintenance(ME).perform(scene)
    assert [line.rpartition(" | ")[2] for line in shell.lines] == [
        "Enable-StorageMaintenanceMode",
        "Disable-StorageMaintenanceMode",
    ]
    assert "-Type 'PhysicalDisk'" in shell.lines[1]
    assert record.last(ev.MaintenanceEntered, ME) is None


@pytest.mark.parametrize("error", [CommandFailed([ErrorRecord("busy")]), NodeUnreachable("no route", node="HCI01")])
def test_what_is_told_is_why_the_order_was_refused_whatever_becomes_of_the_drives(error):
    replies = {"Enable-StorageMaintenanceMode": UNSAFE, "Disable-StorageMaintenanceMode": error}
    with pytest.raises(CommandFailed, match="Currently unsafe"):
        EnterMaintenance(ME).perform(entering(**replies)[2])


def test_an_order_that_was_heeded_gives_nothing_back():
    shell, record, scene = entering()
    EnterMaintenance(ME).perform(scene)
    assert [line.rpartition(" | ")[2] for line in shell.lines] == ["Enable-StorageMaintenanceMode"]
    assert record.last(ev.MaintenanceEntered, ME) is not None
