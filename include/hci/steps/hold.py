"""A person's hand on a run: where it is held, until somebody lets it go on, and where it may end early."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.report import events as ev
from include.hci.report.facts import RunFacts
from include.hci.report.record import Entry

HOW_TO_GO_ON = "It goes on when somebody presses Continue in the tab 'Update report'."


@dataclass(frozen=True, slots=True)
class Hold:
    """The run is held at ``point`` of the node, because ``why``."""

    point: ev.PausePoint
    why: str


def hold_at(point: ev.PausePoint, node: str, facts: RunFacts, configured: Collection[str]) -> Hold | None:
    """Return why the run is held at ``point`` of ``node``, or None: a person asked for it, or the run's options do.

    Once a person let the node go on from there, only a new request holds it again. A run that is cancelled is held nowhere.
    """
    if facts.cancel is not None:
        return None
    if facts.pause is not None:
        return Hold(point, f"held {_where(point, node)}: {facts.pause} asked for a pause. {HOW_TO_GO_ON}")
    if point in configured and (node, point) not in facts.passed:
        return Hold(point, f"held {_where(point, node)}: it is a pause point of this run. {HOW_TO_GO_ON}")
    return None


def time_held(entries: Sequence[Entry], step: str, now: datetime) -> timedelta:
    """Return how long the node's ``step`` has been held in its present turn, from the run's ``entries`` oldest first."""
    total, since = timedelta(0), None
    for entry in entries:
        match entry.event:
            case ev.TurnGiven() if step != "turn":
                total, since = timedelta(0), None
            case ev.Held() if entry.step == step:
                since = since or entry.at
            case ev.OperatorAsked(action="continue" | "cancel") if since is not None:
                total, since = total + (entry.at - since), None
            case _:
                pass
    return total if since is None else total + (now - since)


def _where(point: ev.PausePoint, node: str) -> str:
    words = {
        "before-drain": f"before {node} is drained",
        "before-restart": f"before {node} restarts",
        "after-resume": f"after {node} is back, before the next node begins",
    }
    return words[point]
