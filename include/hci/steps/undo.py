"""Taking back what a run has changed beside nodes and lock: how each kind of change is read and undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from include.hci.cluster.facade import Cluster
from include.hci.powershell.errors import RemotingError
from include.hci.report.events import ChangeKind
from include.hci.report.facts import Change
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Action


@dataclass(frozen=True, slots=True)
class Standing:
    """How a change stands now, read from the machine.

    ``undo`` puts it back, None where it is as it was found. ``wait``: why nothing can be said or done at the moment; where there
    is an ``undo`` as well it is done when the wait is over. ``until`` is how long the wait lasts where that is longer than others
    last, and ``holds_up`` whether what was changed before has to wait with it. A wait in another ``stage`` than the one before it
    has its own time: something has come of what was done.
    ``what`` names it for people, ``command`` is what they type where the run cannot put it back.
    """

    change: Change
    what: str
    command: str
    undo: Action | None = None
    wait: str = ""
    holds_up: bool = True
    until: datetime | None = None
    stage: str = ""


class Stages:
    """Since when the changes that are being taken back wait in their present stage."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], datetime] = {}

    def note(self, standings: Sequence[Standing], now: datetime) -> Mapping[str, datetime]:
        """Return that by the change's subject, for those that have come to a stage of their own."""
        found = {}
        for standing in standings:
            if standing.stage:
                subject = subject_of(standing.change)
                found[subject] = self._since.setdefault((subject, standing.stage), now)
        return found


class Undoer(Protocol):
    """Reads and undoes one kind of change."""

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return how ``change`` stands; raises what the shell raises."""
        ...

    def describe(self, change: Change) -> tuple[str, str]:
        """Return what the change is and the command that undoes it, without asking anything."""
        ...


def read_standings(
    cluster: Cluster, context: StepContext, changes: Sequence[Change], undoers: Mapping[ChangeKind, Undoer]
) -> tuple[Standing, ...]:
    """Return how ``changes`` stand, the last one first: that is the order in which they are taken back.

    Those before the first one that something is to be done or waited for are not read: their turn comes later.
    """
    found = []
    for change in reversed(changes):
        undoer = undoers[change.kind]
        try:
            found.append(undoer.read(cluster, context, change))
        except (RemotingError, ValueError) as error:
            found.append(Standing(change, *undoer.describe(change), wait=str(error)))
        if found[-1].holds_up or not found[-1].wait:
            break
    return tuple(found)


def subject_of(change: Change) -> str:
    """Return the name under which tries of taking ``change`` back are counted."""
    return f"change {change.kind} {change.node} {change.subject}"
