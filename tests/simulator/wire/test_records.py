"""The records of the streams, apart from any client."""

from __future__ import annotations

import pytest

from include.simulator.host import CommandCall
from include.simulator.objects import SimError, SimObject
from include.simulator.wire.records import Invocation, error_record, exception, informational

GET_NODE = Invocation(CommandCall("Get-ClusterNode"))


def error(**options: object) -> SimError:
    return SimError("it broke", "Broken", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (None, "ParserError: (:) [], ParseException"),
        ("N1", "ParserError: (N1:String) [], ParseException"),
        (
            r"Set-Item -Path WSMan:\localhost\Service\AllowUnencrypted -Value $false",
            "ParserError: (Set-Item -Path ...d -Value $false:String) [], ParseException",
        ),
        ("x" * 39, f"ParserError: ({'x' * 39}:String) [], ParseException"),
    ],
)
def test_the_category_message(target: str | None, message: str) -> None:
    failed = error(
        category="ParserError", exception_types=("System.Management.Automation.ParseException",), target=target
    )
    assert error_record(failed, GET_NODE, terminating=True).notes["ErrorCategory_Message"] == message


def test_a_given_reason_and_target_type_win() -> None:
    failed = error(reason="CimException", target="N1", target_type="CimInstance", activity="Get-VirtualDisk")
    notes = error_record(failed, GET_NODE, terminating=True).notes
    assert notes["ErrorCategory_Message"] == "NotSpecified: (N1:CimInstance) [Get-VirtualDisk], CimException"


def test_properties_of_an_exception_win_over_the_empty_ones() -> None:
    thrown = exception(error(properties={"Source": "module", "StatusCode": 5}, native_error_code=5023))
    assert list(thrown.properties)[:3] == ["StatusCode", "NativeErrorCode", "Message"]
    assert thrown.properties["Source"] == "module"
    assert thrown.properties["StackTrace"] is None


def test_an_error_before_any_command_has_no_invocation_info() -> None:
    assert error_record(error(), GET_NODE, terminating=True).notes["InvocationInfo"] is None
    info = error_record(error(activity="Get-ClusterNode"), GET_NODE, terminating=True).notes["InvocationInfo"]
    assert isinstance(info, SimObject)
    assert info.properties["MyCommand"] == "Get-ClusterNode"


@pytest.mark.parametrize(
    ("kind", "flag"), [("ErrorRecord", 1), ("WarningRecord", 2), ("DebugRecord", 4), ("VerboseRecord", 8)]
)
def test_details_follow_the_stream_options_of_the_client(kind: str, flag: int) -> None:
    for options, expected in ((flag, True), (15 - flag, False)):
        invocation = Invocation(CommandCall("Get-ClusterNode"), stream_options=options)
        if kind == "ErrorRecord":
            notes = error_record(error(), invocation, terminating=False).notes
        else:
            notes = informational(kind, "text", invocation).notes
        assert ("CommandInfo_Name" in notes) is expected
