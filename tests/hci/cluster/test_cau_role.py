from __future__ import annotations

from datetime import datetime

import pytest

from include.hci.cluster.cau_role import role_start_date, set_cau_cluster_role
from include.hci.cluster.features import get_windows_features, install_windows_features
from include.hci.cluster.firewall import allows_remote_shutdown
from include.hci.cluster.time_zone import ClockChange, MachineZone, get_time_zone
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.result import Result
from tests.hci.cluster.fakes import FakeShell, enum, obj


@pytest.mark.parametrize(
    ("local", "text"),
    [
        (datetime(2020, 3, 2, 3), "3/2/2020 3:00:00 AM"),
        (datetime(2026, 12, 31, 0, 30), "12/31/2026 12:30:00 AM"),
        (datetime(2026, 1, 1, 12), "1/1/2026 12:00:00 PM"),
        (datetime(2026, 1, 1, 22, 5), "1/1/2026 10:05:00 PM"),
    ],
)
def test_a_start_date_is_text_of_the_invariant_culture(local, text):
    assert role_start_date(local) == text


@pytest.mark.parametrize("parameters", [{}, {"StartDate": "1/1/2026"}, {"DaysOfWeek": 4, "MaxFailedNodes": 1}])
def test_the_role_is_never_set_without_a_schedule(parameters):
    shell = FakeShell({})
    with pytest.raises(ValueError, match="third Tuesday"):
        set_cau_cluster_role(shell, "C", parameters)
    assert shell.sent == []


def test_features_are_read_with_their_state():
    shell = FakeShell(
        {
            "Get-WindowsFeature": [
                obj(Name="Failover-Clustering", DisplayName="Failover Clustering", Installed=True, InstallState=enum(1, "Installed")),
                obj(Name="RSAT-Clustering", Installed=False, InstallState=enum(5, "InstallPending")),
            ]
        }
    )  # fmt: skip
    first, second = get_windows_features(shell)
    assert (first.installed, first.waits_for_restart) == (True, False)
    assert (second.installed, second.waits_for_restart) == (False, True)
    assert shell.lines == ["Get-WindowsFeature -Name 'Failover*', 'RSAT-Clustering*'"]


@pytest.mark.parametrize(("restart", "needed"), [("No", False), ("Yes", True), ("Maybe", True)])
def test_an_installation_says_whether_a_restart_has_to_follow(restart, needed):
    shell = FakeShell(
        {"Install-WindowsFeature": [obj(Success=True, RestartNeeded=restart, FeatureResult=("Failover Clustering",))]}
    )
    done = install_windows_features(shell, ["Failover-Clustering"])
    assert (done.installed, done.restart_needed) == (("Failover Clustering",), needed)
    install_windows_features(shell, ["RSAT-Clustering-PowerShell"])
    assert shell.lines == [
        "Install-WindowsFeature -Name 'Failover-Clustering' -IncludeAllSubFeature -IncludeManagementTools",
        "Install-WindowsFeature -Name 'RSAT-Clustering-PowerShell'",
    ]


@pytest.mark.parametrize("reply", [[], [obj(Success=False, ExitCode=enum(1, "Failed"))]])
def test_an_installation_that_did_not_succeed_is_an_error(reply):
    with pytest.raises(CommandFailed, match="did not succeed"):
        install_windows_features(FakeShell({"Install-WindowsFeature": reply}), ["RSAT-Clustering"])


def rule(enabled: int):
    return obj(DisplayGroup="Remoteherunterfahren", Enabled=enum(enabled, None))


@pytest.mark.parametrize(
    ("reply", "allowed"), [([rule(1), rule(1)], True), ([rule(1), rule(2)], False), ([rule(2)], False)]
)
def test_the_firewall_lets_restarts_in_only_when_every_rule_does(reply, allowed):
    assert allows_remote_shutdown(FakeShell({"Get-NetFirewallRule": reply})) is allowed


def test_a_server_without_such_rules_says_so():
    missing = ErrorRecord("No MSFT_NetFirewallRule objects found", category="ObjectNotFound")
    shell = FakeShell({"Get-NetFirewallRule": Result((), (missing,), node="HCI01", command="Get-NetFirewallRule")})
    assert allows_remote_shutdown(shell) is None


BERLIN = MachineZone("W. Europe Standard Time", 60, 60, ClockChange(3, 5, 0, 2), ClockChange(10, 5, 0, 3))
SYDNEY = MachineZone("AUS Eastern Standard Time", 600, 60, ClockChange(10, 1, 0, 2), ClockChange(4, 1, 0, 3))


@pytest.mark.parametrize(
    ("zone", "local", "hours"),
    [
        (BERLIN, datetime(2026, 3, 29, 1, 59), 1),
        (BERLIN, datetime(2026, 3, 29, 3), 2),
        (BERLIN, datetime(2026, 10, 25, 1, 59), 2),
        (BERLIN, datetime(2026, 10, 25, 3), 1),
        (SYDNEY, datetime(2026, 1, 1), 11),
        (SYDNEY, datetime(2026, 6, 1), 10),
        (SYDNEY, datetime(2026, 10, 4, 3), 11),
        (MachineZone("India Standard Time", 330), datetime(2026, 6, 1), 5.5),
    ],
)
def test_clocks_by_the_rules_of_windows(zone, local, hours):
    assert zone.offset(local).total_seconds() / 3600 == hours


def test_a_zone_is_read_from_win32_timezone():
    shell = FakeShell(
        {
            "Get-CimInstance": [
                obj(
                    Bias=60, DaylightBias=-60, StandardName="W. Europe Standard Time",
                    DaylightMonth=3, DaylightDay=5, DaylightDayOfWeek=0, DaylightHour=2,
                    StandardMonth=10, StandardDay=5, StandardDayOfWeek=0, StandardHour=3,
                )
            ]
        }
    )  # fmt: skip
    assert get_time_zone(shell) == BERLIN
    assert (
        get_time_zone(FakeShell({"Get-CimInstance": [obj(Bias=330, DaylightMonth=0)]}))
        .offset(datetime(2026, 6, 1))
        .total_seconds()
        == 330 * 60
    )
