"""Staging: downloading a node's updates while it still serves, so that its time out of service is short."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState, RunLock
from include.hci.cluster.system_task.job import JobState
from include.hci.policy.selection import Selection
from include.hci.report import events as ev
from include.hci.steps.base import NodeStep, read_members
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Decision, Done
from include.hci.steps.gates import lock_decision
from include.hci.steps.jobs import job_decision, look_at_job
from include.hci.steps.work import DownloadUpdates, ScanNode, Work


@dataclass(frozen=True, slots=True)
class StageFacts:
    """The run lock, what this step has done so far, and what a task is at on the node."""

    lock: LockState
    selection: Selection | None
    downloaded: bool
    job: JobState | None = None


class Stage(NodeStep[StageFacts]):
    """Scans again, since hours may lie between plan and run, and downloads what the scan finds."""

    name: ev.StepName = "stage"

    def __init__(self, context: StepContext, node: str) -> None:
        super().__init__(context, node)
        self.work = Work()

    def observe(self, cluster: Cluster) -> StageFacts:
        """Read the lock on this node; all nodes stage at once, so that together they look at all of them."""
        own = [name for name in read_members(cluster)[1].lockable if name.lower() == self.node.lower()]
        lock = RunLock(cluster, self.context.guid).read(own)
        scan, job = self.work.scan, look_at_job(cluster, self.context, self.node, self.work)
        return StageFacts(lock, scan.selection if scan else None, self.work.downloaded, job)

    def decide(self, facts: StageFacts, now: datetime) -> Decision:
        """Scan, download, done."""
        if gate := lock_decision(facts.lock, self.name):
            return gate
        if waiting := job_decision(self.context, self.node, self.work, facts.job, self.name, now):
            return waiting
        selection = facts.selection
        if selection is None:
            scan = ScanNode(self.context, self.node, self.work, self.name)
            return Act(scan, "what there is to download may have changed since the plan")
        if not selection.updates:
            return Done("nothing-to-download", f"{self.node} has nothing to download")
        if not facts.downloaded:
            download = DownloadUpdates(self.context, self.node, self.work, selection, release=True)
            return Act(download, "a node is out of service for a shorter time when its updates are there already")
        return Done("staged", f"{len(selection.updates)} updates are on {self.node}")
