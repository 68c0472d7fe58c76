"""What tests ask of a whole run after it: its report, the referee's verdict, the world as it was left."""

from __future__ import annotations

from include.hci.report.build import report_of
from include.hci.report.model import RunReport
from include.simulator.referee import judge
from tests.hci.report.judging import check_report
from tests.hci.steps.coordinator import Coordinator


def report(run: Coordinator) -> RunReport:
    found = report_of(run.record, run.simulation.now())
    check_report(found)
    return found


def violations(run: Coordinator, *, with_report: bool = True) -> list[str]:
    """Return what the referee has to say, as sentences; the world's last snapshot is taken first."""
    run.simulation.cluster.snapshot("world")
    claimed = report(run).to_json() if with_report else None
    entries = run.simulation.cluster.journal.entries
    return [f"{item.invariant}: {item.sentence}" for item in judge(entries, claimed)]


def world_nodes(run: Coordinator) -> dict[str, str]:
    return {node["name"]: node["state"] for node in run.simulation.cluster.snapshot("world")["nodes"]}  # type: ignore[attr-defined,index]


def locks(run: Coordinator) -> list[str]:
    world = run.simulation.cluster.world
    return [f"{kind} on {node.name}" for node in world.nodes for kind in node.locks]


def outcomes(run: Coordinator) -> dict[str, str]:
    return {node.name: node.outcome for node in report(run).nodes}


def said(run: Coordinator, what: str) -> list[str]:
    return [line for line in run.words() if what in line]
