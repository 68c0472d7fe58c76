"""I7: at most one holder of the lock; no work without it."""

from __future__ import annotations

import re

from include.simulator.referee.departures import Departure, departures
from include.simulator.referee.history import Frame, History
from include.simulator.referee.view import LOCK, ClusterView
from include.simulator.referee.violation import Violation, violation

#: What the provider calls its orchestrators by.
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAME = "I7"
SENTENCE = "at most one holder of the lock; no work without it"


def check(history: History) -> list[Violation]:
    """Return every second holder of the run lock, every lock taken away from another holder, and all work without the lock.

    Work is a drain, an installation, a restart.
    """
    found: list[Violation] = []
    for frame in history.of("lock.taken", "lock.released", "install.started"):
        if frame.entry.op == "install.started":
            found += _installing(frame) if history.installs(frame) else []
        elif frame.entry.op == "lock.released":
            found += _stealing(history, frame)
        elif frame.detail["class"] == LOCK and str(frame.detail["guid"]).lower() in history.guids:
            found += _second_holder(frame)
    for each in departures(history):
        if not each.consequence:
            found += _sending_away(each)
    return found


def _second_holder(frame: Frame) -> list[Violation]:
    guid = str(frame.detail["guid"]).lower()
    others = {node: held for node, held in frame.before.locks.items() if held != guid}
    if not others:
        return []
    node, held = next(iter(sorted(others.items())))
    sentence = f"{guid} took the run lock on {frame.entry.node} while {held} held it on {node}."
    return [violation(NAME, frame.entry, frame.entry.node, sentence)]


def _stealing(history: History, frame: Frame) -> list[Violation]:
    guid = str(frame.detail["guid"]).lower()
    if frame.by is None or not history.is_run(frame.by) or guid in history.guids:
        return []
    if frame.by in frame.before.guids.get(guid, ()):
        return []
    sentence = f"{frame.by} took the {frame.detail['class']} of {guid} on {frame.entry.node} away from it."
    return [violation(NAME, frame.entry, frame.entry.node, sentence)]


def _installing(frame: Frame) -> list[Violation]:
    node, orchestrator = frame.detail["node"], str(frame.detail.get("orchestrator") or "").lower()
    held = frame.before.locks.get(node)
    if orchestrator and not _GUID.fullmatch(orchestrator):  # it does not tell for whom it works
        if held in frame.before.guids or (held is None and set(frame.before.locks.values()) & set(frame.before.guids)):
            return []
    elif orchestrator and (held == orchestrator or (held is None and orchestrator in frame.before.locks.values())):
        return []
    holder = f"held by {held}" if held else "not held by it anywhere"
    sentence = f"{orchestrator or 'Nobody'} installed on {node} while the run lock was {holder}."
    return [violation(NAME, frame.entry, node, sentence)]


def _sending_away(departure: Departure) -> list[Violation]:
    """Judge a drain or restart by the ids under which somebody asked for the lock: a lock from elsewhere covers nobody."""
    before, name = departure.frame.before, departure.node
    if _covered(before, departure.order.actor):
        return []
    verb = "restarted" if departure.restart else "drained"
    held = ", ".join(sorted(set(before.locks.values()))) or "nobody"
    sentence = f"{name} was {verb} by somebody who did not hold the run lock (held by {held})."
    return [violation(NAME, departure.frame.entry, name, sentence)]


def _covered(view: ClusterView, actor: str | None) -> bool:
    """Tell whether ``actor`` holds the lock somewhere under an id of its own, or one that nobody in particular asked for."""
    for guid in set(view.locks.values()) & set(view.guids):
        askers = view.guids[guid]
        if not askers or actor is None or actor in askers:
            return True
    return False
