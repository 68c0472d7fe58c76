"""Replays recorded client requests at our service and describes the structure of both answers."""

from __future__ import annotations

import asyncio
import base64
import re
import xml.etree.ElementTree as ET
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from include.simulator.host import ByteSink, PowerShellHost, Session, Sink, Statement
from include.simulator.wire import names, soap
from include.simulator.wire.accounts import Account
from include.simulator.wire.auth import Identity
from include.simulator.wire.options import EndpointOptions, Quotas
from include.simulator.wire.service import Caller, WsmanService

TRANSCRIPTS = Path(__file__).resolve().parents[4] / "shared" / "reference" / "transcripts"

PRESENT_TYPES = {
    0x10002: "SessionCapability",
    0x10006: "EncryptedSessionKey",
    0x21004: "SetMinRunspaces",
    0x21005: "RunspacePoolState",
    0x21009: "ApplicationPrivateData",
    0x2100B: "RunspacePoolInitData",
    0x41004: "PipelineOutput",
    0x41005: "ErrorRecord",
    0x41006: "PipelineState",
    0x41007: "DebugRecord",
    0x41008: "VerboseRecord",
    0x41009: "WarningRecord",
    0x41010: "ProgressRecord",
    0x41011: "InformationRecord",
}


@dataclass(slots=True)
class Structure:
    """What an answer consists of, its values left out."""

    soap: set[str] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)
    parts: list[tuple[str, set[str]]] = field(default_factory=list)
    fault: str = ""
    states: list[str] = field(default_factory=list)


class ScriptedHost:
    """Does what the recorded scripts made Windows do; no engine, one coroutine per recorded pipeline."""

    name = "WIN-REPLAY"

    def __init__(
        self,
        pipeline: Callable[[tuple[Statement, ...], Sink], Awaitable[None]] | None,
        line: Callable[[str, ByteSink, ByteSink], Awaitable[int]] | None,
    ) -> None:
        self._pipeline = pipeline
        self._line = line

    async def invoke(self, session: Session, statements: tuple[Statement, ...], sink: Sink) -> None:
        assert self._pipeline is not None, f"the recording runs {statements}"
        await self._pipeline(statements, sink)

    async def run_line(self, session: Session, line: str, stdout: ByteSink, stderr: ByteSink) -> int:
        assert self._line is not None, f"the recording runs {line!r}"
        return await self._line(line, stdout, stderr)


def messages_in(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield type and XML of each complete PSRP message."""
    whole = b""
    while data:
        length = int.from_bytes(data[17:21], "big")
        piece, flags, data = data[21 : 21 + length], data[16], data[21 + length :]
        whole = piece if flags & 1 else whole + piece
        if flags & 2:
            kind = int.from_bytes(whole[4:8], "little")
            yield PRESENT_TYPES.get(kind, hex(kind)), whole[40:].decode("utf-8-sig")


def _paths(element: ET.Element, above: str, seen: set[str], *, named: bool) -> None:
    label = element.tag.rsplit("}", 1)[-1]
    if named:
        label += f"[{element.attrib['N']}]" if "N" in element.attrib else ""
    else:
        keys = sorted(key.rsplit("}", 1)[-1] for key in element.attrib)
        label += f"[{','.join(keys)}]" if keys else ""
    path = f"{above}/{label}"
    seen.add(path)
    for child in element:
        _paths(child, path, seen, named=named)


def structure(text: str, *, powershell: bool) -> Structure:
    """Return the structure of an answer: SOAP element paths with attribute names, PSRP messages with theirs."""
    found = Structure()
    envelope = ET.fromstring(text)
    _paths(envelope, "", found.soap, named=False)
    fault = envelope.find(f".//{{{names.WSMAN_FAULT}}}WSManFault")
    found.fault = fault.attrib["Code"] if fault is not None else ""
    found.states = [e.attrib["State"].rsplit("/", 1)[-1] for e in envelope.iter(names.tag(names.SHELL, "CommandState"))]
    data = [e.text or "" for e in envelope.iter(names.tag(names.SHELL, "Stream"))]
    data += [e.text or "" for e in envelope.iter(names.tag(names.POWERSHELL, "connectResponseXml"))]
    if powershell:
        for kind, xml in messages_in(b"".join(base64.b64decode(part) for part in data)):
            inside: set[str] = set()
            if xml:
                _paths(ET.fromstring(xml), "", inside, named=True)
            found.messages.append(kind)
            found.parts.append((kind, inside))
    return found


class Replay:
    """Feeds the requests of one recording to a service; ids that the server gives are mapped to those of the recording."""

    def __init__(self, file: str, host: PowerShellHost, windows_build: str, time_out: str = "PT0.3S") -> None:
        path = TRANSCRIPTS / file
        self.exchanges = yaml.safe_load(path.read_text(encoding="utf-8"))["messages"]
        # Time and envelope sizes in the recordings are those of test machines.
        quotas = Quotas(least_idle_seconds=1)
        self.service = WsmanService(host, EndpointOptions(windows_build=lambda: windows_build, quotas=quotas))
        self._caller = Caller(Identity(Account("vagrant", "x"), "Negotiate"), "10.0.2.2", lambda: False)
        self._ids: dict[str, str] = {}
        self._time_out = time_out

    async def answers(self) -> list[tuple[str, Structure, Structure]]:
        """Return verb, our structure and that of Windows for every request."""
        return [await self._exchange(item["request"], item["response"]) for item in self.exchanges]

    async def _exchange(self, recorded: str, windows: str) -> tuple[str, Structure, Structure]:
        text = re.sub(r"(OperationTimeout>)PT\d+S", rf"\g<1>{self._time_out}", recorded)
        for theirs, ours in self._ids.items():
            text = text.replace(theirs, ours)
        request = soap.parse(text.encode())
        powershell = f"{names.POWERSHELL_PREFIX}" in recorded
        if request.verb == "Receive":
            self._cut_like(request, windows)
            await self._settle(request, windows)
        answer = (await self.service.handle(request, self._caller)).body.decode()
        assert f"<a:RelatesTo>{request.message_id}</a:RelatesTo>" in answer
        self._learn(windows, answer)
        return request.verb, structure(answer, powershell=powershell), structure(windows, powershell=powershell)

    def _cut_like(self, request: soap.SoapRequest, windows: str) -> None:
        """Windows cuts its opening answers by chance of timing: cut ours at the same places."""
        shell = self.service.shells.find(request.shell_id)
        pieces = len(re.findall("<rsp:Stream ", windows))
        if shell is not None:
            shell.receive_limit = lambda command_id: None if command_id else pieces  # type: ignore[method-assign]

    async def _settle(self, request: soap.SoapRequest, windows: str) -> None:
        """Where the answer of Windows held the end of a command, let ours end before asking."""
        shell = self.service.shells.find(request.shell_id)
        command = re.search('CommandId="([^"]+)"', ET.tostring(request.body).decode())
        if shell is None or command is None or "/CommandState/Done" not in windows:
            return
        outbox = shell.find(command.group(1).upper())
        while outbox.exit_code is None:  # noqa: ASYNC110 - what is awaited belongs to the service
            await asyncio.sleep(0.01)

    def _learn(self, windows: str, ours: str) -> None:
        for pattern in (r'Name="ShellId">([^<]+)<', r"<rsp:CommandId>([^<]+)<"):
            theirs, mine = re.findall(pattern, windows), re.findall(pattern, ours)
            if len(theirs) == len(mine):
                self._ids |= {a: b for a, b in zip(theirs, mine, strict=True) if a != b}
