"""Whose pause it is: the order to pause a node may be lost on its way, and a person may pause the same node meanwhile.

The intent is on record before the order is given. Until somebody has seen the order arrive, a node that is found paused is this
run's doing only where nothing speaks against it.
"""

from __future__ import annotations

from datetime import timedelta

from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.values import DrainStatus, NodeState

#: A node is Paused as soon as its drain begins: this long the two may be read apart.
SETTLES = timedelta(minutes=1)
#: An order that has not reached a node within this time never will: no shell waits longer for a command that changes something.
ARRIVES_WITHIN = timedelta(minutes=5)
#: A node that is drained so soon after the order is this run's: an order that was lost is rare, and a person who drains that very
#: node just then is rarer. Later on nobody can tell, and the node may be in somebody's hands.
OURS_WITHIN = timedelta(minutes=15)
#: Said of a node that is taken for this run's although nobody saw its order arrive: nothing that can be read tells whose it is.
UNSEEN = "nobody saw this run's order to pause it arrive: if a person has paused it, pause it again"


def is_anothers(node: ClusterNode, since: timedelta, *, unseen: bool) -> str:
    """Return why a paused ``node`` is taken for somebody else's; empty: it is not paused, or it is this run's.

    ``unseen``: nobody has seen this run's order arrive, which it gave ``since`` ago. The run always drains what it pauses, so a
    pause without a drain is not its own.
    """
    if not unseen or node.state is not NodeState.PAUSED:
        return ""
    if node.drain is DrainStatus.NOT_INITIATED:
        return "it was paused without a drain, and nobody saw this run's own order to pause it arrive"
    if since < OURS_WITHIN:
        return ""
    return "nobody saw this run's order to pause it arrive, and it is too long ago to tell whose pause this is"
