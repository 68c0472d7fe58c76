"""The report of a run that was left to CAU: what CAU's own report says of each node, and what was seen while it went on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from include.hci.report import events as ev
from include.hci.report.cau_report_sections import GOOD_RESULTS, report_sections
from include.hci.report.folded import Folded
from include.hci.report.model import NodeOutcome, NodeReport, RunOutcome, RunReport, Section, UpdateReport
from include.hci.report.record import Entry
from include.hci.report.tally import tally
from include.hci.report.values import Problem

E = TypeVar("E", bound=ev.RunEvent)
#: States in which a node is before CAU has touched it; all but the first two are this program's reading of CAU's words.
_UNTOUCHED = frozenset({"", "waiting", "scanning", "staging", "downloading", "canceled"})
_WELL: frozenset[NodeOutcome] = frozenset({"updated", "nothing-to-install"})


def cau_remote(folded: Folded) -> RunReport:
    """Return the report with nodes, outcome and sections as CAU's run makes them."""
    report, entries = folded.report, folded.entries
    read, seen = _last(entries, ev.CauReportRead), _last(entries, ev.CauRunSeen)
    if read is not None and (seen is None or read.run_id != seen.run_id):
        read = None
    results = {each.node.split(".")[0].lower(): each for each in read.nodes} if read else {}
    members = _members(entries)
    nodes = tuple(
        _node(node, entries, results.get(node.name.lower()), began=seen is not None, over=folded.is_over)
        for node in report.nodes
        if node.name.lower() in members
    )
    outcome = _outcome(folded, nodes, read, seen)
    return replace(
        report,
        outcome=outcome,
        headline=_headline(folded, outcome, nodes, read, seen),
        nodes=nodes,
        sections=(*report.sections, *_sections(entries, read, seen)),
    )


def _members(entries: Sequence[Entry]) -> frozenset[str]:
    """Return the nodes of the cluster: what is on record about a machine may be about the management host as well."""
    started = _last(entries, ev.RunStarted)
    seen = {entry.event.node for entry in entries if isinstance(entry.event, ev.CauNodeRead | ev.CauNodeStatus)}
    return frozenset(name.lower() for name in (*(started.nodes if started is not None else ()), *seen))


def _node(
    node: NodeReport, entries: Sequence[Entry], result: ev.CauNodeResult | None, *, began: bool, over: bool
) -> NodeReport:
    own = [entry for entry in entries if entry.node is not None and entry.node.lower() == node.name.lower()]
    states = [entry.event.status for entry in own if isinstance(entry.event, ev.CauNodeStatus)]
    reads = [entry.event for entry in own if isinstance(entry.event, ev.CauNodeRead)]
    before = next((each for each in reads if each.moment == "before"), None)
    after = next((each for each in reversed(reads) if each.moment == "after"), None)
    updates = tuple(map(_update, result.updates)) if result is not None else ()
    outcome = _node_outcome(node, states, result, updates, began=began, over=over)
    taken_out = result is not None and result.suspended_at is not None
    error = _error(node.name, outcome, states, result)
    return replace(
        node,
        outcome=outcome,
        taken_out=taken_out,
        resumed=taken_out and after is not None and after.state == "Up",
        restarts=_restarts(states, before, after),
        build_before=(before.build if before is not None else None) or node.build_before,
        build_after=(after.build if after is not None else None) or node.build_after,
        updates=updates,
        retried=tuple(map(_update, result.transient)) if result is not None else (),
        error=error or (node.error if outcome == "not-started" else None),
        problem=_problem(node.name, error) if outcome == "failed" else None,
        failed_step="run_cau" if outcome == "failed" else None,
        node_updater=_plugins(result),
    )


def _node_outcome(
    node: NodeReport,
    states: Sequence[str],
    result: ev.CauNodeResult | None,
    updates: Sequence[UpdateReport],
    *,
    began: bool,
    over: bool,
) -> NodeOutcome:
    if result is not None:
        match result.status.lower():
            case "succeeded":
                return "updated" if any(each.result in GOOD_RESULTS for each in updates) else "nothing-to-install"
            case "canceled" if not any(each.result in GOOD_RESULTS for each in updates):
                return "skipped"
            case _:
                return "failed"
    if not began:
        return "nothing-to-install" if node.outcome == "nothing-to-install" else "not-started"
    touched = any(state.lower() not in _UNTOUCHED for state in states)
    if not over:
        return "in-progress" if states else "not-started"
    return "failed" if touched else "not-started"


def _error(name: str, outcome: NodeOutcome, states: Sequence[str], result: ev.CauNodeResult | None) -> str | None:
    if outcome == "skipped":
        return (result.error if result is not None else "") or "CAU's run was stopped before this node's turn."
    if outcome != "failed":
        return None
    if result is not None:
        failed = [each.kb or each.title for each in result.updates if each.result not in GOOD_RESULTS]
        return result.error or (f"{', '.join(failed)}: not installed." if failed else f"CAU says {result.status}.")
    last = states[-1] if states else "nothing"
    return f"CAU left no report of {name}; its last state was {last}."


def _problem(name: str, error: str | None) -> Problem:
    return Problem(
        title=f"CAU did not finish {name}: {error}",
        meaning="The node may be only partly updated, or paused.",
        next_action=f"Look at {name} (Get-ClusterNode) and at Get-CauReport -Last -Detailed, then start another run.",
    )


