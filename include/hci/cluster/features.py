"""The features of Windows Server on one machine (windows-powershell-docs, ServerManager)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from include.hci.powershell.command import Command
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH, Value

#: The feature itself; the other ones that are ever installed are its tools.
FAILOVER_CLUSTERING = "Failover-Clustering"
#: What is looked at on every node: failover clustering, and its tools.
CLUSTER_FEATURES = ("Failover*", "RSAT-Clustering*")
_TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class WindowsFeature:
    """One role or feature; ``state`` is its InstallState as it came: Installed, Available, InstallPending, Removed ..."""

    name: str
    title: str = ""
    installed: bool = False
    state: str = ""

    @property
    def waits_for_restart(self) -> bool:
        """Whether it is there only after a restart."""
        return self.state == "InstallPending"


@dataclass(frozen=True, slots=True)
class Installation:
    """What became of an installation of features."""

    installed: tuple[str, ...]
    restart_needed: bool


def get_windows_features(shell: Shell, names: Sequence[str] = CLUSTER_FEATURES) -> tuple[WindowsFeature, ...]:
    """Return the features of the machine whose names fit ``names``, which may have wildcards."""
    items = shell.run(Command("Get-WindowsFeature", {"Name": list(names)})).require().objects()
    return tuple(
        WindowsFeature(
            name=item.string("Name"),
            title=item.string("DisplayName", ""),
            installed=item.boolean("Installed", False),
            state=item.string("InstallState", ""),
        )
        for item in items
    )


def install_windows_features(shell: Shell, names: Sequence[str]) -> Installation:
    """Install features; the machine is never restarted. Raises CommandFailed.

    Failover clustering is installed with all that is below it and with its tools, a tool alone (azure-stack-docs,
    update-cluster). ``restart_needed`` says whether a restart has to follow.
    """
    result = shell.run(install_command(names), timeout=_TIMEOUT).require()
    [found] = result.objects()[-1:] or [None]
    if found is None or not found.boolean("Success", False):
        said = "nothing came back" if found is None else f"exit code {found.string('ExitCode', 'unknown')}"
        raise CommandFailed([ErrorRecord(f"Install-WindowsFeature did not succeed: {said}")], node=result.node)
    changed = found.get("FeatureResult")
    listed = changed if isinstance(changed, tuple) else () if changed is None else (changed,)
    restart = found.string("RestartNeeded", "No").lower()
    return Installation(
        tuple(str(getattr(item, "text", None) or item) for item in listed), restart not in ("no", "false")
    )


def install_command(names: Sequence[str]) -> Command:
    """Return the command that installs features."""
    parameters: dict[str, Value] = {"Name": list(names)}
    if FAILOVER_CLUSTERING in names:
        parameters |= {"IncludeAllSubFeature": SWITCH, "IncludeManagementTools": SWITCH}
    return Command("Install-WindowsFeature", parameters)
