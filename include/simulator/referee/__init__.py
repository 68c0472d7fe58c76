"""Judges a run after the fact from the simulated world's own journal: which invariants held, which were broken, and by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.simulator.journal import Entry
from include.simulator.referee import (
    allowed_time,
    as_found,
    empty_node,
    healthy_storage,
    levels,
    living_vms,
    no_repetition,
    one_lock,
    quorum,
    truthful_report,
    untouched,
)
from include.simulator.referee import (
    budget as one_budget,
)
from include.simulator.referee.history import read
from include.simulator.referee.ledger import keep
from include.simulator.referee.verdict import BROKEN, HELD, NOT_JUDGED, Verdict
from include.simulator.referee.violation import Violation

__all__ = ["INVARIANTS", "Verdict", "Violation", "judge", "verdicts"]

#: What is judged, by name.
INVARIANTS: Mapping[str, str] = {
    each.NAME: each.SENTENCE
    for each in (
        one_budget,
        quorum,
        empty_node,
        healthy_storage,
        living_vms,
        allowed_time,
        one_lock,
        no_repetition,
        levels,
        as_found,
        untouched,
        truthful_report,
    )
}


def judge(
    entries: Sequence[Entry],
    report: Mapping[str, Any] | None = None,
    *,
    budget: int | None = None,
    ended: bool = False,
) -> list[Violation]:
    """Return every broken invariant in the order of the journal.

    ``report`` is the run report, without which I12 is not judged. ``budget`` is how many nodes may be out of service at a time,
    None for what the journal's rules say or else one. ``ended``: the run is over although nothing in the journal says so.
    """
    found = [
        violation
        for verdict in verdicts(entries, report, budget=budget, ended=ended)
        for violation in verdict.violations
    ]
    return sorted(found, key=lambda violation: (violation.seq, int(violation.invariant[1:])))


def verdicts(
    entries: Sequence[Entry],
    report: Mapping[str, Any] | None = None,
    *,
    budget: int | None = None,
    ended: bool = False,
) -> list[Verdict]:
    """Return the verdict on every invariant, in order; the parameters are those of ``judge``."""
    history = read(entries, report)
    ledger = keep(history)
    no_state = "" if history.of("world.snapshot") else "the journal has no snapshot"
    no_end = as_found.unjudged(history, report, ended=ended)
    judged = {
        one_budget: one_budget.check(history, budget),
        quorum: quorum.check(history),
        empty_node: empty_node.check(history),
        healthy_storage: healthy_storage.check(history),
        living_vms: living_vms.check(history),
        allowed_time: allowed_time.check(history, report),
        one_lock: one_lock.check(history),
        no_repetition: no_repetition.check(history),
        levels: levels.check(history),
        as_found: [] if no_end else as_found.check(history, ledger, report),
        untouched: untouched.check(history, ledger) if not no_end else [],
        truthful_report: truthful_report.check(history, report) if report is not None else [],
    }
    missing = {
        quorum: quorum.unjudged(history),
        allowed_time: allowed_time.unjudged(history, report),
        as_found: no_end,
        untouched: untouched.unjudged(history) or no_end,
        truthful_report: "" if report is not None else "there is no report",
    }
    made = []
    for each, violations in judged.items():
        reason = no_state or missing.get(each, "")
        whole = not reason or (each is allowed_time and not no_state and allowed_time.is_judged(history, report))
        outcome = BROKEN if violations else HELD if whole else NOT_JUDGED
        made.append(Verdict(each.NAME, each.SENTENCE, outcome, reason, tuple(violations)))
    return made
