from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.hci.cluster.machine import (
    Build,
    WindowsVersion,
    WrongMachine,
    get_free_space,
    get_operating_system,
    get_services,
    get_windows_version,
    restart_computer,
)
from tests.hci.cluster.fakes import FakeShell, enum, obj


def test_builds_compare_by_number_then_revision():
    assert Build(20348, 9) < Build(20348, 10) < Build(20349, 0)
    assert Build.parse("20348.2113") == Build(20348, 2113)
    assert str(Build.parse("17763")) == "17763.0"


@pytest.mark.parametrize(
    ("number", "product", "edition", "stack", "local", "manual"),
    [
        (17784, "Azure Stack HCI", "ServerAzureStackHCICor", True, False, True),
        (20348, "Azure Stack HCI", "ServerAzureStackHCICor", True, False, False),
        (20348, "Windows Server 2022 Datacenter", "ServerDatacenter", False, False, False),
        (20348, "Windows Server 2022 Datacenter: Azure Edition", "ServerAzureEdition", False, False, False),
        (17763, "Windows Server 2019 Datacenter", "ServerDatacenter", False, False, True),
        (25398, "Azure Stack HCI", "ServerAzureStackHCICor", True, True, False),
        (26100, "Azure Local", "ServerAzureStackHCICor", True, True, False),
        (26100, "Windows Server 2025 Datacenter", "ServerDatacenter", False, False, False),
    ],
)
def test_products_are_told_apart_by_name_and_edition_not_by_build(number, product, edition, stack, local, manual):
    version = WindowsVersion(Build(number), product, edition)
    assert (version.is_azure_stack, version.is_azure_local, version.needs_manual_maintenance) == (stack, local, manual)


def test_the_boot_time_is_aware_and_in_utc():
    boot = datetime(2026, 11, 3, 1, 12, tzinfo=UTC)
    shell = FakeShell(
        {
            "Get-CimInstance": [
                obj(LastBootUpTime=boot, Caption="Windows", FreePhysicalMemory=1024, TotalVisibleMemorySize=4096)
            ]
        }
    )
    system = get_operating_system(shell)
    assert (system.boot_time, system.free_memory, system.total_memory) == (boot, 1024 * 1024, 4096 * 1024)
    assert shell.lines == ["Get-CimInstance -ClassName 'Win32_OperatingSystem'"]


@pytest.mark.parametrize(("name", "is_wrong"), [("HCI01", True), ("hci02", False), ("HCI02", False), (None, False)])
def test_the_machine_behind_an_address_has_to_be_the_node(name, is_wrong):
    shell = FakeShell({"Get-CimInstance": [obj(LastBootUpTime=datetime(2026, 11, 3, tzinfo=UTC), CSName=name)]})
    assert get_operating_system(shell)
    if not is_wrong:
        assert get_operating_system(shell, "HCI02")
        return
    with pytest.raises(WrongMachine, match="answers for HCI02 is called HCI01") as caught:
        get_operating_system(shell, "HCI02")
    # Asking again, or installing something first, must not be what comes of it.
    assert not caught.value.retry_safe


def test_the_build_is_read_from_the_registry():
    item = obj(CurrentBuild="20348", UBR=2113, ProductName="Azure Stack HCI", EditionID="ServerAzureStackHCICor")
    shell = FakeShell({"Get-ItemProperty": [item]})
    version = get_windows_version(shell)
    assert str(version.build) == "20348.2113"
    assert shell.lines == [r"Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'"]


def test_services_are_read_by_name():
    shell = FakeShell(
        {
            "Get-Service": [
                obj(Name="ClusSvc", Status=enum(4, "Running"), StartType=2),
                obj(Name="TrustedInstaller", Status=1),
            ]
        }
    )
    running, stopped = get_services(shell, ["ClusSvc", "TrustedInstaller"])
    assert (running.is_running, running.start_type, stopped.is_running) == (True, "Automatic", False)


def test_the_room_on_the_system_volume_is_read_by_its_letter():
    shell = FakeShell({"Get-Volume": [obj(DriveLetter="C", SizeRemaining=6 * 1024**3)]})
    assert get_free_space(shell) == 6 * 1024**3
    assert shell.lines == ["Get-Volume -DriveLetter 'C'"]


def test_a_restart_is_ordered_in_the_nodes_own_session():
    shell = FakeShell({})
    restart_computer(shell)
    assert shell.lines == ["Restart-Computer -Force"]
    assert shell.sent[0].is_change
