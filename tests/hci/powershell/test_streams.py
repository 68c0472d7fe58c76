from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from include.hci.powershell.clixml import read_clixml
from include.hci.powershell.psobject import EnumValue, PSObject
from include.hci.powershell.records import ErrorRecord, Message, ProgressRecord, Stream
from include.hci.powershell.streams import StreamReader, error_record, message_of, progress_record


def of(**properties: object) -> PSObject:
    return PSObject(properties=properties)  # type: ignore[arg-type]


def exception(kind: str = "System.Exception", **properties: object) -> PSObject:
    return PSObject((kind, "System.Exception", "System.Object"), "text", properties)  # type: ignore[arg-type]


CIM = exception(
    "Microsoft.Management.Infrastructure.CimException",
    Message="Invalid class ",
    HResult=-2146233088,
    NativeErrorCode=EnumValue(5, "InvalidClass"),
    StatusCode=0x80041010,
)
WIN32 = exception("System.ComponentModel.Win32Exception", Message="degraded", NativeErrorCode=5987, HResult=-2147467259)
CLUSTER = exception(
    "Microsoft.FailoverClusters.PowerShell.ClusterCmdletException", Message="outer", InnerException=WIN32
)


@pytest.mark.parametrize(
    ("exc", "message", "kind", "hresult", "native"),
    [
        (CIM, "Invalid class ", "Microsoft.Management.Infrastructure.CimException", 0x80041010, None),
        (WIN32, "degraded", "System.ComponentModel.Win32Exception", 0x80004005, 5987),
        (CLUSTER, "outer", "Microsoft.FailoverClusters.PowerShell.ClusterCmdletException", 0x80004005, 5987),
        (exception(Message="m", HResult=-2146233087), "m", "System.Exception", 0x80131501, None),
        (exception(Message="m", HResult=0), "m", "System.Exception", None, None),
        ("the exception as text", "the exception as text", None, None, None),
        (None, "no message", None, None, None),
    ],
)
def test_codes_and_message_are_found_in_the_nest_of_exceptions(
    exc: object, message: str, kind: str | None, hresult: int | None, native: int | None
) -> None:
    record = error_record(of(Exception=exc, ErrorCategory_Category=13, ErrorCategory_Activity="Get-X"))
    assert (record.message, record.hresult, record.native_code) == (message, hresult, native)
    assert record.exception_types[:1] == ((kind,) if kind else ())
    assert (record.category, record.command) == ("ObjectNotFound", "Get-X")


def test_a_cim_errors_own_enumeration_is_no_win32_code() -> None:
    assert list(error_record(of(Exception=CIM)).codes()) == [0x80041010]


def test_details_stand_in_for_a_message_and_stay_beside_one() -> None:
    assert error_record(of(ErrorDetails_Message="d")) == ErrorRecord("d")
    record = error_record(of(Exception=exception(Message="m"), ErrorDetails_Message="d", ErrorCategory_Category=99))
    assert (record.message, record.details, record.category) == ("m", "d", "99")


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (
            of(
                Activity="Drain",
                StatusDescription="2 of 5",
                PercentComplete=40,
                CurrentOperation="VM3",
                SecondsRemaining=30,
            ),
            ProgressRecord("Drain", "2 of 5", 40, "VM3", 30),
        ),
        (of(Activity="Drain", PercentComplete=-1, SecondsRemaining=-1), ProgressRecord("Drain")),
        (
            of(Activity="Drain", Type=EnumValue(1, "Completed"), ActivityId=7),
            ProgressRecord("Drain", activity_id=7, completed=True),
        ),
        (of(Activity="Drain", Type=EnumValue(0, "Processing")), ProgressRecord("Drain")),
        (of(), ProgressRecord("")),
    ],
)
def test_progress(read: PSObject, expected: ProgressRecord) -> None:
    assert progress_record(read) == expected


def test_progress_reads_as_one_line() -> None:
    assert ProgressRecord("Drain", "2 of 5", 40, "VM3", 30).describe() == "Drain, 2 of 5, VM3, 40%, about 30 s left"
    assert ProgressRecord("Drain").describe() == "Drain"


