"""What a run teaches about the cluster it updated: how long each phase of a node took."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from include.hci.report.model import PhaseReport, RunReport
from include.hci.report.spent import Span


def phase_seconds(
    report: RunReport, phases: Collection[str], with_people: Sequence[Span] = ()
) -> dict[str, list[float]]:
    """Return, per phase, how many seconds it took on each node that was updated; other nodes say nothing about the next run.

    Neither does a phase that went wrong on the way, and the times in which the run waited ``with_people`` are not the node's: an
    estimate that a night's pause has blown up would fit into no window any more.
    """
    found: dict[str, list[float]] = {}
    for node in report.nodes:
        if node.outcome != "updated":
            continue
        for phase in phases:
            parts = [part for part in node.timeline if part.step == phase]
            if parts and all(part.state == "done" for part in parts):
                found.setdefault(phase, []).append(round(sum(_own_seconds(part, with_people) for part in parts), 3))
    return found


def _own_seconds(part: PhaseReport, others: Sequence[Span]) -> float:
    shared = (min(part.ended_at, end) - max(part.started_at, begin) for begin, end in others)
    return part.duration.total_seconds() - sum(max(0.0, each.total_seconds()) for each in shared)
