from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from include.hci.powershell.command import Command, Pipeline, as_pipeline
from include.hci.powershell.values import SWITCH, Byte, Int64, Secret, UInt16, UInt32, UInt64

GUID = UUID("0a1b2c3d-1111-2222-3333-444455556666")


@pytest.mark.parametrize(
    "name",
    [
        "Get-ClusterNode; Remove-Cluster",
        "Get-ClusterNode\n",
        "Get-Cluster Node",
        "& Get-Cluster",
        "Get-",
        "-Cluster",
        "Cluster",
        "C:\\evil.exe",
        "Module\\Get-Cluster",
        "$(Get-Cluster)",
        "Get-Ünit",
        "",
        None,
    ],
)
def test_only_the_name_of_a_command_is_taken(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a command"):
        Command(name)


@pytest.mark.parametrize("name", ["", "Na me", "-Name", "Name:", "1st", "Näme", "Name;", 5])
def test_only_the_name_of_a_parameter_is_taken(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a parameter"):
        Command("Get-Cluster", {name: "x"})


def test_a_parameter_is_given_once_whatever_its_case() -> None:
    with pytest.raises(ValueError, match="given twice"):
        Command("Get-Cluster", {"Name": "a", "name": "b"})


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (None, "SWITCH"),
        (object(), "type object cannot be sent"),
        ("half \ud83d", "lone surrogate"),
        (["ok", "half \udc00"], r"\[1\].*lone surrogate"),
        ({"a": {1, 2}}, r"\[a\].*type set cannot be sent"),
        ({5: "a"}, "not a text"),
        ([SWITCH], "whole parameter"),
        (datetime(2026, 1, 1), "no time zone"),
        (2**63, "64 bits"),
    ],
)
def test_values_that_cannot_be_sent_are_refused(value: object, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        Command("Get-Cluster", {"Value": value})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [(Byte, -1, 256), (UInt16, -1, 2**16), (UInt32, -1, 2**32), (UInt64, -1, 2**64), (Int64, -(2**63) - 1, 2**63)],
)
def test_sized_integers_keep_to_their_range(kind: type[Byte], low: int, high: int) -> None:
    assert kind(low + 1) == low + 1
    assert kind(high - 1) == high - 1
    for outside in (low, high):
        with pytest.raises(ValueError, match="does not fit"):
            kind(outside)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("HCI01", "'HCI01'"),
        ("it's", "'it''s'"),
        ("two\nlines\x1b[31m", r"'two\u000alines\u001b[31m'"),
        ("x" * 300, "'" + "x" * 200 + "…'"),
        (True, "$true"),
        (False, "$false"),
        (5, "5"),
        (UInt32(7), "7"),
        (1.5, "1.5"),
        (b"abc", "<3 bytes>"),
        (Secret("hidden"), "***"),
        (GUID, f"'{GUID}'"),
        (timedelta(minutes=5), "'0:05:00'"),
        (datetime(2026, 1, 2, tzinfo=UTC), "'2026-01-02T00:00:00+00:00'"),
        (["a", "b"], "'a', 'b'"),
        ([], "@()"),
        ({"K": Secret("hidden"), "N": None}, "@{K = ***; N = $null}"),
    ],
)
def test_values_are_shown_readably_and_secrets_never(value: object, shown: str) -> None:
    command = Command("Set-Thing", {"Value": value})  # type: ignore[dict-item]
    assert command.describe() == f"Set-Thing -Value {shown}"
    assert "hidden" not in repr(command)
    assert "hidden" not in f"{command}"


def test_a_pipeline_is_built_and_shown() -> None:
    first = Command("Get-StorageFaultDomain", {"Type": "StorageScaleUnit"})
    second = Command("Where-Object", {"Property": "FriendlyName", "EQ": SWITCH, "Value": "HCI01"})
    third = Command("Enable-StorageMaintenanceMode")
    expected = Pipeline((first, second, third))
    assert first | second | third == expected
    assert first | (second | third) == expected
    assert as_pipeline(expected) is expected
    assert as_pipeline(first) == Pipeline((first,))
    assert str(expected) == (
        "Get-StorageFaultDomain -Type 'StorageScaleUnit' | Where-Object -Property 'FriendlyName' -EQ -Value 'HCI01'"
        " | Enable-StorageMaintenanceMode"
    )
    with pytest.raises(ValueError, match="at least one"):
        Pipeline(())
    with pytest.raises(TypeError):
        first | "Remove-Cluster"  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("Get-ClusterNode", None, False),
        ("get-clusternode", None, False),
        ("Test-Cluster", None, False),
        ("Where-Object", None, False),
        ("Select-Object", None, False),
        ("Measure-Object", None, False),
        ("Debug-StorageSubSystem", None, False),
        ("Suspend-ClusterNode", None, True),
        ("New-CimInstance", None, True),
        ("Restart-Computer", None, True),
        ("Invoke-CimMethod", None, True),
        ("Invoke-CimMethod", False, False),
        ("Get-Odd", True, True),
    ],
)
def test_the_verb_decides_what_changes_unless_told(name: str, changes: bool | None, expected: bool) -> None:
    command = Command(name, changes=changes)
    assert command.is_change is expected
    assert (Command("Get-Cluster") | command).is_change is expected
    assert command.marked(changes=not expected).is_change is not expected


def test_parameters_cannot_be_changed_afterwards() -> None:
    given = {"Name": "HCI01"}
    command = Command("Get-ClusterNode", given)
    given["Name"] = "HCI02"
    assert command.parameters["Name"] == "HCI01"
    with pytest.raises(TypeError):
        command.parameters["Name"] = "x"  # type: ignore[index]


def test_secrets_are_found_at_any_depth() -> None:
    assert not Command("Set-Thing", {"A": ["x", {"k": "v"}]}).has_secret
    assert (Command("Get-Thing") | Command("Set-Thing", {"A": ["x", {"k": Secret("s")}]})).has_secret


def test_commands_survive_pickling() -> None:
    pipeline = Command("Get-ClusterNode", {"Name": "HCI01"}) | Command("Select-Object", {"Property": ["Name"]})
    assert pickle.loads(pickle.dumps(pipeline)) == pipeline
