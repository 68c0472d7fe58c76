"""The scripts that a run calls before and after each node (windowsserverdocs, cluster-aware-updating-options)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.world.firewall import COMPATIBILITY

if TYPE_CHECKING:
    from include.simulator.world.machines import Node
    from include.simulator.world.world import World


@dataclass(frozen=True, slots=True)
class Script:
    """One script: ``text`` tells copies apart, ``fails`` is what it throws at its end, ``output`` the lines that it writes.

    ``unreadable``: the node may not read it. ``hangs``: it never ends.
    """

    text: str = ""
    takes: timedelta = timedelta(seconds=20)
    fails: str = ""
    unreadable: bool = False
    hangs: bool = False
    output: tuple[str, ...] = ()


class Scripts:
    """What lies at which path on which node; a share looks the same from all of them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._scripts: dict[tuple[str, str], Script] = {}

    def put(self, path: str, script: Script, *nodes: str) -> None:
        """Put ``script`` at ``path`` as seen from ``nodes``, or from all of them."""
        for name in nodes or tuple(node.name for node in self._world.nodes):
            self._scripts[name, path.lower()] = script

    def remove(self, path: str, *nodes: str) -> None:
        """Delete what lies at ``path`` on ``nodes``, or on all of them."""
        for name in nodes or tuple(node.name for node in self._world.nodes):
            self._scripts.pop((name, path.lower()), None)

    def find(self, node: str, path: str) -> Script | None:
        """Return what lies at ``path``, or None."""
        return self._scripts.get((node, path.lower()))

    def problem(self, node: Node, path: str) -> str:
        """Return why the script cannot be run on ``node`` or what it fails with; nothing where all is well."""
        script = self.find(node.name, path)
        if not self._world.remoting.state(node).powershell:
            return "PowerShell remoting is not enabled on the node"
        if not self._world.firewall.in_effect(node, COMPATIBILITY):
            return "the rule Windows Remote Management - Compatibility Mode (HTTP-In) is not enabled on the node"
        if script is None:
            return "the script was not found"
        return "access to the script is denied" if script.unreadable else self.failure(node.name, path)

    def failure(self, node: str, path: str) -> str:
        """Return what a run of the script that ends now throws; empty where it ends well."""
        script = self.find(node, path)
        rigged = self._world.rig.take("script-fails", node)
        if rigged is not None:
            return rigged.text("message", "The script has failed.")
        return script.fails if script is not None else ""

    def hangs(self, node: str, path: str) -> bool:
        """Tell whether a run of the script goes on and on."""
        script = self.find(node, path)
        return (script is not None and script.hangs) or self._world.rig.find("script-hangs", node) is not None
