"""How many nodes came to what, in one sentence: the beginning of a report's first line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from include.hci.report.model_node import NodeOutcome, NodeReport

#: What matters most comes first.
_WORDS: Mapping[NodeOutcome, str] = {
    "failed": "failed",
    "in-progress": "in progress",
    "updated": "updated",
    "restarted": "restarted",
    "nothing-to-install": "already up to date",
    "skipped": "skipped",
    "not-started": "not started",
}


def tally(nodes: Iterable[NodeReport]) -> str:
    """Return ``Of 4 nodes: 1 failed, 3 updated.``; empty when there is none."""
    counts = Counter(node.outcome for node in nodes)
    told = ", ".join(f"{counts[outcome]} {words}" for outcome, words in _WORDS.items() if counts[outcome])
    return f"Of {counts.total()} nodes: {told}." if told else ""
