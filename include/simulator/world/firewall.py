"""The inbound rules of Windows Defender Firewall that updating a cluster needs, by group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine, Node

if TYPE_CHECKING:
    from include.simulator.world.world import World

REMOTE_SHUTDOWN = "Remote Shutdown"
REMOTE_MANAGEMENT = "Windows Remote Management"
COMPATIBILITY = "Windows Remote Management (Compatibility)"
CLUSTERS = "Failover Clusters"


@dataclass(slots=True, eq=False)
class Rule:
    """One rule; ``group`` is the resource that names the display group in every language."""

    name: str
    display_name: str
    group: str
    display_group: str
    enabled: bool
    profiles: tuple[str, ...]
    description: str = ""


def _rules(*, cluster: bool) -> list[Rule]:
    shutdown, management, compatibility = (
        "@firewallapi.dll,-36751",
        "@FirewallAPI.dll,-30267",
        "@FirewallAPI.dll,-30252",
    )
    rules = [
        Rule(
            "Wininit-Shutdown-In-Rule-TCP-RPC",
            "Inbound Rule for Remote Shutdown (TCP-In)",
            shutdown,
            REMOTE_SHUTDOWN,
            False,
            ("Any",),
        ),
        Rule(
            "Wininit-Shutdown-In-Rule-TCP-RPC-EPMapper",
            "Inbound Rule for Remote Shutdown (RPC-EP-In)",
            shutdown,
            REMOTE_SHUTDOWN,
            False,
            ("Any",),
        ),
        Rule(
            "WINRM-HTTP-In-TCP",
            "Windows Remote Management (HTTP-In)",
            management,
            REMOTE_MANAGEMENT,
            True,
            ("Domain", "Private"),
        ),
        Rule(
            "WINRM-HTTP-In-TCP-PUBLIC",
            "Windows Remote Management (HTTP-In)",
            management,
            REMOTE_MANAGEMENT,
            True,
            ("Public",),
        ),
        Rule(
            "WINRM-HTTP-Compat-In-TCP",
            "Windows Remote Management - Compatibility Mode (HTTP-In)",
            compatibility,
            COMPATIBILITY,
            False,
            ("Any",),
        ),
    ]
    if cluster:
        rules += [
            Rule(f"FailoverCluster-{kind}-In", f"Failover Clusters ({kind}-In)", CLUSTERS, CLUSTERS, True, ("Any",))
            for kind in ("TCP", "UDP")
        ]
    return rules


class Firewall:
    """Keeps the rules of every machine, and what a group policy says over them.

    Rules as windowsserverdocs, cluster-aware-updating-requirements has them: Remote Shutdown is off unless somebody enables it.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._rules: dict[str, list[Rule]] = {}
        self._forced: dict[tuple[str, str], bool] = {}

    def rules(self, machine: Machine) -> list[Rule]:
        """Return the rules of the machine's own store."""
        return self._rules.setdefault(machine.name, _rules(cluster=isinstance(machine, Node)))

    def groups(self, machine: Machine) -> dict[str, bool]:
        """Return by display group whether it is in effect in the domain profile."""
        names = dict.fromkeys(rule.display_group for rule in self.rules(machine))
        return {name: self.in_effect(machine, name) for name in names}

    def in_effect(self, machine: Machine, group: str) -> bool:
        """Tell whether every rule of a display group lets traffic in on the domain profile; a group policy has the last word."""
        forced = self._forced.get((machine.name, group))
        if forced is not None:
            return forced
        rules = [rule for rule in self.rules(machine) if rule.display_group == group]
        domain = [rule for rule in rules if {"Any", "Domain"} & set(rule.profiles)]
        return bool(domain) and all(rule.enabled for rule in domain)

    def forced(self, machine: Machine, group: str) -> bool | None:
        """Return what a group policy says about a display group, or None where none does."""
        return self._forced.get((machine.name, group))

    def force(self, machine: Machine, group: str, enabled: bool | None) -> None:
        """Let a group policy switch a display group on or off whatever the machine's own rules say; None lifts it."""
        before = self.in_effect(machine, group)
        if enabled is None:
            self._forced.pop((machine.name, group), None)
        else:
            self._forced[machine.name, group] = enabled
        self._announce(machine, group, before)

    def change(
        self,
        machine: Machine,
        rules: Iterable[Rule],
        *,
        enabled: bool | None = None,
        profiles: tuple[str, ...] | None = None,
    ) -> None:
        """Change rules of the machine's own store."""
        changed = list(rules)
        before = {rule.display_group: self.in_effect(machine, rule.display_group) for rule in changed}
        for rule in changed:
            rule.enabled = rule.enabled if enabled is None else enabled
            rule.profiles = rule.profiles if profiles is None else profiles
        for group, was in before.items():
            self._announce(machine, group, was)

    def enable_group(self, machine: Machine, group: str, enabled: bool = True) -> None:
        """Switch every rule of a display group on or off in the machine's own store."""
        self.change(machine, [rule for rule in self.rules(machine) if rule.display_group == group], enabled=enabled)

    def _announce(self, machine: Machine, group: str, before: bool) -> None:
        now = self.in_effect(machine, group)
        if now != before:
            node = machine if isinstance(machine, Node) else None
            self._world.emit("firewall", node, {"node": machine.name, "group": group, "enabled": now})
