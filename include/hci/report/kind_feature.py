"""The report of a feature update: what CAU did as CAU tells it, then what was raised, by whose leave, and what was proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from include.hci.report import events as ev
from include.hci.report.feature_channel import channel_sections
from include.hci.report.feature_sections import upgrade_sections
from include.hci.report.folded import Folded
from include.hci.report.kind_cau_remote import cau_remote
from include.hci.report.model import NodeReport, RunOutcome, RunReport
from include.hci.report.post_sections import left_sentences, post_sections
from include.hci.report.record import Entry
from include.hci.report.values import Check, Problem

E = TypeVar("E", bound=ev.RunEvent)
#: What has to have ended well by itself for the run to have succeeded, before and after the nodes have the new version.
_UPGRADING: tuple[ev.StepName, ...] = ("builds",)
_AFTERWARDS: tuple[ev.StepName, ...] = (
    "functional_level",
    "pool_version",
    "vm_versions",
    "move_role",
    "validate_after",
)
_WELL = frozenset({"updated", "nothing-to-install"})
_SUBJECTS: Mapping[ev.StepName, str] = {
    "functional_level": "Functional level",
    "pool_version": "Pool version",
    "vm_versions": "Versions of virtual machines",
}
_RESULTS = {"raised": "raised", "already": "raised already", "left": "left as found", "failed": "not to be raised"}


def feature(folded: Folded) -> RunReport:
    """Return the report with outcome, headline, nodes and sections as a feature update makes them."""
    entries = folded.entries
    base = replace(cau_remote(folded), checks=_checks(entries))
    started = _last(entries, ev.RunStarted)
    request: Mapping[str, Any] = started.request if started is not None else {}
    problems = _standing(folded)
    nodes = _nodes(base, entries, request, over=folded.is_over)
    missing = _missing(entries, request)
    outcome = _outcome(folded, base, nodes, problems, missing, request)
    return replace(
        base,
        outcome=outcome,
        headline=_headline(folded, replace(base, nodes=nodes), outcome, problems, missing),
        nodes=nodes,
        problems=problems,
        sections=(
            *upgrade_sections(entries),
            *channel_sections(entries),
            *post_sections(entries),
            *base.sections,
        ),
    )


def _nodes(
    base: RunReport, entries: Sequence[Entry], request: Mapping[str, Any], *, over: bool
) -> tuple[NodeReport, ...]:
    """Return the nodes as CAU tells of them, with the builds that they have after all.

    A run that leaves CAU out installs nothing on any.
    """
    builds: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry.event, ev.VersionsRead | ev.UpdatingEnded):
            builds |= entry.event.builds
    nodes = tuple(replace(node, build_after=builds.get(node.name, node.build_after)) for node in base.nodes)
    if not (over and request.get("post_steps_only")):
        return nodes
    return tuple(replace(node, outcome="nothing-to-install", error=None) for node in nodes)


def _checks(entries: Sequence[Entry]) -> tuple[Check, ...]:
    """Return the checks of readiness and those of CAU's own test, which has a step of its own here."""
    last = {entry.event.step: entry.event.checks for entry in entries if isinstance(entry.event, ev.ReadinessChecked)}
    return tuple(check for checks in last.values() for check in checks)


def _standing(folded: Folded) -> tuple[Problem, ...]:
    """Return the problems of the whole run, less those of steps that were tried again and ended well."""
    found: dict[int, tuple[ev.StepName, Problem]] = {}
    for position, entry in enumerate(folded.entries):
        event = entry.event
        if isinstance(event, ev.Failed) and event.node is None:
            found[position] = (event.step, event.problem)
        elif event is not None and _is_good_end(event):
            found = {key: each for key, each in found.items() if each[0] != event.step}
    return tuple(problem for _, problem in found.values())


def _is_good_end(event: ev.RunEvent) -> bool:
    if isinstance(event, ev.UpdatingEnded):
        return event.good
    return isinstance(event, ev.Decided) and event.decision == "done" and event.node is None


def _missing(entries: Sequence[Entry], request: Mapping[str, Any]) -> tuple[ev.StepName, ...]:
    """Return the steps of which nobody says that they ended well: a task that a person marks as done has done nothing."""
    wanted: list[ev.StepName] = []
    if not request.get("post_steps_only"):
        wanted += _UPGRADING
        wanted += ["further_updates"] if request.get("further_updates", True) else []
    wanted += _AFTERWARDS
    done = {entry.event.step for entry in entries if entry.event is not None and _is_good_end(entry.event)}
    return tuple(step for step in wanted if step not in done)


