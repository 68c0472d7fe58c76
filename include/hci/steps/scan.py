"""Scan: what one node needs. Nothing stays behind on the node."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from include.hci.cluster.cau import LockHolder, get_lock_holders
from include.hci.cluster.facade import Cluster
from include.hci.cluster.system_task.job import JobState
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import NodeStep
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Decision, Done, Stop
from include.hci.steps.jobs import job_decision, look_at_job
from include.hci.steps.work import NodeScan, ScanNode, Work


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """Who holds the node's update object, what the scan gave, once it was made, and what a task is at on the node."""

    holders: tuple[LockHolder, ...]
    scan: NodeScan | None
    job: JobState | None = None


class Scan(NodeStep[ScanFacts]):
    """Scans once; the details of its end are what ``PlannedNode.from_scan`` reads."""

    name: ev.StepName = "scan"

    def __init__(self, context: StepContext, node: str) -> None:
        super().__init__(context, node)
        self.work = Work()

    def observe(self, cluster: Cluster) -> ScanFacts:
        """Read who holds MSFT_CAUNode."""
        holders = get_lock_holders(cluster.on(self.node), self.node, "MSFT_CAUNode")
        return ScanFacts(holders, self.work.scan, look_at_job(cluster, self.context, self.node, self.work))

    def decide(self, facts: ScanFacts, now: datetime) -> Decision:
        """Scan unless another coordinator works on the node."""
        if facts.scan is not None:
            return _done(self.node, facts.scan, self.context)
        foreign = [holder for holder in facts.holders if holder.guid != self.context.guid]
        if foreign:
            return Stop(foreign_updater(self.node, foreign[0]))
        if waiting := job_decision(self.context, self.node, self.work, facts.job, self.name, now):
            return waiting
        return Act(ScanNode(self.context, self.node, self.work, release=True), "what it needs is not known yet")


def foreign_updater(node: str, holder: LockHolder) -> Problem:
    """Return the problem of a node on which another coordinator's update object stands."""
    return Problem(
        title=f"Another coordinator ({holder.guid}) is updating {node}.",
        next_action="Wait until it has ended. Its MSFT_CAUNode disappears after an hour without activity.",
        retry_is_safe=True,
    )


def _done(node: str, scan: NodeScan, context: StepContext) -> Done:
    updates, excluded = scan.selection.updates, scan.selection.excluded
    listed = ", ".join(update.label for update in updates)
    why = f"{node} needs {len(updates)} updates ({listed})" if updates else f"{node} has nothing to install"
    if excluded:
        why += f"; left out: {', '.join(item.update.label for item in excluded)}"
    if scan.restart_pending:
        why += "; it waits for a restart"
    if scan.incomplete:
        why += "; its update agent says that the search had errors, so updates may be missing"
    outcome = "updates-found" if updates else "restart-pending" if scan.restart_pending else "nothing-to-install"
    return Done(
        outcome,
        why,
        {
            "node": node,
            "updates": [{"update_id": item.update_id, "title": item.title, "kb": item.kb} for item in updates],
            "reasons": dict(scan.selection.reasons),
            "superseded": [item.update.update_id for item in excluded if item.is_superseded],
            "excluded": {item.update.update_id: f"{item.update.label}: {item.why}" for item in excluded},
            "build": str(scan.version.build),
            "restart_pending": scan.restart_pending,
            "manual_maintenance": scan.version.needs_manual_maintenance,
            **_updater(node, context),
        },
    )


def _updater(node: str, context: StepContext) -> dict[str, str]:
    chosen = context.record.last(ev.NodeUpdaterChosen, node)
    return {} if chosen is None else {"updater": chosen.event.updater, "updater_why": chosen.event.why}
