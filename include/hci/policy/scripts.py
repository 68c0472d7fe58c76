"""What CAU's scripts of a node mean for it: whether to run one, to go on, or to give the node up.

A script is run once per turn of a node. One that may have run is never run again by itself: nobody but its author knows what a
second time would do. One that is known to have failed is run again where the whole step is tried again, as CAU repeats its whole
process with the scripts (windows-powershell-docs, Invoke-CauRun: MaxRetriesPerNode).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Next(Enum):
    """What is to be done about a script."""

    RUN = "run"
    GO_ON = "go-on"
    GIVE_UP = "give-up"


@dataclass(frozen=True, slots=True)
class ScriptState:
    """How a script of a node stands in the node's present turn.

    ``starts``: how often it was started. ``result``: how it ended the last time, ``unknown`` as long as nobody has heard,
    empty when it was never started.
    """

    starts: int = 0
    result: str = ""
    why: str = ""


def before_pause(state: ScriptState, starts_before: int) -> Next:
    """Return what a pre-update script asks for; ``starts_before``: how often it had been started when this try began."""
    if state.result == "succeeded":
        return Next.GO_ON
    if not state.result or (state.result == "failed" and state.starts <= starts_before):
        return Next.RUN
    return Next.GIVE_UP


def after_resume(state: ScriptState) -> Next:
    """Return what a post-update script asks for: it is never run a second time in a turn."""
    if not state.result:
        return Next.RUN
    return Next.GO_ON if state.result == "succeeded" else Next.GIVE_UP