def _update(each: ev.CauUpdateResult) -> UpdateReport:
    return UpdateReport(
        update_id=each.update_id,
        kb=each.kb,
        title=each.title,
        result=each.result,
        hresult=each.hresult,
        reboot_required=each.reboot_required,
        meaning=each.meaning,
        next_action=each.next_action,
        plugin=each.plugin or None,
        at=each.at,
    )


def _restarts(states: Sequence[str], before: ev.CauNodeRead | None, after: ev.CauNodeRead | None) -> int:
    """Return how often the node was seen to restart: CAU's report does not tell, its states and the boot time do."""
    was, now = (each.boot_time if each is not None else None for each in (before, after))
    if was is None or now is None:
        return sum("restart" in state.lower() or "reboot" in state.lower() for state in states)
    if now <= was:
        return 0
    return max(1, sum("restart" in state.lower() or "reboot" in state.lower() for state in states))


def _plugins(result: ev.CauNodeResult | None) -> str | None:
    names = dict.fromkeys(each.plugin for each in result.updates if each.plugin) if result is not None else ()
    return ", ".join(names) or None


def _outcome(
    folded: Folded, nodes: Sequence[NodeReport], read: ev.CauReportRead | None, seen: ev.CauRunSeen | None
) -> RunOutcome:
    if folded.is_over and seen is None and folded.report.outcome == "failed" and not folded.is_troubled:
        # Nothing was found to be installed, and so nothing was begun.
        return "nothing-to-do" if nodes and all(node.outcome == "nothing-to-install" for node in nodes) else "failed"
    if not folded.is_over or seen is None:
        return folded.report.outcome
    if folded.report.outcome == "cancelled":
        return "cancelled"
    good = read is not None and read.status.lower() == "succeeded" and all(node.outcome in _WELL for node in nodes)
    if folded.is_troubled or not good:
        return "failed"
    return "succeeded" if any(node.outcome == "updated" for node in nodes) else "nothing-to-do"


def _headline(
    folded: Folded,
    outcome: RunOutcome,
    nodes: Sequence[NodeReport],
    read: ev.CauReportRead | None,
    seen: ev.CauRunSeen | None,
) -> str:
    if outcome == "nothing-to-do":
        return f"All {len(nodes)} nodes are up to date. Nothing was changed."
    planned = _last(folded.entries, ev.Planned)
    if outcome == "planned" and planned is not None:
        offered = sum(map(bool, planned.updates.values()))
        has = "has" if offered == 1 else "have"
        return f"{offered} of {len(nodes)} nodes {has} something to install. Nothing was changed."
    said = [tally(nodes)]
    cancel = folded.facts.cancel
    if seen is None:
        # Why nothing was begun is said after the tally of a rolling update, which counts the management host as well.
        return " ".join((*said, folded.report.headline.partition(". ")[2])).strip()
    if outcome == "running":
        said.append(f"Being cancelled by {cancel}." if cancel is not None else "CAU's run goes on.")
    elif outcome == "cancelled" and cancel is not None:
        said.append(f"Cancelled by {cancel}.")
    elif read is None:
        said.append("CAU left no report of its run.")
    elif outcome != "succeeded":
        said.append(
            read.error or next((problem.title for problem in folded.report.problems), f"CAU says {read.status}.")
        )
    return " ".join(said)


def _sections(
    entries: Sequence[Entry], read: ev.CauReportRead | None, seen: ev.CauRunSeen | None
) -> tuple[Section, ...]:
    starting = _last(entries, ev.CauRunStarting)
    found: list[Section] = []
    said: list[str] = []
    if recovering := _last(entries, ev.CauRecovering):
        allowed = f" Allowed by {recovering.allowed_by}." if recovering.allowed_by else ""
        said.append(f"CAU was {recovering.state} and was recovered: {'; '.join(recovering.evidence)}.{allowed}")
    if seen is not None:
        said.append(f"CAU's run {seen.run_id}, coordinated by {seen.coordinator or 'nobody that was named'}.")
    said += [
        f"It was told to stop at {entry.at:%Y-%m-%d %H:%M} UTC: {entry.event.why}."
        for entry in entries
        if isinstance(entry.event, ev.CauRunStopping)
    ]
    if read is not None:
        took = "" if read.seconds is None else f" after {read.seconds / 60:.0f} min"
        said.append(f"CAU's report says {read.status}{took}. {read.error}".strip())
    if starting is not None or said:
        rows = tuple((name, value) for name, value in starting.parameters.items()) if starting is not None else ()
        found.append(Section("Cluster-Aware Updating", tuple(said), ("Parameter of Invoke-CauRun", "Value"), rows))
    states = tuple(
        (f"{entry.at:%Y-%m-%d %H:%M:%S}", entry.event.node, entry.event.status)
        for entry in entries
        if isinstance(entry.event, ev.CauNodeStatus)
    )
    if states:
        found.append(Section("What CAU did, in its own words", (), ("Seen at (UTC)", "Node", "State"), states))
    return (*found, *report_sections(read)) if read is not None else tuple(found)


def _last(entries: Sequence[Entry], event_type: type[E]) -> E | None:
    return next((entry.event for entry in reversed(entries) if isinstance(entry.event, event_type)), None)
