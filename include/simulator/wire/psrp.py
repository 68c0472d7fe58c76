"""A PowerShell session: psrpcore reads the client's messages, the answers are written here as Windows writes them."""

from __future__ import annotations

import asyncio
import base64
import logging
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import psrpcore
from psrpcore import types as ps

from include.simulator.host import PowerShellHost, Session
from include.simulator.host_interaction import ForwardedEvent
from include.simulator.objects import SimError, SimObject, TerminatingError, Version
from include.simulator.wire import faults, fragments, names, shell_faults
from include.simulator.wire.cim_metadata import ClassKey
from include.simulator.wire.clixml import FULL_DEPTH, Typed, Writer
from include.simulator.wire.host_calls import ClientHost, HostCalls
from include.simulator.wire.pipeline import PipelineRun
from include.simulator.wire.shells import Shell, ShellRequest, is_terminate
from include.simulator.wire.values import neutral

log = logging.getLogger(__name__)

Deliver = Callable[[uuid.UUID | None, bytes], None]

#: The wording is ours, the kind of error is that of PowerShell.
_NOTHING_TO_NEST_IN: Final = SimError(
    "A pipeline is not running. A nested pipeline cannot be run without one.",
    "InvalidOperation",
    category="InvalidOperation",
    exception_types=(
        "System.Management.Automation.PSInvalidOperationException",
        "System.InvalidOperationException",
        "System.SystemException",
    ),
)
_DICTIONARY_TYPES: Final = (
    "System.Management.Automation.PSPrimitiveDictionary",
    "System.Collections.Hashtable",
    "System.Object",
)
#: The capability and the private data make up the first answer of a session, its state the second.
_OPENING_PIECES: Final = 2


def _private_data(windows_build: str) -> SimObject:
    powershell = f"5.1.{windows_build}"
    table: dict[object, object] = {
        "PSVersion": Version(powershell),
        "PSEdition": "Desktop",
        "PSCompatibleVersions": tuple(Version(text) for text in ("1.0", "2.0", "3.0", "4.0", "5.0", powershell)),
        "CLRVersion": Version("4.0.30319.42000"),
        "BuildVersion": Version(f"10.0.{windows_build}"),
        "WSManStackVersion": Version("3.0"),
        "PSRemotingProtocolVersion": Version("2.3"),
        "SerializationVersion": Version("1.1.0.1"),
    }
    inner = Typed(_DICTIONARY_TYPES, table)
    return SimObject((), {}, {"ApplicationPrivateData": Typed(_DICTIONARY_TYPES, {"PSVersionTable": inner})})


class Pool(psrpcore.ServerRunspacePool):
    """psrpcore's server side with the message forms of Windows: byte order mark, one fragment a piece, TNRef."""

    def __init__(self, deliver: Deliver, windows_build: str) -> None:
        super().__init__()
        self.deliver = deliver
        self._windows_build = windows_build
        self._cim_classes: set[ClassKey] = set()

    def prepare_message(
        self,
        message: ps.PSObject | None,
        message_type: ps.PSRPMessageType | None = None,
        pipeline_id: uuid.UUID | None = None,
        stream_type: psrpcore.StreamType = psrpcore.StreamType.default,
    ) -> None:
        """Send a message of psrpcore's own."""
        if isinstance(message, ps.ApplicationPrivateData):
            self.emit(
                ps.PSRPMessageType.ApplicationPrivateData,
                _private_data(self._windows_build),
                pipeline_id,
                depth=FULL_DEPTH,
            )
            return
        if message is None:
            raise ValueError("The service sends no message without content.")
        element = ps.serialize(
            message, self._cipher, our_capability=self.our_capability, their_capability=self.their_capability
        )
        kind = message_type or ps.PSRPMessageType.get_message_id(type(message))
        self._send(kind, ET.tostring(element, encoding="utf-8"), pipeline_id)

    def emit(self, kind: ps.PSRPMessageType, value: object, pipeline_id: uuid.UUID | None, *, depth: int) -> None:
        """Send a neutral value."""
        writer = Writer(self._cipher.encrypt, classes=self._cim_classes)
        self._send(kind, writer.write(value, depth=depth).text(), pipeline_id)

    def _send(self, kind: ps.PSRPMessageType, text: bytes, pipeline_id: uuid.UUID | None) -> None:
        message = fragments.message(kind.value, text, self.runspace_pool_id, pipeline_id)
        for fragment in fragments.fragments(self._fragment_counter, message):
            self.deliver(pipeline_id, fragment)

    def take_over(self) -> None:
        """Answer a client that connects to this pool anew; psrpcore's own answer differs from that of Windows."""
        self.state = ps.RunspacePoolState.Opened
        self.prepare_message(self.our_capability)
        self.prepare_message(ps.RunspacePoolInitData(MinRunspaces=self.min_runspaces, MaxRunspaces=self.max_runspaces))
        self.prepare_message(ps.RunspacePoolStateMsg(RunspaceState=ps.RunspacePoolState.Opened.value))


