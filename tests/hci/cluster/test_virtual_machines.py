from __future__ import annotations

import pytest

from include.hci.cluster.virtual_machines import DvdDrive, VirtualMachine, get_dvd_drives, get_virtual_machines
from tests.hci.cluster.fakes import FakeShell, enum, obj

GIB = 1024**3


@pytest.mark.parametrize(
    ("state", "operations", "expected"),
    [
        (enum(2, "Running"), (enum(2, "Ok"),), VirtualMachine("VM1", "HCI01", "Running", True, GIB, ("Ok",))),
        (2, (32776,), VirtualMachine("VM1", "HCI01", "Running", True, GIB, ("BackingUpVirtualMachine",))),
        (
            "SomethingNew",
            ("SomethingElse",),
            VirtualMachine("VM1", "HCI01", "SomethingNew", True, GIB, ("SomethingElse",)),
        ),
    ],
)
def test_machines_are_read_whatever_form_their_states_come_in(state, operations, expected):
    item = obj(Name="VM1", State=state, IsClustered=True, MemoryAssigned=GIB, OperationalStatus=operations)
    shell = FakeShell({"Get-VM": [item]})
    assert get_virtual_machines(shell, "HCI01") == (expected,)
    assert shell.lines == ["Get-VM"]


def test_a_machine_tells_its_version_and_how_much_it_uses_where_the_host_says_so():
    told = obj(Name="VM1", State=2, Version="9.0", CPUUsage=35)
    [first, second] = get_virtual_machines(FakeShell({"Get-VM": [told, obj(Name="VM2", State=2)]}), "HCI01")
    assert (first.version, first.processor) == ("9.0", 35)
    assert (second.version, second.processor) == ("", None)


@pytest.mark.parametrize(
    ("state", "uses"),
    [
        ("Running", True),
        ("Paused", True),
        ("RunningCritical", True),
        ("Off", False),
        ("Saved", False),
        ("OffCritical", False),
    ],
)
def test_a_machine_that_is_off_or_saved_uses_no_memory(state, uses):
    assert VirtualMachine("VM1", "HCI01", state, True).uses_memory is uses


@pytest.mark.parametrize(
    ("kind", "path", "ties"),
    [
        ("None", "", False),
        ("ISO", r"C:\iso\setup.iso", True),
        ("ISO", r"D:\setup.iso", True),
        ("ISO", r"c:\clusterstorage\Volume1\setup.iso", False),
        ("ISO", r"\\files\iso\setup.iso", False),
        ("PassThrough", "", True),
    ],
)
def test_what_only_its_node_has_ties_a_machine_to_it(kind, path, ties):
    assert DvdDrive("VM1", kind, path).ties_to_node is ties


def test_drives_are_those_of_the_machines_of_the_node():
    item = obj(VMName="VM1", DvdMediaType=enum(1, "ISO"), Path=r"C:\iso\setup.iso")
    shell = FakeShell({"Get-VMDvdDrive": [item, obj(VMName="VM2", DvdMediaType=enum(0, "None"), Path=None)]})
    assert get_dvd_drives(shell) == (DvdDrive("VM1", "ISO", r"C:\iso\setup.iso"), DvdDrive("VM2", "None", ""))
    assert shell.lines == ["Get-VM | Get-VMDvdDrive"]
