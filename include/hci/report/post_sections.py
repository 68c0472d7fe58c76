"""The sections of a feature update's report about what comes after the installation: what was asked, raised, left, and proven."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from include.hci.report import events as ev
from include.hci.report.event import StepName
from include.hci.report.model import Section
from include.hci.report.record import Entry
from include.hci.report.run_events import NOBODY
from include.hci.report.timeline import duration_text

E = TypeVar("E", bound=ev.RunEvent)
_ASKED: Mapping[StepName, StepName] = {
    "functional_level": "approve_functional_level",
    "pool_version": "approve_pool_version",
    "vm_versions": "approve_vm_versions",
}
_TITLES: Mapping[StepName, str] = {
    "functional_level": "Cluster functional level",
    "pool_version": "Version of the storage pool",
    "vm_versions": "Versions of the virtual machines",
    "move_role": "Proof that roles move",
}
_RESULTS = {
    "raised": "raised",
    "already": "had it already",
    "left": "left as it was",
    "failed": "not raised",
}


def post_sections(entries: Sequence[Entry]) -> tuple[Section, ...]:
    """Return the sections that there is something to say in."""
    found = [
        raise_section(entries, "functional_level"),
        raise_section(entries, "pool_version"),
        vm_section(entries),
        move_section(entries),
    ]
    return tuple(section for section in found if section.sentences or section.rows)


def left_sentences(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return what was left out on purpose, each as one sentence with its reason: what the headline of such a run owes."""
    found = []
    for step in ("functional_level", "pool_version", "vm_versions"):
        end = _ended(entries, step)
        if isinstance(end, ev.PostSkipped):
            found.append(_sentence(end.why))
    return tuple(found)


def raise_section(entries: Sequence[Entry], step: StepName) -> Section:
    """Return what became of the functional level, or of the pools."""
    sentences = list(_consent(entries, step))
    tried = _of(entries, ev.RaiseTried, step)
    if tried:
        sentences.append(f"Update-ClusterFunctionalLevel -WhatIf said: {_sentence(tried[-1].said)}")
    rows = []
    for subject, raising in _last_by_subject(entries, ev.VersionRaising, step).items():
        settled = _last_by_subject(entries, ev.VersionSettled, step).get(subject)
        if settled is None:
            refused = _last_by_subject(entries, ev.RaiseRefused, step).get(subject)
            outcome = f"refused: {refused.why}" if refused is not None else "ordered, and not seen to be raised"
            rows.append((subject, raising.before, "", outcome))
    for settled in _last_by_subject(entries, ev.VersionSettled, step).values():
        rows.append((settled.name or settled.subject, settled.before, settled.after, _RESULTS[settled.result]))
    return Section(_TITLES[step], tuple(sentences), ("What", "Before", "After", "Result") if rows else (), tuple(rows))


def vm_section(entries: Sequence[Entry]) -> Section:
    """Return the result for every virtual machine."""
    step: StepName = "vm_versions"
    sentences = list(_consent(entries, step))
    settled = _last_by_subject(entries, ev.VersionSettled, step)
    rows = [
        (
            each.name,
            each.node or "",
            each.before,
            each.after,
            " - ".join(filter(None, (_RESULTS[each.result], each.why))),
        )
        for each in sorted(settled.values(), key=lambda one: one.name.lower())
    ]
    for subject, raising in _last_by_subject(entries, ev.VersionRaising, step).items():
        if subject not in settled:
            rows.append((subject, raising.node or "", raising.before, "", "ordered, and not seen to be raised"))
    stopped = [
        entry.event.subject
        for entry in entries
        if isinstance(entry.event, ev.Changing) and (entry.event.step, entry.event.change) == (step, "vm-stopped")
    ]
    if stopped:
        sentences.append(f"Shut down for it, and started again: {', '.join(dict.fromkeys(stopped))}.")
    columns = ("Virtual machine", "Server", "Before", "After", "Result")
    return Section(_TITLES[step], tuple(sentences), columns if rows else (), tuple(rows))


def move_section(entries: Sequence[Entry]) -> Section:
    """Return how the proof that roles move went."""
    step: StepName = "move_role"
    moved, moving = _of(entries, ev.RoleMoved, step), _of(entries, ev.RoleMoving, step)
    sentences = []
    skipped = _ended(entries, step)
    if isinstance(skipped, ev.PostSkipped) and not moved:
        sentences.append(_sentence(skipped.why))
    states = dict.fromkeys(each.state for each in _of(entries, ev.RoleInterrupted, step))
    if moved:
        role = moved[0].role
        how = f" ({moving[0].how.removesuffix(role).strip()})" if moving and moving[0].how else ""
        kept = f"was also read as {', '.join(states)} on its way" if states else "was Online whenever it was read"
        sentences.append(f"{role}{how} {kept}.")
    sentences += [f"A move came to nothing: {_sentence(each.why)}" for each in _of(entries, ev.RoleMoveEnded, step)]
    rows = tuple(
        (each.role, each.source, each.target, duration_text(each.seconds), str(each.readings)) for each in moved
    )
    columns = ("Role", "From", "To", "There within", "Readings")
    return Section(_TITLES[step], tuple(sentences), columns if rows else (), rows)


def _consent(entries: Sequence[Entry], step: StepName) -> Iterable[str]:
    """Who was asked, who answered, and why it was left out where it was."""
    asked, answers = _of(entries, ev.PostAsked, _ASKED[step]), _of(entries, ev.PostAnswered, _ASKED[step])
    if asked and not answers:
        yield f"The question {asked[-1].identity[:12]} has no answer yet."
    if answers:
        answer = answers[-1]
        question = f"Question {answer.identity[:12]}"
        comment = f" ({answer.comment})" if answer.comment else ""
        if answer.by == NOBODY:
            yield f"{question} was answered by nobody in time, and that means no."
        else:
            yield f"{question} was {'approved' if answer.accepted else 'refused'} by {answer.by}{comment}."
    raising = _of(entries, ev.VersionRaising, step)
    if raising and not answers and raising[-1].allowed_by:
        yield f"It was approved by {raising[-1].allowed_by} when the run was begun."
    end = _ended(entries, step)
    if isinstance(end, ev.PostSkipped):
        yield _sentence(end.why)


def _ended(entries: Sequence[Entry], step: StepName) -> ev.PostSkipped | ev.VersionSettled | None:
    """Return what the step said last about its end."""
    for entry in reversed(entries):
        if isinstance(entry.event, ev.PostSkipped | ev.VersionSettled) and entry.event.step == step:
            return entry.event
    return None


def _of(entries: Sequence[Entry], event_type: type[E], step: StepName) -> list[E]:
    return [entry.event for entry in entries if isinstance(entry.event, event_type) and entry.event.step == step]


def _last_by_subject(entries: Sequence[Entry], event_type: type[E], step: StepName) -> dict[str, E]:
    return {str(getattr(event, "subject", "")): event for event in _of(entries, event_type, step)}


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
