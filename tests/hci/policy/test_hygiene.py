from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from include.hci.policy.hygiene import NodeSnapshot, RunChanges, Snapshot, left_over

GUID = UUID(int=1)
CLEAN = NodeSnapshot(
    "HCI01",
    state="Up",
    in_maintenance=False,
    credssp_server=False,
    credssp_client=False,
    services={"ClusSvc": "Automatic"},
    firewall={"Remote Shutdown": False},
    tasks=("Backup",),
    endpoints=("Microsoft.PowerShell",),
)
BEFORE = Snapshot((CLEAN,), role_enabled=True)


def after(**changes) -> Snapshot:
    return replace(BEFORE, nodes=(replace(CLEAN, **changes),))


def test_nothing_is_left_where_everything_is_as_it_was():
    assert left_over(BEFORE, BEFORE, RunChanges(GUID)) == ()


@pytest.mark.parametrize(
    ("changes", "ours", "command"),
    [
        ({"state": "Paused"}, {"paused": ("hci01",)}, "Resume-ClusterNode -Name HCI01 -Failback Immediate"),
        (
            {"in_maintenance": True},
            {"in_maintenance": ("HCI01",)},
            "Get-StorageFaultDomain -Type StorageScaleUnit | Where-Object FriendlyName -EQ HCI01 | Disable-StorageMaintenanceMode",
        ),
        ({"credssp_server": True}, {"credssp": ("HCI01",)}, "Disable-WSManCredSSP -Role Server"),
        ({"credssp_client": True}, {"credssp": ("HCI01",)}, "Disable-WSManCredSSP -Role Client"),
        (
            {"services": {"ClusSvc": "Disabled"}},
            {"services": ("HCI01/ClusSvc",)},
            "Set-Service -Name 'ClusSvc' -StartupType Automatic",
        ),
        (
            {"firewall": {"Remote Shutdown": True}},
            {"firewall": ("HCI01/Remote Shutdown",)},
            "Disable-NetFirewallRule -DisplayGroup 'Remote Shutdown'",
        ),
        (
            {"tasks": ("Backup", "HCI-Update's")},
            {"tasks": ("HCI01/HCI-Update's",)},
            "Unregister-ScheduledTask -TaskName 'HCI-Update''s' -Confirm:$false",
        ),
        (
            {"endpoints": ("Microsoft.PowerShell", "HciUpdate")},
            {"endpoints": ("HCI01/HciUpdate",)},
            "Unregister-PSSessionConfiguration -Name 'HciUpdate' -Force",
        ),
    ],
)
def test_every_remainder_has_the_command_that_mends_it(changes, ours, command):
    (mine,) = left_over(BEFORE, after(**changes), RunChanges(GUID, **ours))
    (other,) = left_over(BEFORE, after(**changes), RunChanges(GUID))
    assert (mine.node, mine.command, mine.by_run) == ("HCI01", command, True)
    assert other == replace(mine, by_run=False)
    assert "not by this run" in str(other)
    assert str(mine) == f"{mine.what}: {command}"


def test_firewall_rules_that_were_on_and_are_off_are_enabled_again():
    before = Snapshot((replace(CLEAN, firewall={"Remote Shutdown": True}),))
    (found,) = left_over(before, after(), RunChanges(GUID))
    assert found.command == "Enable-NetFirewallRule -DisplayGroup 'Remote Shutdown'"


def test_our_own_lock_is_a_remainder_and_that_of_another_is_not():
    (found,) = left_over(BEFORE, after(locks={"MSFT_CAURun": f"{{{GUID}}}".upper()}), RunChanges(GUID))
    assert found.by_run
    assert found.command == (
        "Get-CimInstance -Namespace root/Microsoft/Windows/ClusterUpdate -ClassName MSFT_CAURun"
        f" -Filter \"OrchestratorGuid='{GUID}'\" | Remove-CimInstance"
    )
    assert left_over(BEFORE, after(locks={"MSFT_CAURun": str(UUID(int=2))}), RunChanges(GUID)) == ()


def test_a_lock_is_a_remainder_even_on_a_node_that_was_not_there_before():
    new = Snapshot((CLEAN, NodeSnapshot("HCI09", locks={"MSFT_CAUNode": str(GUID)})), role_enabled=True)
    (found,) = left_over(BEFORE, new, RunChanges(GUID))
    assert found.node == "HCI09"


def test_a_role_that_was_enabled_is_enabled_again():
    (found,) = left_over(BEFORE, replace(BEFORE, role_enabled=False), RunChanges(GUID, role_disabled=True))
    assert (found.command, found.by_run) == ("Enable-CauClusterRole -Force", True)


@pytest.mark.parametrize(
    "before",
    [
        replace(CLEAN, state="Paused", in_maintenance=True, credssp_server=True, credssp_client=True),
        replace(
            CLEAN, in_maintenance=None, credssp_server=None, credssp_client=None, services={}, firewall={}, state=""
        ),
        replace(CLEAN, tasks=None, endpoints=None),
    ],
)
def test_what_was_found_so_or_was_not_read_is_no_remainder(before):
    now = replace(
        before,
        state="Paused" if before.state == "Paused" else before.state,
        tasks=("X",) if before.tasks is None else before.tasks,
    )
    assert left_over(Snapshot((before,)), Snapshot((now,)), RunChanges(GUID)) == ()


def test_a_node_that_was_found_paused_may_stay_so():
    found_paused = Snapshot((replace(CLEAN, state="Paused"),), role_enabled=True)
    assert left_over(found_paused, after(state="Paused"), RunChanges(GUID)) == ()
