"""I2: quorum survives the loss of the next node."""

from __future__ import annotations

from include.simulator.referee.departures import departures
from include.simulator.referee.history import History
from include.simulator.referee.violation import Violation, violation

NAME = "I2"
SENTENCE = "quorum survives the loss of the next node"


def check(history: History) -> list[Violation]:
    """Return every order that sent a node away while the cluster could not lose one more vote.

    Counted are the votes of that moment, with dynamic weights and the dynamic witness: a drained node still votes, and dynamic
    quorum adapts only to nodes that leave one after the other (windowsserverdocs, cluster and pool quorum). A cluster of one node
    has no next one.
    """
    found = []
    for each in departures(history):
        before, name = each.frame.before, each.node
        if each.consequence or before.votes is None or len(before.nodes) < 2 or each.offline_update:
            continue
        if before.votes.survive(1):
            continue
        verb = "told to restart" if each.restart else "taken out of service"
        sentence = (
            f"{name} was {verb} with {before.votes.up} of {before.votes.all} votes up: "
            "the loss of one more would have cost the cluster its quorum."
        )
        found.append(violation(NAME, each.frame.entry, name, sentence))
    return found


def unjudged(history: History) -> str:
    """Return why the invariant cannot be judged, or nothing where it can."""
    if any(frame.after.votes is not None for frame in history.of("world.snapshot", "quorum")):
        return ""
    return "the journal does not say how many votes there were"
