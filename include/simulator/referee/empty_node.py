"""I3: no restart of a node that owns an online role, unless a policy says so."""

from __future__ import annotations

from include.simulator.referee.history import Frame, History
from include.simulator.referee.rules import RESTART_WITH_ROLES
from include.simulator.referee.violation import Violation, violation

NAME = "I3"
SENTENCE = "no restart of a node that owns an online role, unless a policy says so"


def check(history: History) -> list[Violation]:
    """Return every ordered restart or shut-down of a node on which a role was online."""
    found = []
    for frame in history.of("node.restart", "command"):
        name, actor = _ordered_down(frame)
        roles = frame.before.online_on(name) if name else []
        allowed = frame.is_fault or RESTART_WITH_ROLES in frame.before.rules.permissions
        if not name or not roles or not history.blames(actor) or allowed:
            continue
        shown = ", ".join(roles[:3]) + (f" and {len(roles) - 3} more" if len(roles) > 3 else "")
        found.append(violation(NAME, frame.entry, name, f"{name} was told to restart while it owned {shown}."))
    return found


def _ordered_down(frame: Frame) -> tuple[str | None, str | None]:
    entry = frame.entry
    if entry.op == "node.restart" and entry.detail.get("ordered"):
        return str(entry.detail["node"]), entry.detail.get("by")
    is_shutdown = (
        entry.op == "command"
        and entry.status == "invoke"
        and str(entry.detail.get("command")).lower() == "stop-computer"
    )
    return (entry.node, entry.actor) if is_shutdown else (None, None)
