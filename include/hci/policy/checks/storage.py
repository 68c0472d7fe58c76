"""Checks of the storage: whole, idle, with more than one copy of everything, and reached without a detour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from include.hci.cluster.storage import VirtualDisk
from include.hci.cluster.values import squeeze
from include.hci.policy.checks.facts import ReadinessFacts
from include.hci.policy.checks.judging import Row, judge
from include.hci.policy.checks.result import CheckResult, Severity
from include.hci.policy.gates import storage_reasons
from include.hci.policy.progress import show_bytes

#: Windows Admin Center asks for more than this on every server before it updates it.
NEEDED_SPACE = 5 * 1024**3

_WHOLE = Row(
    "storage",
    "The storage is whole and idle",
    Severity.CRITICAL,
    "Wait until the jobs are over (Get-StorageJob) and every virtual disk is Healthy (Get-VirtualDisk); repair what is not.",
    ("storage",),
)
#: No job would ever end it: what these runs go by is the storage that they see.
_NO_SPACES = replace(
    _WHOLE,
    remediation="Leave this cluster to other tools: these runs are for clusters with Storage Spaces Direct.",
)
_POOLS = Row(
    "pools",
    "Every storage pool is healthy",
    Severity.WARNING,
    "Look at Get-StoragePool and Get-PhysicalDisk: replace the drive, or retire it and let the repair end before the run.",
    ("storage",),
)
_COPIES = Row(
    "single-copy",
    "Every volume survives the loss of a server",
    Severity.CRITICAL,
    "Move the data to a mirrored or parity volume, or take the volume offline: it goes away with the server that has its copy.",
    ("storage",),
)
_FAULTS = Row(
    "health-faults",
    "The Health Service reports no fault",
    Severity.WARNING,
    "Look at them before the run: Get-StorageSubSystem Cluster* | Debug-StorageSubSystem.",
    ("health",),
)
_ACCESS = Row(
    "volume-access",
    "Every shared volume is reached, and none by a detour",
    Severity.WARNING,
    "Wait for the backup that redirects the volume, or end the redirection (Resume-ClusterResource); bring a volume online that"
    " is not reached at all (Get-ClusterSharedVolume | Start-ClusterResource). See Get-ClusterSharedVolumeState.",
    ("volumes",),
)
_SPACE = Row(
    "free-space",
    "Every node has room for the updates",
    Severity.CRITICAL,
    "Free space on the system volume: an update that runs out of it fails half-way.",
    ("free-space",),
)


def check_storage(facts: ReadinessFacts) -> tuple[CheckResult, ...]:
    """Return the checks of the storage and of the room on the system volumes."""
    storage = facts.storage
    pools = [f"{pool.name} is {pool.health}" for pool in storage.pools if pool.health != "Healthy"]
    worst = Severity.CRITICAL if any(pool.health == "Unhealthy" for pool in storage.pools) else None
    return (
        _whole(facts),
        judge(_POOLS, facts, pools, f"{len(storage.pools)} pools are Healthy", worst),
        judge(_COPIES, facts, map(_lone, filter(has_single_copy, storage.disks)), "every volume has several copies"),
        judge(_FAULTS, facts, facts.health_faults, "no fault"),
        _volume_access(facts),
        _free_space(facts),
    )


def _whole(facts: ReadinessFacts) -> CheckResult:
    storage = facts.storage
    if facts.cluster.s2d_enabled is False and not storage.disks:
        return judge(_NO_SPACES, facts, ["the cluster does not use Storage Spaces Direct (S2DEnabled is 0)"], "")
    fine = f"{len(storage.disks)} virtual disks are Healthy and OK, no job runs, no server is in maintenance mode"
    return judge(_WHOLE, facts, storage_reasons(storage), fine)


def has_single_copy(disk: VirtualDisk) -> bool:
    """Return whether the loss of one server takes data of ``disk`` away; parity keeps one copy and can still do without."""
    resiliency = squeeze(disk.resiliency)
    return resiliency == "simple" or (disk.copies == 1 and resiliency != "parity")


def _lone(disk: VirtualDisk) -> str:
    return f"{disk.name} has a single copy{f' ({disk.resiliency})' if disk.resiliency else ''}"


def _volume_access(facts: ReadinessFacts) -> CheckResult:
    problems = None
    if facts.volume_access is not None:
        # A node that is out reaches no volume, which is told of it elsewhere.
        out = {node.name.lower() for node in facts.nodes if not node.is_up}
        found: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
        for access in facts.volume_access:
            if access.is_redirected or (access.is_interrupted and access.node.lower() not in out):
                found.setdefault((access.volume, access.state, access.why), []).append(access.node)
        problems = [
            f"{volume} is {state} on {', '.join(nodes)}{_in_brackets(why)}"
            for (volume, state, why), nodes in found.items()
        ]
    return judge(_ACCESS, facts, problems, "every shared volume is reached as its file system has it")


def _in_brackets(words: Sequence[str]) -> str:
    return f" ({', '.join(words)})" if words else ""


def _free_space(facts: ReadinessFacts) -> CheckResult:
    problems = None
    if facts.free_space is not None:
        problems = [
            f"{node} has {show_bytes(free)} left on its system volume, {show_bytes(NEEDED_SPACE)} are needed"
            for node, free in sorted(facts.free_space.items())
            if free <= NEEDED_SPACE
        ]
    return judge(_SPACE, facts, problems, f"every node has more than {show_bytes(NEEDED_SPACE)} left")
