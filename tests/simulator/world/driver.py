"""Drives a world in-process: simulated time moves from one event to the next, commands run without a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from include.simulator.clock import VirtualClock
from include.simulator.cmdlets import registry
from include.simulator.cmdlets.registry import Call
from include.simulator.host import Session
from include.simulator.objects import SimError, SimObject, TerminatingError
from include.simulator.world.machines import Node
from include.simulator.world.spec import WorldSpec, demo_world
from include.simulator.world.world import World

START = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
CAU = "root/Microsoft/Windows/ClusterUpdate"
QUERY = "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1"
FEATURE = "3689BDC8-B205-4AF4-8D4A-A63924C5E9D5"


@dataclass
class Event:
    at: datetime
    op: str
    node: str | None
    detail: Mapping[str, object]


class Recorder:
    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.events: list[Event] = []

    def event(self, op: str, node: str | None, detail: Mapping[str, object], actor: str = "world") -> None:
        self.events.append(Event(self.clock.now(), op, node, detail))


@dataclass
class Output:
    values: list[object] = field(default_factory=list)
    errors: list[SimError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def output(self, value: object) -> None:
        self.values.append(value)

    def error(self, record: SimError) -> None:
        self.errors.append(record)

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def verbose(self, message: str) -> None: ...

    def debug(self, message: str) -> None: ...

    def information(self, message: str, source: str = "") -> None: ...

    def progress(self, activity: str, status: str, percent: int = -1, **more: object) -> None: ...


Command = tuple[str, dict[str, object]]


def cmd(name: str, **parameters: object) -> Command:
    return name, parameters


class Lab:
    """A world, its recorder, and a way to run pipelines on its machines."""

    def __init__(self, spec: WorldSpec | None = None, *, nodes: int = 4, os: str = "21H2", seed: int = 1) -> None:
        self.clock = VirtualClock(START)
        self.recorder = Recorder(self.clock)
        self.world = World(spec or demo_world(nodes, os), self.clock, self.recorder, seed)
        self.session = Session("CORP\\operator", "negotiate", "Microsoft.PowerShell", "192.0.2.10")

    @property
    def nodes(self) -> list[Node]:
        return self.world.nodes

    def events(self, op: str, **where: object) -> list[Event]:
        return [
            event
            for event in self.recorder.events
            if event.op == op and all(event.detail.get(key) == value for key, value in where.items())
        ]

    async def step(self, limit: datetime | None = None) -> None:
        """Go to the next moment at which anything happens, but not beyond ``limit``."""
        await self.breathe()
        due = [each for each in (self.world.next_event(), self.clock.next_wake(), limit) if each is not None]
        if not due:
            raise AssertionError("Nothing will ever happen again.")
        self.clock.advance(max(min(due), self.clock.now()))
        self.world.advance()
        await self.breathe()

    async def breathe(self) -> None:
        """Let commands go as far as they come without time passing."""
        ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
        while True:
            await asyncio.sleep(0)
            if not ready:
                return

    async def wait(self, duration: timedelta) -> None:
        limit = self.clock.now() + duration
        while self.clock.now() < limit:
            await self.step(limit)

    async def wait_for(self, condition, within: timedelta = timedelta(hours=2)) -> None:
        limit = self.clock.now() + within
        while not condition():
            if self.clock.now() >= limit:
                raise AssertionError(f"The condition did not come true within {within}.")
            await self.step(limit)

    async def run(self, host, *commands: Command, ends: bool = True) -> Output:
        """Run a pipeline; raises TerminatingError as the runtime would."""
        task = self.start(host, *commands)
        await self.breathe()
        while not task.done():
            await self.step()
            await self.breathe()
        return task.result()

    def start(self, host, *commands: Command) -> asyncio.Task[Output]:
        return asyncio.ensure_future(self._pipeline(host, commands))

    async def _pipeline(self, host, commands: tuple[Command, ...]) -> Output:
        machine = self.world.machines[host] if isinstance(host, str) else host
        flow: list[object] = []
        errors: list[SimError] = []
        for position, (name, parameters) in enumerate(commands):
            self.world.advance()
            sink = Output()
            handler = registry.find(name)
            assert handler is not None, name
            if position and not flow:
                return Output([], errors)
            await handler(Call(name, machine, self.session, dict(parameters), flow, sink, self.world, self.clock))
            self.world.advance()
            flow, errors = sink.values, errors + sink.errors
        return Output(flow, errors)

    async def refusal(self, host, *commands: Command) -> SimError:
        """Run a pipeline that must end with a terminating error and return its record."""
        try:
            await self.run(host, *commands)
        except TerminatingError as error:
            return error.record
        raise AssertionError(f"{commands} did not fail.")

    async def one(self, host, *commands: Command) -> SimObject:
        values = (await self.run(host, *commands)).values
        assert len(values) == 1, values
        assert isinstance(values[0], SimObject)
        return values[0]

    # The commands of a careful update, node by node.

    async def method(self, node: Node, guid: str, name: str, query: str = QUERY, **more: object) -> SimObject:
        arguments = (
            {"QueryString": query, "IncludeRecommendedUpdates": False, **more} if name != "RebootRequired" else {}
        )
        return await self.one(
            node,
            cmd("Get-CimInstance", Namespace=CAU, ClassName="MSFT_CAUNode", Filter=f"OrchestratorGuid='{guid}'"),
            cmd("Invoke-CimMethod", MethodName=name, Arguments=arguments),
        )

    async def take(self, node: Node, cls: str, guid: str) -> SimObject:
        return await self.one(
            node, cmd("New-CimInstance", Namespace=CAU, ClassName=cls, Property={"OrchestratorGuid": guid})
        )

    async def release(self, node: Node, cls: str, guid: str) -> None:
        await self.run(
            node,
            cmd("Get-CimInstance", Namespace=CAU, ClassName=cls, Filter=f"OrchestratorGuid='{guid}'"),
            cmd("Remove-CimInstance"),
        )

    async def drain(self, node: Node, by: Node | None = None) -> None:
        await self.run(by or node, cmd("Suspend-ClusterNode", Name=[node.name], Drain=True))
        await self.wait_for(lambda: node.drain_status.name in ("Completed", "Failed"))

    async def restart(self, node: Node) -> None:
        boot = node.boot_time
        await self.run(node, cmd("Restart-Computer", Force=True))
        await self.wait_for(lambda: node.up and node.boot_time > boot and node.member)

    async def resume(self, node: Node, failback: str = "Immediate") -> None:
        await self.run(node, cmd("Resume-ClusterNode", Name=[node.name], Failback=failback))

    async def settled(self) -> None:
        """Wait until no repair is left, every disk is healthy and every role is where it belongs."""
        await self.wait(timedelta(seconds=15))
        await self.wait_for(
            lambda: (
                not self.world.repairs.jobs
                and self.world.storage.healthy()
                and not any(g.moving_to for g in self.world.groups.all)
            )
        )
