"""What real Windows sent, recorded by others, read by our reader."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from pypsrp.powershell import Fragmenter

from include.hci.powershell.decoder import OutputSerializer, Received, Sequence
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.records import Stream
from include.hci.powershell.streams import error_record, message_of, progress_record

TRANSCRIPTS = Path(__file__).parents[4] / "shared" / "reference" / "transcripts"
STREAM = "{http://schemas.microsoft.com/wbem/wsman/1/windows/shell}Stream"

pytestmark = pytest.mark.skipif(
    not TRANSCRIPTS.is_dir(), reason=f"the recordings of Windows are not beside the repository ({TRANSCRIPTS})"
)


def received(name: str) -> Iterator[Any]:
    """Give what Windows sent in one recording, decoded, in order."""
    fragmenter = Fragmenter(512000, OutputSerializer("recorded"))
    for message in yaml.safe_load((TRANSCRIPTS / f"{name}.yml").read_text(encoding="utf-8"))["messages"]:
        if message["response"]:
            answer = ET.fromstring(message["response"])
            data = b"".join(base64.b64decode(stream.text) for stream in answer.iter(STREAM) if stream.text)
            yield from (item.data for item in fragmenter.defragment(data))


@pytest.mark.parametrize(
    "name",
    ["psrp_multiple_invocations", "psrp_stream_output_invocation", "psrp_error_failed", "psrp_with_jea_configuration"],
)
def test_windows_numbers_what_a_session_sends_without_gaps(name: str) -> None:
    """Only so does a part that was lost with a connection show."""
    sequence = Sequence()
    parts = 0
    for message in yaml.safe_load((TRANSCRIPTS / f"{name}.yml").read_text(encoding="utf-8"))["messages"]:
        answer = ET.fromstring(message["response"] or "<none/>")
        for stream in answer.iter(STREAM):
            parts += 1
            assert sequence.follows(base64.b64decode(stream.text or ""))
    assert parts > 4


def records(name: str, kind: int) -> list[PSObject]:
    return [item.value for item in received(name) if isinstance(item, Received) and kind == item.MESSAGE_TYPE]


def states(name: str) -> list[Received]:
    return [item for item in received(name) if isinstance(item, Received) and item.state is not None]


def test_every_stream_is_understood() -> None:
    name = "psrp_stream_output_invocation"
    (error,) = map(error_record, records(name, 0x41005))
    assert (error.message, error.command, error.category) == ("error stream", "Write-Error", "NotSpecified")
    assert error.error_id == "Microsoft.PowerShell.Commands.WriteErrorException"
    assert error.exception_types[0] == "Microsoft.PowerShell.Commands.WriteErrorException"
    for kind, stream in ((0x41007, Stream.DEBUG), (0x41008, Stream.VERBOSE), (0x41009, Stream.WARNING)):
        (record,) = records(name, kind)
        assert message_of(record, stream).text == f"{stream.value} stream"
    (information,) = records(name, 0x41011)
    assert message_of(information, Stream.INFORMATION).text == "information stream"
    (progress,) = map(progress_record, records(name, 0x41010))
    assert (progress.activity, progress.completed) == ("Preparing modules for first use.", True)
    assert progress.percent is None
    assert [state.state for state in states(name)] == [4]


@pytest.mark.parametrize(
    ("name", "error_id", "words"),
    [
        ("psrp_error_failed", "Microsoft.PowerShell.Commands.WriteErrorException", "error"),
        ("psrp_with_jea_configuration", "ScriptsNotAllowed", "The syntax is not supported by this runspace"),
    ],
)
def test_a_failed_pipeline_says_why(name: str, error_id: str, words: str) -> None:
    failed = states(name)[-1]
    assert failed.state == 5
    assert failed.error_record is not None
    record = error_record(failed.error_record.value)
    assert record.error_id == error_id
    assert record.message.startswith(words)
    assert record.hresult is not None


def test_output_is_understood() -> None:
    output = [item.data for item in received("psrp_with_jea_configuration") if type(item).__name__ == "PipelineOutput"]
    assert isinstance(output[0], PSObject)
    assert output[0].is_a("Microsoft.WSMan.Management.WSManConfigLeafElement")
    assert (output[0].string("Name"), output[0].boolean("Value")) == ("AllowUnencrypted", True)
    numbers = [item.data for item in received("psrp_multiple_invocations") if type(item).__name__ == "PipelineOutput"]
    assert numbers == [2, 2]
