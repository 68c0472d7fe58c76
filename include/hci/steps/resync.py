"""Waiting for the storage after a node came back: the next one must not leave before it is whole again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.storage import StorageJob
from include.hci.cluster.witness import read_from_witness
from include.hci.policy.gates import StorageFacts, storage_reasons
from include.hci.policy.progress import Progress, show_duration
from include.hci.policy.resync import Movement, follow, is_stuck, resync_progress
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.actions import RepairDisk
from include.hci.steps.base import NodeStep, read_storage
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Clock, Decision, Done, Stop, Wait

#: A repair that is merely suspended for this long is started by hand, and not more often.
SUSPENDED_PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class ResyncFacts:
    """The storage now, how it has moved, how many reads in a row found it whole, and which repairs were just ordered."""

    storage: StorageFacts
    movement: Movement
    stable_reads: int
    began: datetime
    suspended_since: datetime | None = None
    repaired: frozenset[str] = frozenset()

    @property
    def suspended(self) -> tuple[StorageJob, ...]:
        """The open jobs, if all of them are suspended."""
        jobs = self.storage.open_jobs
        return jobs if jobs and all(job.is_suspended for job in jobs) else ()


class Resync(NodeStep[ResyncFacts]):
    """Over when several reads in a row find every disk well, no job and no server in maintenance."""

    name: ev.StepName = "resync"

    def __init__(self, context: StepContext, node: str, clock: Clock) -> None:
        super().__init__(context, node)
        self._clock = clock
        self._movement: Movement | None = None
        self._stable = 0
        self._began: datetime | None = None
        self._suspended_since: datetime | None = None

    def observe(self, cluster: Cluster) -> ResyncFacts:
        """Read the storage from another node; a node that is just back shows states that mean nothing."""
        shell, _ = read_from_witness(cluster, avoid=(self.node,))
        storage = read_storage(shell)
        now = self._clock()
        self._began = self._began or now
        self._movement = follow(self._movement, storage.open_jobs, now)
        self._stable = 0 if storage_reasons(storage) else self._stable + 1
        orders = self.context.record.all_of(ev.RepairOrdered)
        # An order on record may never have been sent, and one of an earlier node's resync says nothing about this one.
        repaired = frozenset(order.event.virtual_disk for order in orders if now - order.at < SUSPENDED_PATIENCE)
        facts = ResyncFacts(storage, self._movement, self._stable, self._began, self._suspended_since, repaired)
        if not facts.suspended:
            self._suspended_since = None
            return facts
        self._suspended_since = self._suspended_since or now
        return ResyncFacts(storage, self._movement, self._stable, self._began, self._suspended_since, repaired)

    def decide(self, facts: ResyncFacts, now: datetime) -> Decision:
        """Wait for whole storage, count the reads, give a stuck repair up."""
        options = self.context.options
        reasons = storage_reasons(facts.storage)
        if not reasons:
            wanted = options.resync_stable_reads
            if facts.stable_reads >= wanted:
                return Done("resynced", f"the storage is whole: {wanted} reads in a row found nothing to wait for")
            return Wait("the storage is whole; a few more reads make sure of it")
        progress = resync_progress(facts.storage.open_jobs, facts.movement)
        said = f"the storage is not whole after {self.node}: {'; '.join(reasons)}"
        if repair := self._repair(facts, now):
            return repair
        limit = timedelta(minutes=options.stuck_repair_minutes)
        if is_stuck(facts.movement, limit, now):
            return Stop(_stuck(progress, now - facts.movement.moved_at, reasons))
        return Wait(said, progress)

    def pause_point(self, decision: Decision) -> ev.PausePoint | None:
        """When the storage is whole, before the next node may begin."""
        return "after-resume" if isinstance(decision, Done) else None

    def events(self, facts: ResyncFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the end of the resync on record."""
        if not isinstance(decision, Done):
            return ()
        seconds = (facts.movement.at - facts.began).total_seconds()
        return (ev.Resynced(node=self.node, gib=facts.movement.copied / 1024**3, seconds=seconds),)

    def _repair(self, facts: ResyncFacts, now: datetime) -> Act | None:
        since = facts.suspended_since
        if not facts.suspended or since is None or now - since < SUSPENDED_PATIENCE:
            return None
        if any(domain.in_maintenance for domain in facts.storage.domains):
            return None
        for disk in facts.storage.disks:
            if not disk.is_well and disk.name not in facts.repaired:
                why = f"its repair has been suspended for {show_duration(now - since)}"
                return Act(RepairDisk(disk.name, why), why)
        return None


def _stuck(progress: Progress | None, still: timedelta, reasons: tuple[str, ...]) -> Problem:
    return Problem(
        title=f"The storage does not move{f': {progress}' if progress else ''}. Nothing has changed for {show_duration(still)}.",
        meaning=f"Until it is whole no other node may leave: {'; '.join(reasons)}.",
        next_action="Look at Get-PhysicalDisk for a drive that is slow, failing, or still in maintenance mode"
        " (Disable-StorageMaintenanceMode), at Get-StorageJob and at Get-StorageSubSystem Cluster* | Debug-StorageSubSystem;"
        " then clear this task.",
        retry_is_safe=True,
    )
