"""Repair jobs: what copies stale shares back to a node's disks, how fast, and what stops it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from include.simulator.world.storage import MIB, VirtualDisk

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.world import World

RUNNING, SUSPENDED, COMPLETED = "Running", "Suspended", "Completed"


@dataclass(slots=True, eq=False)
class RepairJob:
    """One storage job; ``rate`` is in bytes a second since ``settled``.

    A ``rebalance`` moves data between healthy drives; one that ``waits`` goes on when its virtual disk is attached again.
    """

    disk: VirtualDisk
    node: str
    total: float
    started: datetime
    settled: datetime
    id: uuid.UUID
    state: str = RUNNING
    processed: float = 0.0
    rate: float = 0.0
    frozen: bool = False
    rebalance: bool = False
    waits: bool = False
    timer: Timer | None = None

    @property
    def name(self) -> str:
        """What the job is called."""
        if self.rebalance:
            return "Optimize"
        return f"{self.disk.name}-Repair"


class Repairs:
    """Starts, shares the bandwidth between, and ends repair jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.jobs: list[RepairJob] = []
        self._starts: dict[tuple[str, str], Timer] = {}
        self.held: set[tuple[str, str]] = set()

    def running(self, disk: VirtualDisk) -> bool:
        """Tell whether a job is working on ``disk``."""
        return any(job.disk is disk and job.state == RUNNING and not job.rebalance for job in self.jobs)

    def active(self, disk: VirtualDisk, node: str) -> RepairJob | None:
        """Return the job that brings ``disk`` on ``node`` up to date, or None."""
        return next(
            (job for job in self.jobs if job.disk is disk and job.node == node and job.state != COMPLETED), None
        )

    def plan(self) -> None:
        """Start jobs for shares that are within reach but stale, drop those whose share is gone."""
        for disk in self._world.storage.virtual_disks:
            for name in disk.missing:
                self._drop(disk, name)
            for name in disk.stale:
                key = (disk.name, name)
                waiting = key in self._starts or key in self.held
                if name not in disk.missing and not waiting and self.active(disk, name) is None:
                    start = self._world.spread(self._world.spec.timings.repair_start)
                    self._starts[key] = self._world.after(start, partial(self._start, disk, name))

    def repair(self, disk: VirtualDisk) -> None:
        """Do what Repair-VirtualDisk does: start what waits, go on with what is suspended."""
        self.held = {key for key in self.held if key[0] != disk.name}
        for name in list(disk.stale):
            if name in disk.missing:
                continue
            job = self.active(disk, name)
            if job is None:
                timer = self._starts.pop((disk.name, name), None)
                if timer:
                    timer.cancel()
                self._start(disk, name)
            elif job.state == SUSPENDED:
                job.state = RUNNING
                self._announce(job)
                self._share()
        self._world.storage.judge(disk)

    def disk_gone(self, disk: VirtualDisk) -> None:
        """Suspend the jobs of a virtual disk that is detached: nothing can be copied meanwhile."""
        self.settle()
        for job in self.jobs:
            if job.disk is disk and job.state == RUNNING and not job.rebalance:
                job.state, job.waits = SUSPENDED, True
                self._announce(job)
        self._share()

    def disk_back(self, disk: VirtualDisk) -> None:
        """Go on with the jobs of a virtual disk that is attached again."""
        for job in self.jobs:
            if job.disk is disk and job.waits and job.state == SUSPENDED:
                job.state, job.waits, job.settled = RUNNING, False, self._world.now
                self._announce(job)
        self._share()

    def optimize(self, share: float = 0.02) -> RepairJob | None:
        """Spread the pool's data evenly (Optimize-StoragePool); return the job, None where there is nothing to spread."""
        disks = self._world.storage.virtual_disks
        if not disks:
            return None
        now, total = self._world.now, max(MIB, share * sum(disk.size for disk in disks))
        job = RepairJob(disks[0], "", total, now, now, self._world.guid(f"job:optimize:{now}"), rebalance=True)
        self.jobs.append(job)
        self._announce(job)
        self._share()
        return job

    def end(self, job: RepairJob) -> None:
        """Stop a job for good (Stop-StorageJob)."""
        if job in self.jobs and job.state != COMPLETED:
            self.settle()
            self._kill(job)

    def resume_all(self) -> None:
        """Let every suspended or standing job go on: what kept it is gone."""
        for job in self.jobs:
            if job.state == SUSPENDED:
                job.state = RUNNING
                self._announce(job)
            job.frozen = False
        self._share()
        for disk in self._world.storage.virtual_disks:
            self._world.storage.judge(disk)

    def settle(self) -> None:
        """Bring every job's progress up to now."""
        for job in self.jobs:
            if job.state == RUNNING:
                seconds = (self._world.now - job.settled).total_seconds()
                job.processed = min(job.total, job.processed + seconds * job.rate)
            job.settled = self._world.now

    def _start(self, disk: VirtualDisk, name: str) -> None:
        self._starts.pop((disk.name, name), None)
        if name in disk.missing or name not in disk.stale or self.active(disk, name):
            return
        now = self._world.now
        job = RepairJob(
            disk, name, max(disk.stale[name], MIB), now, now, self._world.guid(f"job:{disk.name}:{name}:{now}")
        )
        job.state = SUSPENDED if self._world.rig.take("repair-suspended", name) else RUNNING
        job.frozen = self._world.rig.take("repair-frozen", name) is not None
        self.jobs.append(job)
        self._announce(job)
        self._share()
        self._world.storage.judge(disk)

    def _share(self) -> None:
        self.settle()
        moving = [job for job in self.jobs if job.state == RUNNING and not job.frozen]
        # VirtualDiskRepairQueueDepth is 4 unless changed (azure-stack-docs, storage-repair-speed).
        speed = self._world.spec.timings.repair_mib_per_second * self._world.spec.repair_queue_depth / 4
        rate = speed * MIB / max(1, len(moving))
        for job in self.jobs:
            if job.timer:
                job.timer.cancel()
                job.timer = None
            job.rate = rate if job in moving else 0.0
            if job in moving:
                seconds = (job.total - job.processed) / rate
                job.timer = self._world.after(timedelta(seconds=seconds), partial(self._complete, job))

    def _complete(self, job: RepairJob) -> None:
        if self._world.rig.take("repair-restarts", job.node):
            job.processed = 0.0
            self._announce(job)
            self._share()
            return
        job.state, job.processed, job.timer, job.rate = COMPLETED, job.total, None, 0.0
        job.disk.stale.pop(job.node, None)
        self._announce(job)
        self._share()
        self._world.storage.judge(job.disk)
        self._world.after(self._world.spec.timings.job_linger, lambda: self._remove(job))

    def _drop(self, disk: VirtualDisk, name: str) -> None:
        timer = self._starts.pop((disk.name, name), None)
        if timer:
            timer.cancel()
        job = self.active(disk, name)
        if job is None:
            return
        self.settle()
        disk.stale[name] = job.total - job.processed
        self._kill(job)

    def _kill(self, job: RepairJob) -> None:
        if job.timer:
            job.timer.cancel()
        job.state = "Killed"
        self._announce(job)
        self._remove(job)
        self._share()

    def _remove(self, job: RepairJob) -> None:
        if job in self.jobs:
            self.jobs.remove(job)

    def _announce(self, job: RepairJob) -> None:
        detail = {
            "job": job.name,
            "node": job.node,
            "virtual_disk": job.disk.name,
            "state": job.state,
            "bytes_total": int(job.total),
            "bytes_processed": int(job.processed),
        }
        self._world.emit("repair.state", None, detail)
