from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from include.hci.cluster.cau import (
    create_lock,
    get_cau_cluster_role,
    get_cau_run,
    get_lock_holders,
    holds_lock,
    remove_lock,
)
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord
from tests.hci.cluster.fakes import FakeShell, enum, obj

OURS = UUID("11111111-1111-1111-1111-111111111111")


@pytest.mark.parametrize(
    ("first", "state", "free"),
    [
        (enum(0, "RunNotInProgress"), "RunNotInProgress", True),
        (obj("RunNotInProgress"), "RunNotInProgress", True),
        ("RunNotInProgress", "RunNotInProgress", True),
        (enum(1, "RunInProgress"), "RunInProgress", False),
        (enum(2, "RunFailed"), "RunFailed", False),
        (enum(9, "SomethingNew"), "SomethingNew", False),
        (enum(9, None), "9", False),
    ],
)
def test_the_first_object_is_the_state_and_unknown_states_are_not_free(first, state, free):
    run = get_cau_run(FakeShell({"Get-CauRun": [first]}), "HCI-CL01")
    assert (run.state, run.is_free) == (state, free)


def test_the_second_object_is_the_run():
    shell = FakeShell({"Get-CauRun": [enum(1, "RunInProgress"), obj(RunId=OURS, CurrentOrchestrator="HCI03")]})
    run = get_cau_run(shell, "HCI-CL01")
    assert (run.coordinator, run.run_id) == ("HCI03", str(OURS))
    assert shell.lines == ["Get-CauRun -ClusterName 'HCI-CL01'"]


def test_a_run_tells_since_when_and_what_it_does_with_each_node():
    began = datetime(2026, 11, 3, 1, tzinfo=UTC)
    states = (
        obj(Node=obj(NodeName="HCI01"), Status=enum(1, "Waiting")),
        obj(Node="HCI02", Status="Installing"),
        "CauNodeStatus",
    )
    found = obj(RunId=OURS, RunStartTime=began, NodeStatusNotifications=states)
    run = get_cau_run(FakeShell({"Get-CauRun": [enum(1, "RunInProgress"), found]}), "C")
    assert (run.started_at, run.nodes) == (began, (("HCI01", "Waiting"), ("HCI02", "Installing")))
    strange = obj(RunId=OURS, RunStartTime="soon", NodeStatusNotifications=None)
    run = get_cau_run(FakeShell({"Get-CauRun": [enum(1, "RunInProgress"), strange]}), "C")
    assert (run.started_at, run.nodes) == (None, ())


def test_no_answer_at_all_is_not_free():
    assert not get_cau_run(FakeShell({}), "C").is_free


def test_a_missing_role_is_absent_and_other_errors_are_errors():
    missing = ErrorRecord("The current cluster is not configured with a Cluster-Aware Updating clustered role.")
    assert get_cau_cluster_role(FakeShell({"Get-CauClusterRole": CommandFailed([missing])}), "C") is None
    with pytest.raises(CommandFailed):
        get_cau_cluster_role(FakeShell({"Get-CauClusterRole": CommandFailed([ErrorRecord("Access is denied")])}), "C")


def test_the_role_is_read_by_name():
    pairs = [obj(Name="DaysOfWeek", Value=enum(4, "Tuesday")), obj(Name="WeeksOfMonth", Value=(3,))]
    assert get_cau_cluster_role(FakeShell({"Get-CauClusterRole": pairs}), "C") == {
        "DaysOfWeek": "Tuesday",
        "WeeksOfMonth": "3",
    }


def test_what_the_role_says_in_words_of_its_own_is_read_in_those_of_the_cmdlets_that_set_it():
    pairs = [
        obj(Name="WeeksInterval", Value=2),
        obj(Name="RequireAllNodesOnline", Value="On"),
        obj(Name="SeparateReboots", Value="Off"),
        obj(Name="EnableFirewallRules", Value=obj("True")),
    ]
    assert get_cau_cluster_role(FakeShell({"Get-CauClusterRole": pairs}), "C") == {
        "IntervalWeeks": "2",
        "RequireAllNodesOnline": "True",
        "SeparateReboots": "False",
        "EnableFirewallRules": "True",
    }


def test_times_spans_and_arguments_of_the_role_are_read_as_text():
    pairs = [
        obj(Name="StartDate", Value=datetime(2026, 3, 2, 3)),
        obj(Name="StopAfter", Value=timedelta(hours=8)),
        obj(Name="CauPluginArguments", Value=({"QueryString": "IsInstalled=0"},)),
        obj(Name="PreUpdateScript", Value=None),
        obj(Name="EnableFirewallRules", Value=True),
    ]
    assert get_cau_cluster_role(FakeShell({"Get-CauClusterRole": pairs}), "C") == {
        "StartDate": "2026-03-02T03:00:00",
        "StopAfter": "8:00:00",
        "CauPluginArguments": "QueryString=IsInstalled=0",
        "PreUpdateScript": "",
        "EnableFirewallRules": "True",
    }


def test_a_lock_is_read_created_and_removed_by_its_own_id_only():
    shell = FakeShell({"Get-CimInstance": [obj(OrchestratorGuid=str(OURS))]})
    (holder,) = get_lock_holders(shell, "HCI01", "MSFT_CAURun")
    assert (holder.node, holder.guid) == ("HCI01", OURS)
    assert holds_lock(shell, "MSFT_CAURun", OURS)
    create_lock(shell, "MSFT_CAUNode", OURS)
    remove_lock(shell, "MSFT_CAUNode", OURS)
    space = "-Namespace 'root/Microsoft/Windows/ClusterUpdate'"
    filtered = f"-Filter 'OrchestratorGuid=''{OURS}'''"
    assert shell.lines == [
        f"Get-CimInstance {space} -ClassName 'MSFT_CAURun'",
        f"Get-CimInstance {space} -ClassName 'MSFT_CAURun' {filtered}",
        f"New-CimInstance {space} -ClassName 'MSFT_CAUNode' -Property @{{OrchestratorGuid = '{OURS}'}}",
        f"Get-CimInstance {space} -ClassName 'MSFT_CAUNode' {filtered} | Remove-CimInstance",
    ]
