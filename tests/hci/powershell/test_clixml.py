from __future__ import annotations

import contextlib
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypsrp.serializer import Serializer

from include.hci.powershell.clixml import decode_text, read_clixml
from include.hci.powershell.errors import AnswerNotUnderstood
from include.hci.powershell.psobject import EnumValue, PSObject

ENUM = """<Obj RefId="0"><TN RefId="0"><T>Microsoft.FailoverClusters.PowerShell.ClusterNodeState</T><T>System.Enum</T>
<T>System.ValueType</T><T>System.Object</T></TN><ToString>Up</ToString><I32>0</I32></Obj>"""


@pytest.mark.parametrize(
    ("xml", "value"),
    [
        ("<S>HCI01</S>", "HCI01"),
        ("<S />", ""),
        ("<S>a_x000A_b_xD83D__xDE00__x005F_x0041_</S>", "a\nb😀_x0041_"),
        ("<C>65</C>", "A"),
        ("<C>55296</C>", "\ufffd"),
        ("<S>_xD800__xDC</S>", "\ufffd_xDC"),
        ("<B>true</B>", True),
        ("<B>false</B>", False),
        ("<I32>-5</I32>", -5),
        ("<U64>18446744073709551615</U64>", 2**64 - 1),
        ("<Db>0.5</Db>", 0.5),
        ("<Db>INF</Db>", float("inf")),
        ("<D>1.10</D>", Decimal("1.10")),
        ("<DT>2026-01-02T03:04:05.1234567Z</DT>", datetime(2026, 1, 2, 3, 4, 5, 123456, UTC)),
        ("<DT>2026-01-02T03:04:05+01:00</DT>", datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)),
        ("<DT>2026-01-02T03:04:05</DT>", datetime(2026, 1, 2, 3, 4, 5)),
        ("<DT>0001-01-01T00:00:00+01:00</DT>", datetime.min.replace(tzinfo=UTC)),
        ("<TS>P1DT2H3M4.5S</TS>", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("<TS>-PT5S</TS>", -timedelta(seconds=5)),
        ("<G>0a1b2c3d-1111-2222-3333-444455556666</G>", UUID("0a1b2c3d-1111-2222-3333-444455556666")),
        ("<BA>AP8=</BA>", b"\x00\xff"),
        ("<Version>10.0.20348.2400</Version>", "10.0.20348.2400"),
        ("<SS>AAAA</SS>", "***"),
        ("<Nil />", None),
        ('<S xmlns="http://schemas.microsoft.com/powershell/2004/04">x</S>', "x"),
    ],
)
def test_scalars(xml: str, value: object) -> None:
    read = read_clixml(xml)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("tag", ["LST", "IE", "QUE", "STK"])
def test_every_kind_of_sequence_is_a_tuple(tag: str) -> None:
    xml = f'<Obj RefId="0"><TN RefId="0"><T>X</T></TN><{tag}><I32>1</I32><Nil /><S>a</S></{tag}></Obj>'
    assert read_clixml(xml) == (1, None, "a")


def test_an_enumeration_keeps_number_and_name() -> None:
    assert read_clixml(ENUM) == EnumValue(0, "Up", "Microsoft.FailoverClusters.PowerShell.ClusterNodeState")


def test_a_date_with_notes_is_still_a_date() -> None:
    xml = """<Obj RefId="0"><DT>2026-01-02T03:04:05Z</DT><MS><Obj N="DisplayHint" RefId="1"><TN RefId="0">
    <T>Microsoft.PowerShell.Commands.DisplayHintType</T><T>System.Enum</T></TN><ToString>DateTime</ToString><I32>2</I32></Obj>
    </MS></Obj>"""
    assert read_clixml(xml) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_an_object_has_adapted_and_extended_properties_and_shares_type_names() -> None:
    xml = """<Obj RefId="0"><TN RefId="0"><T>Microsoft.Management.Infrastructure.CimInstance#root/x/MSFT_VirtualDisk</T>
    <T>System.Object</T></TN><ToString>disk</ToString><Props><S N="FriendlyName">V1</S><U16 N="HealthStatus">0</U16></Props>
    <MS><S N="HealthStatus">Healthy</S><Obj N="Array" RefId="1"><TN RefId="1"><T>System.Object[]</T><T>System.Array</T></TN><LST>
    <Obj RefId="2"><TN RefId="2"><T>System.Collections.Hashtable</T><T>System.Object</T></TN><DCT><En><S N="Key">k</S>
    <I32 N="Value">1</I32></En></DCT></Obj><Obj RefId="3"><TNRef RefId="2" /><DCT><En><S N="Key">l</S><Ref N="Value" RefId="2" />
    </En></DCT></Obj></LST></Obj><Obj N="Child" RefId="4"><TNRef RefId="0" /><Props><S N="A">b</S></Props></Obj></MS></Obj>"""
    read = read_clixml(xml, source="Get-VirtualDisk", node="HCI01")
    assert isinstance(read, PSObject)
    assert (read.text, read.source, read.node) == ("disk", "Get-VirtualDisk", "HCI01")
    # A property that PowerShell's type data adds hides the one of the class.
    assert read.string("HealthStatus") == "Healthy"
    assert list(read) == ["FriendlyName", "HealthStatus", "Array", "Child"]
    assert read.get("Array") == ({"k": 1}, {"l": {"k": 1}})
    assert read.child("Child").is_a("Microsoft.Management.Infrastructure.CimInstance")
    assert read.child("Child").string("A") == "b"