def _outcome(
    folded: Folded,
    base: RunReport,
    nodes: Sequence[NodeReport],
    problems: Sequence[Problem],
    missing: Sequence[ev.StepName],
    request: Mapping[str, Any],
) -> RunOutcome:
    if not folded.is_over or base.outcome in ("running", "cancelled", "missed"):
        return "running" if not folded.is_over else base.outcome
    refused = any(check.refused for check in base.checks)
    if problems or base.left or refused or folded.facts.lock_nodes:
        return "failed"
    planned = _last(folded.entries, ev.Planned)
    if base.mode == "plan-only" and planned is not None and not request.get("post_steps_only"):
        return "planned" if any(planned.updates.values()) else "nothing-to-do"
    if folded.facts.parked:
        return "parked"
    if missing or any(node.outcome not in _WELL for node in nodes):
        return "failed"
    raised = any(
        isinstance(entry.event, ev.VersionSettled) and entry.event.result == "raised" for entry in folded.entries
    )
    updated = any(node.outcome == "updated" for node in nodes)
    further = any(
        isinstance(entry.event, ev.UpdatingEnded) and entry.event.outcome == "succeeded" for entry in folded.entries
    )
    # A person's no is an answer: something was to be done, and it was left on purpose.
    refused_by_a_person = any(
        isinstance(entry.event, ev.PostAnswered) and not entry.event.accepted for entry in folded.entries
    )
    return "succeeded" if updated or raised or further or refused_by_a_person else "nothing-to-do"


def _headline(
    folded: Folded,
    base: RunReport,
    outcome: RunOutcome,
    problems: Sequence[Problem],
    missing: Sequence[ev.StepName],
) -> str:
    if outcome == "planned":
        return base.headline
    entries = folded.entries
    read = _last(entries, ev.VersionsRead)
    said = []
    if read is not None and read.settled:
        # Further updates, and their builds, came after that reading.
        builds = ", ".join(dict.fromkeys(node.build_after or read.builds.get(node.name, "") for node in base.nodes))
        said.append(f"All {len(read.builds)} nodes have one version ({builds}).")
    elif outcome in ("running", "cancelled", "parked") or _last(entries, ev.CauRunSeen) is not None:
        said.append(base.headline)
    said += _settled(entries)
    if problems:
        said.append(problems[0].title)
    elif outcome == "failed" and (refused := [check for check in base.checks if check.refused]):
        said.append(_sentence(refused[0].evidence or refused[0].title))
    elif outcome == "failed" and base.left:
        said.append(_sentence(base.left[0].what))
    elif outcome == "failed" and missing:
        said.append(f"Not done: {', '.join(step.replace('_', ' ') for step in missing)}.")
    elif outcome == "nothing-to-do":
        said.append("Nothing was to be done.")
    return " ".join(dict.fromkeys(said)) or base.headline


def _settled(entries: Sequence[Entry]) -> list[str]:
    """Return what became of each version that could be raised, and what was left as it is and why."""
    last: dict[tuple[str, str], ev.VersionSettled] = {}
    for entry in entries:
        if isinstance(entry.event, ev.VersionSettled):
            last[entry.event.step, entry.event.subject] = entry.event
    said = []
    for step, subject in _SUBJECTS.items():
        ends = [each for key, each in last.items() if key[0] == step]
        if len(ends) == 1 and ends[0].result == "raised":
            said.append(f"{subject} raised from {ends[0].before} to {ends[0].after}.")
        elif len(ends) == 1:
            said.append(f"{subject}: {_RESULTS[ends[0].result]}.")
        elif ends:
            tally = {text: sum(each.result == result for each in ends) for result, text in _RESULTS.items()}
            said.append(f"{subject}: {', '.join(f'{count} {text}' for text, count in tally.items() if count)}.")
    return [*said, *left_sentences(entries)]


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _last(entries: Sequence[Entry], event_type: type[E]) -> E | None:
    return next((entry.event for entry in reversed(entries) if isinstance(entry.event, event_type)), None)
