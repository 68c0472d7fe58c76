"""The verdict on a fast offline update: how long what was down, beside what the plan expected, and what still is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from include.hci.report import events as ev
from include.hci.report.event import StepName
from include.hci.report.facts import RunFacts
from include.hci.report.folded import Folded
from include.hci.report.model import NodeReport, RunReport, Section
from include.hci.report.offline_downtime import KINDS, Downtime, VmDowntime, measure, vm_downtimes
from include.hci.report.offline_events import OfflinePlanned, PhaseMinutes
from include.hci.report.record import Entry
from include.hci.report.tally import tally
from include.hci.report.timeline import duration_text

E = TypeVar("E", bound=ev.RunEvent)
#: How many services and disks, and how many virtual machines, the headline names; all stand in the sections.
_NAMED = 8
_PHASES: tuple[tuple[StepName, str], ...] = (
    ("stop_vms", "Virtual machines stopped"),
    ("stop_cluster", "Disks offline, cluster stopped"),
    ("install_offline", "Installed on all servers"),
    ("restart_offline", "Servers restarted"),
    ("start_cluster", "Cluster started, disks online"),
    ("start_vms", "Virtual machines started"),
)


def offline(folded: Folded) -> RunReport:
    """Return the report as it is for a fast offline update."""
    entries, report = folded.entries, folded.report
    planned = _last(entries, ev.OfflinePlanned)
    end = report.ended_at or (entries[-1].at if entries else None)
    down = measure(entries, end) if end else None
    vms = vm_downtimes(entries, planned)
    nodes = tuple(_as_taken_out(node, entries, over=folded.is_over) for node in report.nodes)
    report = replace(report, headline=report.headline.replace(tally(report.nodes), tally(nodes), 1))
    sections = [*_sections(planned, down, vms, entries)]
    headline = " ".join(filter(None, (_headline(report, planned, down), _still_down(folded.facts, vms))))
    return replace(report, nodes=nodes, headline=headline, sections=(*report.sections, *sections))


def _as_taken_out(node: NodeReport, entries: Sequence[Entry], *, over: bool) -> NodeReport:
    """Return the node with what the end of the cluster meant for it: that is no pause, and none is resumed."""
    own = [entry.event for entry in entries if entry.node == node.name]
    went = any(isinstance(event, ev.Changing) and event.change == "cluster-stopped" for event in own)
    back = any(isinstance(event, ev.ChangeTakenBack) and event.change == "cluster-stopped" for event in own)
    if went and node.outcome == "not-started" and not over:
        node = replace(node, outcome="in-progress")
    elif went and node.outcome == "not-started":
        why = "It went down with the cluster and nothing was installed on it."
        node = replace(node, outcome="skipped", error=why)
    return replace(node, taken_out=node.taken_out or went, resumed=node.resumed or (went and back))


def _sections(
    planned: OfflinePlanned | None, down: Downtime | None, vms: Sequence[VmDowntime], entries: Sequence[Entry]
) -> Iterable[Section]:
    if planned is not None or down is not None:
        yield _downtime_section(planned, down)
    if planned is not None or vms:
        yield _vm_section(planned, vms)
    builds = _last(entries, ev.BuildsCompared)
    if builds is not None:
        rows = [(node, build) for node, build in builds.builds.items()]
        rows += [(node, f"did not answer: {why}") for node, why in builds.silent.items()]
        different = len(set(builds.builds.values())) > 1
        said = "They differ." if different else "They are the same."
        yield Section("Builds before the cluster was started", (said,), ("Server", "Build"), tuple(sorted(rows)))


def _downtime_section(planned: OfflinePlanned | None, down: Downtime | None) -> Section:
    sentences = []
    if down is not None:
        until = f"until {_clock(down.ended)}" if down.is_over else "and it goes on"
        sentences.append(f"It took {duration_text(down.seconds)}: from {_clock(down.began)} {until}.")
    if planned is not None:
        low, expected, high = _planned(planned, lambda phase: (phase.low, phase.expected, phase.high))
        sentences.append(f"The plan expected {_minutes(expected)} ({_minutes(low)} to {_minutes(high)}).")
    parts = dict(down.parts) if down else {}
    rows = []
    for step, title in _PHASES:
        phase = planned.phases.get(step) if planned else None
        expects = f"{_minutes(phase.expected)} ({_minutes(phase.low)} to {_minutes(phase.high)})" if phase else ""
        rows.append((title, duration_text(parts[step]) if step in parts else "", expects))
    if down is not None:
        rows.append(("Together", duration_text(sum(parts.values())), ""))
    return Section("Downtime", tuple(sentences), ("Phase", "Took", "Planned"), tuple(rows))


def _vm_section(planned: OfflinePlanned | None, vms: Sequence[VmDowntime]) -> Section:
    sentences = []
    if planned is not None:
        idle = len(planned.vms) - len(planned.running)
        if idle:
            sentences.append(f"{idle} did not run and {'was' if idle == 1 else 'were'} left so.")
        if not vms and planned.running:
            named = ", ".join(vm.name for vm in planned.running)
            sentences.append(f"{len(planned.running)} are to be stopped: {named}.")
    rows = tuple(
        (
            vm.name,
            vm.node,
            vm.how,
            _clock(vm.down),
            _clock(vm.back) if vm.back else "not yet",
            duration_text((vm.back - vm.down).total_seconds()) if vm.back else "",
        )
        for vm in vms
    )
    columns = ("Virtual machine", "Server", "How", "Told to stop", "Runs again", "Down for")
    return Section("Virtual machines", tuple(sentences), columns if rows else (), rows)


def _headline(report: RunReport, planned: OfflinePlanned | None, down: Downtime | None) -> str:
    if down is None or planned is None:
        return report.headline
    (expected,) = _planned(planned, lambda phase: (phase.expected,))
    took = f"The cluster was down for {duration_text(down.seconds)}, {_minutes(expected)} were expected."
    if not down.is_over:
        took = f"The cluster has been down since {_clock(down.began)}."
    if report.outcome == "succeeded":
        return f"All {len(report.nodes)} servers were updated at once. {took}"
    return f"{report.headline}{'' if report.headline.endswith('.') else '.'} {took}"


def _still_down(facts: RunFacts, vms: Sequence[VmDowntime]) -> str:
    parts = [
        (f"{change.subject} of {change.node}" if change.node else change.subject)
        for change in facts.changes
        if change.kind in KINDS - {"vm-stopped", "service-start-type"}
    ]
    machines = [vm.name for vm in vms if vm.back is None]
    told = [*_first(parts, "other services and disks"), *_first(machines, "other virtual machines")]
    return f"Still down: {', '.join(told)}." if told else ""


def _first(names: Sequence[str], others: str) -> list[str]:
    """Return the first of ``names``, and how many more there are: a headline has no room for hundreds."""
    return [*names] if len(names) <= _NAMED else [*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} {others}"]


def _planned(planned: OfflinePlanned, of: Callable[[PhaseMinutes], tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(sum(column) for column in zip(*(of(phase) for phase in planned.phases.values()), strict=True))


def _minutes(count: float) -> str:
    return duration_text(60 * count)


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"


def _last(entries: Sequence[Entry], event_type: type[E]) -> E | None:
    found = [entry.event for entry in entries if isinstance(entry.event, event_type)]
    return found[-1] if found else None
