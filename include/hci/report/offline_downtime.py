"""How long what was down in a fast offline update, measured from the run's record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from include.hci.report import events as ev
from include.hci.report.event import StepName
from include.hci.report.offline_events import OfflinePlanned
from include.hci.report.record import Entry

#: What a run of this kind takes down.
KINDS: frozenset[ev.ChangeKind] = frozenset(
    {"vm-stopped", "virtual-disk-offline", "cluster-stopped", "service-start-type"}
)


@dataclass(frozen=True, slots=True)
class VmDowntime:
    """One virtual machine that was stopped; ``back`` is None while it is not seen to run again."""

    name: str
    node: str
    how: str
    down: datetime
    back: datetime | None


@dataclass(frozen=True, slots=True)
class Downtime:
    """From the first virtual machine that was told to stop (or the cluster) to the last one that runs again.

    ``parts`` are the seconds of each phase, one after the other: they are the whole.
    """

    began: datetime
    ended: datetime
    is_over: bool
    parts: tuple[tuple[StepName, float], ...]

    @property
    def seconds(self) -> float:
        """How long it was."""
        return (self.ended - self.began).total_seconds()


def measure(entries: Sequence[Entry], end: datetime) -> Downtime | None:
    """Return the downtime that ``entries`` (oldest first) tell of, up to ``end`` where it goes on; None: nothing went down."""
    changes = [entry for entry in entries if isinstance(entry.event, ev.Changing) and entry.event.change in KINDS]
    if not changes:
        return None
    began = changes[0].at
    open_ones: set[tuple[str, str | None, str]] = set()
    ended = began
    for entry in entries:
        if isinstance(entry.event, ev.Changing) and entry.event.change in KINDS:
            open_ones.add((entry.event.change, entry.node, entry.event.subject))
        elif isinstance(entry.event, ev.ChangeTakenBack) and entry.event.change in KINDS:
            open_ones.discard((entry.event.change, entry.node, entry.event.subject))
            ended = entry.at
    ended = end if open_ones else ended
    return Downtime(began, ended, not open_ones, _parts(entries, began, ended))


def _parts(entries: Sequence[Entry], began: datetime, ended: datetime) -> tuple[tuple[StepName, float], ...]:
    def first(*steps: str) -> datetime | None:
        return next((entry.at for entry in entries if entry.step in steps and entry.at >= began), None)

    installs = [entry.at for entry in entries if entry.step == "install_offline" and entry.at >= began]
    # Installing and restarting overlap, since every server goes at its own pace: the slowest install ends the phase.
    begins: tuple[tuple[StepName, datetime | None], ...] = (
        ("stop_vms", began),
        ("stop_cluster", first("stop_cluster")),
        ("install_offline", first("install_offline", "restart_offline")),
        ("restart_offline", installs[-1] if installs else first("restart_offline")),
        ("start_cluster", first("start_cluster", "conclude")),
        ("start_vms", first("start_vms")),
    )
    known = [(step, at) for step, at in begins if at is not None]
    parts = []
    at = began
    for place, (step, _) in enumerate(known):
        following = known[place + 1][1] if place + 1 < len(known) else ended
        until = min(max(following, at), ended)
        parts.append((step, (until - at).total_seconds()))
        at = until
    return tuple(parts)


def vm_downtimes(entries: Iterable[Entry], planned: OfflinePlanned | None) -> tuple[VmDowntime, ...]:
    """Return every virtual machine that was stopped, in the order in which they were."""
    homes = {vm.name: vm.node for vm in planned.vms} if planned else {}
    found: dict[str, VmDowntime] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, ev.Changing) and event.change == "vm-stopped":
            before = found.get(event.subject)
            how = "saved" if event.after == "Saved" else "shut down"
            if before is not None and how != before.how:
                how = f"{how}, it did not {'shut down' if how == 'saved' else 'stop'} in time"
            down = before.down if before else entry.at
            found[event.subject] = VmDowntime(event.subject, homes.get(event.subject, ""), how, down, None)
        elif isinstance(event, ev.ChangeTakenBack) and event.change == "vm-stopped" and event.subject in found:
            found[event.subject] = replace(found[event.subject], back=entry.at)
    return tuple(found.values())
