"""What a node says of itself while it restarts, and whether an ordered restart has happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import Build, Service, get_operating_system, get_services, get_windows_version
from include.hci.powershell.errors import RemotingError
from include.hci.report import events as ev
from include.hci.report.facts import OpenRestart
from include.hci.report.record import RunRecord

#: A boot time moves by seconds as the clock is kept right; a restart moves it by more.
LATER = timedelta(minutes=1)
_SERVICES = ("ClusSvc", "TrustedInstaller")


@dataclass(frozen=True, slots=True)
class NodeAnswer:
    """What the node itself says; ``silence`` is why it says nothing, ``local_time`` what its own clock showed."""

    boot_time: datetime | None = None
    services: tuple[Service, ...] = ()
    build: Build | None = None
    silence: str = ""
    local_time: datetime | None = None

    def runs(self, name: str) -> bool:
        """Return whether the service ``name`` runs."""
        return any(service.name.lower() == name.lower() and service.is_running for service in self.services)

    def shows_restart(self, order: OpenRestart) -> bool:
        """Return whether the boot time proves that ``order`` was heeded.

        Whoever sets the node's clock forward moves its boot time as well. A node that has restarted booted after the moment that
        its own clock showed at the order; or, if that clock was ahead then, it has been running for less time than before.
        """
        if self.boot_time is None or self.boot_time < order.boot_time_before + LATER:
            return False
        if self.local_time is None or order.local_time_before is None:
            return True
        ran_before = order.local_time_before - order.boot_time_before
        return self.boot_time > order.local_time_before or self.local_time - self.boot_time < ran_before


def read_answer(cluster: Cluster, node: str) -> NodeAnswer:
    """Return what ``node`` says; silence, errors and refused logins while it goes down and comes up are no verdict on it."""
    try:
        shell = cluster.on(node)
        system = get_operating_system(shell, node)
        return NodeAnswer(
            system.boot_time,
            get_services(shell, _SERVICES),
            get_windows_version(shell).build,
            local_time=system.local_time,
        )
    except RemotingError as error:
        return NodeAnswer(silence=error.detail)


def open_orders(record: RunRecord, node: str) -> tuple[OpenRestart, ...]:
    """Return the orders to restart ``node`` that were given since it was last resumed and not seen to be heeded."""
    orders: list[OpenRestart] = []
    for entry in record.events(node):
        if isinstance(entry.event, ev.Restarted | ev.Resumed):
            orders.clear()
        elif isinstance(entry.event, ev.RestartOrdered):
            orders.append(OpenRestart(entry.at, entry.event.boot_time_before, entry.event.local_time_before))
    return tuple(orders)


def restarted(node: str, answer: NodeAnswer, boot_time: datetime, step: ev.StepName) -> ev.Restarted:
    """Return the event of a restart that the answer shows."""
    return ev.Restarted(
        step=step, node=node, boot_time=boot_time, build=str(answer.build) if answer.build is not None else None
    )
