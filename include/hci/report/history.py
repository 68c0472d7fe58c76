"""What a run teaches about the cluster it updated: how long each phase of a node took."""

from __future__ import annotations

from collections.abc import Collection

from include.hci.report.model import RunReport


def phase_seconds(report: RunReport, phases: Collection[str]) -> dict[str, list[float]]:
    """Return, per phase, how many seconds it took on each node that was updated; other nodes say nothing about the next run."""
    found: dict[str, list[float]] = {}
    for node in report.nodes:
        if node.outcome != "updated":
            continue
        for phase in phases:
            parts = [part.duration.total_seconds() for part in node.timeline if part.step == phase]
            if parts:
                found.setdefault(phase, []).append(round(sum(parts), 3))
    return found
