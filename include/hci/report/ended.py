"""Whether a run is over: it ends with its conclusion, and goes on when a person has cleared tasks of it since."""

from __future__ import annotations

from collections.abc import Sequence

from include.hci.report import events as ev
from include.hci.report.record import Entry


def end_of_run(entries: Sequence[Entry]) -> Entry | None:
    """Return the last of ``entries`` (oldest first) with which the run ended; None while it goes on, also once more.

    Its end gives the lock back, and nothing is changed without: a run that reaches for it again has begun again.
    """
    for entry in reversed(entries):
        if isinstance(entry.event, ev.LockTaking):
            return None
        if isinstance(entry.event, ev.Concluded):
            return entry
    return None
