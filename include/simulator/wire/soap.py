"""SOAP envelopes of WS-Management: requests are parsed, answers are written as text in Windows's order of elements."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from include.simulator.wire import names
from include.simulator.wire.names import tag

#: How long an operation waits when the client names no OperationTimeout (the service's MaxTimeoutms is 60000).
DEFAULT_OPERATION_SECONDS: Final = 60.0

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")

_ENVELOPE: Final = (
    f'<s:Envelope xml:lang="en-US" xmlns:s="{names.SOAP}" xmlns:a="{names.ADDRESSING}" xmlns:x="{names.TRANSFER}" '
    f'xmlns:w="{names.WSMAN}" xmlns:rsp="{names.SHELL}" xmlns:p="{names.WSMAN_MICROSOFT}">'
)


@dataclass(frozen=True, slots=True)
class SoapRequest:
    """The parts of a WS-Management request that the service looks at."""

    action: str
    message_id: str
    resource_uri: str
    to: str
    operation_timeout: str
    max_envelope_size: str
    session_id: str
    selectors: Mapping[str, str]
    options: Mapping[str, str]
    body: ET.Element

    @property
    def verb(self) -> str:
        """The last part of the action, for example ``Receive``."""
        return self.action.rsplit("/", 1)[-1]

    @property
    def shell_id(self) -> str:
        """The ShellId selector, upper case, empty when there is none."""
        return next((value for name, value in self.selectors.items() if name.lower() == "shellid"), "").upper()

    @property
    def machine(self) -> str:
        """The machine as the client calls it; faults repeat that name."""
        return urlsplit(self.to).hostname or ""

    @property
    def envelope_bytes(self) -> int | None:
        """How large an answer the client takes, None when it does not say."""
        return int(self.max_envelope_size) if self.max_envelope_size.strip().isdigit() else None

    @property
    def wait_seconds(self) -> float | None:
        """The operation time-out, or None when the client wrote something that is no duration."""
        if not self.operation_timeout:
            return DEFAULT_OPERATION_SECONDS
        return parse_duration(self.operation_timeout)


def parse_duration(text: str) -> float | None:
    """Return the seconds of an XML duration such as ``PT20S`` or ``PT60.000S``, None when it is not one."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or text.strip() in ("P", "PT"):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def parse(text: bytes) -> SoapRequest:
    """Parse a request; raises ET.ParseError or ValueError when it is not a SOAP envelope."""
    envelope = ET.fromstring(text)  # noqa: S314 - the simulator's clients are the tests and demos of this repository
    header = envelope.find(tag(names.SOAP, "Header"))
    body = envelope.find(tag(names.SOAP, "Body"))
    if body is None:
        raise ValueError("The envelope has no body.")
    if header is None:
        header = ET.Element("Header")
    return SoapRequest(
        action=header.findtext(tag(names.ADDRESSING, "Action")) or "",
        message_id=header.findtext(tag(names.ADDRESSING, "MessageID")) or "",
        resource_uri=header.findtext(tag(names.WSMAN, "ResourceURI")) or "",
        to=header.findtext(tag(names.ADDRESSING, "To")) or "",
        operation_timeout=header.findtext(tag(names.WSMAN, "OperationTimeout")) or "",
        max_envelope_size=header.findtext(tag(names.WSMAN, "MaxEnvelopeSize")) or "",
        session_id=(header.findtext(tag(names.WSMAN_MICROSOFT, "SessionId")) or "").upper(),
        selectors=_named(header.find(tag(names.WSMAN, "SelectorSet"))),
        options=_named(header.find(tag(names.WSMAN, "OptionSet"))),
        body=body,
    )


def _named(parent: ET.Element | None) -> dict[str, str]:
    return {} if parent is None else {child.attrib.get("Name", ""): child.text or "" for child in parent}


def envelope(action: str, relates_to: str, body: str, *, activity_id: bool = True) -> bytes:
    """Return an answer; ``relates_to`` is the MessageID of the request, which clients compare letter by letter."""
    activity = f"<p:ActivityId>{new_id()}</p:ActivityId>" if activity_id else ""
    return (
        f"{_ENVELOPE}<s:Header><a:Action>{action}</a:Action><a:MessageID>uuid:{new_id()}</a:MessageID>"
        f"{activity}<a:To>{names.ANONYMOUS}</a:To><a:RelatesTo>{escape(relates_to)}</a:RelatesTo>"
        f"</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def new_id() -> str:
    """Return a new identifier in the upper case that Windows writes."""
    return str(uuid.uuid4()).upper()
