"""What the report says of one node: its updates, its roles, and what was done to it when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from include.hci.report.part import Part
from include.hci.report.values import ChosenUpdate, ExcludedUpdate, Problem, ResultName, UpdateRef

#: ``in-progress`` stands only in a report that is built before the run has concluded.
#: ``restarted`` is a node that was only to be restarted, and was.
NodeOutcome = Literal["updated", "restarted", "nothing-to-install", "failed", "skipped", "not-started", "in-progress"]


@dataclass(frozen=True, slots=True)
class UpdateReport(Part):
    """One update on one node and its last result."""

    update_id: str
    """The update's id in Windows Update."""
    kb: str | None
    """Its knowledge base article, such as KB5044288."""
    title: str
    """Its title."""
    result: ResultName
    """How its last install ended."""
    hresult: str | None = None
    """The code of that result, such as 0x80070643."""
    reboot_required: bool = False
    """Whether it needs a restart."""
    meaning: str | None = None
    """What a failure means."""
    next_action: str | None = None
    """What to do about a failure."""
    install_pass: int | None = None
    """In which round of installing and restarting it was installed, from 1."""
    plugin: str | None = None
    """Which plug-in of Cluster-Aware Updating brought it; null: none did."""
    at: datetime | None = None
    """When that result came, where CAU's report tells."""


@dataclass(frozen=True, slots=True)
class PhaseReport(Part):
    """One step of a node's timeline, from the first to the last thing that is on record about it."""

    step: str
    """The step."""
    started_at: datetime
    """When it began."""
    ended_at: datetime
    """When it ended."""
    state: Literal["done", "failed", "skipped", "unfinished"]
    """How it ended."""
    waited_for: tuple[str, ...] = ()
    """What it waited for."""

    @property
    def duration(self) -> timedelta:
        """How long the phase took."""
        return self.ended_at - self.started_at


@dataclass(frozen=True, slots=True)
class RoleReport(Part):
    """A role that the run found on the node when it paused it: a virtual machine, a file server ..."""

    name: str
    """The role's name."""
    kind: str = ""
    """Its GroupType: VirtualMachine for virtual machines, empty where it is not on record."""
    moved_to: str | None = None
    """The node that had it when this one was drained; null: not on record."""
    is_back: bool | None = None
    """Whether the node had it again when the node was in service again; null: not on record."""
    not_online_seconds: float | None = None
    """How long a virtual machine was not Online between the readings that saw it so, in this node's turn; null: other roles."""


@dataclass(frozen=True, slots=True)
class NodeReport(Part):
    """One node."""

    name: str
    """The node's name."""
    outcome: NodeOutcome
    """What came of it."""
    taken_out: bool = False
    """Whether this run paused it."""
    resumed: bool = False
    """Whether this run also brought it back."""
    restarts: int = 0
    """How often it was seen to restart on this run's order."""
    build_before: str | None = None
    """Its operating system's build before the run."""
    build_after: str | None = None
    """The build after the run."""
    updates: tuple[UpdateReport, ...] = ()
    """Its updates."""
    retried: tuple[UpdateReport, ...] = ()
    """Tries of CAU's run that failed and were made again; how the last one ended is among the updates."""
    error: str | None = None
    """The problem in a line, or why it was skipped."""
    problem: Problem | None = None
    """The problem that made it fail."""
    failed_step: str | None = None
    """The step that failed."""
    excluded: tuple[ExcludedUpdate, ...] = ()
    """Updates that were found and left out."""
    chosen: tuple[ChosenUpdate, ...] = ()
    """Updates that were to be installed, and why."""
    remaining: tuple[UpdateRef, ...] = ()
    """Updates that the last scan still offers."""
    timeline: tuple[PhaseReport, ...] = ()
    """Its steps in the order of time."""
    node_updater: str | None = None
    """How updates were installed."""
    node_updater_why: str | None = None
    """Why in that way."""
    install_passes: int = 0
    """How many rounds of installing there were."""
    resynced_gib: float | None = None
    """How many GiB the storage copied after its return."""
    roles: tuple[RoleReport, ...] = ()
    """The roles that were moved away from it in its last turn."""
    drain_seconds: float | None = None
    """How long they took to move away."""
    failback_seconds: float | None = None
    """How long it took from the order to resume until its roles were back, or were not waited for any more."""

    @property
    def vms(self) -> tuple[RoleReport, ...]:
        """The virtual machines among the roles."""
        return tuple(role for role in self.roles if role.not_online_seconds is not None)

    @property
    def destinations(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Where its roles went: each node with the roles that it took."""
        nodes = sorted({role.moved_to for role in self.roles if role.moved_to})
        return tuple((node, tuple(role.name for role in self.roles if role.moved_to == node)) for node in nodes)
