"""Drives a simulated cluster in-process: a Shell per machine over PowerShellHost.invoke, on a virtual clock, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from include.hci.powershell.command import Command, Pipeline, as_pipeline
from include.hci.powershell.errors import (
    ChangeDeadlineExceeded,
    ConnectionLost,
    DeadlineExceeded,
    NodeUnreachable,
    OutcomeUnknown,
    RemotingError,
    command_failed,
)
from include.hci.powershell.psobject import Answer, EnumValue, PSObject
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.result import Result
from include.hci.powershell.shell import OnProgress
from include.hci.powershell.values import SWITCH
from include.simulator.clock import VirtualClock
from include.simulator.cluster import DEFAULT_START, SimulatedCluster, make_cluster
from include.simulator.cmdlets.runtime import MachineWentDownError, SimulatedHost
from include.simulator.host import Argument, CommandCall, Session
from include.simulator.objects import SimEnum, SimError, SimObject, TerminatingError
from include.simulator.world.spec import WorldSpec

DEFAULT_TIMEOUT = timedelta(minutes=5)
_STEP = timedelta(seconds=30)


@dataclass
class WireState:
    """What is wrong with the connection to one machine."""

    refused_until: datetime | None = None
    silent_until: datetime | None = None
    slow: timedelta = timedelta(0)
    resets: int = 0


class Simulation:
    """A simulated cluster, its clock and the loop that both live in."""

    def __init__(self, spec: WorldSpec, seed: int, start: datetime = DEFAULT_START) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock(start)
        self.cluster: SimulatedCluster = make_cluster(spec, self.clock, seed=seed)
        self.wires: dict[str, WireState] = {name: WireState() for name in self.cluster.hosts}
        self.commands: list[tuple[str, Pipeline]] = []
        self.before_command: Callable[[str, Pipeline], None] = lambda node, pipeline: None
        self.after_command: Callable[[str, Pipeline], None] = lambda node, pipeline: None
        self.cluster.world.on_wire_fault(self._wire_fault)

    def now(self) -> datetime:
        return self.clock.now()

    def sleep(self, duration: timedelta) -> None:
        """Let time pass."""
        self.loop.run_until_complete(self._advance_to(self.now() + duration))

    def shell(self, name: str) -> SimulatedShell:
        return SimulatedShell(self, self.cluster.hosts[name])

    def close(self) -> None:
        self.cluster.snapshot("world")
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    async def _settle(self) -> None:
        for _ in range(6):
            await asyncio.sleep(0)

    async def _advance_to(self, until: datetime) -> None:
        while True:
            await self._settle()
            due = [moment for moment in (self.clock.next_wake(), self.cluster.world.next_event()) if moment is not None]
            moment = min([until, *(max(item, self.now()) for item in due)])
            self.clock.advance(moment)
            self.cluster.world.advance()
            await self._settle()
            if moment >= until:
                return

    async def finish(self, work: Coroutine[Any, Any, None], wire: WireState, until: datetime) -> str:
        """Run ``work`` and let time pass meanwhile; return 'done', 'reset' or 'late'."""
        task = self.loop.create_task(work)
        resets = wire.resets
        while True:
            await self._settle()
            if task.done():
                task.result()
                return "done"
            if wire.resets != resets:
                task.cancel()
                return "reset"
            if self.now() >= until:
                task.cancel()
                return "late"
            due = [moment for moment in (self.clock.next_wake(), self.cluster.world.next_event()) if moment is not None]
            self.clock.advance(min([until, self.now() + _STEP, *(max(item, self.now()) for item in due)]))
            self.cluster.world.advance()

    def _wire_fault(self, machine: str, kind: str, arguments: Mapping[str, object]) -> None:
        wire = self.wires[machine]
        until = self.cluster.world.now + timedelta(minutes=float(str(arguments.get("minutes", 10))))
        match kind:
            case "reset":
                wire.resets += 1
            case "refuse":
                wire.refused_until, wire.resets = until, wire.resets + 1
            case "silence":
                wire.silent_until = until
            case "slow":
                wire.slow = timedelta(seconds=float(str(arguments.get("seconds", 2))))
            case "heal":
                self.wires[machine] = WireState(resets=wire.resets)


@dataclass
class CollectingSink:
    """Keeps what a pipeline gave."""

    values: list[object] = field(default_factory=list)
    errors: list[SimError] = field(default_factory=list)

    def output(self, value: object) -> None:
        self.values.append(value)

    def error(self, record: SimError) -> None:
        self.errors.append(record)

    def warning(self, message: str) -> None:
        pass

    def verbose(self, message: str) -> None:
        pass

    def debug(self, message: str) -> None:
        pass

    def information(self, message: str, source: str = "") -> None:
        pass

    def progress(self, activity: str, status: str, percent: int = -1, **more: object) -> None:
        pass


@dataclass(frozen=True)
class SimulatedShell:
    """A Shell on one simulated machine."""

    simulation: Simulation
    host: SimulatedHost

    def run(
        self,
        pipeline: Command | Pipeline,
        *,
        timeout: timedelta | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        whole = as_pipeline(pipeline)
        simulation, name = self.simulation, self.host.name
        wire = simulation.wires[name]
        simulation.commands.append((name, whole))
        simulation.before_command(name, whole)
        simulation.sleep(wire.slow + timedelta(milliseconds=200))
        if not self.host.machine.up or _lasts(wire.refused_until, simulation.now()):
            simulation.sleep(timedelta(seconds=5))
            raise NodeUnreachable("connection refused", node=name, command=whole.describe())
        until = simulation.now() + (timeout or DEFAULT_TIMEOUT)
        if _lasts(wire.silent_until, simulation.now()):
            simulation.sleep(until - simulation.now())
            raise NodeUnreachable("no answer", node=name, command=whole.describe())
        sink = CollectingSink()
        session = Session("CORP\\hci-update", "Negotiate", "", "10.0.0.9")
        work = self.host.invoke(session, (tuple(map(_call, whole)),), sink)  # type: ignore[arg-type]
        try:
            how = simulation.loop.run_until_complete(simulation.finish(work, wire, until))
        except MachineWentDownError:
            raise _cut(whole, name, "the connection broke") from None
        except TerminatingError as error:
            raise command_failed([_record(error.record)], node=name, command=whole.describe()) from None
        if how == "late":
            late = ChangeDeadlineExceeded if whole.is_change else DeadlineExceeded
            raise late("it took too long", node=name, command=whole.describe())
        if how == "reset" or _lasts(wire.silent_until, simulation.now()):
            raise _cut(whole, name, "the connection was reset")
        simulation.after_command(name, whole)
        output = tuple(_answer(value, whole, name, 1) for value in sink.values)
        return Result(output, tuple(map(_record, sink.errors)), node=name, command=whole.describe())


def start(spec: WorldSpec, seed: int = 0) -> Simulation:
    return Simulation(spec, seed)


def _lasts(until: datetime | None, now: datetime) -> bool:
    return until is not None and now < until


def _cut(pipeline: Pipeline, node: str, detail: str) -> RemotingError:
    kind = OutcomeUnknown if pipeline.is_change else ConnectionLost
    return kind(detail, node=node, command=pipeline.describe())


def _call(command: Command) -> CommandCall:
    arguments = tuple(
        Argument(name, None if value is SWITCH else _plain(value)) for name, value in command.parameters.items()
    )
    return CommandCall(command.name, arguments)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _answer(value: object, pipeline: Pipeline, node: str, depth: int) -> Answer:
    match value:
        case SimObject():
            # As remoting serialises: objects inside a property are text, CIM instances are whole wherever they are.
            depth = max(depth, 1) if _is_cim_instance(value) else depth
            if depth <= 0:
                return value.to_string or (value.type_names[0] if value.type_names else "")
            members = {**value.properties, **value.notes}
            properties = {name: _answer(item, pipeline, node, depth - 1) for name, item in members.items()}
            return PSObject(value.type_names, value.to_string, properties, pipeline.describe(), node)
        case SimEnum():
            return EnumValue(value.value, value.name, value.type_name)
        case list() | tuple():
            return tuple(_answer(item, pipeline, node, depth) for item in value)
        case dict():
            return {key: _answer(item, pipeline, node, depth) for key, item in value.items()}
        case None | bool() | float() | datetime() | timedelta() | UUID() | bytes():
            return value
        case int():
            return int(value)
    return str(value)


def _is_cim_instance(value: SimObject) -> bool:
    return bool(value.type_names) and value.type_names[0].startswith("Microsoft.Management.Infrastructure.CimInstance")


def _record(record: SimError) -> ErrorRecord:
    return ErrorRecord(
        message=record.message,
        fully_qualified_error_id=record.fully_qualified_error_id,
        category=record.category,
        reason=record.reason,
        target=record.target or "",
        exception_types=record.exception_types,
        hresult=record.hresult & 0xFFFFFFFF,
        native_code=record.native_error_code,
        command=record.activity,
    )
