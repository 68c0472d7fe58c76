"""Verifying the cluster after the nodes: believed is only what is read now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState
from include.hci.cluster.nodes import ClusterGroup, ClusterNode
from include.hci.cluster.system_task.job import JobState
from include.hci.cluster.values import GroupState
from include.hci.policy.gates import StorageFacts, nodes_out, storage_reasons
from include.hci.policy.resync import resync_progress
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.values import Problem
from include.hci.steps.base import BaseStep, read_lock, read_members, read_storage
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Clock, Decision, Done, Stop, Wait
from include.hci.steps.gates import lock_decision
from include.hci.steps.jobs import job_decision, look_at_job
from include.hci.steps.reporting import disk_state, job_state
from include.hci.steps.role_watch import noticed
from include.hci.steps.work import NodeScan, ScanNode, Work, refs


@dataclass(frozen=True, slots=True)
class VerifyFacts:
    """Nodes, storage and lock now, and the last scan of every node that has been scanned again.

    ``vms_failed``: virtual machines that were Online when the last node was paused and are Failed now.
    ``tolerated``: nodes that were out before the run. ``given_up``: nodes that this run has paused and not resumed. ``later``:
    the updates of each node that nobody was offered yet when it was finished; Defender's definitions come several times a day.
    """

    nodes: tuple[ClusterNode, ...]
    storage: StorageFacts
    lock: LockState
    scans: Mapping[str, NodeScan]
    began: datetime
    tolerated: tuple[str, ...] = ()
    given_up: frozenset[str] = frozenset()
    groups: tuple[ClusterGroup, ...] = ()
    vms_failed: tuple[str, ...] = ()
    jobs: Mapping[str, JobState] = field(default_factory=dict)
    later: Mapping[str, frozenset[str]] = field(default_factory=dict)


#: How long nodes and storage may take to settle after the last node; each one had its own time before.
PATIENCE = timedelta(minutes=30)


class Verify(BaseStep[VerifyFacts]):
    """Ends 'verified'; stops when a node still needs something or the builds differ."""

    name: ev.StepName = "verify"

    def __init__(self, context: StepContext, clock: Clock) -> None:
        super().__init__(context)
        self._clock = clock
        self._began: datetime | None = None
        self._works: dict[str, Work] = {}

    def observe(self, cluster: Cluster) -> VerifyFacts:
        """Read nodes, storage and lock."""
        self._began = self._began or self._clock()
        shell, members = read_members(cluster)
        for node in (each.name for each in members.nodes if each.is_up):
            look_at_job(cluster, self.context, node, self._works.setdefault(node, Work()))
        scans = {node: work.scan for node, work in self._works.items() if work.scan is not None}
        plan = self.context.plan
        return VerifyFacts(
            nodes=members.nodes,
            storage=read_storage(shell),
            lock=read_lock(cluster, self.context, members),
            scans=MappingProxyType(scans),
            began=self._began,
            tolerated=plan.already_out if plan else (),
            given_up=frozenset(self.changes.paused),
            groups=members.groups,
            vms_failed=tuple(
                group.name
                for group in members.groups
                if group.state is GroupState.FAILED and group.name in self.changes.vms_online
            ),
            jobs={node: work.job for node, work in self._works.items() if work.job is not None},
            later={node: later_updates(self.context.record, node, scan) for node, scan in scans.items()},
        )

    def decide(self, facts: VerifyFacts, now: datetime) -> Decision:
        """Wait for nodes and storage, scan every node once more, compare."""
        until = facts.began + PATIENCE
        out = nodes_out(facts.nodes, tolerated=facts.tolerated)
        if out:
            listed = ", ".join(f"{node.name} is {node.state}" for node in out)
            problem = _not_well(f"not every node is Up: {listed}")
            given_up = any(node.name in facts.given_up for node in out)
            return Stop(problem) if given_up else Wait(f"not every node is Up: {listed}", None, until, problem)
        if reasons := storage_reasons(facts.storage):
            said = f"the storage is not whole: {'; '.join(reasons)}"
            return Wait(said, resync_progress(facts.storage.open_jobs), until, _not_well(said))
        if facts.vms_failed:
            # The cluster itself tries to bring a role back; one that a person shut down is Offline, not Failed.
            said = f"virtual machines that were Online before have failed: {', '.join(facts.vms_failed)}"
            return Wait(said, None, until, _vms_down(facts.vms_failed))
        if gate := lock_decision(facts.lock, self.name):
            return gate
        up = [node.name for node in facts.nodes if node.is_up]
        for node in up:
            if node not in facts.scans:
                work = self._works.setdefault(node, Work())
                if waiting := job_decision(self.context, node, work, facts.jobs.get(node), self.name, now):
                    return waiting
                return Act(
                    ScanNode(self.context, node, work, self.name, release=True),
                    "a last scan tells whether anything is left",
                )
        problems = _problems({node: facts.scans[node] for node in up}, facts.later)
        if problems:
            return Stop(
                Problem(
                    title=f"The cluster is not up to date: {'; '.join(problems)}.",
                    meaning="Every node is Up and the storage is whole.",
                    next_action="Look at the nodes' results in the report; start another run when the cause is removed.",
                    retry_is_safe=True,
                )
            )
        builds = {node: str(scan.version.build) for node, scan in facts.scans.items()}
        common = ", ".join(sorted(set(builds.values())))
        return Done(
            "verified",
            f"all {len(up)} nodes are Up with build {common}, {_left({node: facts.scans[node] for node in up})}",
            {"builds": builds},
        )

    def noticed(self, facts: VerifyFacts) -> tuple[ev.RunEvent, ...]:
        """Note virtual machines that are not Online."""
        return noticed(self.changes, facts.groups, self.name, None)

    def events(self, facts: VerifyFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put what every node has now, and the storage, on record."""
        nodes = tuple(
            ev.Verified(node=node, build=str(scan.version.build), remaining=refs(scan.selection.updates))
            for node, scan in facts.scans.items()
        )
        after = ev.StorageRead(
            step=self.name,
            moment="after",
            virtual_disks=tuple(map(disk_state, facts.storage.disks)),
            jobs=tuple(map(job_state, facts.storage.open_jobs)),
        )
        return (*nodes, after)


