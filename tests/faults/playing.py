"""Plays the rolling update of a small cluster with one fault, and says in one line how it ended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.model import NodeReport, RunReport
from include.hci.settings import RunOptions
from include.hci.steps.decisions import Stop
from include.simulator.faults.catalogue import catalogue
from include.simulator.referee import judge
from include.simulator.world.groups import GroupState
from include.simulator.world.spec import demo_world
from tests.chaos.excuses import is_excused
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.simulated import Simulation

#: The node that a fault strikes where it needs one, or may have one.
STRUCK = 2
_WORDS = {
    "updated": "updated",
    "nothing-to-install": "with nothing to install",
    "skipped": "skipped",
    "not-started": "not begun",
    "in-progress": "unfinished",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """How a run ended: in one line, everything that its report says, and what the referee found that no fault brought about.

    ``noticed`` are the checks that did not pass, ``longest_wait`` is that of the whole run.
    """

    end: str
    text: str
    noticed: frozenset[str]
    longest_wait: timedelta
    violations: tuple[str, ...]


def name_of(fault: str) -> str:
    """Return the fault as it is put into a world."""
    return fault if catalogue()[fault].node == "none" else f"{fault}-on-node-{STRUCK}"


def play(fault: str, nodes: int = 4, after: float | None = None) -> Seen:
    """Return how a run over ``nodes`` nodes ends; the fault strikes ``after`` minutes, or when the catalogue says."""
    simulation = Simulation(demo_world(nodes), 1)
    options = RunOptions(max_failed_nodes=1)
    run = Coordinator(simulation, options, retries=options.max_retries_per_node, patience=timedelta(minutes=5))
    # A cluster is there before a run is begun on it.
    world = simulation.cluster.world
    world.inject(name_of(fault), **({} if after is None else {"after": after}))
    simulation.sleep(timedelta(minutes=2))
    run.run()
    # What the run ordered last takes a moment: disks leave maintenance mode, roles go home.
    simulation.sleep(timedelta(minutes=5))
    simulation.cluster.snapshot("world")
    report = report_of(run.record, simulation.now())
    entries = simulation.cluster.journal.entries
    budget = 1 + (len(run.plan.tolerated) if run.plan else 0)
    found = judge(entries, report.to_json(), budget=budget, ended=True)
    violations = tuple(f"{each.invariant}: {each.sentence}" for each in found if not is_excused(each, entries))
    noticed = frozenset(check.id for check in report.checks if check.status in ("failed", "unknown"))
    longest = max((wait.duration for wait in report.waits), default=timedelta(0))
    return Seen(_end(run, report), _text(report), noticed, longest, violations)


def _end(run: Coordinator, report: RunReport) -> str:
    parts = [report.outcome]
    if refused := [check.id for check in report.checks if check.refused]:
        parts.append(f"refused by {', '.join(refused)}")
    else:
        nodes = _nodes(report)
        parts += [f"stopped at {step}" for step in _stops(run, any(" failed at " in part for part in nodes))]
        parts += nodes
    parts += _world(run, report)
    return "; ".join(parts)


def _stops(run: Coordinator, a_node_failed: bool) -> list[str]:
    """Return the steps at which the whole run was stopped; that what is missing is missing at the end, too, goes without saying."""
    stops = [entry.step for entry in run.record.events() if isinstance(entry.event, ev.Failed) and entry.node is None]
    if stops == ["readiness"]:
        # The coordinator of the tests notes every refusal before the first node so.
        stops = [name for name, node, decision in run.said if isinstance(decision, Stop) and name != "conclude"][-1:]
    return [step for step in dict.fromkeys(stops) if step != "verify" or (len(stops) == 1 and not a_node_failed)]


def _nodes(report: RunReport) -> list[str]:
    """Return what came of the nodes: those that failed by name and step, the others counted."""
    if not report.plan and not any(node.outcome == "failed" for node in report.nodes):
        return []
    parts = [f"{node.name} failed at {node.failed_step}" for node in report.nodes if node.outcome == "failed"]
    for outcome, words in _WORDS.items():
        same = [node for node in report.nodes if node.outcome == outcome]
        if same:
            parts.append(f"{_listed(same, report)} {words}")
    return parts


def _listed(same: list[NodeReport], report: RunReport) -> str:
    return "all nodes" if len(same) == len(report.nodes) else ", ".join(node.name for node in same)


def _world(run: Coordinator, report: RunReport) -> list[str]:
    """Return what is not as it should be after the run, in the cluster itself and by the report."""
    world = run.simulation.cluster.world
    view = run.simulation.cluster.snapshot("world")
    parts = [f"{node['name']} is {node['state']}" for node in view["nodes"] if node["state"] != "Up"]  # type: ignore[attr-defined]
    down = sorted(group.name for group in world.groups.all if group.vm and group.state is not GroupState.Online)
    parts += [f"{len(down)} VM{'s' * (len(down) != 1)} down"] if down else []
    left = [node.name for node in world.nodes for lock in node.locks.values() if lock.guid == str(run.context.guid)]
    parts += [f"our lock on {', '.join(left)}"] if left else []
    if report.left:
        commands = sum(1 for each in report.left if each.command)
        parts.append(f"{len(report.left)} left to a person, {commands} with a command")
    return parts


def _text(report: RunReport) -> str:
    # As a person reads it, not as JSON spells it.
    return re.sub(r"\\(.)", r"\1", report.to_text())
