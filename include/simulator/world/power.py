"""Restarts: shutting down, the firmware's self test, booting, and what happens to the cluster meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.world.machines import Node, Power

if TYPE_CHECKING:
    from include.simulator.world.groups import Group
    from include.simulator.world.world import World


class ShutdownInProgressError(Exception):
    """The machine is already shutting down."""


class PowerControl:
    """Takes nodes down and brings them up."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._soft: set[str] = set()

    def restart(self, node: Node, by: str, *, soft: bool = False) -> None:
        """Order a restart; raises ShutdownInProgressError where one is under way.

        A ``soft`` one leaves the firmware's self test out (azure-stack-docs, kernel-soft-reboot); whether Windows then has a new
        boot time is not documented, so it has not unless the variant says so. With DrainOnShutdown the cluster tries to move
        roles away first; what does not move in time goes down with the node.
        """
        if node.power is not Power.ON:
            raise ShutdownInProgressError("A system shutdown is already in progress.")
        self._world.emit("node.restart", node, {"node": node.name, "by": by, "ordered": True})
        if self._world.rig.take("no-restart", node.name):
            return
        node.power = Power.SHUTTING_DOWN
        world = self._world
        if soft:
            self._soft.add(node.name)
        if world.spec.drain_on_shutdown and node.member and world.groups.on(node):
            self._evacuate(node)
        else:
            world.after(world.spec.timings.shutdown, lambda: self._go_down(node, clean=True))

    def crash(self, node: Node, *, stay_down: bool = False) -> None:
        """Take the power away from ``node``."""
        self._go_down(node, clean=False, stay_down=stay_down)

    def start(self, node: Node) -> None:
        """Switch ``node`` on where it is off."""
        if node.power is Power.OFF:
            self._self_test(node)

    def _evacuate(self, node: Node) -> None:
        over = [False]

        def go_down(_: list[Group] | None = None) -> None:
            if not over[0]:
                over[0] = True
                self._world.after(self._world.spec.timings.shutdown, lambda: self._go_down(node, clean=True))

        self._world.drains.evacuate(node, go_down)
        self._world.after(timedelta(minutes=20), go_down)

    def _go_down(self, node: Node, *, clean: bool, stay_down: bool = False) -> None:
        if node.power in (Power.OFF, Power.BOOTING):
            return
        if not clean:
            self._soft.discard(node.name)
        self._world.services.set(node, "ClusSvc", "Stopped")
        how = "shut down" if clean else "lost its power"
        self._world.membership.leave(node, clean=clean, reason=f"node {node.name} {how}")
        self._world.updates.interrupt(node)
        node.power = Power.OFF
        self._announce(node)
        if not stay_down and not self._world.rig.take("never-comes-back", node.name):
            self._self_test(node)

    def _self_test(self, node: Node) -> None:
        extra = self._world.rig.take("slow-boot", node.name)
        minutes = extra.number("minutes") if extra else 0.0
        test = timedelta(0) if node.name in self._soft else self._world.spread(self._world.spec.timings.post)
        takes = test + timedelta(minutes=minutes)
        self._world.after(takes, lambda: self._boot(node))

    def _boot(self, node: Node) -> None:
        if self._world.bitlocker.stops_boot(node):
            return
        if node.power is not Power.OFF:
            return  # somebody had switched it on already
        node.power = Power.BOOTING
        soft = node.name in self._soft and not self._world.variant("soft-reboot-has-a-new-boot-time")
        self._soft.discard(node.name)
        if not soft and not self._world.rig.take("boot-time-unchanged", node.name):
            node.boot_time = self._world.now
        takes = self._world.spread(self._world.spec.timings.boot) + self._world.servicing.boot_work(node)
        self._world.after(takes, lambda: self._come_up(node))

    def _come_up(self, node: Node) -> None:
        node.power = Power.ON
        node.restarts += 1
        self._world.servicing.booted(node)
        self._announce(node)
        if node.services["ClusSvc"].start_type == "Automatic":
            self._world.services.set(node, "ClusSvc", "Running")
            self._world.membership.start_joining(node)
        if self._world.rig.take("restarts-again", node.name):
            self._world.after(self._world.spec.timings.shutdown, lambda: self._restart_by_itself(node))

    def _restart_by_itself(self, node: Node) -> None:
        if node.power is Power.ON:
            self.restart(node, "the server itself")

    def _announce(self, node: Node) -> None:
        detail = {"node": node.name, "up": node.up, "boot_time": node.boot_time.isoformat()}
        self._world.emit("node.power", node, detail | {"pending_restart": node.pending_restart})
        self._world.power_changed(node.name, self._world.services.reachable(node))
