"""CLIXML as Windows writes it, and as psrpcore reads it back."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import psrpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psrpcore import types as ps

from include.simulator.objects import Byte, Credential, Int64, SecureString, SimEnum, SimObject, UInt16, UInt64, Version
from include.simulator.wire.clixml import FULL_DEPTH, Writer
from include.simulator.wire.values import neutral


def write(value: object, **options: object) -> str:
    return Writer(lambda secret: f"<{len(secret)} characters>").write(value, **options).text().decode()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "<Nil />"),
        (False, "<B>false</B>"),
        (5, "<I32>5</I32>"),
        (2**31, f"<I64>{2**31}</I64>"),
        (2**63, f"<U64>{2**63}</U64>"),
        (Byte(1), "<By>1</By>"),
        (UInt16(1), "<U16>1</U16>"),
        (Int64(1), "<I64>1</I64>"),
        (1.5, "<Db>1.5</Db>"),
        (Decimal("1.50"), "<D>1.50</D>"),
        ("a<b>&c", "<S>a&lt;b&gt;&amp;c</S>"),
        ("a_b _x000A_ \n", "<S>a_b _x005F_x000A_ _x000A_</S>"),
        ("\U0001d11e", "<S>_xD834__xDD1E_</S>"),
        (Version("1.2.3"), "<Version>1.2.3</Version>"),
        (uuid.UUID(int=1), "<G>00000000-0000-0000-0000-000000000001</G>"),
        (b"\x01", "<BA>AQ==</BA>"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "<DT>2026-01-02T03:04:05Z</DT>"),
        (datetime(2026, 1, 2, 3, 4, 5, 120000, tzinfo=UTC), "<DT>2026-01-02T03:04:05.12Z</DT>"),
        (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-2))), "<DT>2026-01-02T00:00:00-02:00</DT>"),
        (timedelta(), "<TS>PT0S</TS>"),
        (timedelta(hours=1, seconds=2, microseconds=500000), "<TS>PT1H2.5S</TS>"),
        (-timedelta(days=2, minutes=3), "<TS>-P2DT3M</TS>"),
        (
            [],
            '<Obj RefId="0"><TN RefId="0"><T>System.Object[]</T><T>System.Array</T><T>System.Object</T></TN><LST /></Obj>',
        ),
        (
            {"k": 1},
            '<Obj RefId="0"><TN RefId="0"><T>System.Collections.Hashtable</T><T>System.Object</T></TN><DCT><En>'
            '<S N="Key">k</S><I32 N="Value">1</I32></En></DCT></Obj>',
        ),
        (
            SimEnum("X.State", 2, "Down"),
            '<Obj RefId="0"><TN RefId="0"><T>X.State</T><T>System.Enum</T><T>System.ValueType</T><T>System.Object</T></TN>'
            "<ToString>Down</ToString><I32>2</I32></Obj>",
        ),
    ],
)
def test_forms(value: object, expected: str) -> None:
    assert write(value) == expected


def test_types_are_written_once_and_referred_to() -> None:
    text = write([SimEnum("X.State", 1, "Up"), SimEnum("X.State", 2, "Down")])
    assert text.count("<T>X.State</T>") == 1
    assert '<TNRef RefId="1" />' in text


def test_objects_are_written_once_and_referred_to() -> None:
    shared = SimObject(("X",), {"A": 1})
    text = write(SimObject((), {"First": shared, "Second": shared}), depth=FULL_DEPTH)
    assert '<Ref N="Second" RefId="1" />' in text


def test_objects_inside_objects_are_text() -> None:
    inner = SimObject(("X.Inner",), {"A": 1}, to_string="the inner one")
    bare = SimObject(("X.Bare",), {"A": 1})
    text = write(SimObject(("X",), {"One": inner, "Many": [bare]}))
    assert '<S N="One">the inner one</S>' in text
    assert "<LST><S>X.Bare</S></LST>" in text


def test_cim_instances_are_whole_wherever_they_are() -> None:
    update = SimObject(
        ("Microsoft.Management.Infrastructure.CimInstance#root/x/MSFT_Y", "System.Object"), {"Title": "KB1"}
    )
    text = write(SimObject(("X",), {"Info": [update]}))
    assert '<S N="Title">KB1</S>' in text


def test_depth_can_be_set_for_a_type() -> None:
    inner = SimObject(("X.Inner",), {"A": 1})
    writer = Writer(str, {"X.Outer": 2})
    assert '<I32 N="A">1</I32>' in writer.write(SimObject(("X.Outer",), {"One": inner})).text().decode()


def test_secrets_are_encrypted() -> None:
    text = write(Credential("svc", SecureString("geheim")))
    assert '<SS N="Password"><6 characters></SS>' in text
    assert "geheim" not in text


def test_values_without_a_form_are_an_error() -> None:
    with pytest.raises(TypeError, match="A object has no form on the wire"):
        write(object())


class NoCipher(ps.PSCryptoProvider):
    def encrypt(self, value: str) -> str:
        return value

    def decrypt(self, value: str) -> str:
        return value

    def register_key(self, key: bytes) -> None:
        return None


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary(max_size=20)
    | st.uuids()
    | st.datetimes(timezones=st.just(UTC))
    | st.timedeltas(timedelta(days=-9999), timedelta(days=9999)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_psrpcore_reads_what_is_written(value: object) -> None:
    element = ET.fromstring(Writer(str).write(value).text())
    assert neutral(ps.deserialize(element, NoCipher())) == value


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (ps.PSUInt16(7), UInt16(7)),
        (ps.PSUInt64(7), UInt64(7)),
        (ps.PSByte(7), Byte(7)),
        (ps.PSVersion("1.2"), Version("1.2")),
        (ps.PSChar("x"), "x"),
        (psrpcore.types.PSThreadOptions.UseNewThread, None),
        (ps.PSCredential(UserName="svc", Password=ps.PSSecureString("p")), Credential("svc", SecureString("p"))),
    ],
)
def test_types_of_clients(sent: object, expected: object) -> None:
    converted = neutral(sent)
    if expected is None:
        expected = SimEnum("System.Management.Automation.Runspaces.PSThreadOptions", 1, "UseNewThread")
    assert converted == expected
    assert type(converted) is type(expected)


def test_objects_of_clients_come_back_deserialized() -> None:
    text = write(SimObject(("X.Node", "System.Object"), {"Name": "N1"}, {"Note": 1}, "N1"))
    returned = neutral(ps.deserialize(ET.fromstring(text), NoCipher()))
    assert returned == SimObject(
        ("Deserialized.X.Node", "Deserialized.System.Object"), {"Name": "N1"}, {"Note": 1}, "N1"
    )
