"""I1: never more nodes out of service than the budget, counting nodes that were already out."""

from __future__ import annotations

from collections.abc import Sequence

from include.simulator.referee.view import Frame
from include.simulator.referee.violation import Violation, violation

NAME = "I1"
SENTENCE = "never more nodes out of service than the budget, counting nodes that were already out"


def check(frames: Sequence[Frame], budget: int = 1) -> list[Violation]:
    """Return every moment at which an order took one node too many out of service.

    A node counts as out while it is powered off or its cluster state is not Up. A crash alone breaks nothing: only somebody who
    sends a further node away does.
    """
    found = []
    for frame in frames:
        if frame.entry.op not in ("node.state", "node.power"):
            continue
        name = frame.entry.detail["node"]
        was, now = frame.before.nodes.get(name), frame.after.nodes[name]
        left = (was is None or was.in_service) and not now.in_service
        out = frame.after.out_of_service
        if left and name in frame.before.ordered and len(out) > budget:
            sentence = (
                f"{name} was taken out of service while {_others(out, name)} out already; the budget is {budget}."
            )
            found.append(violation(NAME, frame.entry, name, sentence))
    return found


def _others(out: list[str], name: str) -> str:
    others = [each for each in out if each != name]
    return f"{', '.join(others)} {'was' if len(others) == 1 else 'were'}"
