"""The bodies of answers: what was created, received, configured and enumerated."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape

from include.simulator.wire import names, soap
from include.simulator.wire.outbox import Batch
from include.simulator.wire.shells import Shell
from include.simulator.wire.winrs import CmdShell

_COMMAND_STATE: Final = f"{names.SHELL}/CommandState"


def created(request: soap.SoapRequest, shell: Shell) -> str:
    """Answer a Create with the address and the description of the new shell."""
    return (
        f"<x:ResourceCreated><a:Address>{escape(request.to)}</a:Address><a:ReferenceParameters>"
        f"<w:ResourceURI>{escape(request.resource_uri)}</w:ResourceURI><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
        f"</x:ResourceCreated>{shell.describe()}"
    )


def connected(shell: Shell, opening: bytes) -> str:
    """Answer a Connect with the streams and the first messages of the session."""
    return (
        f"<rsp:ConnectResponse><rsp:InputStreams>{shell.input_streams}</rsp:InputStreams>"
        f"<rsp:OutputStreams>{shell.output_streams}</rsp:OutputStreams>"
        f'<connectResponseXml xmlns="{names.POWERSHELL}">{base64.b64encode(opening).decode()}</connectResponseXml>'
        "</rsp:ConnectResponse>"
    )


def received(shell: Shell, command_id: str, batch: Batch) -> str:
    """Answer a Receive; the last answer of a command carries its state Done, those of a pool carry no state."""
    target = f' CommandId="{command_id}"' if command_id else ""
    streams = "".join(
        f'<rsp:Stream Name="{name}"{target}>{base64.b64encode(data).decode()}</rsp:Stream>'
        for name, data in batch.items
    )
    state = ""
    if command_id and batch.exit_code is not None:
        if isinstance(shell, CmdShell):
            streams += "".join(
                f'<rsp:Stream Name="{name}"{target} End="true"></rsp:Stream>' for name in shell.output_streams.split()
            )
        state = (
            f'<rsp:CommandState CommandId="{command_id}" State="{_COMMAND_STATE}/Done">'
            f"<rsp:ExitCode>{batch.exit_code}</rsp:ExitCode></rsp:CommandState>"
        )
    elif command_id:
        state = (
            f'<rsp:CommandState CommandId="{command_id}" State="{_COMMAND_STATE}/{shell.running_state}">'
            "</rsp:CommandState>"
        )
    return f"<rsp:ReceiveResponse>{streams}{state}</rsp:ReceiveResponse>"


def commands(shell: Shell) -> list[str]:
    """Return the rsp:Command elements of a shell."""
    return [
        f'<rsp:Command xmlns:rsp="{names.SHELL}"><rsp:CommandId>{command_id}</rsp:CommandId>'
        f"<rsp:State>{'Done' if outbox.exit_code is not None else 'Running'}</rsp:State></rsp:Command>"
        for command_id, outbox in shell.commands.items()
    ]


def enumeration(items: Iterable[str]) -> str:
    """Answer an Enumerate with everything at once."""
    text = "".join(items)
    wrapped = f"<w:Items>{text}</w:Items>" if text else ""
    return (
        f'<n:EnumerateResponse xmlns:n="{names.ENUMERATION}"><n:EnumerationContext></n:EnumerationContext>'
        f"{wrapped}<w:EndOfSequence></w:EndOfSequence></n:EnumerateResponse>"
    )


def identify() -> bytes:
    """Answer an Identify, which needs no log-in."""
    return (
        f'<s:Envelope xmlns:s="{names.SOAP}"><s:Header></s:Header><s:Body>'
        f'<wsmid:IdentifyResponse xmlns:wsmid="{names.IDENTITY}">'
        f"<wsmid:ProtocolVersion>{names.WSMAN}</wsmid:ProtocolVersion>"
        "<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
        "<wsmid:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0</wsmid:ProductVersion>"
        "</wsmid:IdentifyResponse></s:Body></s:Envelope>"
    ).encode()
