"""Checks of the roles: none has failed, and every virtual machine can be moved away in its node's turn."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from include.hci.cluster.values import GroupState
from include.hci.policy.checks.facts import ReadinessFacts
from include.hci.policy.checks.judging import Row, judge
from include.hci.policy.checks.result import CheckResult, Severity

_FAILED = Row(
    "failed-roles",
    "No role has failed",
    Severity.CRITICAL,
    "Bring the role online or take it offline on purpose (Start-ClusterGroup, Stop-ClusterGroup) before nodes are drained.",
    ("cluster",),
)
_PENDING = Row(
    "pending-roles",
    "No role is between two states",
    Severity.WARNING,
    "Look whether the role gets online or offline by itself; a role that stays pending blocks the drain.",
    ("cluster",),
)
_LOCKED = Row(
    "locked-roles",
    "No role is locked to its node",
    Severity.WARNING,
    "Wait for the operation that locks the role, mostly a backup or a checkpoint; while it lasts, its node cannot be drained.",
    ("cluster",),
)
_UNCLUSTERED = Row(
    "unclustered-vms",
    "Every running virtual machine is a role of the cluster",
    Severity.CRITICAL,
    "Make it a role (Add-ClusterVirtualMachineRole), or shut it down: the cluster does not move it, so the restart of its node"
    " would end it. One that may go down with its node is named under local_vms in the profile.",
    ("virtual-machines",),
)
_LOCAL = Row(
    "local-vms",
    "No virtual machine goes down with its node",
    Severity.INFORMATION,
    "Nothing, as local_vms allows it: its host saves it or shuts it down (AutomaticStopAction) and starts it after the restart.",
    ("virtual-machines",),
)
_MEDIA = Row(
    "local-media",
    "No virtual machine holds a disc or image of its node",
    Severity.CRITICAL,
    "Eject it (Set-VMDvdDrive -Path $null), or move the image to a shared volume: the machine cannot be moved with it.",
    ("media",),
)
_BACKUP = Row(
    "backup",
    "No backup of a virtual machine or its volume runs",
    Severity.WARNING,
    "Let the backup end, and keep its schedule away from this one: a machine that is backed up cannot be moved.",
    ("virtual-machines", "volumes"),
)


def check_roles(facts: ReadinessFacts, local_vms: Collection[str] = ()) -> tuple[CheckResult, ...]:
    """Return the checks of roles and virtual machines; ``local_vms`` may go down with their node, though no roles."""
    local = {name.casefold() for name in local_vms}
    return (
        judge(_FAILED, facts, _in_state(facts, GroupState.FAILED), "no role has failed"),
        judge(_PENDING, facts, _in_state(facts, GroupState.PENDING), "no role is pending"),
        _locked(facts),
        _unclustered(facts, local),
        *((_local(facts, local),) if local else ()),
        _local_media(facts),
        _backup(facts),
    )


def _in_state(facts: ReadinessFacts, state: GroupState) -> Iterable[str]:
    return (f"{group.describe()} on {group.owner}" for group in facts.groups if group.state is state)


def _locked(facts: ReadinessFacts) -> CheckResult:
    problems = [f"{group.name} ({group.kind}) is locked to {group.owner}" for group in facts.groups if group.locked]
    return judge(_LOCKED, facts, problems, "no role is locked")


def _unclustered(facts: ReadinessFacts, local: Collection[str]) -> CheckResult:
    problems = _of_unmoved(facts, "{0.name} is {0.state} on {0.node} and no role of the cluster", local, named=False)
    fine = "every running virtual machine is clustered, or may go down with its node"
    return judge(_UNCLUSTERED, facts, problems, fine if local else "every running virtual machine is clustered")


def _local(facts: ReadinessFacts, local: Collection[str]) -> CheckResult:
    return judge(_LOCAL, facts, _of_unmoved(facts, "{0.name} goes down with {0.node}", local, named=True), "none does")


def _of_unmoved(facts: ReadinessFacts, text: str, local: Collection[str], *, named: bool) -> list[str] | None:
    """Return ``text`` of each running machine that is no role, and named in ``local`` or not; None where none was read."""
    if facts.virtual_machines is None:
        return None
    running = (machine for machine in facts.virtual_machines if machine.uses_memory and not machine.clustered)
    return [text.format(machine) for machine in running if (machine.name.casefold() in local) is named]


def _local_media(facts: ReadinessFacts) -> CheckResult:
    if facts.media is None:
        return judge(_MEDIA, facts, None, "")
    # A machine that is off is moved by its configuration alone, and one that is no role is not moved: their media do not matter.
    running = {machine.name for machine in facts.virtual_machines or () if machine.uses_memory and machine.clustered}
    problems = [
        f"{drive.vm} holds {drive.path or 'the drive of its node'} ({drive.kind})"
        for drive in facts.media
        if drive.ties_to_node and (facts.virtual_machines is None or drive.vm in running)
    ]
    return judge(_MEDIA, facts, problems, "no virtual machine holds a local image")


def _backup(facts: ReadinessFacts) -> CheckResult:
    problems = None
    if facts.virtual_machines is not None:
        problems = [
            f"{machine.name} on {machine.node} is being backed up"
            for machine in facts.virtual_machines
            if machine.is_backed_up
        ]
    if facts.volumes_in_backup is not None:
        problems = [*(problems or ()), *(f"{name} is being backed up" for name in facts.volumes_in_backup)]
    return judge(_BACKUP, facts, problems, "no backup runs")
