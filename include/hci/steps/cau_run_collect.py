"""Collecting: CAU's own report of its run, and the cluster as that run has left it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.cau_runs import CauReport, NodeResult, get_cau_report
from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import ClusterNode
from include.hci.policy.gates import StorageFacts
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import BaseStep, read_members, read_storage
from include.hci.steps.cau_run_access import ask, readers
from include.hci.steps.cau_run_preview import NodeNow, node_read, read_nodes_now
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Clock, Decision, Done, Stop, Wait
from include.hci.steps.reporting import disk_state, job_state
from include.hci.steps.work import reported

#: How long CAU's report may take to be there after its run is over.
PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CollectFacts:
    """CAU's newest report, the run that this one has begun, and the cluster now."""

    report: CauReport | None
    seen: ev.CauRunSeen | None
    nodes: tuple[ClusterNode, ...] = ()
    now: dict[str, NodeNow] | None = None
    storage: StorageFacts | None = None


class CollectCau(BaseStep[CollectFacts]):
    """Ends 'collected', or 'nothing' when CAU's run never began."""

    name: ev.StepName = "collect"

    def __init__(self, context: StepContext, clock: Clock) -> None:
        super().__init__(context)
        self._since: datetime | None = None

    def observe(self, cluster: Cluster) -> CollectFacts:
        """Read the report and the nodes."""
        found = self.context.record.last(ev.CauRunSeen)
        if found is None:
            return CollectFacts(None, None)
        report = ask(readers(cluster), lambda shell: get_cau_report(shell, cluster.name))
        shell, members = read_members(cluster)
        return CollectFacts(
            report, found.event, members.nodes, read_nodes_now(cluster, members.nodes), read_storage(shell)
        )

    def decide(self, facts: CollectFacts, now: datetime) -> Decision:
        """Wait for the report of this very run."""
        self._since = self._since or now
        if facts.seen is None:
            return Done("nothing", "CAU's run never began, so there is no report of it")
        if facts.report is not None and facts.report.run_id == facts.seen.run_id:
            return Done("collected", f"CAU's report of the run {facts.report.run_id}: {facts.report.status}")
        if now - self._since < PATIENCE:
            return Wait(f"CAU has no report of the run {facts.seen.run_id} yet")
        return Stop(_missing(facts.seen.run_id))

    def events(self, facts: CollectFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the report and the cluster on record."""
        found: list[ev.RunEvent] = []
        if isinstance(decision, Done) and facts.report is not None:
            found.append(report_event(facts.report))
        if facts.now is not None:
            found += [node_read(node, facts.now.get(node.name, NodeNow()), "after") for node in facts.nodes]
        if facts.storage is not None:
            disks, jobs = map(disk_state, facts.storage.disks), map(job_state, facts.storage.open_jobs)
            found.append(ev.StorageRead(step="collect", moment="after", virtual_disks=tuple(disks), jobs=tuple(jobs)))
        return tuple(found)


def report_event(report: CauReport) -> ev.CauReportRead:
    """Return CAU's report as it goes on record."""
    return ev.CauReportRead(
        run_id=report.run_id,
        status=report.status,
        started_at=report.started_at,
        seconds=None if report.duration is None else report.duration.total_seconds(),
        error_id=report.error_id,
        error=report.error,
        coordinator=report.coordinator,
        user=report.user,
        account=report.account,
        plugin=report.plugin,
        nodes=tuple(map(_node, report.nodes)),
    )


def _node(result: NodeResult) -> ev.CauNodeResult:
    updates, transient = (
        tuple(
            ev.CauUpdateResult.model_validate(
                {**reported(each.result).model_dump(), "plugin": each.plugin, "at": each.at}
            )
            for each in found
        )
        for found in (result.updates, result.transient)
    )
    return ev.CauNodeResult(
        node=result.node,
        status=result.status,
        error=result.error,
        error_id=result.error_id,
        updates=updates,
        transient=transient,
        suspended_at=result.suspended_at,
        suspended_seconds=None if result.suspended_for is None else result.suspended_for.total_seconds(),
        succeeded=result.succeeded,
        failed=result.failed,
    )


def _missing(run_id: str) -> Problem:
    return Problem(
        title=f"CAU has no report of its run {run_id}.",
        meaning="What came of the run is known only from its last states.",
        next_action="Look at Get-CauReport on the management host and at the builds of the nodes.",
        retry_is_safe=True,
    )