def _not_well(said: str) -> Problem:
    return Problem(
        title=f"The cluster is not well after the run: {said}.",
        next_action="Look at the nodes' results in the report and at the cluster; what this run left is undone at its end.",
        retry_is_safe=True,
    )


def _vms_down(names: tuple[str, ...]) -> Problem:
    commands = "; ".join(f'Start-ClusterGroup -Name "{name}"' for name in names)
    return Problem(
        title=f"The cluster is not well after the run: {', '.join(names)} {'has' if len(names) == 1 else 'have'} failed.",
        meaning="It was Online before its node was taken out." if len(names) == 1 else "They were Online before.",
        next_action=f"Find out why it failed (Get-ClusterLog, Hyper-V's events), then: {commands}",
        retry_is_safe=True,
    )


def later_updates(record: RunRecord, node: str, scan: NodeScan) -> frozenset[str]:
    """Return those updates of ``scan``, by id, that came after ``node`` was finished: the next run installs them.

    An update counts as known when it was on any node's list before this node's last scan, or on one that the plan was made of: a
    scan that found too little excuses nothing.
    """
    scanned = [stamped for stamped in record.all_of(ev.Scanned) if stamped.event.step != "verify"]
    own = [stamped.at for stamped in scanned if stamped.event.node.lower() == node.lower()]
    if not own:
        return frozenset()
    known = {
        update.update_id.lower()
        for stamped in scanned
        if stamped.event.step == "scan" or stamped.at <= own[-1]
        for update in stamped.event.updates
    }
    return frozenset(update.update_id.lower() for update in scan.selection.updates) - known


def _left(scans: Mapping[str, NodeScan]) -> str:
    listed = "; ".join(
        f"{node} {', '.join(update.label for update in scan.selection.updates)}"
        for node, scan in scans.items()
        if scan.selection.updates
    )
    return (
        f"what was published since then is left to the next run: {listed}" if listed else "nothing is left to install"
    )


def _problems(scans: Mapping[str, NodeScan], later: Mapping[str, frozenset[str]]) -> list[str]:
    needed = {
        node: [each.label for each in scan.selection.updates if each.update_id.lower() not in later.get(node, ())]
        for node, scan in scans.items()
    }
    problems = [f"{node} still needs {', '.join(labels)}" for node, labels in needed.items() if labels]
    problems += [f"{node} still waits for a restart" for node, scan in scans.items() if scan.restart_pending]
    if len({scan.version.build for scan in scans.values()}) > 1:
        listed = ", ".join(f"{node} {scan.version.build}" for node, scan in scans.items())
        problems.append(f"the nodes have different builds ({listed})")
    return problems
