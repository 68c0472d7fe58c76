"""I7: at most one holder of the lock; no work without it."""

from __future__ import annotations

from collections.abc import Sequence

from include.simulator.referee.view import LOCK, Frame
from include.simulator.referee.violation import Violation, violation

NAME = "I7"
SENTENCE = "at most one holder of the lock; no work without it"


def check(frames: Sequence[Frame]) -> list[Violation]:
    """Return every second holder of the run lock, and every drain, installation and restart by somebody who did not hold it."""
    found: list[Violation] = []
    for frame in frames:
        if frame.entry.op == "lock.taken" and frame.entry.detail["class"] == LOCK:
            found += _second_holder(frame)
        elif frame.entry.op == "install.started":
            found += _installing(frame)
        elif frame.entry.op in ("node.state", "node.restart"):
            found += _sending_away(frame)
    return found


def _second_holder(frame: Frame) -> list[Violation]:
    guid = str(frame.entry.detail["guid"]).lower()
    others = {node: held for node, held in frame.before.locks.items() if held != guid}
    if not others:
        return []
    node, held = next(iter(sorted(others.items())))
    return [
        violation(
            NAME,
            frame.entry,
            frame.entry.node,
            f"{guid} took the run lock on {frame.entry.node} while {held} held it on {node}.",
        )
    ]


def _installing(frame: Frame) -> list[Violation]:
    node, orchestrator = frame.entry.detail["node"], str(frame.entry.detail.get("orchestrator") or "").lower()
    held = frame.before.locks.get(node)
    if orchestrator and (held == orchestrator or (held is None and orchestrator in frame.before.locks.values())):
        return []
    holder = f"held by {held}" if held else "not held by it anywhere"
    return [
        violation(
            NAME, frame.entry, node, f"{orchestrator or 'Nobody'} installed on {node} while the run lock was {holder}."
        )
    ]


def _sending_away(frame: Frame) -> list[Violation]:
    """Judge a drain or restart by the ids under which somebody asked for the lock: a lock from elsewhere covers nobody."""
    name = frame.entry.detail["node"]
    was, now = frame.before.nodes.get(name), frame.after.nodes.get(name)
    if frame.entry.op == "node.restart":
        verb = "restarted" if frame.entry.detail.get("ordered") else ""
    else:
        drains = was is not None and now is not None and was.in_service and not now.in_service
        verb = "drained" if drains and name in frame.before.ordered else ""
    if not verb or set(frame.before.locks.values()) & frame.before.guids:
        return []
    held = ", ".join(sorted(set(frame.before.locks.values()))) or "nobody"
    return [
        violation(
            NAME, frame.entry, name, f"{name} was {verb} by somebody who did not hold the run lock (held by {held})."
        )
    ]
