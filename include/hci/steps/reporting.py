"""The words of the report for what the cluster package read."""

from __future__ import annotations

from include.hci.cluster.storage import StorageJob, VirtualDisk
from include.hci.policy.readiness import CheckResult
from include.hci.report.values import Check, DiskState, JobState

_GIB = 1024**3


def disk_state(disk: VirtualDisk) -> DiskState:
    """Return a virtual disk as the report has it."""
    return DiskState(
        name=disk.name,
        health=disk.health,
        operational_status=disk.operational,
        copies=disk.copies,
        size_gib=None if disk.size is None else disk.size / _GIB,
    )


def job_state(job: StorageJob) -> JobState:
    """Return a storage job as the report has it."""
    return JobState(name=job.name, state=job.state, gib_processed=job.processed / _GIB, gib_total=job.total / _GIB)


def reported_check(check: CheckResult, *, refused: bool) -> Check:
    """Return a check as the report has it; ``refused``: it keeps the run from starting."""
    return Check(
        id=check.id,
        title=check.title,
        severity=check.severity.value,
        status=check.status.value,
        evidence=check.evidence,
        remediation=check.remediation,
        duration_seconds=check.duration_seconds,
        refused=refused,
    )
