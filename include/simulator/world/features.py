"""Windows features of the simulated servers, as far as clusters and their updating need them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine, Node

if TYPE_CHECKING:
    from include.simulator.world.world import World


@dataclass(frozen=True, slots=True)
class Feature:
    """One role or feature: ``on_node`` and ``on_host`` say where it is installed at the start, ``tools`` what belongs to it."""

    name: str
    display_name: str
    parent: str = ""
    kind: str = "Feature"
    restart: bool = False
    on_node: bool = True
    on_host: bool = True
    tools: tuple[str, ...] = ()
    depth: int = 1


FEATURES = {
    feature.name.lower(): feature
    for feature in (
        Feature("BitLocker", "BitLocker Drive Encryption", restart=True, on_host=False),
        Feature(
            "Failover-Clustering",
            "Failover Clustering",
            restart=True,
            on_host=False,
            tools=("RSAT-Clustering-Mgmt", "RSAT-Clustering-PowerShell"),
        ),
        Feature("FS-FileServer", "File Server", kind="Role Service", depth=3, on_host=False),
        Feature("FS-Data-Deduplication", "Data Deduplication", kind="Role Service", depth=3, on_host=False),
        Feature("Hyper-V", "Hyper-V", kind="Role", restart=True, on_host=False, tools=("Hyper-V-PowerShell",)),
        Feature("NET-Framework-45-Core", ".NET Framework 4.8", depth=2),
        Feature("RSAT", "Remote Server Administration Tools"),
        Feature("RSAT-Clustering", "Failover Clustering Tools", parent="RSAT", depth=3),
        Feature(
            "RSAT-Clustering-Mgmt",
            "Failover Cluster Management Tools",
            parent="RSAT-Clustering",
            depth=4,
            on_node=False,
        ),
        Feature(
            "RSAT-Clustering-PowerShell",
            "Failover Cluster Module for Windows PowerShell",
            parent="RSAT-Clustering",
            depth=4,
        ),
        Feature(
            "RSAT-Clustering-AutomationServer",
            "Failover Cluster Automation Server",
            parent="RSAT-Clustering",
            depth=4,
            on_node=False,
            on_host=False,
        ),
        Feature(
            "RSAT-Clustering-CmdInterface",
            "Failover Cluster Command Interface",
            parent="RSAT-Clustering",
            depth=4,
            on_node=False,
            on_host=False,
        ),
        Feature("Hyper-V-PowerShell", "Hyper-V Module for Windows PowerShell", parent="RSAT", depth=4),
    )
}


class Features:
    """Adds and removes features and remembers which wait for a restart."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._here: dict[str, set[str]] = {}
        self._pending: dict[str, set[str]] = defaultdict(set)

    def installed(self, machine: Machine, name: str) -> bool:
        """Tell whether the feature called ``name`` is installed."""
        return FEATURES[name.lower()].name in self._installed(machine)

    def restart_pending(self, machine: Machine) -> bool:
        """Tell whether a feature waits for a restart."""
        return bool(self._pending[machine.name])

    def waits(self, machine: Machine, name: str) -> bool:
        """Tell whether the feature called ``name`` waits for a restart."""
        return FEATURES[name.lower()].name in self._pending[machine.name]

    def change(self, machine: Machine, features: Iterable[Feature], *, install: bool) -> list[Feature]:
        """Install or remove features with those they need or that need them; return those that really changed."""
        changed: list[Feature] = []
        for feature in features:
            chain = self._above(feature) if install else self._below(feature)
            for each in chain:
                here = self._installed(machine)
                if (each.name in here) is install:
                    continue
                (here.add if install else here.discard)(each.name)
                if each.restart:
                    self._pending[machine.name].add(each.name)
                    if isinstance(machine, Node):
                        machine.pending_restart = True
                changed.append(each)
                node = machine if isinstance(machine, Node) else None
                self._world.emit("feature", node, {"node": machine.name, "name": each.name, "installed": install})
        return changed

    def leave_out(self, machine: Machine, feature: Feature) -> None:
        """Take a feature and those that need it away as if it had never been installed."""
        self._installed(machine).difference_update(each.name for each in self._below(feature))

    def booted(self, machine: Machine) -> None:
        """Note that the restart is done."""
        self._pending[machine.name].clear()

    def _installed(self, machine: Machine) -> set[str]:
        node = isinstance(machine, Node)
        usual = {each.name for each in FEATURES.values() if (each.on_node if node else each.on_host)}
        return self._here.setdefault(machine.name, usual)

    def _above(self, feature: Feature) -> list[Feature]:
        parent = FEATURES.get(feature.parent.lower())
        return [*(self._above(parent) if parent else ()), feature]

    def _below(self, feature: Feature) -> list[Feature]:
        below = [each for each in FEATURES.values() if each.parent == feature.name]
        return [feature, *(each for child in below for each in self._below(child))]