@pytest.mark.parametrize(
    "xml",
    [
        *("", "no xml", "<X />", "<I32>five</I32>", "<G>x</G>", "<Obj RefId='0'><X/></Obj>", "<D>x</D>"),
        *("<C>99999999999999999999</C>", "<C>-1</C>", "<D>1e99999999999999999999</D>", f"<I32>{'9' * 5000}</I32>"),
        *(f"{'<LST>' * 5000}{'</LST>' * 5000}", "<DCT><En><S N='Key'>k</S></En></DCT>"),
    ],
    ids=lambda xml: xml[:40],
)
def test_what_is_no_clixml_is_refused(xml: str) -> None:
    with pytest.raises(ValueError):
        read_clixml(xml)


def test_pypsrp_trips_over_what_this_reader_understands() -> None:
    """The reason for this reader; when it fails, pypsrp has learnt it and the reader may go."""
    xml = """<Obj RefId="0"><TN RefId="0"><T>X</T><T>System.Object</T></TN><Props><Obj N="L" RefId="1"><TN RefId="1">
    <T>System.Object[]</T><T>System.Array</T><T>System.Object</T></TN><LST><Obj RefId="2"><TNRef RefId="1" /><LST><Obj RefId="3">
    <TN RefId="2"><T>System.Collections.Hashtable</T><T>System.Object</T></TN><DCT /></Obj></LST></Obj></LST></Obj>
    <Obj N="D" RefId="4"><TNRef RefId="2" /><DCT /></Obj></Props></Obj>"""
    with pytest.raises(KeyError):
        Serializer().deserialize(xml)
    read = read_clixml(xml)
    assert isinstance(read, PSObject)
    assert (read.get("L"), read.get("D")) == ((({},),), {})


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_any_text_survives_the_way_there_and_back(text: str) -> None:
    element = Serializer().serialize(text)
    assert element is not None
    assert decode_text(element.text) == text


_TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20),
    st.sampled_from(["_xD800_", "_xDC00_", "-1", "9" * 5000, "1e999999", "P99999999999D", "NaN", "INF", "true", ""]),
    st.from_regex(r"\A(-?P\d{1,20}DT\d+S|\d{14}\.\d{6}[+-]\d{3}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ?|-?\d{1,30})\Z"),
)
_TAGS = [
    *(
        "S",
        "C",
        "B",
        "DT",
        "TS",
        "By",
        "I32",
        "U64",
        "Sg",
        "Db",
        "D",
        "G",
        "BA",
        "SS",
        "Nil",
        "XD",
        "SBK",
        "Version",
        "Ref",
        "X",
    ),
    *("Obj", "LST", "IE", "DCT", "En", "TN", "TNRef", "T", "Props", "MS", "ToString"),
]


@st.composite
def _elements(draw: st.DrawFn) -> ET.Element:
    element = ET.Element(draw(st.sampled_from(_TAGS)))
    for name in draw(st.lists(st.sampled_from(["N", "RefId"]), max_size=2)):
        element.set(name, draw(_TEXTS | st.sampled_from(["Key", "Value", "0", "1"])))
    element.text = draw(_TEXTS)
    element.extend(draw(st.lists(st.deferred(_elements), max_size=3)))
    return element


@given(_elements())
def test_whatever_a_node_sends_is_read_or_refused_and_can_be_written_down(element: ET.Element) -> None:
    try:
        read = read_clixml(ET.tostring(element, encoding="unicode"))
    except ValueError:
        return
    repr(read).encode()
    str(read).encode()
    if isinstance(read, PSObject):
        for name in read:
            for reader in ("string", "integer", "boolean", "moment", "duration", "guid", "enum", "strings", "objects"):
                with contextlib.suppress(AnswerNotUnderstood):
                    getattr(read, reader)(name)
