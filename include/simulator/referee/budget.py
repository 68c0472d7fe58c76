"""I1: never more nodes out of service than the budget, counting nodes that were already out."""

from __future__ import annotations

from include.simulator.referee.departures import departures
from include.simulator.referee.history import History
from include.simulator.referee.violation import Violation, violation

NAME = "I1"
SENTENCE = "never more nodes out of service than the budget, counting nodes that were already out"


def check(history: History, budget: int | None = None) -> list[Violation]:
    """Return every moment at which an order took one node too many out of service.

    A node counts as out while it is powered off or its cluster state is not Up. A crash alone breaks nothing: only somebody who
    sends a further node away does. Without ``budget`` that of the rules holds, else one node.
    """
    found = []
    for each in departures(history):
        allowed = budget if budget is not None else each.frame.before.rules.budget or 1
        name, out = each.node, each.frame.after.out_of_service
        if not each.leaves or each.restart or len(out) <= allowed or each.offline_update:
            continue
        others = [other for other in out if other != name]
        already = f"{', '.join(others)} {'was' if len(others) == 1 else 'were'}"
        sentence = f"{name} was taken out of service while {already} out already; the budget is {allowed}."
        found.append(violation(NAME, each.frame.entry, name, sentence))
    return found
