"""I4: no next node while repair is pending or suspended or a virtual disk is not healthy."""

from __future__ import annotations

from include.simulator.referee.departures import departures
from include.simulator.referee.history import History
from include.simulator.referee.violation import Violation, violation

NAME = "I4"
SENTENCE = "no next node while repair is pending or suspended or a virtual disk is not healthy"


def check(history: History) -> list[Violation]:
    """Return every node that was ordered out of service, by drain or restart, while the storage was not whole."""
    found = []
    for each in departures(history):
        before = each.frame.before
        if not each.leaves or each.consequence or each.offline_update:
            continue
        reasons = [f"virtual disk {disk} was {before.disks[disk]}" for disk in before.unhealthy_disks]
        reasons += [f"{job} was not over" for job in before.open_repairs]
        if reasons:
            sentence = f"{each.node} was taken next although {'; '.join(reasons)}."
            found.append(violation(NAME, each.frame.entry, each.node, sentence))
    return found
