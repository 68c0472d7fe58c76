"""The report as one HTML page: what came of the run first, then what is left to do by hand, then the evidence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.hci.powershell.quoting import quoted
from include.hci.report.checks import took, view_checks
from include.hci.report.event import RunKind
from include.hci.report.model import NodeReport, PhaseReport, RunReport, WaitReport
from include.hci.report.timeline import duration_text

_TEMPLATES = Path(__file__).resolve().parent / "templates"

OUTCOME_WORDS = {
    "succeeded": "succeeded",
    "failed": "failed",
    "nothing-to-do": "nothing to do",
    "planned": "planned only",
    "staged": "downloaded only",
    "parked": "parked",
    "missed": "missed its window",
    "cancelled": "cancelled",
    "running": "running",
    "updated": "updated",
    "restarted": "restarted",
    "nothing-to-install": "already up to date",
    "skipped": "skipped",
    "not-started": "not started",
    "in-progress": "in progress",
    "succeeded-with-errors": "installed with errors",
    "aborted": "aborted",
}
STEP_WORDS = {
    "take_lock": "take lock",
    "stage": "download",
    "turn": "wait for turn",
    "cau_setup": "CAU's own test",
    "run_cau": "CAU's run",
    "stop_vms": "stop virtual machines",
    "start_vms": "start virtual machines",
    "vm_versions": "versions of virtual machines",
    "approve_vm_versions": "approve versions of virtual machines",
}
KIND_WORDS: Mapping[RunKind, str] = {
    "rolling-update": "rolling update",
    "offline-update": "offline update, with downtime",
    "cau-remote-updating": "updating run of CAU",
    "cau-self-updating": "self-updating role of CAU",
    "feature-update": "feature update",
}
#: How the commands of what is left begin that are to be given on one machine.
_ON = re.compile(r"(On [^\s:]+(?:, [^:]+)?): (.+)", re.DOTALL)
#: So many waits are listed at most: the longest ones. All of them stand in the report's data.
MOST_WAITS = 300
_STEPS_AXIS = (60, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Control:
    """A button of the page of a run that goes on: what it says and where it leads; ``grave`` ones are set apart."""

    text: str
    address: str
    grave: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a timeline: where it begins and how wide it is, in percent of the run's time."""

    left: float
    width: float
    step: str
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark of the time axis, in percent of the run's time."""

    left: float
    label: str


def render_html(
    report: RunReport,
    timezone: tzinfo = UTC,
    now: datetime | None = None,
    controls: Sequence[Control] = (),
    gone: str = "",
) -> str:
    """Return ``report`` as a page that needs nothing else; times are shown in ``timezone``.

    ``now`` is when the page was made; a report of a run that goes on ends there. ``controls`` are what a person can ask of it.
    ``gone`` says why nobody works on the run any more although it has not concluded (empty: it has, or goes on).
    """
    end = report.ended_at or (report.last_word_at if gone else now) or now or _last_moment(report)
    axis = _Axis(report.started_at, end, timezone)
    return (
        environment()
        .get_template("run.html")
        .render(
            report=report,
            checks=view_checks(report.checks),
            controls=controls,
            gone=gone,
            kind=KIND_WORDS[report.run_kind],
            last_word_ago=_ago(report, now),
            waits=_shown(report.waits),
            end=end,
            made_at=now,
            is_over=report.ended_at is not None,
            bars={node.name: axis.bars(node) for node in report.nodes},
            ticks=axis.ticks(),
            steps=_steps_used(report),
            any_failed=any(phase.state == "failed" for node in report.nodes for phase in node.timeline),
            attention=[node for node in report.nodes if node.problem is not None],
            lasting=[outage for outage in report.outages if outage.ended_at is None],
            vms_said=_vms_said(report),
            shares=_shares(report),
            longest_waits=sorted(report.waits, key=lambda wait: wait.duration, reverse=True)[:3],
            clock=lambda moment: _clock(moment, timezone, report.started_at),
            full=lambda moment: moment.astimezone(timezone).strftime("%Y-%m-%d %H:%M:%S %Z") if moment else "",
            zone=_zone_name(timezone, report.started_at or end),
        )
    )


