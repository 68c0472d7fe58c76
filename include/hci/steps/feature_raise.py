"""Raising a version once: the intent before, the outcome by reading, and no second order as long as the first may be at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.powershell.errors import CommandFailed
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.values import Problem
from include.hci.steps.decisions import Decision, Scene, Stop, Wait

#: How long an order whose outcome is not known may still show an effect.
SETTLE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Order:
    """An order that was given (or may have been) and not refused; ``taken``: the command ended without an error."""

    at: datetime
    before: str
    taken: bool = False


def open_order(record: RunRecord, step: ev.StepName, subject: str) -> Order | None:
    """Return the last order to raise ``subject``, unless it was refused."""
    found: Order | None = None
    for entry in record.events():
        event = entry.event
        if not isinstance(event, ev.VersionRaising | ev.RaiseRefused | ev.RaiseTaken):
            continue
        if (event.step, event.subject) != (step, subject):
            continue
        match event:
            case ev.VersionRaising():
                found = Order(entry.at, event.before)
            case ev.RaiseRefused():
                found = None
            case ev.RaiseTaken() if found is not None:
                found = Order(found.at, found.before, taken=True)
    return found


@dataclass(frozen=True, slots=True)
class Raise:
    """Raise the version of ``subject`` by ``give``, which sends the command; ``shown`` is that command."""

    step: ev.StepName
    subject: str
    before: str
    target: str
    allowed_by: str
    shown: str
    give: Callable[[Cluster], None]
    node: str | None = None

    def describe(self) -> str:
        """Return the command."""
        return self.shown

    def perform(self, scene: Scene) -> None:
        """Give the order; that it was refused is known to have changed nothing."""
        raising = ev.VersionRaising(
            step=self.step,
            node=self.node,
            subject=self.subject,
            before=self.before,
            target=self.target,
            allowed_by=self.allowed_by,
        )
        scene.record.add(raising, scene.clock())
        try:
            self.give(scene.cluster)
        except CommandFailed as error:
            refused = ev.RaiseRefused(step=self.step, node=self.node, subject=self.subject, why=error.detail)
            scene.record.add(refused, scene.clock())
            raise
        scene.record.add(ev.RaiseTaken(step=self.step, node=self.node, subject=self.subject), scene.clock())


def unresolved(order: Order, what: str, now: datetime) -> Decision:
    """Return what is done about an order that shows no effect yet: it is waited for, and never given again."""
    if now - order.at < SETTLE:
        return Wait(f"{what} was ordered at {order.at:%H:%M} UTC and is read again: it is still {order.before}")
    minutes = int(SETTLE.total_seconds() // 60)
    said = "ended without an error" if order.taken else "has an outcome that nobody knows"
    return Stop(
        Problem(
            title=f"{what[:1].upper()}{what[1:]} was ordered at {order.at:%H:%M} UTC, and is still {order.before}.",
            meaning=f"The command {said}, and shows no effect after {minutes} min. It is given once per run and not again.",
            next_action="Look at the cluster's events; then start another run with post_steps_only, or raise it by hand.",
            retry_is_safe=False,
        )
    )
