"""What a run that goes on does, or waits for, at this moment, folded from its record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from include.hci.report import events as ev
from include.hci.report.model_parts import DoingReport
from include.hci.report.record import Entry
from include.hci.report.timeline import progress_text

_ASKS = "a person has to answer; in Airflow it stands under Required Actions"


def doing_now(entries: Sequence[Entry]) -> tuple[DoingReport, ...]:
    """Return what goes on after ``entries`` (oldest first), the cluster's own steps first, then the nodes'.

    Nodes that wait for their turn are left out where anything else goes on.
    """
    if asked := open_question(entries):
        return (asked,)
    last: dict[str | None, DoingReport] = {}
    for entry in entries:
        match entry.event:
            case ev.Decided(decision="wait" | "act") as event:
                last[entry.node] = _doing(entry, event)
            case ev.TriedAgain() as event:
                last[entry.node] = DoingReport(entry.step, entry.node, f"it is tried again soon: {event.why}", entry.at)
            case ev.UpdatingBegun() as event:
                text = f"the rolling update {event.started_run} of {event.dag_id} runs; it has a report of its own"
                last[None] = DoingReport(entry.step, None, text, entry.at)
            case ev.Decided() | ev.Failed() | ev.Skipped() | ev.Resynced() | ev.UpdatingEnded() | ev.Concluded():
                last.pop(entry.node, None)
            case _:
                pass
    found = sorted(last.values(), key=lambda each: (each.node is not None, each.since))
    return tuple(each for each in found if each.step != "turn") or tuple(found)


def _doing(entry: Entry, event: ev.Decided) -> DoingReport:
    text = f"{event.action}: {event.why}" if event.decision == "act" and event.action else event.why
    return DoingReport(entry.step, entry.node, text, entry.at, progress_text(event.progress), event.until)


def open_question(entries: Sequence[Entry]) -> DoingReport | None:
    """Return the question of which a person's answer is not on record."""
    asked: tuple[str, datetime, str] | None = None
    minutes: object = None
    wanted = False
    for entry in entries:
        match entry.event:
            case ev.RunStarted() as event:
                wanted = bool(event.options.get("require_approval")) or event.run_kind == "offline-update"
                wanted = wanted and event.mode != "plan-only"
                minutes = event.options.get("approval_timeout_minutes")
            case ev.Planned(updates=updates, restart_asked=restarts) if wanted and (any(updates.values()) or restarts):
                asked = ("approve", entry.at, "the plan waits for its approval")
            case ev.PostAsked():
                asked = (entry.step, entry.at, "a question waits for its answer")
            case ev.Approved() | ev.PostAnswered() | ev.LockTaking() | ev.Failed(node=None) | ev.Concluded():
                asked = None
            case _:
                pass
    if asked is None:
        return None
    step, at, text = asked
    until = at + timedelta(minutes=minutes) if isinstance(minutes, int | float) else None
    return DoingReport(step, None, f"{text}: {_ASKS}", at, until=until)
