"""A plain coordinator for tests: runs every step of a run in its order, as the DAG does, with retries and the failure budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from include.hci.cluster.facade import FleetCluster, ManagementHost
from include.hci.policy.budget import failure_budget
from include.hci.policy.plan import Plan
from include.hci.powershell.errors import RemotingError
from include.hci.report import events as ev
from include.hci.report.events import StepName
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.settings import RunOptions, Schedule
from include.hci.steps.context import StepContext, deadline_for, poll_for
from include.hci.steps.decisions import Decision, Done, Stop, Wait
from include.hci.steps.engine import StepRunner, run_step
from include.hci.steps.factory import make_step
from include.hci.steps.failures import refused_problem
from include.hci.steps.first_seen import FirstSeenInMemory
from include.hci.steps.planning import plan_run
from tests.hci.steps.simulated import Simulation

T = TypeVar("T")


class Killed(Exception):
    """The process that ran a step is gone."""


@dataclass
class Coordinator:
    """One run over a simulated cluster.

    ``retries`` per step; a step whose process was killed is begun again by a new one that knows only the record. ``said`` are
    all its decisions, ``deaths`` how often a process died. With ``cancellable`` a killed step ends the run instead. With
    ``patience`` a waiting step reads again not every poll, but at the poll after the next event of the world, that much later at
    most. ``endpoints`` say on which machine, and in which session configuration of it, an Airflow connection ends. ``schedule``
    is the cluster's in the fleet file.
    """

    simulation: Simulation
    options: RunOptions = field(default_factory=lambda: RunOptions(max_failed_nodes=1))
    run_id: str = "run-1"
    retries: int = 1
    storage: MemoryStorage = field(default_factory=MemoryStorage)
    said: list[tuple[str, str | None, Decision]] = field(default_factory=list)
    plan: Plan | None = None
    deaths: int = 0
    cancellable: bool = False
    patience: timedelta | None = None
    first_seen: FirstSeenInMemory = field(default_factory=FirstSeenInMemory)
    endpoints: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    schedule: Schedule | None = None
    watch: Callable[[StepName, str | None, Decision], None] = lambda name, node, decision: None

    def __post_init__(self) -> None:
        world = self.simulation.cluster.world
        self.cluster = FleetCluster(
            world.spec.cluster,
            [node.name for node in world.nodes],
            self.simulation.shell,
            self.management(),
            lend_in=self.simulation.shell,
            lend_endpoint=lambda connection: self.simulation.shell(*self.endpoints[connection]),
        )
        self.record = RunRecord(self.storage)

    def management(self) -> ManagementHost | None:
        """The management host, where the run has one."""
        return None

    def spell_nodes(self, spelling: Callable[[str], str]) -> None:
        """Let the fleet file name the nodes in another spelling than the cluster does."""
        real = {spelling(name): name for name in self.cluster.nodes}
        self.cluster = FleetCluster(self.cluster.name, list(real), lambda name: self.simulation.shell(real[name]))

    @property
    def context(self) -> StepContext:
        return StepContext(
            self.cluster.name, self.run_id, self.options, self.record, self.plan, self.first_seen, self.schedule
        )

    def step(self, name: StepName, node: str | None = None, tries: int | None = None) -> Done | Stop:
        """Run one step to its end, trying again after a stop."""
        for attempt in range(1 + (self.retries if tries is None else tries - 1)):
            if attempt:
                self.simulation.sleep(timedelta(seconds=30))
            end = self._try(name, node)
            if isinstance(end, Done):
                return end
        return end

    def _try(self, name: StepName, node: str | None) -> Done | Stop:
        deadline = self.simulation.now() + deadline_for(name, self.options)
        while True:
            step = make_step(name, self.context, node, self.simulation.now)
            runner = StepRunner(step, self.cluster, self.record, self.simulation.now, deadline, poll_for(name))
            try:
                return run_step(runner, self._wait, lambda decision: self._hear(name, node, decision))
            except Killed:
                if self.cancellable:
                    raise
                self.deaths += 1
                self.record = RunRecord(self.storage)
                self.simulation.sleep(timedelta(seconds=20))

    def _surviving(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, done again by another process whenever the one that does it dies."""
        while True:
            try:
                return work()
            except Killed:
                if self.cancellable:
                    raise
                self.deaths += 1

    def one(self, name: StepName, node: str | None = None, tries: int | None = None) -> Done | Stop:
        """One step; that it has failed for good goes on record."""
        end = self.step(name, node, tries)
        if isinstance(end, Stop):
            self._fail(name, node, end)
        return end

    def begin(self) -> None:
        """Put the run on record."""
        self._begin("rolling-update")

    def _begin(self, kind: ev.RunKind, request: Mapping[str, Any] | None = None, **more: Any) -> None:
        started = ev.RunStarted(
            run_id=self.run_id,
            cluster=self.cluster.name,
            nodes=self.cluster.nodes,
            options=self.options.to_json(),
            run_kind=kind,
            request=dict(request or {}),
            **more,
        )
        self.record.add(started, self.simulation.now())

    def _wait(self, poll: timedelta) -> None:
        """Let time pass until a waiting step reads again."""
        if not poll or self.patience is None:
            self.simulation.sleep(poll)
            return
        now = self.simulation.now()
        until = min(self.simulation.cluster.world.next_event() or now + self.patience, now + self.patience)
        decision = self.said[-1][2]
        if isinstance(decision, Wait) and decision.deadline is not None:
            until = min(until, decision.deadline)
        self.simulation.sleep(max(1, -((now - until) // poll)) * poll)

    def prepare(self) -> Stop | None:
        """Everything before the first node; a Stop refuses the run."""
        self.begin()
        ready = self.step("readiness", tries=1)
        if isinstance(ready, Stop):
            return ready
        scans: dict[str, Mapping[str, Any]] = {}
        for node in self._up():
            scan = self.one("scan", node)
            if isinstance(scan, Done):
                scans[node] = scan.details
        try:
            self.plan = self._plan(scans)
        except RemotingError as error:
            return Stop(refused_problem("plan", error))
        locked = self.step("take_lock")
        if isinstance(locked, Stop):
            return locked
        for planned in self.plan.nodes:
            if planned.has_work:
                self.one("stage", planned.name)
        return None

    def _plan(self, scans: Mapping[str, Mapping[str, Any]]) -> Plan:
        return self._surviving(lambda: plan_run(self.cluster, self.context, scans, self.simulation.now()))

    def update(self, node: str) -> bool | None:
        """One node from its turn to the resync; returns whether all went well, None when no node can have a turn any more.

        What was paused is resumed in any case.
        """
        end: Done | Stop = self.step("turn", node)
        if isinstance(end, Stop):
            self.record.add(ev.Failed(step="turn", problem=end.problem), self.simulation.now())
            return None
        if end.outcome != "go":
            return True
        well = True
        names: tuple[StepName, ...] = ("drain", "install", "restart")
        for name in names:
            if node in self.record.facts.skipped:
                break
            if isinstance(self.one(name, node), Stop):
                well = False
                break
        for name in ("resume", "resync"):
            if isinstance(self.one(name, node), Stop):
                return False
        return well

    def run(self) -> Done | Stop:
        """The whole run; returns the end of the last step that mattered."""
        refused = self.prepare()
        end: Done | Stop
        if refused is None and self.plan is not None:
            for planned in self.plan.nodes:
                failed = self.record.facts.failed
                if not failure_budget(self.plan.max_failed_nodes, failed, self.plan.already_out).allows:
                    break
                if planned.name not in failed and self.update(planned.name) is None:
                    break
            unfinished = self.record.facts.cancel or self.record.facts.parked
            end = Done("unfinished", str(unfinished)) if unfinished else self.one("verify", tries=1)
        else:
            end = refused or Done("nothing")
            self.record.add(ev.Failed(step="readiness", problem=end.problem), self.simulation.now())  # type: ignore[union-attr]
        self.conclude()
        return end

    def conclude(self) -> Done | Stop:
        end = self.step("conclude")
        self.record.add(ev.Concluded(cancelled=self.record.facts.cancel is not None), self.simulation.now())
        return end

    def _up(self) -> list[str]:
        up = {node.name.lower() for node in self.simulation.cluster.world.nodes if node.up}
        return [name for name in self.cluster.nodes if name.lower() in up]

    def _fail(self, name: StepName, node: str | None, end: Stop) -> None:
        self.record.add(ev.Failed(step=name, node=node, problem=end.problem), self.simulation.now())

    def _hear(self, name: StepName, node: str | None, decision: Decision) -> None:
        self.said.append((name, node, decision))
        self.watch(name, node, decision)

    def sent(self, command: str) -> list[str]:
        """The commands of that name that reached the simulated machines, with the machine."""
        found = self.simulation.commands
        return [f"{machine}: {whole.describe()}" for machine, whole in found if whole.describe().startswith(command)]

    def words(self) -> list[str]:
        """Everything that was said, each once in a row."""
        lines: list[str] = []
        for name, node, decision in self.said:
            line = f"{name} {node or ''} {type(decision).__name__}: {decision}"
            if not lines or lines[-1] != line:
                lines.append(line)
        return lines


class OtherKind(Coordinator):
    """A run of another kind: it begins, works, and is ended whatever came of that."""

    def run(self) -> Done | Stop:
        """The whole run; returns the end of the last step that mattered."""
        self.begin()
        end = self.work()
        self.conclude()
        return end

    def work(self) -> Done | Stop:
        """What is between its beginning and its end."""
        raise NotImplementedError
