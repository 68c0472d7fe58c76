"""I3: no restart of a node that owns an online role."""

from __future__ import annotations

from collections.abc import Sequence

from include.simulator.referee.view import Frame
from include.simulator.referee.violation import Violation, violation

NAME = "I3"
SENTENCE = "no restart of a node that owns an online role"


def check(frames: Sequence[Frame]) -> list[Violation]:
    """Return every ordered restart or shut-down of a node on which a role was online."""
    found = []
    for frame in frames:
        name = _ordered_down(frame)
        roles = frame.before.online_on(name) if name else []
        if name and roles:
            shown = ", ".join(roles[:3]) + (f" and {len(roles) - 3} more" if len(roles) > 3 else "")
            found.append(violation(NAME, frame.entry, name, f"{name} was told to restart while it owned {shown}."))
    return found


def _ordered_down(frame: Frame) -> str | None:
    entry = frame.entry
    if entry.op == "node.restart" and entry.detail.get("ordered"):
        return str(entry.detail["node"])
    is_shutdown = (
        entry.op == "command"
        and entry.status == "invoke"
        and str(entry.detail.get("command")).lower() == "stop-computer"
    )
    return entry.node if is_shutdown else None