class PsrpShell(Shell):
    """One runspace pool of a client."""

    input_streams = "stdin pr"
    output_streams = "stdout"
    running_state = "Pending"
    disconnectable = True

    def __init__(self, host: PowerShellHost, session: Session, request: ShellRequest) -> None:
        super().__init__(host, session, request)
        self.pool = Pool(self._deliver, request.windows_build)
        self.modules_prepared = False
        self._host_calls = HostCalls(self.pool.emit)
        self._opening = True
        self._runs: dict[str, PipelineRun] = {}
        self._runs_by_pipeline: dict[uuid.UUID, PipelineRun] = {}
        self._slot_free = asyncio.Event()
        session.forward = self.forward
        creation = request.creation.findtext(names.tag(names.POWERSHELL, "creationXml"))
        if creation:
            self._feed(base64.b64decode(creation))

    def _deliver(self, pipeline_id: uuid.UUID | None, fragment: bytes) -> None:
        if pipeline_id is None:
            self.outbox.push("stdout", fragment)
            return
        run = self._runs_by_pipeline.get(pipeline_id)
        if run is not None:
            run.outbox.push("stdout", fragment)

    def _feed(self, data: bytes) -> None:
        # Clients spell the call id both ways; psrpcore knows only one.
        payload = data.replace(b'N="CI"', b'N="ci"')
        try:
            self.pool.receive_data(psrpcore.PSRPPayload(payload, psrpcore.StreamType.default, None))
            while (event := self.pool.next_event()) is not None:
                self._on_event(event)
        except psrpcore.PSRPCoreError as error:
            raise faults.internal(f"The PowerShell session cannot read the message: {error} ") from error

    def _on_event(self, event: psrpcore.PSRPEvent[Any, Any]) -> None:
        run = self._runs_by_pipeline.get(event.pipeline_id) if event.pipeline_id else None
        if isinstance(event, psrpcore.CreatePipelineEvent) and run:
            run.task = self.spawn(self._execute(run, event.pipeline))
        elif isinstance(event, psrpcore.GetCommandMetadataEvent) and run:
            run.describe(event.pipeline)
        elif isinstance(event, psrpcore.PipelineInputEvent) and run:
            run.add_input(event.data)
        elif isinstance(event, psrpcore.EndOfPipelineInputEvent) and run:
            run.end_input()
        elif isinstance(event, psrpcore.PipelineHostResponseEvent):
            self._host_calls.answered(int(event.ci), neutral(event.result))
        elif isinstance(event, psrpcore.GetAvailableRunspacesEvent):
            busy = sum(run.running for run in self._runs.values())
            self.pool.runspace_availability_response(event.ci, max(0, self.pool.max_runspaces - busy))
        elif isinstance(event, psrpcore.SetMaxRunspacesEvent):
            self.pool.runspace_availability_response(event.ci, event.count >= max(1, self.pool.min_runspaces))
            self._slot_free.set()
        elif isinstance(event, psrpcore.SetMinRunspacesEvent):
            self.pool.runspace_availability_response(event.ci, 1 <= event.count <= self.pool.max_runspaces)
        elif isinstance(event, psrpcore.ResetRunspaceStateEvent):
            self.session.variables.clear()
            self.pool.runspace_availability_response(event.ci, True)

    async def _execute(self, run: PipelineRun, metadata: psrpcore.PowerShell) -> None:
        try:
            await run.execute(metadata, self._join_running if metadata.is_nested else self._wait_for_runspace)
        finally:
            self.pool.pipeline_table.pop(run.pipeline_id, None)
            self._slot_free.set()

    def client_host(self, wanted: ps.HostInfo, pipeline_id: uuid.UUID) -> ClientHost | None:
        """Return the host that the client offers for a pipeline, its own or that of the session, None when there is none."""
        offered = self.pool.host if wanted.UseRunspaceHost else wanted
        if offered is None or offered.IsHostNull or offered.IsHostUINull:
            return None
        return ClientHost(self._host_calls, pipeline_id)

    def forward(self, event: ForwardedEvent) -> None:
        """Send an engine event of the session to its client."""
        notes: dict[str, object] = {
            "PSEventArgs.EventIdentifier": event.identifier,
            "PSEventArgs.SourceIdentifier": event.source,
            "PSEventArgs.TimeGenerated": datetime.now(UTC),
            "PSEventArgs.Sender": event.sender,
            "PSEventArgs.SourceArgs": list(event.arguments),
            "PSEventArgs.MessageData": event.data,
            "PSEventArgs.ComputerName": self.host.name,
            "PSEventArgs.RunspaceId": self.pool.runspace_pool_id,
        }
        self.pool.emit(ps.PSRPMessageType.UserEvent, SimObject((), {}, notes), None, depth=FULL_DEPTH)

    async def _join_running(self) -> None:
        """A nested pipeline runs inside the running one, which therefore has to exist."""
        if not any(run.running for run in self._runs.values()):
            raise TerminatingError(_NOTHING_TO_NEST_IN)

    async def _wait_for_runspace(self) -> None:
        """A pool runs as many pipelines at a time as it has runspaces; the others wait."""
        while sum(run.running for run in self._runs.values()) >= max(1, self.pool.max_runspaces):
            self._slot_free.clear()
            await self._slot_free.wait()

    def command(self, command_id: str | None, line: str, arguments: list[str]) -> str:
        """Start a pipeline from its serialised form."""
        if command_id is None or not arguments:
            raise faults.internal("A PowerShell pipeline needs a CommandId and its creation fragment. ")
        if command_id in self.commands:
            raise shell_faults.command_id_taken()
        data = base64.b64decode(arguments[0])
        pipeline_id = fragments.pipeline_id_of(data)
        psrpcore.ServerPipeline(self.pool, pipeline_id)
        run = PipelineRun(self, pipeline_id)
        self.commands[command_id] = run.outbox
        self._runs[command_id] = run
        self._runs_by_pipeline[pipeline_id] = run
        self.count(1)
        self._feed(data)
        return command_id

    def send(self, command_id: str | None, data: bytes) -> None:
        """Take messages of the client for the pool or a pipeline."""
        if command_id:
            self.find(command_id)
        self._feed(data)

    def signal(self, command_id: str, code: str) -> None:
        """Ctrl+C stops the pipeline; terminate also forgets it, after which its id may be used again."""
        forget = is_terminate(code)
        outbox = self.find(command_id)
        run = self._runs[command_id]
        if run.task:
            run.task.cancel()
        if forget:
            del self.commands[command_id], self._runs[command_id]
            self._runs_by_pipeline.pop(run.pipeline_id, None)
            self.pool.pipeline_table.pop(run.pipeline_id, None)
            self.count(-1)
            outbox.close(faults.aborted())

    def receive_limit(self, command_id: str) -> int | None:
        """Split the opening answers as Windows does."""
        if command_id or not self._opening:
            return None
        self._opening = False
        return _OPENING_PIECES

    def connect(self, data: bytes) -> bytes:
        """Answer a client that takes the pool over: capability and limits now, the state with its next Receive."""
        self.outbox.discard()
        taken: list[bytes] = []
        deliver, self.pool.deliver = self.pool.deliver, lambda _, fragment: taken.append(fragment)
        try:
            self.pool.take_over()
        finally:
            self.pool.deliver = deliver
        for fragment in taken[_OPENING_PIECES:]:
            self.outbox.push("stdout", fragment)
        return b"".join(taken[:_OPENING_PIECES])
