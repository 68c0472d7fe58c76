"""I4: no next node while repair is pending or suspended or a virtual disk is not healthy."""

from __future__ import annotations

from collections.abc import Sequence

from include.simulator.referee.view import Frame
from include.simulator.referee.violation import Violation, violation

NAME = "I4"
SENTENCE = "no next node while repair is pending or suspended or a virtual disk is not healthy"


def check(frames: Sequence[Frame]) -> list[Violation]:
    """Return every node that was ordered out of service, by drain or restart, while the storage was not whole."""
    found = []
    for frame in frames:
        if frame.entry.op not in ("node.state", "node.restart"):
            continue
        name = frame.entry.detail["node"]
        was = frame.before.nodes.get(name)
        now = frame.after.nodes.get(name)
        leaves = (
            was is not None
            and was.in_service
            and (frame.entry.op == "node.restart" or (now is not None and not now.in_service))
        )
        if not leaves or name not in frame.after.ordered:
            continue
        reasons = [f"virtual disk {disk} was {frame.before.disks[disk]}" for disk in frame.before.unhealthy_disks]
        reasons += [f"{job} was not over" for job in frame.before.open_repairs]
        if reasons:
            found.append(violation(NAME, frame.entry, name, f"{name} was taken next although {'; '.join(reasons)}."))
    return found
