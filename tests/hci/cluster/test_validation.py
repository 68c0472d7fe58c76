from __future__ import annotations

import pytest

from include.hci.cluster import validation
from include.hci.cluster.validation import CauFinding, ClusterValidation
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord, Message, Stream
from include.hci.powershell.result import Result
from tests.hci.cluster.fakes import FakeShell, enum, obj


def test_what_a_rule_said_last_counts_and_progress_without_a_rule_is_none():
    shell = FakeShell(
        {
            "Test-CauSetup": [
                obj(RuleId="", Title="", State="Scanning", PercentComplete=0),
                obj(RuleId=7, Title="Automatic Updates must not", State=enum(0, "Started"), Severity=enum(0, "Info")),
                obj(RuleId=8, Title="Same source", State="Succeeded", Severity="Info", FailedMachines=()),
                obj(
                    RuleId=7,
                    Title="Automatic Updates must not",
                    State=enum(2, "Failed"),
                    Severity=enum(1, "Error"),
                    FailedMachines=("HCI02",),
                ),
                obj(RuleId=9, Title="Remote shutdown", State="Started", Severity="Info", FailedMachines=()),
                'Test-CauSetup completed successfully. To view the results, run the "Get-BpaResult" cmdlet.',
            ]
        }
    )
    assert validation.test_cau_setup(shell, "HCI-CL01") == (
        CauFinding("7", "Automatic Updates must not", "Failed", "Error", ("HCI02",)),
        CauFinding("8", "Same source", "Succeeded", "Info"),
        CauFinding("9", "Remote shutdown", "Started", "Info"),
    )
    assert shell.lines == ["Test-CauSetup -ClusterName 'HCI-CL01'"]


@pytest.mark.parametrize(
    ("state", "machines", "is_failed"),
    [
        ("Failed", (), True),
        ("failed", (), True),
        ("Warning", (), True),
        ("Succeeded", (), False),
        ("Succeeded", ("HCI01",), True),
        ("Started", (), False),
        ("Odd", (), False),
    ],
)
def test_a_rule_is_broken_when_its_state_or_a_machine_says_so(state, machines, is_failed):
    assert CauFinding("1", "t", state, "", machines).is_failed is is_failed


def test_cluster_validation_gives_its_report_and_its_warnings_as_they_came():
    answer = Result(
        (obj("Validation.htm", FullName=r"C:\Reports\Validation.htm"),),
        warnings=(Message(Stream.WARNING, "Netzwerk: Warnung"),),
    )
    shell = FakeShell({"Test-Cluster": answer})
    assert validation.test_cluster(shell, ["Network", "Inventory"]) == ClusterValidation(
        r"C:\Reports\Validation.htm", ("Netzwerk: Warnung",)
    )
    assert shell.lines == ["Test-Cluster -Include 'Network', 'Inventory' -Confirm $false"]
    assert shell.sent[0].is_change


def test_from_outside_of_the_cluster_it_is_named_and_the_length_of_the_report_is_known():
    shell = FakeShell({"Test-Cluster": [obj("V.htm", FullName=r"C:\Temp\V.htm", Length=4711)]})
    assert validation.test_cluster(shell, ["Network"], "HCI-CL01").length == 4711
    assert shell.lines == ["Test-Cluster -Cluster 'HCI-CL01' -Include 'Network' -Confirm $false"]


def test_without_a_report_there_is_none():
    assert validation.test_cluster(FakeShell({}), ["Network"]).report == ""


def test_a_validation_that_fails_is_an_error():
    shell = FakeShell({"Test-Cluster": CommandFailed([ErrorRecord("Access is denied")])})
    with pytest.raises(CommandFailed):
        validation.test_cluster(shell, ["Network"])
