"""Drives a simulated cluster in-process: a Shell per machine over PowerShellHost.invoke, on a virtual clock, without a network."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from include.hci.powershell.command import Command, Pipeline, as_pipeline
from include.hci.powershell.detached import SETTLE
from include.hci.powershell.errors import (
    AuthenticationRefused,
    ChangeDeadlineExceeded,
    ConnectionLost,
    DeadlineExceeded,
    EndpointRefused,
    NodeUnreachable,
    OutcomeUnknown,
    RemotingError,
    command_failed,
)
from include.hci.powershell.records import Message, Stream
from include.hci.powershell.result import Result
from include.hci.powershell.shell import OnProgress
from include.simulator.cluster import DEFAULT_START, SimulatedCluster, make_cluster
from include.simulator.cmdlets.runtime import MachineWentDownError, SimulatedHost
from include.simulator.host import Session
from include.simulator.objects import SimError, TerminatingError
from include.simulator.stepping import SteppedClock, Stepper
from include.simulator.world.spec import WorldSpec
from tests.hci.steps.simulated_answers import answers_of, call_of, record_of
from tests.hci.steps.simulated_wire import Wire

DEFAULT_TIMEOUT = timedelta(minutes=5)
#: How long a client waits for the rest of an answer before it takes the connection for dead.
READ_TIMEOUT = timedelta(minutes=1)


class Simulation:
    """A simulated cluster and the clock that it lives by; commands run in the calling thread, one after another."""

    def __init__(self, spec: WorldSpec, seed: int, start: datetime = DEFAULT_START) -> None:
        self.clock = SteppedClock(start)
        self.cluster: SimulatedCluster = make_cluster(spec, self.clock, seed=seed)
        self.wires = {name: Wire() for name in self.cluster.hosts}
        #: What runs in sessions that nobody is connected to, by machine and session.
        self.left: dict[tuple[str, UUID], Stepper] = {}
        self.commands: list[tuple[str, Pipeline]] = []
        self.before_command: Callable[[str, Pipeline], None] = lambda node, pipeline: None
        self.after_command: Callable[[str, Pipeline], None] = lambda node, pipeline: None
        self.cluster.world.on_wire_fault(self._wire_fault)

    def now(self) -> datetime:
        return self.clock.now()

    def sleep(self, duration: timedelta) -> None:
        """Let time pass."""
        if duration:
            self.clock.advance(self.now() + duration)
        self.cluster.world.advance()
        for stepper in self.left.values():
            with suppress(TerminatingError, MachineWentDownError):
                stepper.step(self.now())

    def shell(self, name: str, configuration: str = "") -> SimulatedShell:
        return SimulatedShell(self, self.cluster.hosts[name], configuration=configuration)

    def finish(self, work: Coroutine[Any, Any, None], wire: Wire, until: datetime) -> str:
        """Run ``work`` and let time pass meanwhile; return 'done', 'reset' or 'late'."""
        clock, world = self.clock, self.cluster.world
        stepper, resets, cut = Stepper(work), wire.resets, wire.longest(clock.now())
        while not stepper.step(clock.now()):
            now = clock.now()
            if wire.resets != resets or (cut is not None and now >= cut) or now >= until:
                stepper.stop()
                return "late" if wire.resets == resets and now >= until else "reset"
            due = [until, *filter(None, (stepper.pause and stepper.pause.until, world.next_event(), cut))]
            clock.advance(max(min(due), now))
            world.advance()
        return "done"

    def _wire_fault(self, machine: str, kind: str, arguments: Mapping[str, object]) -> None:
        for name in self.wires if kind == "rotate-credentials" else (machine,):
            self.wires[name].fault(kind, arguments)


@dataclass
class CollectingSink:
    """Keeps what a pipeline gave."""

    values: list[object] = field(default_factory=list)
    errors: list[SimError] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)
    warnings: list[Message] = field(default_factory=list)

    def output(self, value: object) -> None:
        self.values.append(value)

    def error(self, record: SimError) -> None:
        self.errors.append(record)

    def warning(self, message: str) -> None:
        self.warnings.append(Message(Stream.WARNING, message))

    def verbose(self, message: str) -> None:
        pass

    def debug(self, message: str) -> None:
        pass

    def information(self, message: str, source: str = "") -> None:
        self.said.append(Message("information", message, source))

    def progress(self, activity: str, status: str, percent: int = -1, **more: object) -> None:
        pass


@dataclass(frozen=True)
class SimulatedShell:
    """A Shell on one simulated machine; ``delegated``: its session carries the credentials on, ``by_credssp``: in this way."""

    simulation: Simulation
    host: SimulatedHost
    delegated: bool = False
    by_credssp: bool = False
    configuration: str = ""

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
        until = simulation.now() + (timeout or DEFAULT_TIMEOUT)
        strike = self._open(whole, wire, until)
        sink = CollectingSink()
        session = Session("CORP\\hci-update", "Negotiate", self.configuration, "10.0.0.9", delegated=self.delegated)
        work = self.host.invoke(session, (tuple(map(call_of, whole)),), sink)  # type: ignore[arg-type]
        failure: TerminatingError | None = None
        try:
            how = simulation.finish(work, wire, until)
        except MachineWentDownError:
            raise _cut(whole, name, "the connection broke") from None
        except TerminatingError as error:
            how, failure = "done", error
        if how == "done" and (strike == "half" or wire.silent):
            simulation.sleep(max(min(until - simulation.now(), READ_TIMEOUT), timedelta(0)))
            raise _cut(whole, name, "nothing more came")
        if how == "late":
            late = ChangeDeadlineExceeded if whole.is_change else DeadlineExceeded
            raise late("it took too long", node=name, command=whole.describe())
        if how == "reset" or strike == "after":
            raise _cut(whole, name, "the connection was reset")
        if failure is not None:
            raise command_failed([record_of(failure.record)], node=name, command=whole.describe())
        simulation.after_command(name, whole)
        source = whole.describe()
        errors = tuple(map(record_of, sink.errors))
        answers = answers_of(sink.values, source, name)
        said = {"information": tuple(sink.said), "warnings": tuple(sink.warnings)}
        return Result(answers, errors, **said, node=name, command=source)

    def leave(
        self, pipeline: Command | Pipeline, session: UUID, *, lasts: timedelta, settle: timedelta = SETTLE
    ) -> None:
        whole = as_pipeline(pipeline)
        simulation, name = self.simulation, self.host.name
        simulation.commands.append((name, whole))
        simulation.before_command(name, whole)
        simulation.sleep(timedelta(seconds=1))
        strike = self._open(whole, simulation.wires[name], simulation.now() + settle)
        caller = Session("CORP\\hci-update", "CredSSP", "", "10.0.0.9", delegated=self.delegated)
        work = self.host.invoke(caller, (tuple(map(call_of, whole)),), CollectingSink())  # type: ignore[arg-type]
        stepper = simulation.left[name, session] = Stepper(work)
        try:
            stepper.step(simulation.now())
        except TerminatingError as error:
            del simulation.left[name, session]
            raise command_failed([record_of(error.record)], node=name, command=whole.describe()) from None
        if strike:
            raise OutcomeUnknown("the connection was reset", node=name, command=whole.describe())
        simulation.sleep(settle)
        simulation.after_command(name, whole)

    def end_session(self, session: UUID) -> None:
        if not self.host.machine.up or self.simulation.wires[self.host.name].refused:
            raise NodeUnreachable("connection refused", node=self.host.name)
        if (stepper := self.simulation.left.pop((self.host.name, session), None)) is not None:
            stepper.stop()

    def _open(self, pipeline: Pipeline, wire: Wire, until: datetime) -> str:
        """Raise what keeps the pipeline from the machine; return how it is struck later on."""
        simulation, name, command = self.simulation, self.host.name, pipeline.describe()
        if not simulation.cluster.world.services.reachable(self.host.machine) or wire.refused:
            simulation.sleep(timedelta(seconds=5))
            raise NodeUnreachable("connection refused", node=name, command=command)
        if wire.silent:
            simulation.sleep(until - simulation.now())
            raise NodeUnreachable("no answer", node=name, command=command)
        if wire.rotated or (self.by_credssp and not self.host.machine.credssp):
            raise AuthenticationRefused("the user name or the password is wrong", node=name, command=command)
        strike = wire.strike()
        if strike == "quota":
            detail = "the user has opened as many shells as he may"
            raise EndpointRefused(detail, retry_safe=True, node=name, command=command)
        if strike == "before":
            raise _cut(pipeline, name, "the connection was reset")
        return strike


def _cut(pipeline: Pipeline, node: str, detail: str) -> RemotingError:
    kind = OutcomeUnknown if pipeline.is_change else ConnectionLost
    return kind(detail, node=node, command=pipeline.describe())
