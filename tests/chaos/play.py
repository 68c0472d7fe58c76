"""Plays one random run to its end and judges it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from include.hci.powershell.command import Pipeline
from include.hci.report.build import report_of
from include.hci.report.model import RunReport
from include.simulator.referee import judge
from tests.chaos.excuses import is_excused
from tests.chaos.scenario import Scenario
from tests.hci.steps.coordinator import Coordinator, Killed
from tests.hci.steps.simulated import Simulation

#: A run that gives so many commands per node goes round in circles, whatever its clock says.
MOST_COMMANDS = 150_000


class Endless(BaseException):
    """The run does not end; no code under test may catch it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a run: how it ended and what was wrong, a sentence each."""

    scenario: Scenario
    outcome: str
    broken: tuple[str, ...]
    commands: int
    took: timedelta
    missed: int = 0


@dataclass
class Played:
    """One run while it is played."""

    scenario: Scenario

    def __post_init__(self) -> None:
        given = self.scenario
        self.simulation = Simulation(given.world, given.seed)
        self.began = self.simulation.now()
        self.coordinator = Coordinator(self.simulation, given.options, patience=given.patience)
        self.moments = 0
        self.simulation.before_command = self.simulation.after_command = self._moment
        world = self.simulation.cluster.world
        for trouble in given.troubles:
            said = {"after": trouble.after, "lasts": trouble.lasts}
            world.inject(trouble.fault, **{key: value for key, value in said.items() if value is not None})

    def play(self) -> Verdict:
        """Run it to its end and judge it."""
        broken: list[str] = []
        run = self.coordinator
        run.cancellable = self.scenario.cancel is not None
        try:
            try:
                run.run()
            except Killed:
                run.cancellable = False
                run.conclude()
            # What the run ordered last takes a moment: disks leave maintenance mode, roles go home.
            self.simulation.sleep(timedelta(minutes=5))
        except Endless as error:
            broken.append(f"END: {error}")
        except Exception as error:
            broken.append(f"CRASH: {_where(error)}")
        return self._verdict(broken)

    def _verdict(self, broken: list[str]) -> Verdict:
        now = self.simulation.now()
        self.simulation.cluster.snapshot("world")
        entries = self.simulation.cluster.journal.entries
        report = report_of(self.coordinator.record, now)
        if not broken:
            claimed = report.to_json()
            found = judge(entries, claimed, budget=self._budget(), ended=True)
            found = [each for each in found if not is_excused(each, entries)]
            broken += [f"{each.invariant}: {each.sentence}" for each in found]
            broken += self._left_alone(report)
        broken += sorted(
            {
                f"DEFECT: {error['message']}"
                for entry in entries
                if entry.op == "command" and entry.status == "fail"
                for error in entry.detail.get("errors", ())
                if str(error["id"]).startswith("SimulatorDefect")
            }
        )
        missed = sum(entry.op == "fault.missed" for entry in entries)
        return Verdict(self.scenario, report.outcome, tuple(broken), self.moments, now - self.began, missed)

    def _budget(self) -> int:
        """Return how many nodes may be out of service at a time: one, beside those that the plan found out and goes on without."""
        plan = self.coordinator.plan
        return 1 + (len(plan.tolerated) if plan else 0)

    def _left_alone(self, report: RunReport) -> list[str]:
        """Return what this run left behind without a word: nodes that it paused, locks that it took."""
        world, record = self.simulation.cluster.world, self.coordinator.record.facts
        said = {each.node: each for each in report.left}
        lines = []
        for node in world.nodes:
            left = said.get(node.name)
            if node.paused and node.name in record.paused and not (left and left.command):
                lines.append(f"LEFT: {node.name} is still paused by the run and the report has no command for it.")
            ours = [kind for kind, lock in node.locks.items() if lock.guid.lower() == str(record.lock_guid).lower()]
            if ours and left is None and not any(node.name in each.what for each in report.left):
                lines.append(f"LEFT: {node.name} still has our {' and '.join(ours)} and the report does not say so.")
        return lines

    def _moment(self, node: str, pipeline: Pipeline) -> None:
        self.moments += 1
        if self.simulation.now() - self.began > self.scenario.limit:
            raise Endless(f"The run has not ended after {self.scenario.limit} of simulated time.")
        if self.moments > 2 * MOST_COMMANDS * self.scenario.nodes:
            raise Endless(f"The run has given {self.moments // 2} commands and has not ended.")
        if self.moments in self.scenario.kills or self.moments == self.scenario.cancel:
            raise Killed


def play(scenario: Scenario) -> Verdict:
    """Return what becomes of the run."""
    return Played(scenario).play()


def _where(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno} in {frame.name})"
