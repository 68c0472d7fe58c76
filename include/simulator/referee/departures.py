"""The moments at which a node was sent out of service: what I1, I2, I4, I6 and I7 are about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from include.simulator.referee.history import Frame, History
from include.simulator.referee.orders import CLUSTER, RESTART, Order
from include.simulator.referee.rules import CLUSTER_STOP


@dataclass(frozen=True, slots=True)
class Departure:
    """A node that an order sends away. ``leaves``: it was in service until then; ``restart``: by telling it to restart."""

    frame: Frame
    node: str
    order: Order
    leaves: bool
    restart: bool

    @property
    def consequence(self) -> bool:
        """Whether the node only does now what it was told before."""
        return not self.restart and self.order.kind == RESTART

    @property
    def offline_update(self) -> bool:
        """Whether it goes with the whole cluster, or while that is stopped, as the operator has allowed.

        Source: windowsserverdocs, maintain-servers: offline updates stop the cluster first.
        """
        before = self.frame.before
        return CLUSTER_STOP in before.rules.permissions and (before.stopped or self.order.kind == CLUSTER)


def departures(history: History) -> Iterator[Departure]:
    """Yield every node that was ordered out by somebody who is judged, when the world follows the order.

    A node that is told to restart appears with the order; one that was in service appears once more when it goes.
    """
    for frame in history.of("node.state", "node.power", "node.restart"):
        name = frame.detail["node"]
        order = frame.after.ordered.get(name) or frame.before.ordered.get(name)
        if order is None or not history.blames(order.actor) or frame.is_fault:
            continue
        was, now = frame.before.nodes.get(name), frame.after.nodes.get(name)
        restart = frame.entry.op == "node.restart" and bool(frame.detail.get("ordered"))
        leaves = was is not None and was.in_service and (restart or (now is not None and not now.in_service))
        if leaves or restart:
            yield Departure(frame, name, order, leaves, restart)
