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

    An update that was rolled back, or that the node only said was installed, may be installed again; what others install, or have
    installed while an installation of the run's was under way, is no repetition of the run's. A restart has a reason when an
    update or a feature was installed since the last boot or one was pending when the journal began. A second order before the
    node has come up again has none, unless the first has had ``HEED`` to take effect and the node never went down, or came up
    with its old boot time: what did not happen for all to see is not repeated.
    """
    found = []
    installed: dict[tuple[str, str], int] = {}  # when, or 0 by those who are judged
    ordered: dict[str, datetime] = {}
    unseen = hidden_boots(history)
    last_boot: dict[str, tuple[int, datetime | None]] = {}
    started: dict[str, int] = {}
    for frame in history.of("install.started", "update.installed", "update.rolled-back", "node.power", "node.restart"):
        entry, detail = frame.entry, frame.detail
        node = str(detail["node"])
        if entry.op == "install.started":
            started[node] = entry.seq
        elif entry.op == "update.rolled-back":
            installed.pop((node, str(detail.get("update_id"))), None)
        elif entry.op == "update.installed":
            if detail.get("result_code") not in _SUCCEEDED or not detail.get("applied", True):
                continue
            key = (node, str(detail["update_id"]))
            ours = history.installs(frame)
            if ours and installed.get(key, entry.seq) < started.get(node, entry.seq):
                sentence = f"{detail.get('kb') or detail['update_id']} was installed again on {node}."
                found.append(violation(NAME, entry, node, sentence))
            installed[key] = 0 if ours else entry.seq
        elif entry.op == "node.power":
            if detail["up"]:
                last_boot[node] = (entry.seq, ordered.pop(node, None))
        elif detail.get("ordered"):
            reason = _needless(frame, ordered.get(node))
            boot, order = last_boot.get(node, (0, None))
            if boot in unseen and order is not None and entry.at - order >= HEED:
                reason = ""  # as far as anybody could read, the order before had not been heeded
            if reason and history.blames(detail.get("by")) and not frame.is_fault:
                found.append(violation(NAME, entry, node, f"{node} was told to restart {reason}."))
            ordered[node] = entry.at
    return found


def hidden_boots(history: History) -> frozenset[int]:
    """Return the boots after which a node went on naming its old boot time, by their places in the journal."""
    told: dict[str, object] = {}
    hidden = set()
    for frame in history.of("node.power"):
        node, boot_time = str(frame.detail["node"]), frame.detail.get("boot_time")
        if frame.detail["up"] and boot_time is not None and told.get(node) == boot_time:
            hidden.add(frame.entry.seq)
        told[node] = boot_time
    return frozenset(hidden)


def _needless(frame: Frame, before: datetime | None) -> str:
    node = frame.before.nodes.get(frame.detail["node"])
    if before is not None and (frame.entry.at - before < HEED or node is None or not node.up):
        return "twice in a row"
    if node is None or not node.restart_due:
        return "although nothing on it waited for a restart"
    return ""
