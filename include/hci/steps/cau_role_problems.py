"""Why CAU's self-updating role is not touched, and what to do instead."""

from __future__ import annotations

from collections.abc import Sequence

from include.hci.cluster.cau import CauRunState, LockHolder
from include.hci.policy.cau_role import Difference, RoleAudit
from include.hci.powershell.errors import CommandFailed
from include.hci.report.values import Problem
from include.hci.settings import Schedule

_AGAIN = "Then start another run."


def not_left_to_cau(cluster: str, action: str, schedule: Schedule | None) -> Problem:
    """Two that update the same cluster by themselves are one too many."""
    who = (
        f"Airflow runs the schedule of {cluster} ({schedule.describe()})" if schedule else f"{cluster} has no schedule"
    )
    return Problem(
        title=f"{action.capitalize()} is refused: {who}, so its self-updating role must be off.",
        meaning="Nothing was changed.",
        next_action="To let CAU update it by itself, give it a schedule with one line and 'run_by: cau' in the fleet file. "
        + _AGAIN,
        retry_is_safe=False,
    )


def cau_is_updating(run: CauRunState) -> Problem:
    """Whatever is changed of the role now would meet a run that goes on."""
    where = f", coordinated by {run.coordinator}" if run.coordinator else ""
    return Problem(
        title=f"CAU is at work on the cluster: it reports {run.state}{where}.",
        meaning="Nothing was changed.",
        next_action="Wait for its run to end (Get-CauRun); after RunFailed, recover it with Invoke-CauRun -ForceRecovery once no "
        f"coordinator is alive. {_AGAIN}",
        retry_is_safe=True,
    )


def too_new_for(parameters: Sequence[str], place: str, build: int) -> Problem:
    """CAU's cmdlets grew with the versions of Windows."""
    return Problem(
        title=f"CAU on {place} (build {build}) does not know {', '.join(parameters)}.",
        meaning="These options came with a later version of Windows. Nothing was changed.",
        next_action=f"Take them out of the cluster's profile. {_AGAIN}",
        retry_is_safe=False,
    )


def other_clocks(said: str) -> Problem:
    """The role knows no time zone."""
    return Problem(
        title=f"The role would run at other times than the schedule says: {said}.",
        meaning="The role's times are on the clocks of the node that owns it. Nothing was changed.",
        next_action=f"Make the time zone of the schedule and that of all nodes (Set-TimeZone) the same. {_AGAIN}",
        retry_is_safe=False,
    )


def configure_first(differences: Sequence[Difference]) -> Problem:
    """A role with another schedule must not be switched on."""
    said = f"is not as asked for: {'; '.join(map(str, differences))}" if differences else "is not there"
    return Problem(
        title=f"The role cannot be enabled: it {said}.",
        meaning="Nothing was changed.",
        next_action="Start a run with the action 'configure': it sets the role up and enables it.",
        retry_is_safe=False,
    )


def needs_management_host(why: str, error: CommandFailed) -> Problem:
    """The role is added from outside of the cluster."""
    return Problem(
        title=f"The role could not be added from a node of the cluster: {error.detail}.",
        meaning=f"It is added from a machine outside of the cluster, and {why}.",
        next_action="Give the cluster a management_host in the fleet file, with a connection that passes credentials on "
        f"(auth credssp, or negotiate_delegate). {_AGAIN}",
        retry_is_safe=False,
    )


def nothing_to_start(is_there: bool) -> Problem:
    """Only a role that is online can begin a run."""
    return Problem(
        title=f"The role cannot update the cluster: {'it is disabled' if is_there else 'the cluster has none'}.",
        meaning="Nothing was changed.",
        next_action="Start a run with the action 'configure' first, or update the cluster with its rolling update.",
        retry_is_safe=False,
    )


def locked(holders: Sequence[LockHolder]) -> Problem:
    """Another coordinator works on the cluster."""
    listed = ", ".join(sorted({holder.node for holder in holders}))
    return Problem(
        title=f"Another coordinator works on the cluster: its lock stands on {listed}.",
        meaning="Nothing was changed.",
        next_action=f"Wait for it to end; its lock disappears after an hour without activity. {_AGAIN}",
        retry_is_safe=True,
    )


def not_as_asked(audit: RoleAudit, action: str) -> Problem:
    """What was read back is not what was asked for."""
    said = "; ".join((*audit.findings, *map(str, audit.differences)))
    return Problem(
        title=f"The self-updating role is not right: {said}.",
        meaning="The check only read." if action == "check" else "The role was read back after the change.",
        next_action="Start a run with the action 'configure' to set it as the fleet file asks, or 'disable' to switch it off.",
        retry_is_safe=action != "check",
    )


def still_there(what: str) -> Problem:
    """A command came back without an error and had no effect."""
    return Problem(
        title=f"The self-updating role {what}.",
        meaning="The command succeeded, and the role was read back.",
        next_action="Look at the role in Failover Cluster Manager, then clear this task.",
        retry_is_safe=True,
    )


def no_run_seen(state: str) -> Problem:
    """The order to begin a run left no trace."""
    return Problem(
        title=f"The role was told to update the cluster now, and no run is to be seen: CAU reports {state}.",
        meaning="The run may have ended at once, or never have begun.",
        next_action=f"Read the last report (Get-CauReport -Last -Detailed) before you order it again. {_AGAIN}",
        retry_is_safe=False,
    )
