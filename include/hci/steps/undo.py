"""Taking back what a run has changed beside nodes and lock: how each kind of change is read and undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

    ``undo`` puts it back, None where it is as it was found. ``wait``: why nothing can be said or done at the moment.
    ``what`` names it for people, ``command`` is what they type where the run cannot put it back.
    """

    change: Change
    what: str
    command: str
    undo: Action | None = None
    wait: str = ""


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
    """Return how ``changes`` stand, the last one first: that is the order in which they are taken back."""
    found = []
    for change in reversed(changes):
        undoer = undoers[change.kind]
        try:
            found.append(undoer.read(cluster, context, change))
        except (RemotingError, ValueError) as error:
            found.append(Standing(change, *undoer.describe(change), wait=str(error)))
    return tuple(found)


def subject_of(change: Change) -> str:
    """Return the name under which tries of taking ``change`` back are counted."""
    return f"change {change.kind} {change.node} {change.subject}"
