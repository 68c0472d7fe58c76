"""I8: a resumed run never repeats a completed destructive act."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from include.simulator.referee.view import Frame
from include.simulator.referee.violation import Violation, violation

NAME = "I8"
SENTENCE = "a resumed run never repeats a completed destructive act"
_SUCCEEDED = (2, 3)
#: How long a node may take to heed an order to restart.
HEED = timedelta(minutes=10)


def check(frames: Sequence[Frame]) -> list[Violation]:
    """Return every update that was installed again on a node, and every restart that nothing was waiting for.

    A restart has a reason when an update was installed since the last boot or one was pending when the journal began. A second
    order before the node has come up again has none, unless the first has had ``HEED`` to take effect and the node never went
    down: what did not happen is not repeated.
    """
    found = []
    installed: set[tuple[str, str]] = set()
    ordered: dict[str, datetime] = {}
    for frame in frames:
        entry, detail = frame.entry, frame.entry.detail
        if entry.op == "update.installed" and detail.get("result_code") in _SUCCEEDED:
            key = (detail["node"], detail["update_id"])
            if key in installed:
                sentence = f"{detail.get('kb') or detail['update_id']} was installed again on {detail['node']}."
                found.append(violation(NAME, entry, detail["node"], sentence))
            installed.add(key)
        elif entry.op == "node.power" and detail["up"]:
            ordered.pop(detail["node"], None)
        elif entry.op == "node.restart" and detail.get("ordered"):
            node = frame.before.nodes.get(detail["node"])
            before = ordered.get(detail["node"])
            if before is not None and (entry.at - before < HEED or node is None or not node.up):
                found.append(
                    violation(NAME, entry, detail["node"], f"{detail['node']} was told to restart twice in a row.")
                )
            elif node is None or not node.restart_due:
                sentence = f"{detail['node']} was told to restart although nothing on it waited for a restart."
                found.append(violation(NAME, entry, detail["node"], sentence))
            ordered[detail["node"]] = entry.at
    return found
