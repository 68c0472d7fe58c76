"""When a run warns and when it stops, counted from its beginning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.policy.progress import show_duration


@dataclass(frozen=True, slots=True)
class RunDeadlines:
    """When the run warns (``warn_at``) and from when on it begins nothing more (``stop_at``); None: never.

    The clock includes scripts and waits (windows-powershell-docs, Invoke-CauRun: WarnAfter, StopAfter).
    """

    began_at: datetime
    warn_at: datetime | None = None
    stop_at: datetime | None = None

    def warning(self, now: datetime) -> str:
        """Return what has to be said at ``now`` of a run that takes longer than it should; empty while there is time."""
        if self.warn_at is None or now < self.warn_at:
            return ""
        ran = show_duration(now - self.began_at)
        return f"The run has taken {ran}, more than warn_after ({show_duration(self.warn_at - self.began_at)})."


def run_deadlines(began_at: datetime, warn_after: timedelta | None, stop_after: timedelta | None) -> RunDeadlines:
    """Return the deadlines of a run that began at ``began_at``."""
    return RunDeadlines(
        began_at,
        None if warn_after is None else began_at + warn_after,
        None if stop_after is None else began_at + stop_after,
    )
