"""Objects on the wire: the typed serialisation, vendor objects, CIM classes, merged streams."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psrpcore
import pytest
from psrpcore import types as ps

from include.simulator.objects import (
    Byte,
    Int64,
    SecureString,
    SimEnum,
    SimObject,
    UInt16,
    UInt32,
    UInt64,
    Version,
)
from include.simulator.wire.clixml import Writer
from tests.fidelity.conftest import ClusterOnTheWire
from tests.fidelity.raw import KINDS, Message, Raw, Session

#: Section of MS-PSRP, value, and its form.
PRIMITIVES: list[tuple[str, object, str]] = [
    ("2.2.5.1.1 string", "a", "<S>a</S>"),
    ("2.2.5.3.2 escaping", "a\n_x\x00\U0001d11e", "<S>a_x000A__x005F_x_x0000__xD834__xDD1E_</S>"),
    ("2.2.5.1.3 boolean", True, "<B>true</B>"),
    ("2.2.5.1.4 date", datetime(2026, 1, 2, 3, 4, 5, 600, UTC), "<DT>2026-01-02T03:04:05.0006Z</DT>"),
    ("2.2.5.1.5 duration", timedelta(days=2, seconds=3), "<TS>P2DT3S</TS>"),
    ("2.2.5.1.5 no duration", timedelta(0), "<TS>PT0S</TS>"),
    ("2.2.5.1.6 unsigned byte", Byte(255), "<By>255</By>"),
    ("2.2.5.1.8 unsigned short", UInt16(7), "<U16>7</U16>"),
    ("2.2.5.1.10 unsigned int", UInt32(2**32 - 1), "<U32>4294967295</U32>"),
    ("2.2.5.1.11 int", -1, "<I32>-1</I32>"),
    ("2.2.5.1.12 unsigned long", UInt64(2**64 - 1), "<U64>18446744073709551615</U64>"),
    ("2.2.5.1.13 long", Int64(1), "<I64>1</I64>"),
    ("2.2.5.1.13 an int that is too large for 32 bits", 2**40, "<I64>1099511627776</I64>"),
    ("2.2.5.1.15 double", 1.5, "<Db>1.5</Db>"),
    ("2.2.5.1.16 decimal", Decimal("1.50"), "<D>1.50</D>"),
    ("2.2.5.1.17 bytes", b"\x01\x02", "<BA>AQI=</BA>"),
    ("2.2.5.1.18 GUID", uuid.UUID(int=5), "<G>00000000-0000-0000-0000-000000000005</G>"),
    ("2.2.5.1.20 null", None, "<Nil />"),
    ("2.2.5.1.21 version", Version("10.0.20348"), "<Version>10.0.20348</Version>"),
    ("2.2.5.1.24 secure string", SecureString("x"), "<SS>sealed</SS>"),
]


@pytest.mark.parametrize(("section", "value", "form"), PRIMITIVES, ids=[row[0] for row in PRIMITIVES])
def test_primitive_values(section: str, value: object, form: str) -> None:
    """MS-PSRP 2.2.5.1."""
    assert Writer(lambda text: "sealed").write(value).text().decode() == form


TN = '<TN RefId="0"><T>{}</T></TN>'
CONTAINERS: list[tuple[str, object, str]] = [
    (
        "2.2.5.2.6.1 list",
        ["a", "b"],
        TN.format("System.String[]</T><T>System.Array</T><T>System.Object") + "<LST><S>a</S><S>b</S></LST>",
    ),
    (
        "2.2.5.2.6.4 dictionary",
        {"k": 1},
        TN.format("System.Collections.Hashtable</T><T>System.Object")
        + '<DCT><En><S N="Key">k</S><I32 N="Value">1</I32></En></DCT>',
    ),
    (
        "2.2.5.2.7 enumeration",
        SimEnum("Lab.State", 3, "Up"),
        TN.format("Lab.State</T><T>System.Enum</T><T>System.ValueType</T><T>System.Object")
        + "<ToString>Up</ToString><I32>3</I32>",
    ),
    (
        "2.2.5.2.8 and 2.2.5.2.9 adapted and extended properties",
        SimObject(("Lab.Node",), {"Name": "N1"}, {"PSComputerName": "N1"}, to_string="N1"),
        TN.format("Lab.Node")
        + '<ToString>N1</ToString><Props><S N="Name">N1</S></Props><MS><S N="PSComputerName">N1</S></MS>',
    ),
]


@pytest.mark.parametrize(("section", "value", "form"), CONTAINERS, ids=[row[0] for row in CONTAINERS])
def test_complex_values(section: str, value: object, form: str) -> None:
    """MS-PSRP 2.2.5.2."""
    assert Writer(str).write(value).text().decode() == f'<Obj RefId="0">{form}</Obj>'


def test_type_names_are_written_once() -> None:
    """MS-PSRP 2.2.5.2.3: TNRef."""
    text = Writer(str).write([SimObject(("Lab.Node",), {}), SimObject(("Lab.Node",), {})]).text().decode()
    assert text.count("<T>Lab.Node</T>") == 1
    assert '<TNRef RefId="1" />' in text


def test_an_object_is_written_once() -> None:
    """MS-PSRP 2.2.5.2.5: Ref."""
    node = SimObject(("Lab.Node",), {"Name": "N1"})
    assert '<Ref RefId="1" />' in Writer(str).write([node, node]).text().decode()


def test_objects_below_the_depth_become_text() -> None:
    """PowerShell, serialization.cs: remoting writes one level of properties, what is below as its ToString."""
    inner = SimObject(("Lab.Cluster",), {"Id": 1}, to_string="C1")
    assert '<S N="Cluster">C1</S>' in Writer(str).write(SimObject(("Lab.Node",), {"Cluster": inner})).text().decode()


def run(session: Session, shell: psrpcore.ClientPowerShell) -> list[Message]:
    return session.all_of(session.start(shell)[0])


@pytest.fixture
def session(on_the_wire: ClusterOnTheWire) -> Session:
    return Session(Raw(on_the_wire.endpoint.http_port))


def test_vendor_objects_keep_their_types(session: Session) -> None:
    """windowsserverdocs, Get-ClusterNode: the type and its enumeration arrive as such, not as text."""
    node = session.all_of(session.run("Get-ClusterNode")[0])[0].text
    assert "<T>Microsoft.FailoverClusters.PowerShell.ClusterNode</T>" in node
    assert "<T>Microsoft.FailoverClusters.PowerShell.ClusterNodeState</T><T>System.Enum</T>" in node
    session.close()


def test_cim_instances_bring_their_class_once_in_a_session(session: Session) -> None:
    """PowerShell, serialization.cs, PrepareCimInstanceForSerialization: __ClassMetadata, with MiXml until the client knows it."""
    texts = []
    for _ in range(2):
        messages = session.all_of(session.run("Get-CimInstance", ClassName="Win32_OperatingSystem")[0])
        texts.append(next(message.text for message in messages if KINDS[message.kind] == "PipelineOutput"))
    for text in texts:
        assert '<Obj N="__ClassMetadata"' in text
        assert "<T>System.Collections.ArrayList</T>" in text
        assert '<S N="ClassName">Win32_OperatingSystem</S>' in text
        assert '<S N="ServerName">HCI02</S>' in text
    assert '<S N="MiXml">&lt;CLASS NAME="Win32_OperatingSystem"' in texts[0]
    assert "MiXml" not in texts[1]
    session.close()


@pytest.mark.parametrize(
    ("target", "outputs", "errors"),
    [
        (None, [], 1),
        (ps.PipelineResultTypes.Output, ["System.Management.Automation.ErrorRecord"], 0),
        (ps.PipelineResultTypes.Null, [], 0),
    ],
    ids=["not merged", "into the output", "thrown away"],
)
def test_errors_are_merged(
    session: Session, target: ps.PipelineResultTypes | None, outputs: list[str], errors: int
) -> None:
    """MS-PSRP 2.2.3.12 (MergeError, MergeMyResult, MergeToResult) and recorded answers."""
    shell = psrpcore.ClientPowerShell(session.pool)
    shell.add_command("Get-ClusterNode").add_parameter("Name", "NOSUCH").add_parameter("ErrorAction", "Continue")
    if target is not None:
        shell.metadata.commands[-1].redirect_error(target)
    found = run(session, shell)
    kinds = [KINDS[message.kind] for message in found]
    written = [message.text for message in found if KINDS[message.kind] == "PipelineOutput"]
    assert kinds.count("ErrorRecord") == errors
    assert len(written) == len(outputs)
    assert all(f"<T>{name}</T>" in text for name, text in zip(outputs, written, strict=True))
    assert all('<B N="writeErrorStream">true</B>' in text for text in written)
    session.close()


@pytest.mark.parametrize(
    ("stream", "type_name"),
    [
        ("warning", "WarningRecord"),
        ("verbose", "VerboseRecord"),
        ("debug", "DebugRecord"),
        ("information", "InformationRecord"),
    ],
)
def test_other_streams_are_merged(raw: Raw, stream: str, type_name: str) -> None:
    """MS-PSRP 2.2.3.12 (MergeWarning and so on) and recorded answers: the record in the output, marked as WriteWarningStream."""
    session = Session(raw)
    shell = psrpcore.ClientPowerShell(session.pool)
    shell.add_command("Write-Streams")
    getattr(shell.metadata.commands[-1], f"redirect_{stream}")()
    found = run(session, shell)
    assert type_name not in [KINDS[message.kind] for message in found]
    (merged,) = (message.text for message in found if f'N="Write{stream.capitalize()}Stream"' in message.text)
    assert f"<T>System.Management.Automation.{type_name}</T>" in merged
    assert "InvocationInfo_" not in merged
    session.close()
