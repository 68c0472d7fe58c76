"""What the verdict of a kind of run is made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from include.hci.report.facts import RunFacts
from include.hci.report.model import RunReport
from include.hci.report.record import Entry


@dataclass(frozen=True, slots=True)
class Folded:
    """What a record came to: its ``entries``, oldest first, what is open after them, and the report of a rolling update.

    ``is_over``: the run has concluded. ``is_troubled``: something is left, failed for the whole run, or refused.
    """

    entries: Sequence[Entry]
    facts: RunFacts
    report: RunReport
    is_over: bool
    is_troubled: bool


#: Returns the report with outcome, headline, nodes and sections as they are for runs of that kind.
Verdict = Callable[[Folded], RunReport]
