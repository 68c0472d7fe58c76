"""Folds the record of a run into its report. Pure: the same record gives the same report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from include.hci.report import events as ev
from include.hci.report.checks import view_checks
from include.hci.report.doing import doing_now
from include.hci.report.ended import end_of_run
from include.hci.report.facts import RunFacts, fold_facts
from include.hci.report.folded import Folded
from include.hci.report.hook_sections import own_command_sections
from include.hci.report.kinds import as_its_kind
from include.hci.report.left import left_behind
from include.hci.report.model import (
    InterventionReport,
    LeftReport,
    LockReport,
    NodeReport,
    PlanReport,
    RunOutcome,
    RunReport,
    StorageReport,
    UndoneReport,
    WarningReport,
)
from include.hci.report.moves import outages, vm_sentence, watched
from include.hci.report.node import node_report
from include.hci.report.proof import proof_sections
from include.hci.report.record import Entry, RunRecord
from include.hci.report.run_events import NOBODY
from include.hci.report.spent import time_spent
from include.hci.report.tally import tally
from include.hci.report.timeline import waits
from include.hci.report.values import Check, Problem

E = TypeVar("E", bound=ev.RunEvent)
#: What a run comes to that was not to go all the way.
_PARTIAL: Mapping[str, RunOutcome] = {"plan-only": "planned", "stage-only": "staged"}


def report_of(record: RunRecord, now: datetime, run_id: str = "", cluster: str = "") -> RunReport:
    """Return the report of ``record`` as of ``now``; ``run_id`` and ``cluster`` stand in until the run has noted its own."""
    unreadable = tuple(f"{broken.file}: {broken.reason}" for broken in record.unreadable())
    return build_report(record.events(), now, run_id=run_id, cluster=cluster, unreadable=unreadable)


def build_report(
    entries: Sequence[Entry],
    now: datetime,
    *,
    run_id: str = "",
    cluster: str = "",
    unreadable: tuple[str, ...] = (),
) -> RunReport:
    """Return the report of ``entries``, given oldest first.

    ``now`` ends what is still going on in a run that has not concluded; such a report has the outcome ``running``.
    """
    over = end_of_run(entries)
    concluded = over.event if over is not None and isinstance(over.event, ev.Concluded) else None
    started = _last(entries, ev.RunStarted)
    planned = _last(entries, ev.Planned)
    approved = _last(entries, ev.Approved)
    ended_at = None if over is None else over.at
    end = ended_at or now
    facts = fold_facts((entry.at, entry.event) for entry in entries if entry.event is not None)
    seen_out = outages(entries, end)
    nodes = tuple(
        node_report(name, entries, facts, planned, end, over=concluded is not None, seen_out=seen_out)
        for name in _node_names(entries, started, planned)
    )
    left = left_behind(entries, facts, over=concluded is not None)
    problems = tuple(
        entry.event.problem for entry in entries if isinstance(entry.event, ev.Failed) and entry.event.node is None
    )
    checks = _checks(entries)
    refused = view_checks([check for check in checks if check.refused]).open
    has_left = any(isinstance(entry.event, ev.Left) for entry in entries)
    troubled = bool(left or has_left or problems or refused or facts.lock_nodes)
    outcome = _outcome(concluded, approved, planned, nodes, troubled, started.mode if started else "update", facts)
    all_waits, vms = waits(entries, end), watched(entries)
    report = RunReport(
        run_id=started.run_id if started else run_id,
        cluster=started.cluster if started else cluster,
        outcome=outcome,
        headline=_headline(
            outcome,
            planned,
            nodes,
            concluded,
            approved,
            problems,
            left,
            [_as_sentence(check) for check in refused] or (_wished(facts) if concluded is None else []),
            facts,
            vm_sentence(vms, len({role.name for node in nodes for role in node.vms}), seen_out),
        ),
        lock=_lock(entries, facts),
        started_at=entries[0].at if entries else None,
        ended_at=ended_at,
        started_by=started.started_by if started else None,
        mode=started.mode if started else "update",
        nodes=nodes,
        interventions=tuple(
            InterventionReport(entry.at, entry.event.by, entry.event.action, entry.event.comment)
            for entry in entries
            if isinstance(entry.event, ev.OperatorAsked)
        ),
        undone=tuple(
            UndoneReport(entry.at, entry.event.what, entry.node)
            for entry in entries
            if isinstance(entry.event, ev.Undone)
        ),
        left=left,
        problems=problems,
        checks=checks,
        plan=_plan(planned, approved),
        storage_before=_storage(entries, "before"),
        storage_after=_storage(entries, "after"),
        waits=all_waits,
        options=dict(started.options) if started else {},
        unreadable=unreadable,
        vms_watched=vms,
        outages=seen_out,
        time=time_spent(entries, all_waits, end),
        warnings=tuple(
            WarningReport(entry.at, entry.event.why) for entry in entries if isinstance(entry.event, ev.RanLong)
        )[:1],
        doing=doing_now(entries) if concluded is None else (),
        last_word_at=entries[-1].at if entries else None,
    )
    folded = Folded(entries, facts, report, is_over=concluded is not None, is_troubled=troubled)
    report = as_its_kind(folded, started.run_kind if started else "rolling-update")
    own = own_command_sections(entries, over=concluded is not None)
    return replace(report, sections=(*report.sections, *own, *proof_sections(entries)))


def _checks(entries: Iterable[Entry]) -> tuple[Check, ...]:
    """Return the checks of every step that makes some, as it made them last."""
    found = {entry.step: entry.event.checks for entry in entries if isinstance(entry.event, ev.ReadinessChecked)}
    return tuple(check for checks in found.values() for check in checks)


def _last(entries: Iterable[Entry], event_type: type[E]) -> E | None:
    found = [entry.event for entry in entries if isinstance(entry.event, event_type)]
    return found[-1] if found else None


def _node_names(entries: Iterable[Entry], started: ev.RunStarted | None, planned: ev.Planned | None) -> tuple[str, ...]:
    """Return the nodes in the plan's order, then the cluster's other ones."""
    names: dict[str, str] = {}
    seen = (entry.node for entry in entries if entry.node is not None)
    for name in (*(planned.order if planned else ()), *(started.nodes if started else ()), *seen):
        names.setdefault(name.casefold(), name)
    return tuple(names.values())


def _lock(entries: Iterable[Entry], facts: RunFacts) -> LockReport:
    guids = [entry.event.guid for entry in entries if isinstance(entry.event, ev.LockTaking | ev.LockTaken)]
    return LockReport(guids[-1] if guids else None, released=not facts.lock_nodes)


def _plan(planned: ev.Planned | None, approved: ev.Approved | None) -> PlanReport | None:
    if planned is None:
        return None
    return PlanReport(
        order=planned.order,
        updates=dict(planned.updates),
        why=dict(planned.why),
        max_failed_nodes=planned.max_failed_nodes,
        estimated_minutes=planned.estimated_minutes,
        approved_by=approved.by if approved and approved.accepted else None,
        approval_comment=approved.comment if approved else "",
        plan_hash=planned.plan_id,
        restart_asked=planned.restart_asked,
    )


def _storage(entries: Iterable[Entry], moment: str) -> StorageReport | None:
    found = [
        StorageReport(entry.at, entry.event.virtual_disks, entry.event.jobs, entry.event.faults)
        for entry in entries
        if isinstance(entry.event, ev.StorageRead) and entry.event.moment == moment
    ]
    # The first reading is the one before anything was touched; the last one is what the run leaves.
    return (found[0] if moment == "before" else found[-1]) if found else None


def _outcome(
    concluded: ev.Concluded | None,
    approved: ev.Approved | None,
    planned: ev.Planned | None,
    nodes: Sequence[NodeReport],
    is_troubled: bool,
    mode: str,
    facts: RunFacts,
) -> RunOutcome:
    if concluded is None:
        return "running"
    if concluded.cancelled or (approved is not None and not approved.accepted):
        return "cancelled"
    if facts.missed and planned is None and not is_troubled:
        return "missed"
    outcomes = {node.outcome for node in nodes}
    if mode in _PARTIAL and planned is not None and not is_troubled and "failed" not in outcomes:
        return _PARTIAL[mode] if any(planned.updates.values()) or planned.restart_asked else "nothing-to-do"
    if facts.parked and not is_troubled and "failed" not in outcomes and "in-progress" not in outcomes:
        return "parked"
    if is_troubled or planned is None or outcomes - {"updated", "restarted", "nothing-to-install"}:
        return "failed"
    return "succeeded" if outcomes & {"updated", "restarted"} else "nothing-to-do"


def _as_sentence(check: Check) -> str:
    text = check.evidence or check.title
    return text if text.endswith(".") else f"{text}."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else ""


def _refusal(answer: ev.Approved) -> str:
    if answer.by == NOBODY:
        return "Nobody approved the plan in time, and that means no. Nothing was changed."
    return f"The plan was refused by {answer.by}{f' ({answer.comment})' if answer.comment else ''}."


def _wished(facts: RunFacts) -> list[str]:
    """Return what people asked of a run that goes on and what it does about it."""
    if facts.cancel is not None:
        return [f"Being cancelled by {facts.cancel}."]
    held = " and ".join(f"{node} ({point.replace('-', ' ')})" for node, point in facts.held)
    if held:
        return [f"Held at {held}{f', as asked by {facts.pause}' if facts.pause else ''}."]
    return [f"Goes on to its next pause point, as asked by {facts.pause}."] if facts.pause else []


def _headline(
    outcome: RunOutcome,
    planned: ev.Planned | None,
    nodes: Sequence[NodeReport],
    concluded: ev.Concluded | None,
    approved: ev.Approved | None,
    problems: Sequence[Problem],
    left: Sequence[LeftReport],
    remarks: Sequence[str],
    facts: RunFacts,
    vms: str,
) -> str:
    if outcome == "planned" and planned is not None:
        count, restarts = sum(map(bool, planned.updates.values())), len(planned.restart_asked)
        work = f"{count} of {len(nodes)} nodes {'has' if count == 1 else 'have'} something to install"
        asked = f", {restarts} {'is' if restarts == 1 else 'are'} to be restarted as asked for" if restarts else ""
        return f"{work}{asked}. Nothing was changed."
    if outcome == "missed":
        return facts.missed
    if outcome == "staged":
        return "The updates are on the nodes. Nothing was installed and no node was taken out of service."
    if outcome == "nothing-to-do":
        return f"All {len(nodes)} nodes are up to date. Nothing was changed."
    reason = next(iter((*remarks, *(problem.title for problem in problems))), "")
    if not reason and approved is not None and not approved.accepted:
        reason = _refusal(approved)
    if not reason and outcome == "parked":
        reason = f"No other node was begun: {facts.parked}. The next run goes on with what is missing."
    if not reason and outcome == "failed":
        # What the end of the run says is what it did about it, which is told below.
        reason = next((node.error for node in nodes if node.outcome == "failed" and node.error), "") or (
            _sentence(left[0].what) if left else ""
        )
    if not reason and concluded is not None:
        reason = _sentence(concluded.why)
    late = facts.warned if outcome == "running" else ""
    return " ".join(part for part in (tally(nodes), vms, reason, late) if part)
