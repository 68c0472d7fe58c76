"""Judges a run after the fact from the simulated world's own journal: which invariants held, which were broken, and by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.simulator.journal import Entry
from include.simulator.referee import (
    budget as one_budget,
)
from include.simulator.referee import (
    empty_node,
    healthy_storage,
    living_vms,
    no_repetition,
    one_lock,
    truthful_report,
)
from include.simulator.referee.view import frames
from include.simulator.referee.violation import Violation

__all__ = ["INVARIANTS", "Violation", "judge"]

#: What is judged, by name.
INVARIANTS: Mapping[str, str] = {
    each.NAME: each.SENTENCE
    for each in (one_budget, empty_node, healthy_storage, living_vms, one_lock, no_repetition, truthful_report)
}


def judge(entries: Sequence[Entry], report: Mapping[str, Any] | None = None, *, budget: int = 1) -> list[Violation]:
    """Return every broken invariant in the order of the journal.

    ``report`` is the run report, without which I12 is not judged. ``budget`` is how many nodes may be out of service at a time.
    """
    seen = frames(entries)
    found = one_budget.check(seen, budget)
    for each in (empty_node, healthy_storage, living_vms, one_lock, no_repetition):
        found += each.check(seen)
    if report is not None:
        found += truthful_report.check(seen, report)
    return sorted(found, key=lambda violation: (violation.seq, int(violation.invariant[1:])))