def test_messages() -> None:
    warning = of(InformationalRecord_Message="careful \r\n", CommandInfo_Name="Get-X")
    assert message_of(warning, Stream.WARNING) == Message(Stream.WARNING, "careful", "Get-X")
    assert message_of(PSObject(text="careful"), Stream.VERBOSE).text == "careful"
    information = of(MessageData=PSObject(text="said"), Source="Write-Host", Tags=("PSHOST",))
    assert message_of(information, Stream.INFORMATION) == Message(Stream.INFORMATION, "said", "Write-Host", ("PSHOST",))
    assert str(Message(Stream.DEBUG, "x")) == "x"


def test_a_reader_takes_only_what_is_new(caplog: pytest.LogCaptureFixture) -> None:
    def received(**properties: object) -> SimpleNamespace:
        return SimpleNamespace(value=of(**properties))

    streams = SimpleNamespace(error=[], warning=[], verbose=[], debug=[], information=[], progress=[])
    shell = SimpleNamespace(streams=streams)
    reader = StreamReader("HCI01", "Get-X", logging.getLogger("test"))
    streams.warning.append(received(InformationalRecord_Message="one"))
    streams.progress.append(received(Activity="a"))
    assert reader.take(shell) == [ProgressRecord("a")]  # type: ignore[arg-type]
    streams.warning.append(received(InformationalRecord_Message="two"))
    streams.error.append(received(ErrorDetails_Message="bad"))
    assert reader.take(shell) == []  # type: ignore[arg-type]
    assert [message.text for message in reader.messages[Stream.WARNING]] == ["one", "two"]
    assert [error.message for error in reader.errors] == ["bad"]
    assert caplog.messages == ["HCI01: Get-X: one", "HCI01: Get-X: two"]


def test_progress_is_logged_when_it_says_something_new(caplog: pytest.LogCaptureFixture) -> None:
    steps: list[dict[str, object]] = [
        {"Activity": "Repairing", "PercentComplete": 10},
        {"Activity": "Repairing", "PercentComplete": 10},
        {"Activity": "Repairing", "PercentComplete": 20},
        {"Activity": "Repairing", "PercentComplete": 30, "Type": 1},
    ]
    streams = SimpleNamespace(error=[], warning=[], verbose=[], debug=[], information=[], progress=[])
    streams.progress += [SimpleNamespace(value=of(**step)) for step in steps]
    with caplog.at_level(logging.INFO):
        reader = StreamReader("HCI01", "Repair-VirtualDisk", logging.getLogger("test"))
        assert len(reader.take(SimpleNamespace(streams=streams))) == 4  # type: ignore[arg-type]
    assert caplog.messages == ["HCI01: Repairing, 10%", "HCI01: Repairing, 20%"]


def test_an_error_record_as_windows_sends_it() -> None:
    xml = """<Obj RefId="0"><TN RefId="0"><T>System.Management.Automation.ErrorRecord</T><T>System.Object</T></TN>
    <ToString>Cannot find any service with service name 'nope'.</ToString><MS><Obj N="Exception" RefId="1"><TN RefId="1">
    <T>Microsoft.PowerShell.Commands.ServiceCommandException</T><T>System.SystemException</T><T>System.Exception</T>
    <T>System.Object</T></TN><ToString>Microsoft.PowerShell.Commands.ServiceCommandException: Cannot find any service</ToString>
    <Props><S N="ServiceName">nope</S><S N="Message">Cannot find any service with service name 'nope'.</S><Nil N="InnerException" />
    <I32 N="HResult">-2146233087</I32></Props></Obj><S N="TargetObject">nope</S>
    <S N="FullyQualifiedErrorId">NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand</S>
    <Nil N="InvocationInfo" /><I32 N="ErrorCategory_Category">13</I32><S N="ErrorCategory_Activity">Get-Service</S>
    <S N="ErrorCategory_Reason">ServiceCommandException</S><S N="ErrorCategory_TargetName">nope</S>
    <S N="ErrorCategory_TargetType">String</S><B N="SerializeExtendedInfo">false</B></MS></Obj>"""
    read = read_clixml(xml)
    assert isinstance(read, PSObject)
    record = error_record(read)
    assert record == ErrorRecord(
        message="Cannot find any service with service name 'nope'.",
        fully_qualified_error_id="NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand",
        category="ObjectNotFound",
        reason="ServiceCommandException",
        target="nope",
        target_type="String",
        exception_types=(
            "Microsoft.PowerShell.Commands.ServiceCommandException",
            "System.SystemException",
            "System.Exception",
            "System.Object",
        ),
        hresult=0x80131501,
        command="Get-Service",
    )
    assert record.error_id == "NoServiceFoundForGivenName"
