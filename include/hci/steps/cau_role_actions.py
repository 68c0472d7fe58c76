"""What a run that looks after CAU's self-updating role changes: features, firewall rules, the role. All of it is to stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from include.hci.cluster.cau_role import (
    add_cau_cluster_role,
    disable_cau_cluster_role,
    enable_cau_cluster_role,
    remove_cau_cluster_role,
    set_cau_cluster_role,
    start_role_run,
)
from include.hci.cluster.features import install_command, install_windows_features
from include.hci.cluster.firewall import allow_remote_shutdown
from include.hci.policy.cau_role import shown_value
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import Value
from include.hci.report import events as ev
from include.hci.report.cau_role_events import RoleChange
from include.hci.steps.cau_role_place import role_place
from include.hci.steps.decisions import Scene

_SIMPLE: Mapping[RoleChange, tuple[str, Callable[[Shell, str], None]]] = {
    "enable": ("Enable-CauClusterRole", enable_cau_cluster_role),
    "disable": ("Disable-CauClusterRole", disable_cau_cluster_role),
    "remove": ("Remove-CauClusterRole", remove_cau_cluster_role),
    "update-now": ("Set-CauClusterRole -UpdateNow", start_role_run),
}


@dataclass(frozen=True, slots=True)
class InstallFeatures:
    """Install the features ``names`` on ``node``."""

    node: str
    names: tuple[str, ...]

    def describe(self) -> str:
        """Return the command."""
        return f"{install_command(self.names).describe()} on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Install them; the node is never restarted."""
        scene.record.add(ev.FeaturesInstalling(node=self.node, names=self.names), scene.clock())
        done = install_windows_features(scene.cluster.on(self.node), self.names)
        found = ev.FeaturesInstalled(node=self.node, names=self.names, restart_needed=done.restart_needed)
        scene.record.add(found, scene.clock())


@dataclass(frozen=True, slots=True)
class OpenFirewall:
    """Enable the rules for remote restarts on ``node``."""

    node: str

    def describe(self) -> str:
        """Return the command."""
        return f"Enable-NetFirewallRule for the group Remote Shutdown on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Order it."""
        scene.record.add(ev.FirewallOpening(node=self.node), scene.clock())
        allow_remote_shutdown(scene.cluster.on(self.node))


@dataclass(frozen=True, slots=True)
class ChangeRole:
    """Change the role of the cluster; ``parameters`` and the names are those of an added or changed role."""

    change: RoleChange
    before: Mapping[str, str] | None = None
    parameters: Mapping[str, Value] = field(default_factory=dict)
    computer_name: str = ""
    group_name: str = ""

    def describe(self) -> str:
        """Return the command."""
        if self.change in _SIMPLE:
            return _SIMPLE[self.change][0]
        given = {"VirtualComputerObjectName": self.computer_name, "GroupName": self.group_name} | dict(self.parameters)
        words = [f"-{name} {shown_value(value)}" for name, value in given.items() if shown_value(value)]
        return " ".join((f"{self.change.capitalize()}-CauClusterRole", *words))

    def perform(self, scene: Scene) -> None:
        """Order it where CAU's cmdlets can be run."""
        name, place = scene.cluster.name, role_place(scene.cluster)
        intent = ev.RoleChanging(role_change=self.change, command=self.describe(), before=self.before)
        scene.record.add(intent, scene.clock())
        try:
            if self.change == "add":
                add_cau_cluster_role(place.shell, name, self.parameters, self.computer_name, self.group_name)
            elif self.change == "set":
                set_cau_cluster_role(place.shell, name, self.parameters)
            else:
                _SIMPLE[self.change][1](place.shell, name)
        except CommandFailed as error:
            refused = ev.RoleChangeRefused(role_change=self.change, why=error.detail)
            scene.record.add(refused, scene.clock())
            raise
        scene.record.add(ev.RoleChanged(role_change=self.change, where=place.name), scene.clock())
