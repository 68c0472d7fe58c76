"""WS-Management by hand: what no client library can be made to send, and answers down to their bytes."""

from __future__ import annotations

import base64
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass

import psrpcore
import requests
from psrpcore import types as ps

from include.simulator.wire import names
from tests.simulator.wire.lab import PASSWORD, USER

POWERSHELL = f"{names.POWERSHELL}/Microsoft.PowerShell"
ACTIONS = {
    **{verb: f"{names.TRANSFER}/{verb}" for verb in ("Create", "Delete", "Get")},
    **{verb: f"{names.SHELL}/{verb}" for verb in ("Command", "Receive", "Send", "Signal")},
    **{verb: f"{names.SHELL}/{verb}" for verb in ("Connect", "Disconnect", "Reconnect")},
    "Enumerate": f"{names.ENUMERATION}/Enumerate",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One complete message of the remoting protocol."""

    destination: int
    kind: int
    pool_id: uuid.UUID
    pipeline_id: uuid.UUID
    data: bytes

    @property
    def text(self) -> str:
        """The XML without its byte order mark."""
        return self.data.decode("utf-8-sig")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes

    @property
    def root(self) -> ET.Element:
        """The envelope."""
        return ET.fromstring(self.body)

    def text(self, tag: str) -> str:
        """Return the text of the first element called ``tag``, empty when there is none."""
        return next((each.text or "" for each in self.root.iter() if each.tag.rpartition("}")[2] == tag), "")

    @property
    def fault(self) -> tuple[int, str]:
        """Code and SOAP subcode of a fault, zero for an answer that is none."""
        if self.status != 500:
            return 0, ""
        detail = self.root.find(f".//{{{names.WSMAN_FAULT}}}WSManFault")
        subcode = self.root.find(f".//{{{names.SOAP}}}Subcode/{{{names.SOAP}}}Value")
        assert detail is not None
        assert subcode is not None
        return int(detail.attrib["Code"]), subcode.text or ""

    @property
    def streams(self) -> list[bytes]:
        """The stream pieces, one bytes each."""
        return [base64.b64decode(each.text or "") for each in self.root.iter(f"{{{names.SHELL}}}Stream")]

    @property
    def state(self) -> str:
        """The last part of the CommandState, empty when there is none."""
        found = self.root.find(f".//{{{names.SHELL}}}CommandState")
        return "" if found is None else found.attrib["State"].rpartition("/")[2]


def fragments(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield object id, fragment id, flags and payload of each fragment (MS-PSRP 2.2.4)."""
    while data:
        length = int.from_bytes(data[17:21], "big")
        yield int.from_bytes(data[:8], "big"), int.from_bytes(data[8:16], "big"), data[16], data[21 : 21 + length]
        data = data[21 + length :]


def messages(data: bytes) -> Iterator[Message]:
    """Yield the complete messages (MS-PSRP 2.2.1)."""
    whole = b""
    for _, _, flags, payload in fragments(data):
        whole = payload if flags & 1 else whole + payload
        if flags & 2:
            yield Message(
                int.from_bytes(whole[:4], "little"),
                int.from_bytes(whole[4:8], "little"),
                uuid.UUID(bytes_le=whole[8:24]),
                uuid.UUID(bytes_le=whole[24:40]),
                whole[40:],
            )


class Raw:
    """Sends requests with Basic; ``headers`` are SOAP header elements put before the usual ones."""

    def __init__(self, port: int, password: str = PASSWORD) -> None:
        self.url = f"http://127.0.0.1:{port}/wsman"
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.auth = (USER.encode(), password.encode())

    def post(
        self,
        verb: str,
        body: str = "",
        shell_id: str = "",
        *,
        resource: str = POWERSHELL,
        headers: str = "",
        time_out: str = "PT2S",
        message_id: str = "",
    ) -> Answer:
        """Send one request and return the answer."""
        selector = f'<w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>'
        envelope = (
            f'<s:Envelope xmlns:s="{names.SOAP}" xmlns:a="{names.ADDRESSING}" xmlns:w="{names.WSMAN}" '
            f'xmlns:p="{names.WSMAN_MICROSOFT}" xmlns:rsp="{names.SHELL}"><s:Header>'
            f"<a:Action>{ACTIONS.get(verb, verb)}</a:Action><a:To>{self.url}</a:To>"
            f"<a:MessageID>{message_id or f'uuid:{uuid.uuid4()}'}</a:MessageID>"
            f"<w:ResourceURI>{resource}</w:ResourceURI><w:OperationTimeout>{time_out}</w:OperationTimeout>"
            f"{headers}{selector if shell_id else ''}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
        )
        return self.send(envelope.encode())

    def send(self, body: bytes, **headers: str) -> Answer:
        """Send any bytes."""
        kind = {"Content-Type": "application/soap+xml;charset=UTF-8", **headers}
        answer = self.http.post(self.url, data=body, headers=kind, timeout=10)
        return Answer(answer.status_code, answer.content)

    def cmd(self, idle: str = "", shell_id: str = "") -> Answer:
        """Create a cmd shell."""
        wanted = f"<rsp:IdleTimeOut>{idle}</rsp:IdleTimeOut>" if idle else ""
        mark = f' ShellId="{shell_id}"' if shell_id else ""
        body = f"<rsp:Shell{mark}>{wanted}<rsp:InputStreams>stdin</rsp:InputStreams></rsp:Shell>"
        return self.post("Create", body, resource=names.CMD_SHELL)


class Session:
    """A runspace pool of psrpcore over hand-written requests."""

    def __init__(self, raw: Raw, resource: str = POWERSHELL, headers: str = "", idle: str = "") -> None:
        self.raw = raw
        self.headers = headers
        self.resource = resource
        self.pool = psrpcore.ClientRunspacePool()
        self.id = str(self.pool.runspace_pool_id).upper()
        self.pool.open()
        wanted = f"<rsp:IdleTimeOut>{idle}</rsp:IdleTimeOut>" if idle else ""
        body = (
            f'<rsp:Shell ShellId="{self.id}">{wanted}<rsp:InputStreams>stdin pr</rsp:InputStreams>'
            f'<rsp:OutputStreams>stdout</rsp:OutputStreams><creationXml xmlns="{names.POWERSHELL}">{self._outgoing()}'
            "</creationXml></rsp:Shell>"
        )
        self.created = self.post("Create", body)
        self.openings = [self.receive(), self.receive()] if self.created.status == 200 else []
        self.events()

    def post(self, verb: str, body: str = "", **options: str) -> Answer:
        """Send a request for this session."""
        shell_id = "" if verb == "Create" else self.id
        return self.raw.post(verb, body, shell_id, resource=self.resource, headers=self.headers, **options)

    def _outgoing(self) -> str:
        payload = self.pool.data_to_send()
        return base64.b64encode(payload.data).decode() if payload else ""

    def receive(self, command_id: str = "", **options: str) -> Answer:
        """Ask for output and hand it to psrpcore."""
        target = f' CommandId="{command_id}"' if command_id else ""
        body = f"<rsp:Receive><rsp:DesiredStream{target}>stdout</rsp:DesiredStream></rsp:Receive>"
        answer = self.post("Receive", body, **options)
        if answer.status == 200:
            for piece in answer.streams:
                self.pool.receive_data(psrpcore.PSRPPayload(piece, psrpcore.StreamType.default, None))
        return answer

    def events(self) -> list[psrpcore.PSRPEvent]:
        """Return what psrpcore has made of the output so far."""
        found = []
        while (event := self.pool.next_event()) is not None:
            found.append(event)
        return found

    def start(self, shell: psrpcore.ClientPowerShell | psrpcore.ClientGetCommandMetadata) -> tuple[str, Answer]:
        """Send a pipeline; return its command id and the answer."""
        shell.start()
        command_id = str(shell.pipeline_id).upper()
        body = (
            f'<rsp:CommandLine CommandId="{command_id}"><rsp:Command></rsp:Command>'
            f"<rsp:Arguments>{self._outgoing()}</rsp:Arguments></rsp:CommandLine>"
        )
        return command_id, self.post("Command", body)

    def run(self, name: str, **parameters: object) -> tuple[str, Answer]:
        """Start one command."""
        shell = psrpcore.ClientPowerShell(self.pool)
        shell.add_command(name)
        for key, value in parameters.items():
            shell.add_parameter(key, value)
        return self.start(shell)

    def send(self, stream: str = "stdin", command_id: str = "") -> Answer:
        """Send what psrpcore wants to say."""
        target = f' CommandId="{command_id}"' if command_id else ""
        return self.post(
            "Send", f'<rsp:Send><rsp:Stream Name="{stream}"{target}>{self._outgoing()}</rsp:Stream></rsp:Send>'
        )

    def signal(self, command_id: str, code: str) -> Answer:
        """Send a signal."""
        return self.post("Signal", f'<rsp:Signal CommandId="{command_id}"><rsp:Code>{code}</rsp:Code></rsp:Signal>')

    def all_of(self, command_id: str) -> list[Message]:
        """Receive until the command is done and return its messages."""
        data = b""
        while True:
            answer = self.receive(command_id)
            assert answer.status == 200, answer.body
            data += b"".join(answer.streams)
            if answer.state == "Done":
                return list(messages(data))

    def close(self) -> None:
        """Delete the shell."""
        self.post("Delete")


KINDS = {int(kind): kind.name for kind in ps.PSRPMessageType}
