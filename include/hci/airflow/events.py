"""How a step's end travels from its trigger to its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow.triggers.base import TriggerEvent

from include.hci.report.values import Problem
from include.hci.steps.decisions import Done, Stop
from include.hci.steps.engine import CANCELLED
from include.hci.steps.gates import PARKED


@dataclass(frozen=True, slots=True)
class Ended:
    """A step's end: ``done``, ``skipped`` or ``stopped``, with the reason.

    ``details`` is what a step that is done found out, ``problem`` what made one stop.
    """

    status: str
    why: str
    problem: Problem | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def end_of(decision: Done | Stop) -> Ended:
    """Return the end that ``decision`` is."""
    if isinstance(decision, Done) and decision.outcome in (CANCELLED, PARKED):
        return Ended("skipped", str(decision))
    if isinstance(decision, Done):
        return Ended("done", str(decision), details=dict(decision.details))
    return Ended("stopped", str(decision), decision.problem)


def finished(decision: Done | Stop) -> TriggerEvent:
    """Return the event of a step that is done or has stopped."""
    end = end_of(decision)
    problem = None if end.problem is None else end.problem.model_dump(mode="json")
    return TriggerEvent({"status": end.status, "why": end.why, "problem": problem, "details": dict(end.details)})


def skipped(why: str) -> TriggerEvent:
    """Return the event of a node that is not to be started."""
    return TriggerEvent({"status": "skipped", "why": why})


def addressed(event: TriggerEvent, sender: Sequence[str | None]) -> TriggerEvent:
    """Return ``event`` with the step that it comes from, so that no other task takes it for its own."""
    return TriggerEvent({**event.payload, "sender": list(sender)})


def is_from(payload: Mapping[str, Any], sender: Sequence[str | None]) -> bool:
    """Return whether an event's ``payload`` comes from ``sender``.

    Databases that give a deleted trigger's number to the next one (SQLite does) let the last words of a task that a person
    ended reach a task that was deferred just then.
    """
    return payload.get("sender") == list(sender)


def parse(payload: Mapping[str, Any]) -> Ended:
    """Return the end that an event's ``payload`` tells; raises ValueError when it is none of ours."""
    status = payload.get("status")
    if status not in ("done", "skipped", "stopped"):
        raise ValueError(f"The trigger answered with something that is no end of a step: {dict(payload)!r}")
    problem = payload.get("problem")
    return Ended(
        status,
        str(payload.get("why", "")),
        None if problem is None else Problem.model_validate(problem),
        dict(payload.get("details") or {}),
    )


def unexpected(step: str, node: str | None, error: Exception) -> Problem:
    """Return the problem of a step that ended with an error which nobody foresaw, or with unusable settings."""
    who = f"{step} of {node}" if node else step
    return Problem(
        title=f"The {who} could not go on: {type(error).__name__}.",
        meaning=str(error),
        next_action="Mend what the message names; if it names nothing, report it together with the task's log.",
        retry_is_safe=True,
    )
