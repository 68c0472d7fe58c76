from __future__ import annotations

import pytest

from include.hci.cluster.policies import (
    PendingRestart,
    UpdatePolicy,
    blocks_wmi_processes,
    get_pending_restart,
    get_update_policy,
)
from include.hci.powershell.command import Pipeline
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord
from tests.hci.cluster.fakes import FakeShell, obj

MISSING = ErrorRecord(
    "Cannot find path.", "PathNotFound,Microsoft.PowerShell.Commands.GetItemPropertyCommand", "ObjectNotFound"
)
DENIED = ErrorRecord(
    "Requested registry access is not allowed.", "System.Security.SecurityException", "PermissionDenied"
)


def registry(keys: dict[str, object], existing: tuple[str, ...] = ()) -> FakeShell:
    """A node with these registry keys, found by the end of their paths."""

    def get(pipeline: Pipeline):
        path = str(pipeline.commands[0].parameters["LiteralPath"])
        found = next((values for end, values in keys.items() if path.endswith(end)), CommandFailed([MISSING]))
        return found if isinstance(found, CommandFailed) else [obj(**found)] if found else []

    def test(pipeline: Pipeline):
        return [str(pipeline.commands[0].parameters["LiteralPath"]).endswith(existing)] if existing else [False]

    return FakeShell({"Get-ItemProperty": get, "Test-Path": test})


@pytest.mark.parametrize(
    ("keys", "policy", "installs"),
    [
        ({}, UpdatePolicy(), False),
        ({r"\AU": {}}, UpdatePolicy(), False),
        ({r"\AU": {"AUOptions": 4}}, UpdatePolicy(au_options=4), True),
        ({r"\AU": {"AUOptions": 4, "NoAutoUpdate": 1}}, UpdatePolicy(True, 4), False),
        ({r"\AU": {"AUOptions": 3, "NoAutoUpdate": 0}}, UpdatePolicy(False, 3), False),
        (
            {r"\AU": {"UseWUServer": 1}, r"\WindowsUpdate": {"WUServer": "http://wsus:8530"}},
            UpdatePolicy(use_wu_server=True, wu_server="http://wsus:8530"),
            False,
        ),
    ],
)
def test_the_policy_is_what_the_keys_say_and_nothing_where_there_are_none(keys, policy, installs):
    found = get_update_policy(registry(keys))
    assert (found, found.installs_by_itself) == (policy, installs)


@pytest.mark.parametrize(
    ("policy", "source"),
    [
        (UpdatePolicy(), "Windows Update"),
        (UpdatePolicy(use_wu_server=True, wu_server="http://WSUS:8530/"), "http://wsus:8530"),
        (UpdatePolicy(use_wu_server=False, wu_server="http://wsus:8530"), "Windows Update"),
        (UpdatePolicy(use_wu_server=True), "Windows Update"),
    ],
)
def test_a_server_that_is_named_but_not_used_is_no_source(policy, source):
    assert policy.source == source


@pytest.mark.parametrize(("value", "blocks"), [(1, True), (2, False), (0, False), ("1", True)])
def test_only_block_mode_keeps_wmi_from_starting_processes(value, blocks):
    rule = {"d1e49aac-8f56-4280-b9ba-993a6d77406c": value}
    assert blocks_wmi_processes(registry({r"ASR\Rules": rule})) is blocks


def test_without_the_policy_wmi_may_start_processes():
    assert blocks_wmi_processes(registry({})) is False


@pytest.mark.parametrize(
    ("existing", "renames", "pending", "certain"),
    [
        ((), None, PendingRestart(), False),
        (("RebootPending",), None, PendingRestart(servicing=True), True),
        (("RebootRequired",), None, PendingRestart(windows_update=True), True),
        ((), (r"\??\C:\x", ""), PendingRestart(file_renames=True), False),
        ((), ("", ""), PendingRestart(), False),
    ],
)
def test_a_pending_restart_is_told_by_its_key(existing, renames, pending, certain):
    session = {} if renames is None else {"PendingFileRenameOperations": renames}
    found = get_pending_restart(registry({"Session Manager": session}, existing))
    assert (found, found.is_certain) == (pending, certain)


def test_a_refused_key_is_an_error_and_not_an_absent_one():
    with pytest.raises(CommandFailed):
        get_update_policy(registry({r"\AU": CommandFailed([DENIED])}))


def test_the_keys_are_those_of_the_policy():
    shell = registry({})
    get_update_policy(shell)
    assert shell.lines == [
        r"Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate'",
        r"Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU'",
    ]
