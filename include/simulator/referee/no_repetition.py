"""I8: a resumed run never repeats a completed destructive act."""

from __future__ import annotations

from datetime import datetime, timedelta

from include.simulator.referee.history import Frame, History
from include.simulator.referee.violation import Violation, violation

NAME = "I8"
SENTENCE = "a resumed run never repeats a completed destructive act"
_SUCCEEDED = (2, 3)
#: How long a node may take to heed an order to restart.
HEED = timedelta(minutes=10)


def check(history: History) -> list[Violation]:
    """Return every update that was installed again on a node, and every restart that nothing was waiting for.

    An update that was rolled back may be installed again. A restart has a reason when an update or a feature was installed since
    the last boot or one was pending when the journal began. A second order before the node has come up again has none, unless the
    first has had ``HEED`` to take effect and the node never went down: what did not happen is not repeated.
    """
    found = []
    installed: set[tuple[str, str]] = set()
    ordered: dict[str, datetime] = {}
    for frame in history.of("update.installed", "update.rolled-back", "node.power", "node.restart"):
        entry, detail = frame.entry, frame.detail
        node = str(detail["node"])
        if entry.op == "update.rolled-back":
            installed.discard((node, str(detail.get("update_id"))))
        elif entry.op == "update.installed":
            if detail.get("result_code") not in _SUCCEEDED:
                continue
            key = (node, str(detail["update_id"]))
            if key in installed:
                sentence = f"{detail.get('kb') or detail['update_id']} was installed again on {node}."
                found.append(violation(NAME, entry, node, sentence))
            installed.add(key)
        elif entry.op == "node.power":
            if detail["up"]:
                ordered.pop(node, None)
        elif detail.get("ordered"):
            reason = _needless(frame, ordered.get(node))
            if reason and history.blames(detail.get("by")):
                found.append(violation(NAME, entry, node, f"{node} was told to restart {reason}."))
            ordered[node] = entry.at
    return found


def _needless(frame: Frame, before: datetime | None) -> str:
    node = frame.before.nodes.get(frame.detail["node"])
    if before is not None and (frame.entry.at - before < HEED or node is None or not node.up):
        return "twice in a row"
    if node is None or not node.restart_due:
        return "although nothing on it waited for a restart"
    return ""
