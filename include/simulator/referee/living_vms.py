"""I5: no virtual machine lost or powered off."""

from __future__ import annotations

from collections.abc import Sequence

from include.simulator.referee.view import Frame
from include.simulator.referee.violation import Violation, violation

NAME = "I5"
SENTENCE = "no virtual machine lost or powered off without a policy saying so"
_ALIVE = frozenset({"Running", "Paused"})


def check(frames: Sequence[Frame]) -> list[Violation]:
    """Return every virtual machine that stopped because of an order.

    It counts when its drain was forced, or when the node that left service last was sent away. A virtual machine that a crash
    takes down is the world's doing.
    """
    found = []
    for frame in frames:
        detail = frame.entry.detail
        if (
            frame.entry.op != "vm.state"
            or detail["state"] in _ALIVE
            or frame.before.vms.get(detail["vm"], "Running") not in _ALIVE
        ):
            continue
        culprit = frame.before.last_out
        forced = "forced" in str(detail.get("reason", ""))
        if forced or (culprit is not None and culprit in frame.before.ordered):
            sentence = f"Virtual machine {detail['vm']} on {detail['owner']} went {detail['state']}: {detail.get('reason', '?')}."
            found.append(violation(NAME, frame.entry, detail["owner"], sentence))
    return found
