"""What installed updates do around a restart: longer boots, a new build, and servicing that goes on after the boot."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine, Node
from include.simulator.world.versions import running

if TYPE_CHECKING:
    from include.simulator.world.world import World


class Servicing:
    """Makes pending updates effective when their node has restarted."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._busy: dict[str, datetime] = {}

    def busy(self, node: Node) -> bool:
        """Tell whether work that began with the boot still goes on, so that nothing can be installed."""
        return self._busy.get(node.name) == node.boot_time

    def restart_pending(self, machine: Machine) -> bool:
        """Tell whether servicing waits for a restart of ``machine``."""
        mine = isinstance(machine, Node) and machine.pending_restart
        return mine or self._world.features.restart_pending(machine)

    def boot_work(self, node: Node) -> timedelta:
        """Return how much longer the boot takes because of updates that wait for it."""
        return timedelta(minutes=sum(update.boot_minutes for update in self._world.updates.pending(node)))

    def booted(self, node: Node) -> None:
        """Make what was pending effective, and keep the Windows Modules Installer busy for a while if there was anything."""
        had_work = bool(self._world.updates.pending(node))
        pending = self._world.updates.take_effect(node)
        node.pending_restart = (had_work or node.pending_restart) and self._world.rig.take(
            "restart-still-pending", node.name
        ) is not None
        self._world.features.booted(node)
        self._world.services.booted(node)
        self._world.bitlocker.booted(node)
        self._world.services.set(node, "TrustedInstaller", "Stopped")
        if not had_work:
            return
        build, ubr = node.build, node.ubr
        for update in sorted(pending, key=lambda each: (each.build or 0, each.ubr or 0)):
            if update.build:
                node.build, node.ubr = update.build, update.ubr or 1
                node.os = running(node.os, node.build)
                node.installed_at = self._world.now
            elif update.ubr and node.build == (update.for_build or self._world.spec.os.build):
                node.ubr = max(node.ubr, update.ubr)
        if (build, ubr) != (node.build, node.ubr):
            self._world.emit("build", node, {"node": node.name, "build": node.build, "ubr": node.ubr})
        minutes = sum(update.servicing_minutes for update in pending)
        busy = self._world.rig.take("servicing-busy", node.name)
        minutes += busy.number("minutes") if busy else 0.0
        takes = self._world.spread(self._world.spec.timings.servicing) + timedelta(minutes=minutes)
        self._world.services.set(node, "TrustedInstaller", "Running")
        boot = self._busy[node.name] = node.boot_time
        self._world.after(takes, lambda: self._settle(node, boot))

    def _settle(self, node: Node, boot: datetime) -> None:
        if self._busy.get(node.name) == boot:
            del self._busy[node.name]
        if node.up and node.boot_time == boot and not self._world.updates.installing(node):
            self._world.services.set(node, "TrustedInstaller", "Stopped")
