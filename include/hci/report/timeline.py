"""A node's timeline and the journal of waits, folded from the record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby

from include.hci.report import events as ev
from include.hci.report.model import PhaseReport, WaitReport
from include.hci.report.record import Entry
from include.hci.report.values import Progress

#: Events that may come at any moment and end nothing.
_BESIDE = (ev.VmNotOnline, ev.VmOnline, ev.RanLong)


def node_timeline(entries: Sequence[Entry], end: datetime) -> tuple[PhaseReport, ...]:
    """Return the phases of one node from its ``entries`` (oldest first); ``end`` is the end of the run, or now.

    Entries of one step in a row are one phase. A phase whose last entry is a wait or an unanswered intent goes on until the
    node's next entry.
    """
    steps = (entry for entry in entries if not isinstance(entry.event, _BESIDE))
    phases = [list(group) for _, group in groupby(steps, key=lambda entry: entry.step)]
    next_starts = [*(phase[0].at for phase in phases[1:]), end]
    return tuple(_phase(phase, start) for phase, start in zip(phases, next_starts, strict=False))


def waits(entries: Iterable[Entry], end: datetime) -> tuple[WaitReport, ...]:
    """Return every wait in ``entries``, oldest first; waits for the same thing in a row are one, with the last progress."""
    found: list[WaitReport] = []
    steps = (entry for entry in entries if not isinstance(entry.event, _BESIDE))
    by_owner = sorted(steps, key=lambda entry: (entry.node or "", entry.step))
    for (node, step), group in groupby(by_owner, key=lambda entry: (entry.node, entry.step)):
        own = sorted(group, key=lambda entry: (entry.at, entry.sequence))
        following: list[Entry | None] = [*own[1:], None]
        for entry, after in zip(own, following, strict=True):
            if not isinstance(entry.event, ev.Decided) or entry.event.decision != "wait":
                continue
            wait = WaitReport(
                started_at=entry.at,
                ended_at=after.at if after else max(end, entry.at),
                step=step,
                node=node,
                why=entry.event.why,
                progress=progress_text(entry.event.progress),
                until=entry.event.until,
            )
            last = found[-1] if found else None
            if last and (last.node, last.step, last.ended_at) == (node, step, wait.started_at) and _same(last, wait):
                found[-1] = WaitReport(
                    started_at=last.started_at,
                    ended_at=wait.ended_at,
                    step=step,
                    node=node,
                    why=wait.why,
                    progress=wait.progress or last.progress,
                    until=wait.until,
                )
            else:
                found.append(wait)
    return tuple(sorted(found, key=lambda wait: (wait.started_at, wait.node or "")))


def progress_text(progress: Progress | None) -> str:
    """Return ``progress`` in words: ``412 of 1,024 GiB, 3.1 GiB/s, about 3 min left``."""
    if progress is None:
        return ""
    unit = f" {progress.unit}" if progress.unit else ""
    parts: list[str] = []
    if progress.done is not None and progress.total is not None:
        parts.append(f"{_number(progress.done)} of {_number(progress.total)}{unit}")
    elif progress.done is not None:
        parts.append(f"{_number(progress.done)}{unit}")
    if progress.per_second:
        parts.append(f"{_number(progress.per_second)}{unit}/s")
    if progress.seconds_left is not None:
        parts.append(f"about {duration_text(progress.seconds_left)} left")
    text = ", ".join(parts)
    return f"{progress.subject}: {text}" if progress.subject and text else progress.subject or text


def duration_text(seconds: float) -> str:
    """Return a duration as people say it: ``42 s``, ``3 min 20 s``, ``2 h 05 min``, ``1 d 03 h``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes < 10 and rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24:02d} h"


def _phase(entries: Sequence[Entry], next_start: datetime) -> PhaseReport:
    last = entries[-1]
    goes_on = last.kind == "intent" or (isinstance(last.event, ev.Decided) and last.event.decision in ("wait", "act"))
    failed = any(
        isinstance(entry.event, ev.Failed) or (isinstance(entry.event, ev.Decided) and entry.event.decision == "stop")
        for entry in entries
    )
    skipped = any(isinstance(entry.event, ev.Skipped) for entry in entries)
    reasons = (
        entry.event.why for entry in entries if isinstance(entry.event, ev.Decided) and entry.event.decision == "wait"
    )
    return PhaseReport(
        step=last.step,
        started_at=entries[0].at,
        ended_at=max(next_start, last.at) if goes_on else last.at,
        state="failed" if failed else "skipped" if skipped else "unfinished" if goes_on else "done",
        waited_for=tuple(dict.fromkeys(reasons)),
    )


def _same(one: WaitReport, other: WaitReport) -> bool:
    """Tell whether two waits are for the same thing: their reasons differ in figures only."""
    return re.sub(r"[\d.,:]+", "#", one.why) == re.sub(r"[\d.,:]+", "#", other.why)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"
