"""Whether something may be raised for good: what was said when the run was begun, or a person's answer to that very question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from include.hci.policy.post_question import Question
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.run_events import NOBODY
from include.hci.report.values import Problem
from include.hci.settings.feature import Consent
from include.hci.steps.decisions import Decision, Done, Stop

Answer = Literal["go", "left", "missing", "void"]


@dataclass(frozen=True, slots=True)
class Allowed:
    """``answer`` says whether it goes on, ``why`` in words; ``by`` is who allowed it."""

    answer: Answer
    why: str
    by: str = ""


def consent(record: RunRecord, asked: Consent, question: Question) -> Allowed:
    """Return whether what ``question`` is about may be done.

    The answer is read from the record: who marks the task that asks as a success has answered nothing.
    """
    if asked == "no":
        return Allowed("left", "it was not asked for when the run was begun")
    if asked == "yes":
        started = record.last(ev.RunStarted)
        by = (started.event.started_by if started is not None else None) or "whoever began the run"
        return Allowed("go", f"{by} approved it when the run was begun", by)
    answer = last_answer(record, question.step)
    if answer is None:
        return Allowed("missing", "nobody has answered the question")
    if not answer.accepted:
        return Allowed("left", refusal_of(answer))
    if answer.identity != question.identity:
        return Allowed("void", f"{answer.by} said yes to another state of the cluster ({answer.identity[:12]})")
    return Allowed("go", f"{answer.by} approved it", answer.by)


def last_answer(record: RunRecord, step: str) -> ev.PostAnswered | None:
    """Return the last answer to the question of ``step``, whatever state of the cluster it was about."""
    answers = [entry.event for entry in record.all_of(ev.PostAnswered) if entry.event.step == step]
    return answers[-1] if answers else None


def refusal_of(answer: ev.PostAnswered) -> str:
    """Return in words who said no."""
    if answer.by == NOBODY:
        return "nobody approved it in time, and that means no"
    return f"refused by {answer.by}{f' ({answer.comment})' if answer.comment else ''}"


def left(what: str, why: str) -> Done:
    """Return the end of a step that was left out on purpose."""
    return Done("left", f"{what}: {why}", {"left": True})


def not_allowed(allowed: Allowed, what: str, step: str) -> Decision | None:
    """Return what becomes of the step where ``what`` was not allowed, or None where it was."""
    if allowed.answer == "go":
        return None
    if allowed.answer == "left":
        return left(what, allowed.why)
    return Stop(
        Problem(
            title=f"{what[:1].upper()}{what[1:]}: {allowed.why}.",
            meaning="There is no way back from it, so that it is done on an answer to this very question only."
            " Nothing was changed.",
            next_action=f"Clear the task '{step}' with its downstream tasks and answer the question.",
            retry_is_safe=False,
        )
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """What a person is to be asked: ``question``, or None and ``why`` there is nothing to ask.

    ``problem``: it cannot be asked now. ``try_out`` asks the cluster itself, without changing anything; it raises CommandFailed
    where the cluster would refuse.
    """

    question: Question | None = None
    why: str = ""
    problem: Problem | None = None
    try_out: Callable[[], str] | None = None


def level_left(record: RunRecord) -> str:
    """Return why this run left the functional level as it is, empty where it did not: the pool and the machines need it."""
    for entry in reversed(record.events()):
        event = entry.event
        if isinstance(event, ev.VersionSettled) and event.step == "functional_level":
            return ""
        if isinstance(event, ev.PostSkipped) and event.step == "functional_level":
            return event.why
    return ""
