from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from include.hci.powershell.errors import AnswerNotUnderstood
from include.hci.powershell.moments import format_duration, format_moment, parse_duration, parse_moment
from include.hci.powershell.psobject import EnumValue, PSObject
from include.hci.powershell.result import Result

GUID = UUID("0a1b2c3d-1111-2222-3333-444455556666")
UP = EnumValue(0, "Up", "State")


def of(value: Any) -> PSObject:
    return PSObject(("T",), None, {"P": value, "Null": None}, "Get-ClusterNode", "HCI01")


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        ("string", "a", "a"),
        ("string", "", ""),
        ("string", UP, "Up"),
        ("string", EnumValue(3, None), "3"),
        ("string", 5, "5"),
        ("string", True, "True"),
        ("string", GUID, str(GUID)),
        ("string", PSObject(text="x"), "x"),
        ("integer", 5, 5),
        ("integer", "20348", 20348),
        ("integer", " -3 ", -3),
        ("integer", UP, 0),
        ("integer", 5.0, 5),
        ("integer", Decimal("7"), 7),
        ("boolean", True, True),
        ("boolean", 0, False),
        ("boolean", 1, True),
        ("boolean", "False", False),
        ("boolean", "true", True),
        ("moment", datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=1))), datetime(2026, 1, 2, 2, tzinfo=UTC)),
        ("moment", "2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("moment", "20261103011200.500000+060", datetime(2026, 11, 3, 0, 12, 0, 500000, UTC)),
        ("duration", timedelta(seconds=5), timedelta(seconds=5)),
        ("guid", GUID, GUID),
        ("guid", "{" + str(GUID).upper() + "}", GUID),
        ("enum", UP, UP),
        ("enum", 2, EnumValue(2, None)),
        ("enum", "Paused", EnumValue(None, "Paused")),
        ("enum", "4", EnumValue(4, None)),
        ("strings", ("a", UP, 3), ("a", "Up", "3")),
        ("strings", "a", ("a",)),
        ("strings", (), ()),
    ],
)
def test_a_property_is_read_as_what_is_wanted(reader: str, value: object, expected: object) -> None:
    read = getattr(of(value), reader)("p")
    assert read == expected
    assert type(read) is type(expected)


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("string", ("a",)),
        ("string", {"a": 1}),
        ("integer", "five"),
        ("integer", 5.5),
        ("integer", float("nan")),
        ("integer", float("inf")),
        ("integer", "9" * 5000),
        ("integer", "--5"),
        ("moment", "20261399011200.000000+060"),
        ("integer", True),
        ("integer", EnumValue(None, "Up")),
        ("boolean", 2),
        ("boolean", "yes"),
        ("moment", "yesterday"),
        ("moment", "2026-01-02"),
        ("moment", 5),
        ("moment", datetime(2026, 1, 2)),
        ("duration", 5),
        ("guid", "x"),
        ("guid", 5),
        ("enum", True),
        ("enum", ("a",)),
        ("strings", ({"a": 1},)),
        ("objects", ("a",)),
        ("child", "a"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(reader: str, value: object) -> None:
    with pytest.raises(AnswerNotUnderstood, match=r"Get-ClusterNode answered p = .*, which is not") as caught:
        getattr(of(value), reader)("p")
    assert caught.value.node == "HCI01"
    with pytest.raises(AnswerNotUnderstood):
        getattr(of(value), reader)("p", None)


READERS = ["string", "integer", "boolean", "moment", "duration", "guid", "enum", "strings", "objects", "child"]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("name", "words"), [("State", "without property State"), ("Null", r"with \$null in property Null")]
)
def test_a_missing_property_is_named_unless_something_stands_in(reader: str, name: str, words: str) -> None:
    default = object()
    assert getattr(of(1), reader)(name, default) is default
    assert getattr(of(1), reader)(name, None) is None
    with pytest.raises(AnswerNotUnderstood, match=rf"Get-ClusterNode answered {words} \(it has Null, P\)"):
        getattr(of(1), reader)(name)


def test_a_time_without_a_zone_needs_to_be_told_one() -> None:
    naive = of(datetime(2026, 1, 2, 3))
    assert naive.moment("P", zone=timezone(timedelta(hours=2))) == datetime(2026, 1, 2, 1, tzinfo=UTC)


def test_names_of_enumerations_and_types_match_loosely() -> None:
    assert UP.matches("up")
    assert not UP.matches("Down", 0)
    assert EnumValue(2, None).matches("Paused", 2)
    assert not EnumValue(2, None).matches("Paused")
    disk = PSObject(
        ("Microsoft.Management.Infrastructure.CimInstance#root/microsoft/windows/storage/MSFT_VirtualDisk",)
    )
    assert disk.is_a("microsoft.management.infrastructure.ciminstance")
    assert disk.is_a(disk.types[0])
    assert not disk.is_a("System.Object")


def test_objects_and_children() -> None:
    child = of("x")
    assert of(child).child("P") is child
    assert of(child).objects("P") == (child,)
    assert of((child, child)).objects("P") == (child, child)


def test_a_result_gives_its_objects() -> None:
    child = of("x")
    assert Result(output=(child,)).one() is child
    for output in ((), (child, child)):
        with pytest.raises(AnswerNotUnderstood, match="where one belongs"):
            Result(output=output, command="Get-Cluster").one()
    with pytest.raises(AnswerNotUnderstood, match="where an object belongs"):
        Result(output=("text",), command="Get-Cluster").objects()


@pytest.mark.parametrize("length", [timedelta(0), timedelta(days=3, hours=1, seconds=5), -timedelta(seconds=1.5)])
def test_lengths_of_time_go_there_and_back(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize("text", ["", "P", "PT", "5 s", "P1Y"])
def test_what_is_no_length_of_time_is_none(text: str) -> None:
    assert parse_duration(text) is None


def test_moments_go_there_and_back() -> None:
    moment = datetime(2026, 11, 3, 2, 12, 0, 250000, timezone(timedelta(hours=1)))
    assert format_moment(moment) == "2026-11-03T01:12:00.250000Z"
    assert parse_moment(format_moment(moment)) == moment
    assert parse_moment("9999-12-31T23:59:59.9999999-01:00") == datetime.max.replace(tzinfo=UTC)
