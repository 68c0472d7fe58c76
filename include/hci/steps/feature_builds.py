"""After CAU's run of a feature update: every node up and on one new version and the storage whole, or the run ends here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import ClusterNode
from include.hci.policy.feature import judge_versions
from include.hci.policy.gates import StorageFacts, storage_reasons
from include.hci.policy.progress import show_duration
from include.hci.policy.resync import Movement, follow, is_stuck, resync_progress
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import BaseStep, read_members, read_storage
from include.hci.steps.cau_run_preview import read_nodes_now
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Clock, Decision, Done, Stop, Wait
from include.hci.steps.reporting import disk_state, job_state

#: How long a node may take to answer after CAU's run is over.
PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class BuildsFacts:
    """The nodes and the build of each; one that did not say has none.

    ``storage`` is as it is now, ``movement`` what is known of its resync, ``stable_reads``: how many reads in a row found it
    whole.
    """

    nodes: tuple[ClusterNode, ...]
    builds: Mapping[str, str]
    storage: StorageFacts
    movement: Movement
    stable_reads: int = 1


class Builds(BaseStep[BuildsFacts]):
    """Ends 'settled' with the builds."""

    name: ev.StepName = "builds"

    def __init__(self, context: StepContext, clock: Clock) -> None:
        super().__init__(context)
        self._clock = clock
        self._since: datetime | None = None
        self._movement: Movement | None = None
        self._stable = 0

    def observe(self, cluster: Cluster) -> BuildsFacts:
        """Read every node and the storage."""
        shell, members = read_members(cluster)
        builds = {name: each.build for name, each in read_nodes_now(cluster, members.nodes).items() if each.build}
        storage = read_storage(shell)
        self._movement = follow(self._movement, storage.open_jobs, self._clock())
        self._stable = 0 if storage_reasons(storage) else self._stable + 1
        return BuildsFacts(members.nodes, builds, storage, self._movement, self._stable)

    def decide(self, facts: BuildsFacts, now: datetime) -> Decision:
        """Wait a little for a node that is on its way back; what differs then is for a person."""
        self._since = self._since or now
        reason = judge_versions(facts.nodes, facts.builds, self._before())
        if not reason:
            return self._storage(facts, now)
        on_its_way = any(not node.is_up or node.name not in facts.builds for node in facts.nodes)
        if on_its_way and now - self._since < PATIENCE:
            return Wait(reason)
        return Stop(_mixed(reason))

    def _storage(self, facts: BuildsFacts, now: datetime) -> Decision:
        """Wait until the storage has made up for the last node: what comes next takes nodes out again, or raises versions."""
        options = self.context.options
        if reasons := storage_reasons(facts.storage):
            progress = resync_progress(facts.storage.open_jobs, facts.movement)
            if is_stuck(facts.movement, timedelta(minutes=options.stuck_repair_minutes), now):
                return Stop(_stuck(reasons, now - facts.movement.moved_at))
            return Wait(f"all nodes have one version, and the storage is not whole yet: {'; '.join(reasons)}", progress)
        if facts.stable_reads < options.resync_stable_reads:
            return Wait("the storage is whole; a few more reads make sure of it")
        listed = ", ".join(f"{node.name} {facts.builds[node.name]}" for node in facts.nodes)
        said = f"all nodes have one version ({listed}), and the storage is whole"
        return Done("settled", said, {"builds": dict(facts.builds)})

    def events(self, facts: BuildsFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record who is on what."""
        if not isinstance(decision, Done | Stop):
            return ()
        if isinstance(decision, Done) and decision.outcome != "settled":
            return ()
        states = {node.name: str(node.state) for node in facts.nodes}
        settled = not judge_versions(facts.nodes, facts.builds, self._before())
        disks, jobs = map(disk_state, facts.storage.disks), map(job_state, facts.storage.open_jobs)
        return (
            ev.VersionsRead(builds=dict(facts.builds), states=states, settled=settled),
            # When CAU's run was collected, its last node's storage had still to be made up for.
            ev.StorageRead(step=self.name, moment="after", virtual_disks=tuple(disks), jobs=tuple(jobs)),
        )

    def may_cancel(self, facts: BuildsFacts, decision: Decision) -> bool:
        """It only reads."""
        return True

    def _before(self) -> dict[str, str]:
        plan = self.context.plan
        return {} if plan is None else {node.name: node.build for node in plan.nodes if node.has_work and node.build}


def _stuck(reasons: tuple[str, ...], still: timedelta) -> Problem:
    return Problem(
        title=f"The storage does not become whole: nothing has changed for {show_duration(still)}.",
        meaning=f"Every node has the new version. What follows needs the storage whole: {'; '.join(reasons)}.",
        next_action="Look at Get-PhysicalDisk for a slow or failing drive, at Get-StorageJob and Debug-StorageSubSystem;"
        " then clear this task with its downstream tasks.",
        retry_is_safe=True,
    )


def _mixed(reason: str) -> Problem:
    return Problem(
        title=f"The feature update is not on every node: {reason}.",
        meaning="What follows cannot be taken back and needs every node on the new version, so none of it was done. The nodes "
        "that have it work on beside the others; a cluster should not stay like that for longer than four weeks.",
        next_action="Look at what CAU reports of the nodes that do not have it, remove the cause, then start the run again: it "
        "goes on with those.",
        retry_is_safe=True,
    )