class _Axis:
    """Maps moments of a run to percents of its width."""

    def __init__(self, start: datetime | None, end: datetime | None, timezone: tzinfo) -> None:
        self.start = start
        self.seconds = max(1.0, (end - start).total_seconds()) if start and end else 1.0
        self.timezone = timezone

    def bars(self, node: NodeReport) -> list[Bar]:
        """Return the bars of ``node``; a very short one is still wide enough to be seen."""
        return [bar for phase in node.timeline for bar in [self._bar(phase)] if bar]

    def ticks(self) -> list[Tick]:
        """Return at most seven marks at round times of day."""
        if self.start is None:
            return []
        step = next(
            (step for step in _STEPS_AXIS if self.seconds / step <= 6), math.ceil(self.seconds / 6 / 86400) * 86400
        )
        local = self.start.astimezone(self.timezone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        first = midnight + timedelta(seconds=math.ceil((local - midnight).total_seconds() / step) * step)
        marks = (first + timedelta(seconds=step * number) for number in range(8))
        return [Tick(round(place, 3), f"{mark:%H:%M}") for mark in marks if (place := self._place(mark)) <= 100.0]

    def _bar(self, phase: PhaseReport) -> Bar | None:
        left = self._place(phase.started_at)
        width = max(self._place(phase.ended_at) - left, 0.4)
        if left > 100:
            return None
        words = step_words(phase.step)
        waited = f"\nwaited for: {'; '.join(phase.waited_for)}" if phase.waited_for else ""
        title = f"{words}, {duration_text(phase.duration.total_seconds())}, {phase.state}{waited}"
        return Bar(
            round(min(left, 99.6), 3), round(min(width, 100 - min(left, 99.6)), 3), phase.step, phase.state, title
        )

    def _place(self, moment: datetime) -> float:
        if self.start is None:
            return 0.0
        return max(0.0, (moment - self.start).total_seconds() / self.seconds * 100)


def _last_moment(report: RunReport) -> datetime | None:
    moments = [phase.ended_at for node in report.nodes for phase in node.timeline]
    moments += [wait.ended_at for wait in report.waits]
    return max(moments, default=report.started_at)


def _steps_used(report: RunReport) -> list[str]:
    return list(dict.fromkeys(phase.step for node in report.nodes for phase in node.timeline))


def _vms_said(report: RunReport) -> str:
    """Return what came of the virtual machines in a few words; empty when none was watched."""
    if not report.vms_watched:
        return ""
    moved = len({vm.name for node in report.nodes for vm in node.vms})
    out = len({outage.vm for outage in report.outages})
    return f"{moved} moved, {f'{out} not Online at some reading' if out else 'all Online at every reading'}"


def _ago(report: RunReport, now: datetime | None) -> str:
    """Return how long ago the run was heard of last; empty where that is not known."""
    if now is None or report.last_word_at is None:
        return ""
    return duration_text((now - report.last_word_at).total_seconds())


def _shown(waits: Sequence[WaitReport]) -> Sequence[WaitReport]:
    longest = sorted(waits, key=lambda wait: wait.duration, reverse=True)[:MOST_WAITS]
    return sorted(longest, key=lambda wait: wait.started_at)


def _shares(report: RunReport) -> list[tuple[str, str, float]]:
    """Return the parts of the run's time that are there: key, words, seconds."""
    if report.time is None:
        return []
    parts = [
        ("cluster", "The cluster's own work", report.time.cluster_seconds),
        ("people", "Waiting for people", report.time.people_seconds),
        ("coordinator", "The coordinator", report.time.coordinator_seconds),
    ]
    return [part for part in parts if part[2] > 0]


def _clock(moment: datetime | None, timezone: tzinfo, start: datetime | None) -> str:
    """Return the time of day, with the day in front when it is not the day on which the run began."""
    if moment is None:
        return ""
    local = moment.astimezone(timezone)
    is_same_day = start is None or local.date() == start.astimezone(timezone).date()
    return local.strftime("%H:%M:%S" if is_same_day else "%a %H:%M:%S")


def _zone_name(timezone: tzinfo, moment: datetime | None) -> str:
    if moment is None or timezone is UTC:
        return "UTC"
    offset = moment.astimezone(timezone).strftime("%z")
    return f"{timezone} (UTC{offset[:3]}:{offset[3:5]})"


def _typed(command: str) -> tuple[str, str]:
    """Return where a command is to be given (empty: anywhere), and the command alone, to be copied as a whole."""
    found = _ON.fullmatch(command)
    return ("", command) if found is None else (found[1], found[2])


def step_words(step: str) -> str:
    """Return the name of a step as a person reads it."""
    return STEP_WORDS.get(step, step.replace("_", " "))


def _option(value: object) -> str:
    """Return the value of an option as a person would write it."""
    if value is None or value in ([], {}, ""):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_option, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_option(item)}" for key, item in value.items())
    return str(value)


@cache
def environment() -> Environment:
    """Return the templates of the report's pages."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = lambda text: OUTCOME_WORDS.get(text, str(text).replace("_", " "))
    environment.filters["step"] = step_words
    environment.filters["took"] = took
    environment.filters["option"] = _option
    environment.filters["quoted"] = quoted
    environment.filters["typed"] = _typed
    environment.filters["duration"] = lambda value: duration_text(
        value.total_seconds() if isinstance(value, timedelta) else value
    )
    return environment
