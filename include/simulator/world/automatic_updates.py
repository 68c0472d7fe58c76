"""Automatic Updates: a machine whose policy says so installs and restarts by itself, whoever else is at work on the cluster."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from include.simulator.world.agent import Logon, UpdateAgent
from include.simulator.world.criteria import parse
from include.simulator.world.machines import Machine, Node, Power
from include.simulator.world.updates import Operation

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.world import World

ORCHESTRATOR = "Automatic Updates"
#: What Automatic Updates select: what is assigned to them (CAU's default criteria, cluster-aware-updating-plug-ins).
_SELECTS = parse("IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1")
#: How long the warning before an automatic restart stands.
WARNING = timedelta(minutes=15)


class AutomaticUpdates:
    """Wakes every machine that has AUOptions 4 at its hour (windows-itpro-docs, waas-wu-settings). Hours are UTC here."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._timers: dict[str, Timer] = {}
        world.registry.on_change(self._changed)

    def next_run(self, machine: Machine) -> datetime | None:
        """Return when ``machine`` will install by itself, or None where it will not."""
        timer = self._timers.get(machine.name)
        return timer.at if timer else None

    def _changed(self, machine: Machine, key: str) -> None:
        if isinstance(machine, Node) and self._world.policies.concerns(key):
            self._arm(machine)

    def _arm(self, node: Node) -> None:
        if timer := self._timers.pop(node.name, None):
            timer.cancel()
        policy = self._world.policies.of(node)
        if not policy.installs:
            return
        now = self._world.now
        at = now.replace(hour=policy.hour % 24, minute=0, second=0, microsecond=0)
        # Day 1 of the policy is a Sunday; isoweekday() has it as 7.
        while at <= now or (policy.day and at.isoweekday() % 7 + 1 != policy.day):
            at += timedelta(days=1)
        self._timers[node.name] = self._world.at(at, lambda: self._wake(node))

    def _wake(self, node: Node) -> None:
        self._arm(node)
        if node.power is not Power.ON or self._world.updates.installing(node) or self._world.servicing.busy(node):
            return
        agent = UpdateAgent(self._world, node, Logon.SYSTEM, ORCHESTRATOR)
        found = [each for each in agent.search(_SELECTS, recommended=False) if not each.is_feature_update]
        if not found:
            self._restart_if_needed(node)
            return
        boot = node.boot_time

        def install(_: Operation) -> None:
            if node.power is Power.ON and node.boot_time == boot and not self._world.updates.installing(node):
                agent.install(found, then=lambda _: self._restart_if_needed(node))

        agent.download(found, then=install)

    def _restart_if_needed(self, node: Node) -> None:
        if node.power is not Power.ON or not node.pending_restart:
            return
        boot, at = node.boot_time, self._world.now + WARNING
        policy = self._world.policies.of(node)
        while not policy.may_restart_at(at.hour):
            at = (at + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
        self._world.at(at, lambda: self._restart(node, boot))

    def _restart(self, node: Node, boot: datetime) -> None:
        if node.power is Power.ON and node.boot_time == boot and self._world.policies.of(node).installs:
            self._world.power.restart(node, "NT AUTHORITY\\SYSTEM (Automatic Updates)")
