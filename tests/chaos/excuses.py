"""What a fault itself does to the world, which the referee cannot tell from the journal.

Nearly everything is told from the journal: the referee knows what a fault brought about, what others did, and what nobody could
read any more. A row here is for what is left, and as narrow as it can be: an invariant, what its sentence must say, and the
faults that bring exactly that about, on that very node (or on none in particular) and before it was found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from include.simulator.journal import Entry
from include.simulator.referee import Violation


@dataclass(frozen=True, slots=True)
class Excuse:
    """A sentence of the referee that is no fault of the run where one of ``faults`` (ids) had struck that node before."""

    invariant: str
    says: str
    faults: tuple[str, ...]
    why: str

    def covers(self, found: Violation, entries: Iterable[Entry]) -> bool:
        """Tell whether the excuse holds for ``found`` in the journal of ``entries``."""
        if self.invariant != found.invariant or not re.search(self.says, found.sentence):
            return False
        return any(
            entry.op == "fault.injected"
            and entry.seq < found.seq
            and entry.detail["fault"] in self.faults
            and entry.detail.get("node") in (None, found.node)
            for entry in entries
        )


EXCUSES: tuple[Excuse, ...] = (
    Excuse(
        "I12",
        "build after",
        ("node-restarted-by-someone",),
        "somebody's restart finished what the run had installed, and the run had no order open that it could have watched",
    ),
)


def is_excused(found: Violation, entries: Sequence[Entry], excuses: Sequence[Excuse] = EXCUSES) -> bool:
    """Tell whether what the referee found is a fault's own doing."""
    return any(each.covers(found, entries) for each in excuses)
