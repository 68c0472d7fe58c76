"""What a run must leave as it found it: read in a way that no language of Windows changes, and what is not there is no error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.hci.cluster import as_found
from include.hci.powershell.errors import AnswerNotUnderstood, CommandFailed
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.result import Result
from include.hci.powershell.shell import Shell
from tests.hci.cluster.fakes import FakeShell, enum, obj

MISSING = ErrorRecord("no such thing", "NoServiceFoundForGivenName,x", "ObjectNotFound")
DENIED = ErrorRecord("access is denied", "x", "PermissionDenied")
READERS: dict[str, Callable[[Shell], object]] = {
    "Get-Service": as_found.get_start_types,
    "Get-NetFirewallRule": as_found.get_firewall_groups,
}


@pytest.mark.parametrize(
    ("read", "command", "answer", "expected"),
    [
        (as_found.get_credssp, "Get-Item", [obj(Value="true"), obj(Value="false")], (True, False)),
        (
            as_found.get_start_types,
            "Get-Service",
            [obj(Name="ClusSvc", StartType=enum(2, "Automatic")), obj(Name="wuauserv", StartType=3)],
            {"ClusSvc": "Automatic", "wuauserv": "Manual"},
        ),
        (
            as_found.get_firewall_groups,
            "Get-NetFirewallRule",
            [
                obj(DisplayGroup="Remoteherunterfahren", Enabled=enum(1, "True")),
                obj(DisplayGroup="Remoteherunterfahren", Enabled=enum(2, "False")),
                obj(DisplayGroup="Windows-Remoteverwaltung", Enabled=enum(1, "True")),
            ],
            {"Remoteherunterfahren": False, "Windows-Remoteverwaltung": True},
        ),
        (as_found.get_our_tasks, "Get-ScheduledTask", [obj(TaskName="HciUpdate-2"), obj(TaskName="HciUpdate-1")], ("HciUpdate-1", "HciUpdate-2")),
        (as_found.get_session_configurations, "Get-PSSessionConfiguration", [obj(Name="microsoft.powershell")], ("microsoft.powershell",)),
        (as_found.count_installed_updates, "Get-CimInstance", [obj(HotFixID="KB1"), obj(HotFixID="KB2")], 2),
    ],
)  # fmt: skip
def test_each_is_one_round_trip(read: Callable[[Shell], object], command: str, answer: list[Any], expected: object):
    shell = FakeShell({command: answer})
    assert read(shell) == expected
    assert len(shell.sent) == 1
    assert not shell.sent[0].is_change


@pytest.mark.parametrize("command", READERS)
def test_a_service_or_group_that_the_server_does_not_have_is_left_out(command: str):
    assert READERS[command](FakeShell({command: Result((), (MISSING,))})) == {}


@pytest.mark.parametrize("command", READERS)
def test_any_other_error_is_one(command: str):
    with pytest.raises(CommandFailed, match="access is denied"):
        READERS[command](FakeShell({command: Result((), (MISSING, DENIED))}))


def test_half_an_answer_about_credssp_is_none():
    with pytest.raises(AnswerNotUnderstood, match="1 settings"):
        as_found.get_credssp(FakeShell({"Get-Item": [obj(Value="true")]}))
