"""A machine with a few commands and a server in a thread of its own, for clients that block."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from include.simulator.cmdlets.binder_common import CommonParameters
from include.simulator.cmdlets.runtime_sink import CommandSink
from include.simulator.host import ByteSink, CommandCall, Session, Sink, Statement
from include.simulator.host_interaction import CommandDescription, ForwardedEvent, ParameterDescription, interactive
from include.simulator.objects import (
    Byte,
    Int64,
    SecureString,
    SimEnum,
    SimError,
    SimObject,
    TerminatingError,
    UInt16,
    UInt32,
    UInt64,
    Version,
)
from include.simulator.wire import Account, Endpoint, EndpointOptions, WsmanServer

T = TypeVar("T")

USER, PASSWORD = "svc", "Passw0rd! é"
NODE_STATE = "Microsoft.FailoverClusters.PowerShell.ClusterNodeState"
RUNTIME_EXCEPTION = "System.Management.Automation.RuntimeException"


def node(name: str) -> SimObject:
    names = ("Microsoft.FailoverClusters.PowerShell.ClusterNode", "System.Object")
    inner = SimObject(("Microsoft.FailoverClusters.PowerShell.Cluster", "System.Object"), {"Id": "1"}, to_string="C1")
    return SimObject(
        names,
        {"Cluster": inner, "Name": name, "State": SimEnum(NODE_STATE, 0, "Up"), "NodeWeight": UInt32(1)},
        {"PSComputerName": "HCI01"},
        to_string=name,
    )


#: What is sent, and what pypsrp makes of it (None: looked at separately).
VALUES: list[tuple[object, object]] = [
    ("text é 中 \U0001d11e _x000A_ a_X\r\n\t end\x00", "text é 中 \U0001d11e _x000A_ a_X\r\n\t end\x00"),
    (True, True),
    (7, 7),
    (2**40, 2**40),
    (Byte(255), 255),
    (UInt16(65535), 65535),
    (UInt32(2**32 - 1), 2**32 - 1),
    (Int64(-5), -5),
    (UInt64(2**64 - 1), 2**64 - 1),
    (3.5, 3.5),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05Z"),
    (timedelta(days=1, seconds=5), "P1DT5S"),
    (uuid.UUID(int=5), uuid.UUID(int=5)),
    (b"\x00\xff", b"\x00\xff"),
    (Version("10.0.20348.2400"), "10.0.20348.2400"),
    (["a", "b"], ["a", "b"]),
    ((UInt16(2), UInt16(3)), [2, 3]),
    ({"a": 1, "b": {"c": [1, 2]}}, {"a": 1, "b": {"c": [1, 2]}}),
    (None, None),
]


class LabHost:
    """The machine; ``stopped`` holds what Ctrl+C ended, ``calls`` every command that reached it."""

    def __init__(self, name: str = "HCI01") -> None:
        self.name = name
        self.calls: list[CommandCall] = []
        self.stopped: list[str] = []
        self.input: object = None
        self.restart: Callable[[], None] = lambda: None

    async def invoke(self, session: Session, statements: tuple[Statement, ...], sink: Sink) -> None:
        self.input = session.variables.get("input")
        for statement in statements:
            collected: list[object] = []
            as_json = statement[-1].name == "ConvertTo-Json"
            for call in statement[:-1] if as_json and len(statement) > 1 else statement:
                self.calls.append(call)
                await self._run(session, call, sink, collected.append if as_json else sink.output)
            if as_json:
                sink.output(json.dumps(collected[0] if len(collected) == 1 else collected, default=str))

    async def _run(self, session: Session, call: CommandCall, sink: Sink, output: Any) -> None:
        if call.is_script:
            self._script(session, call, output)
            return
        values = {argument.name: argument.value for argument in call.arguments}
        if call.merges:
            everything = CommonParameters(verbose=True, debug=True)
            sink = CommandSink(sink, call.name, "Lab", everything, last=True, merges=call.merges)
        match call.name:
            case "Get-Values":
                for value, _ in VALUES:
                    output(value)
            case "Get-Node":
                for name in ("HCI01", "HCI02"):
                    output(node(name))
            case "Get-Echo":
                for value in values.values():
                    output(value)
            case "Get-Secret":
                output(SecureString("a secret é"))
            case "Get-Big":
                output("x" * int(str(values["Size"])))
            case "Get-Session":
                output(f"{session.user} {session.authentication} {session.delegated} {session.configuration_name}")
            case "Set-Note":
                session.variables["note"] = values["Value"]
            case "Get-Note":
                output(session.variables.get("note"))
            case "Wait-Here":
                await self._wait(float(str(values["Seconds"])), output)
            case "Write-Streams":
                self._streams(sink)
            case "Restart-Computer":
                self.restart()
                output("the answer is lost")
            case "Read-Choice":
                output(await self._choice())
            case "Write-Line":
                client = interactive.get()
                if client is not None:
                    client.tell("WriteLine2", values["Text"])
            case "Send-Event":
                session.forward(ForwardedEvent(1, "Lab", data=values["Data"]))
            case "Stop-Here":
                raise TerminatingError(failure("it broke", "Stop-Here"))
            case "Break-Simulator":
                raise ZeroDivisionError("an error of the simulator itself")
            case _:
                raise TerminatingError(not_found(call.name))

    async def _choice(self) -> object:
        client = interactive.get()
        if client is None:
            raise TerminatingError(failure("nobody can be asked", "Read-Choice"))
        choices = [SimObject((), {}, {"label": label, "helpMessage": ""}) for label in ("&Yes", "&No")]
        return await client.ask("PromptForChoice", "Confirm", "Are you sure?", choices, 0)

    def describe_commands(self, session: Session) -> list[CommandDescription]:
        node_name = ParameterDescription("Name", "System.String[]", ("NodeName",))
        return [
            CommandDescription("Get-Node", "Lab", "Cmdlet", (node_name,), ("Lab.Node",)),
            CommandDescription("Get-Echo", "Lab", "Function"),
        ]

    def _script(self, session: Session, call: CommandCall, output: Any) -> None:
        if session.configuration_name != "Microsoft.PowerShell":
            raise TerminatingError(SimError("The syntax is not supported by this runspace.", "ScriptsNotAllowed"))
        output(f"ran {call.name}")

    async def _wait(self, seconds: float, output: Any) -> None:
        try:
            output("waiting")
            await asyncio.sleep(seconds)
            output("waited")
        except asyncio.CancelledError:
            self.stopped.append("Wait-Here")
            raise

    def _streams(self, sink: Sink) -> None:
        sink.output("one")
        sink.warning("a warning")
        sink.verbose("a verbose message")
        sink.debug("a debug message")
        sink.information("some information", "Write-Streams")
        sink.progress("Draining", "Moving roles", 40, activity_id=3, current_operation="VM1", seconds_remaining=9)
        sink.error(failure("VM9 did not move", "Write-Streams", target="VM9"))
        sink.output("two")

    async def run_line(self, session: Session, line: str, stdout: ByteSink, stderr: ByteSink) -> int:
        word, _, rest = line.partition(" ")
        match word:
            case "echo":
                stdout(rest.encode() + b"\r\n")
                return 0
            case "both":
                stdout(b"out\r\n")
                stderr(b"err\r\n")
                return 3
            case "big":
                stdout(b"y" * int(rest))
                return 0
            case "wait":
                try:
                    await asyncio.sleep(float(rest))
                except asyncio.CancelledError:
                    self.stopped.append(line)
                    raise
                stdout(b"waited\r\n")
                return 0
        stderr(f"'{word}' is not recognized as an internal or external command,\r\n".encode())
        return 1


def failure(message: str, activity: str, target: str | None = None) -> SimError:
    return SimError(
        message,
        f"Failed,Lab.{activity}",
        category="OperationTimeout",
        exception_types=("Microsoft.FailoverClusters.PowerShell.ClusterCmdletException", "System.SystemException"),
        target=target,
        activity=activity,
        hresult=-2147019873,
        native_error_code=5023,
    )


def not_found(name: str) -> SimError:
    return SimError(
        f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program.",
        "CommandNotFoundException",
        category="ObjectNotFound",
        exception_types=(
            "System.Management.Automation.CommandNotFoundException",
            RUNTIME_EXCEPTION,
            "System.SystemException",
        ),
        target=name,
    )


class Lab:
    """A running server; the endpoint of ``machine()`` is fresh, the one called ``shared`` serves every test."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.host = LabHost()
        self.shared = Endpoint(self.host, http_port=0, https_port=0, options=EndpointOptions.lenient())
        self.server = WsmanServer([self.shared], [Account(USER, PASSWORD), Account("other", "0ther")])
        self.run(self.server.start())

    def run(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def machine(self, options: EndpointOptions | None = None) -> tuple[Endpoint, LabHost]:
        host = LabHost(f"M{len(self.server.endpoints)}")
        endpoint = Endpoint(host, http_port=0, https_port=0, options=options or EndpointOptions.lenient())
        self.run(self.server.add(endpoint))
        return endpoint, host

    def close(self) -> None:
        self.run(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()
