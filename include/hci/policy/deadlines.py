"""When a run warns and when it stops, counted from its beginning, and what the scripts around a node's update mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from include.hci.policy.progress import show_duration


@dataclass(frozen=True, slots=True)
class RunDeadlines:
    """When the run warns (``warn_at``) and from when on it begins nothing more (``stop_at``); None: never.

    The clock includes scripts and waits (windows-powershell-docs, Invoke-CauRun: WarnAfter, StopAfter).
    """

    began_at: datetime
    warn_at: datetime | None = None
    stop_at: datetime | None = None

    def said(self, now: datetime) -> str:
        """Return what has to be said at ``now``; empty while there is time."""
        ran = show_duration(now - self.began_at)
        if self.stop_at is not None and now >= self.stop_at:
            return f"The run has taken {ran}, stop_after is {show_duration(self.stop_at - self.began_at)}: it stops."
        if self.warn_at is not None and now >= self.warn_at:
            return f"The run has taken {ran}, more than warn_after ({show_duration(self.warn_at - self.began_at)})."
        return ""

    def must_stop(self, now: datetime) -> bool:
        """Return whether nothing more may be begun."""
        return self.stop_at is not None and now >= self.stop_at

    def should_warn(self, now: datetime) -> bool:
        """Return whether the run has taken longer than it should; stopping is more than a warning."""
        return self.warn_at is not None and now >= self.warn_at and not self.must_stop(now)


def run_deadlines(began_at: datetime, warn_after: timedelta | None, stop_after: timedelta | None) -> RunDeadlines:
    """Return the deadlines of a run that began at ``began_at``."""
    return RunDeadlines(
        began_at,
        None if warn_after is None else began_at + warn_after,
        None if stop_after is None else began_at + stop_after,
    )


@dataclass(frozen=True, slots=True)
class ScriptVerdict:
    """What the end of a script means: ``go_on`` with this node, or the reason why it is ``left`` as it is."""

    go_on: bool
    why: str


def after_script(which: Literal["pre", "post"], node: str, error: str) -> ScriptVerdict:
    """Return what it means that the script ended with ``error`` (empty: well).

    A node whose pre-update script fails is not updated; the post-update script runs when the node is back, so its failure is
    that of the node and undoes nothing (windows-powershell-docs, Invoke-CauRun).
    """
    if not error:
        return ScriptVerdict(True, f"the {which}-update script has ended well on {node}")
    if which == "pre":
        return ScriptVerdict(False, f"{node} is not updated: its pre-update script failed ({error})")
    return ScriptVerdict(False, f"{node} is updated and back in service, but its post-update script failed ({error})")
