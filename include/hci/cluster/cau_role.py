"""CAU's self-updating role: adding, changing, switching and removing it, and starting its run (ClusterAwareUpdating)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from include.hci.cluster.cau_runs import RUN_PARAMETERS
from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH, Value

#: What the role takes of the options of a run, and its schedule (windows-powershell-docs, Add-CauClusterRole).
ROLE_OPTIONS = tuple(name for name in RUN_PARAMETERS if name != "ForceSelfUpdate")
ROLE_SCHEDULE = ("StartDate", "DaysOfWeek", "WeeksOfMonth", "IntervalWeeks")
#: Adding the role makes a computer object and a cluster group, and may open firewalls on every node.
_TIMEOUT = timedelta(minutes=15)


def add_cau_cluster_role(
    shell: Shell, cluster: str, parameters: Mapping[str, Value], computer_name: str = "", group_name: str = ""
) -> None:
    """Add the role to ``cluster`` with a schedule and run options (``parameters``, by their names) and enable it.

    It is run on a management host, not on a node of the cluster (azure-stack-docs, update-cluster). The role's computer object is
    ``computer_name`` where that was prestaged in Active Directory.
    """
    names: dict[str, Value] = {}
    if computer_name:
        names["VirtualComputerObjectName"] = computer_name
    if group_name:
        names["GroupName"] = group_name
    _run(shell, "Add-CauClusterRole", cluster, {**names, **parameters, "Verbose": SWITCH})


def set_cau_cluster_role(shell: Shell, cluster: str, parameters: Mapping[str, Value]) -> None:
    """Give the role the schedule and options of ``parameters``, and the defaults for all that they leave out.

    Without a schedule among them it would leave the third Tuesday at 03:00 behind (AzureLocal-Supportability).
    """
    if "StartDate" not in parameters or "DaysOfWeek" not in parameters:
        raise ValueError(
            "Set-CauClusterRole needs a schedule: without one it leaves the third Tuesday at 03:00 behind."
        )
    _run(shell, "Set-CauClusterRole", cluster, {**parameters, "UseDefault": SWITCH, "Verbose": SWITCH})


def start_role_run(shell: Shell, cluster: str) -> None:
    """Let the role update the cluster now; its options and schedule stay (Set-CauClusterRole -UpdateNow)."""
    _run(shell, "Set-CauClusterRole", cluster, {"UpdateNow": SWITCH})


def enable_cau_cluster_role(shell: Shell, cluster: str) -> None:
    """Bring the role online, so that its schedule counts."""
    _run(shell, "Enable-CauClusterRole", cluster, {})


def disable_cau_cluster_role(shell: Shell, cluster: str) -> None:
    """Take the role offline; its settings stay."""
    _run(shell, "Disable-CauClusterRole", cluster, {})


def remove_cau_cluster_role(shell: Shell, cluster: str) -> None:
    """Remove the role, and its computer object unless that was prestaged."""
    _run(shell, "Remove-CauClusterRole", cluster, {})


def role_start_date(local: datetime) -> str:
    """Return a time on the clocks of the nodes as StartDate takes it: as text, which PowerShell reads in the invariant culture.

    A DateTime would be sent with a zone, and the role's times have none.
    """
    hour = local.hour % 12 or 12
    return f"{local.month}/{local.day}/{local.year} {hour}:{local:%M:%S} {'PM' if local.hour >= 12 else 'AM'}"


def _run(shell: Shell, name: str, cluster: str, parameters: Mapping[str, Value]) -> None:
    # Nobody is there to answer a prompt.
    command = Command(name, {"ClusterName": cluster, **parameters, "Force": SWITCH})
    shell.run(command, timeout=_TIMEOUT).require()
