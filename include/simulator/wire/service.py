"""The WinRM service of one machine: carries out WS-Management actions on its shells."""

from __future__ import annotations

import asyncio
import base64
import logging
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from include.simulator.host import PowerShellHost, Session
from include.simulator.wire import configuration, faults, names, quota_faults, resources, shell_faults, soap
from include.simulator.wire.auth import Identity
from include.simulator.wire.dialect import Dialect
from include.simulator.wire.names import tag
from include.simulator.wire.options import EndpointOptions
from include.simulator.wire.outbox import Batch, Outbox
from include.simulator.wire.psrp import PsrpShell
from include.simulator.wire.shells import Shell, ShellOpener, ShellRequest, ShellTable
from include.simulator.wire.winrs import CmdShell

log = logging.getLogger(__name__)

#: The smallest MaxEnvelopeSize of a client that the service accepts (DSP0226, R13.1-2).
_LEAST_ENVELOPE_BYTES: Final = 8192
#: What an envelope holds beside the streams, and how much Base64 adds to those.
_ENVELOPE_OVERHEAD: Final = 2048
_COMMAND_ENUMERATION: Final = f"{names.SHELL}/Command"


@dataclass(frozen=True, slots=True)
class Caller:
    """The client behind a request; ``gone`` tells whether it has closed the connection meanwhile."""

    identity: Identity
    address: str
    gone: Callable[[], bool]

    @property
    def user(self) -> str:
        """The account as Windows prints it."""
        return self.identity.account.principal


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; ``undelivered`` is called when the answer could not be written, ``lost`` when it is gone for good."""

    status: int
    body: bytes
    undelivered: Callable[[], None] = field(default=lambda: None)
    lost: Callable[[], None] = field(default=lambda: None)


class WsmanService:
    """Carries out requests; knows nothing of HTTP, log-ins or encryption."""

    def __init__(self, host: PowerShellHost, options: EndpointOptions) -> None:
        self.host = host
        self.options = options
        self.quotas = options.quotas
        self.shells = ShellTable(options.quotas)
        names_allowed = options.configurations
        self._configurations = names_allowed and frozenset(name.lower() for name in names_allowed)
        self._actions = {
            "Create": self._create,
            "Delete": self._delete,
            "Command": self._command,
            "Send": self._send,
            "Signal": self._signal,
            "Get": self._get,
            "Enumerate": self._enumerate,
            "Disconnect": self._disconnect,
            "Reconnect": self._reconnect,
            "Connect": self._connect,
        }

    async def handle(self, request: soap.SoapRequest, caller: Caller) -> Answer:
        """Carry out one request; raises ConnectionResetError when the client went away while waiting."""
        try:
            seconds = request.wait_seconds
            if seconds is None:
                raise faults.invalid_header(request.operation_timeout)
            if request.envelope_bytes is not None and request.envelope_bytes < _LEAST_ENVELOPE_BYTES:
                raise quota_faults.envelope_too_small()
            if request.verb == "Receive":
                return await self._receive(request, caller, seconds)
            action = self._actions.get(request.verb)
            if action is None:
                raise faults.unsupported(request.action)
            return Answer(200, self._wrap(request, action(request, caller)))
        except faults.WsmanFault as fault:
            return self._fault(request, fault)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception("%s: %s failed inside the simulator", self.host.name, request.verb)
            failure = faults.internal(f"The simulated machine failed: {type(error).__name__}: {error} ")
            return self._fault(request, failure)

    def refuse_for_quota(self, request: soap.SoapRequest, quota: str) -> Answer:
        """Answer as if the named quota (shells, commands or operations) were used up."""
        if quota == "shells":
            fault = quota_faults.too_many_shells(self.quotas.shells_per_user)
        elif quota == "commands":
            fault = quota_faults.too_many_commands()
        else:
            fault = quota_faults.too_many_operations(self.quotas.operations_per_user)
        return self._fault(request, fault)

    @property
    def _dialect(self) -> Dialect:
        return Dialect.of(self.options.windows_build())

    def _fault(self, request: soap.SoapRequest, fault: faults.WsmanFault) -> Answer:
        activity_id = self._dialect.activity_id
        return Answer(500, fault.encode(request.message_id, request.machine, activity_id=activity_id))

    def _wrap(self, request: soap.SoapRequest, body: str) -> bytes:
        action = f"{request.action}Response"
        return soap.envelope(action, request.message_id, body, activity_id=self._dialect.activity_id)

    def _create(self, request: soap.SoapRequest, caller: Caller) -> str:
        element = request.body.find(tag(names.SHELL, "Shell"))
        if element is None:
            raise faults.internal("The request creates nothing that the service knows. ")
        self.shells.check_quota(caller.user)
        configuration_name = self._configuration(request.resource_uri)
        idle = self._idle_seconds(element)
        shell_request = ShellRequest(
            shell_id=(element.attrib.get("ShellId") or soap.new_id()).upper(),
            resource_uri=request.resource_uri,
            idle_seconds=self.quotas.idle_seconds if idle is None else idle,
            creation=element,
            windows_build=self.options.windows_build(),
            session_id=request.session_id,
        )
        session = Session(
            user=caller.user,
            authentication=caller.identity.authentication,
            configuration_name=configuration_name,
            client_address=caller.address,
            delegated=caller.identity.delegated,
            working_directory=element.findtext(tag(names.SHELL, "WorkingDirectory")) or "",
            environment={
                each.attrib.get("Name", ""): each.text or "" for each in element.iter(tag(names.SHELL, "Variable"))
            },
        )
        opener: ShellOpener = PsrpShell if request.resource_uri.startswith(names.POWERSHELL_PREFIX) else CmdShell
        shell = opener(self.host, session, shell_request)
        self.shells.add(shell)
        return resources.created(request, shell)

    def _idle_seconds(self, element: ET.Element | None) -> float | None:
        """Return the IdleTimeOut that a Create or Disconnect asks for."""
        text = element.findtext(tag(names.SHELL, "IdleTimeOut")) if element is not None else None
        seconds = soap.parse_duration(text or "")
        least, most = self.quotas.least_idle_seconds, self.quotas.most_idle_seconds
        if seconds is not None and not least <= seconds <= most:
            raise shell_faults.idle_out_of_bounds(seconds, least, most)
        return seconds

    def _connected_shell(self, request: soap.SoapRequest, caller: Caller) -> Shell:
        shell = self.shells.get(request, caller.user)
        shell.require_client(request.session_id)
        return shell

    def _configuration(self, resource_uri: str) -> str:
        if resource_uri.startswith(names.POWERSHELL_PREFIX):
            name = resource_uri.removeprefix(names.POWERSHELL_PREFIX).split("?")[0]
            if self._configurations is not None and name.lower() not in self._configurations:
                raise faults.resource_not_found(resource_uri)
            return name
        if resource_uri.split("?")[0] != names.CMD_SHELL:
            raise faults.resource_not_found(resource_uri)
        return ""

    def _delete(self, request: soap.SoapRequest, caller: Caller) -> str:
        self.shells.remove(self.shells.get(request, caller.user))
        return ""

    def _command(self, request: soap.SoapRequest, caller: Caller) -> str:
        shell = self._connected_shell(request, caller)
        element = request.body.find(tag(names.SHELL, "CommandLine"))
        if element is None:
            raise faults.internal("The request has no CommandLine. ")
        if len(shell.commands) >= self.quotas.commands_per_shell:
            raise quota_faults.too_many_commands()
        self.shells.check_operations(caller.user)
        arguments = [part.text or "" for part in element.findall(tag(names.SHELL, "Arguments"))]
        line = element.findtext(tag(names.SHELL, "Command")) or ""
        without_cmd = request.options.get("WINRS_SKIP_CMD_SHELL", "").lower() == "true"
        if isinstance(shell, CmdShell) and without_cmd and "\\" not in line:
            # Nothing searches the path then.
            raise faults.program_not_found()
        command_id = shell.command((element.attrib.get("CommandId") or "").upper() or None, line, arguments)
        return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"

    def _send(self, request: soap.SoapRequest, caller: Caller) -> str:
        shell = self._connected_shell(request, caller)
        for stream in request.body.iter(tag(names.SHELL, "Stream")):
            command_id = (stream.attrib.get("CommandId") or "").upper()
            shell.send(command_id or None, base64.b64decode(stream.text or ""))
        return "<rsp:SendResponse></rsp:SendResponse>"

    def _signal(self, request: soap.SoapRequest, caller: Caller) -> str:
        shell = self._connected_shell(request, caller)
        element = request.body.find(tag(names.SHELL, "Signal"))
        if element is None:
            raise faults.internal("The request has no Signal. ")
        shell.signal((element.attrib.get("CommandId") or "").upper(), element.findtext(tag(names.SHELL, "Code")) or "")
        return "<rsp:SignalResponse></rsp:SignalResponse>"

    def _get(self, request: soap.SoapRequest, caller: Caller) -> str:
        if request.resource_uri == names.WSMAN_CONFIG:
            return configuration.describe(self.options)
        return self.shells.get(request, caller.user).describe(usage=True)

    def _enumerate(self, request: soap.SoapRequest, caller: Caller) -> str:
        self.shells.expire()
        if request.resource_uri == _COMMAND_ENUMERATION:
            shell_id = next((part.text or "" for part in request.body.iter(tag(names.WSMAN, "Selector"))), "")
            shell = self.shells.find(shell_id)
            return resources.enumeration(resources.commands(shell) if shell else [])
        return resources.enumeration([shell.describe(usage=True) for shell in self.shells])

    def _disconnect(self, request: soap.SoapRequest, caller: Caller) -> str:
        shell = self.shells.get(request, caller.user)
        shell.disconnect(self._idle_seconds(request.body.find(tag(names.SHELL, "Disconnect"))))
        return ""

    def _reconnect(self, request: soap.SoapRequest, caller: Caller) -> str:
        shell = self.shells.get(request, caller.user)
        if shell.connected:
            raise shell_faults.not_disconnected()
        shell.reconnect(request.session_id)
        return ""

    def _connect(self, request: soap.SoapRequest, caller: Caller) -> str:
        shell = self.shells.get(request, caller.user)
        element = request.body.find(tag(names.SHELL, "Connect"))
        command_id = (element.attrib.get("CommandId") or "").upper() if element is not None else ""
        if command_id:
            shell.require_client(request.session_id)
            shell.find(command_id)
            return "<rsp:ConnectResponse></rsp:ConnectResponse>"
        if not shell.disconnectable:
            raise shell_faults.not_disconnectable()
        if shell.connected:
            raise shell_faults.connected_elsewhere()
        text = element.findtext(tag(names.POWERSHELL, "connectXml")) if element is not None else None
        opening = shell.connect(base64.b64decode(text or ""))
        shell.reconnect(request.session_id)
        return resources.connected(shell, opening)

    async def _receive(self, request: soap.SoapRequest, caller: Caller, seconds: float) -> Answer:
        shell = self._connected_shell(request, caller)
        wanted = request.body.find(f"{tag(names.SHELL, 'Receive')}/{tag(names.SHELL, 'DesiredStream')}")
        command_id = (wanted.attrib.get("CommandId") or "").upper() if wanted is not None else ""
        if not command_id and isinstance(shell, CmdShell):
            raise faults.cmd_needs_command_id()
        outbox = shell.find(command_id) if command_id else shell.outbox
        repeated = outbox.repeated(request.message_id)
        if repeated is not None:
            return Answer(200, self._wrap(request, repeated))
        envelope = request.envelope_bytes or self.quotas.max_envelope_kb * 1024
        size = (min(envelope, self.quotas.max_envelope_kb * 1024) - _ENVELOPE_OVERHEAD) * 3 // 4
        batch = await self._wait(shell, outbox, command_id, seconds, size, caller)
        body = resources.received(shell, command_id, batch)
        outbox.remember(request.message_id, body)
        return Answer(200, self._wrap(request, body), lambda: outbox.put_back(batch), outbox.forget_answer)

    async def _wait(
        self, shell: Shell, outbox: Outbox, command_id: str, seconds: float, size: int, caller: Caller
    ) -> Batch:
        self.shells.check_operations(caller.user)
        shell.waiting += 1
        shell.count(1)
        try:
            return await outbox.take(seconds, caller.gone, limit=shell.receive_limit(command_id), size=size)
        finally:
            shell.waiting -= 1
            shell.count(-1)
            shell.touched = time.monotonic()
