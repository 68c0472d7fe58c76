"""Installing on a drained node: scan, download, install, and again until nothing is left or a restart is needed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.hci.cluster.cau import LockHolder, get_lock_holders
from include.hci.cluster.facade import Cluster
from include.hci.cluster.system_task.job import JobState
from include.hci.cluster.updates import UpdateResult
from include.hci.policy.gates import find_node, running_roles
from include.hci.powershell.errors import CommandFailed
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import Members, NodeStep, read_lock, read_members
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Clock, Decision, Done, Stop, Wait
from include.hci.steps.gates import Custody, custody_decision, lock_decision, others_out
from include.hci.steps.jobs import job_decision, look_at_job
from include.hci.steps.scan import foreign_updater
from include.hci.steps.work import DownloadUpdates, InstallUpdates, NodeScan, ScanNode, Work, lost_installs


@dataclass(frozen=True, slots=True)
class InstallFacts:
    """The node in this run's custody, who holds its update object, and what this step has done so far.

    ``lost_since``: when the last install began whose answer never came, so that it may still be going on. ``job``: what a task of
    this run does on the node.
    """

    custody: Custody
    holders: tuple[LockHolder, ...]
    scan: NodeScan | None = None
    downloaded: bool = False
    passes: int = 0
    results: tuple[UpdateResult, ...] = ()
    lost_since: datetime | None = None
    job: JobState | None = None

    @property
    def failed(self) -> tuple[UpdateResult, ...]:
        """The updates that failed."""
        return tuple(result for result in self.results if result.is_failed)


#: How often the node is scanned again while an install is lost, and how long such an install is taken to run at least.
LOOK_AGAIN_AFTER = timedelta(seconds=30)
LOST_AT_LEAST = timedelta(minutes=5)


class Install(NodeStep[InstallFacts]):
    """Ends 'installed', 'nothing-to-install' or 'restart-needed'."""

    name: ev.StepName = "install"

    def __init__(self, context: StepContext, node: str, clock: Clock, work: Work | None = None) -> None:
        super().__init__(context, node)
        self._clock = clock
        self.work = work or Work()

    def observe(self, cluster: Cluster) -> InstallFacts:
        """Read the cluster from another node and the node's update object from itself."""
        _, members = read_members(cluster, avoid=(self.node,))
        return self.facts_of(cluster, members, self._clock())

    def facts_of(self, cluster: Cluster, members: Members, now: datetime) -> InstallFacts:
        """Return the facts when the members were read already."""
        lost = lost_installs(self.context.record, self.node)
        scan = self.work.scan
        if lost and scan is not None and scan.restart_pending and now - scan.at >= LOOK_AGAIN_AFTER:
            self.work.forget()
        return InstallFacts(
            custody=read_custody(self, cluster, members),
            holders=get_lock_holders(cluster.on(self.node), self.node, "MSFT_CAUNode"),
            scan=self.work.scan,
            downloaded=self.work.downloaded,
            passes=self.work.passes,
            results=tuple(self.work.results),
            lost_since=max((install.started_at for install in lost), default=None),
            job=look_at_job(cluster, self.context, self.node, self.work),
        )

    def decide(self, facts: InstallFacts, now: datetime) -> Decision:
        """Refuse a node that is not ours, else do the next piece of work."""
        gate = custody_decision(facts.custody, "installing on") or lock_decision(facts.custody.lock, self.name)
        if gate:
            return gate
        foreign = [holder for holder in facts.holders if holder.guid != self.context.guid]
        if foreign:
            return Stop(foreign_updater(self.node, foreign[0]))
        if facts.failed:
            return Stop(failed_updates(self.node, facts.failed))
        return self.work_on(facts, now)

    def work_on(self, facts: InstallFacts, now: datetime) -> Decision:
        """Return the next piece of work on a node that may be worked on."""
        if waiting := job_decision(self.context, self.node, self.work, facts.job, self.name, now):
            return waiting
        scan, limit = facts.scan, self.context.options.max_passes_per_node
        if scan is None:
            return Act(ScanNode(self.context, self.node, self.work, self.name), "what is left to install is not known")
        if scan.restart_pending and self._may_still_install(facts, scan, now):
            return Wait(f"an install on {self.node} whose answer was lost may still be going on")
        if scan.restart_pending:
            return Done("restart-needed", f"{self.node} must restart to finish what was installed")
        updates = scan.selection.updates
        if not updates:
            count = sum(1 for result in facts.results if not result.is_failed)
            if facts.passes:
                return Done("installed", f"{count} updates were installed on {self.node}, nothing is left")
            return Done("nothing-to-install", f"{self.node} has nothing to install")
        labels = ", ".join(update.label for update in updates)
        if facts.passes >= limit:
            return Stop(
                Problem(
                    title=f"After {facts.passes} install passes {self.node} is still offered {labels}.",
                    meaning="An update that is offered again after it was installed would go round in circles.",
                    next_action="Look at the update's history on the node; leave it out with query_string (UpdateID!='...').",
                    retry_is_safe=False,
                )
            )
        if not facts.downloaded:
            return Act(
                DownloadUpdates(self.context, self.node, self.work, scan.selection, self.name),
                f"{labels} must be on the node",
            )
        return Act(
            InstallUpdates(self.context, self.node, self.work, scan.selection, self.name),
            f"{labels} are to be installed",
        )

    def _may_still_install(self, facts: InstallFacts, scan: NodeScan, now: datetime) -> bool:
        """Whether a restart now could hit an install of which nobody has heard how it ended."""
        if facts.lost_since is None or not scan.selection.updates:
            return False
        took = now - facts.lost_since
        limit = timedelta(minutes=self.context.options.install_timeout_minutes)
        return took < limit and (scan.servicing or took < LOST_AT_LEAST)

    def may_cancel(self, facts: InstallFacts, decision: Decision) -> bool:
        """Until the first install: what was begun is finished, restart included, before the node is brought back."""
        return not isinstance(decision, Stop) and not self.since_resume(ev.InstallStarted)

    def refused(self, action: Action, error: CommandFailed, facts: InstallFacts, now: datetime) -> Decision | None:
        """Another installation in progress is waited for; everything is scanned again then."""
        if error.has_code(0x80240016) or error.has_code(0x80240009):
            self.work.forget()
            return Wait(f"something else is being installed on {self.node} (0x80240016)")
        return None


def read_custody(step: NodeStep[Any], cluster: Cluster, members: Members) -> Custody:
    """Return what a step must know before it touches the node that this run has taken out of service."""
    plan = step.context.plan
    return Custody(
        name=step.node,
        node=find_node(members.nodes, step.node),
        roles=running_roles(members.groups, step.node),
        paused_by_run=step.node in step.changes.paused,
        restarted=bool(step.since_resume(ev.Restarted)),
        others=others_out(members.nodes, step.node, plan.tolerated if plan else ()),
        lock=read_lock(cluster, step.context, members),
    )


def failed_updates(node: str, failed: tuple[UpdateResult, ...]) -> Problem:
    """Return the problem of updates that could not be installed, with what their HRESULTs mean."""
    first, listed = failed[0], "; ".join(item.describe() for item in failed)
    return Problem(
        title=f"{'An update' if len(failed) == 1 else f'{len(failed)} updates'} failed on {node}: {listed}.",
        next_action=first.next_action,
        code=first.hresult_text,
        retry_is_safe=True,
    )
