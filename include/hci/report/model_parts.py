"""The parts of the report that concern the whole run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from include.hci.report.part import Part
from include.hci.report.values import DiskState, JobState, UpdateRef


@dataclass(frozen=True, slots=True)
class LockReport(Part):
    """The cluster's lock."""

    guid: str | None
    """The id under which this run took it; null when it never tried to."""
    released: bool
    """Whether this run holds it nowhere any more."""


@dataclass(frozen=True, slots=True)
class WaitReport(Part):
    """A wait and its reason."""

    started_at: datetime
    """When it began."""
    ended_at: datetime
    """When it was over."""
    step: str
    """The step that waited."""
    node: str | None
    """The node that it was about; null: the cluster."""
    why: str
    """What was waited for."""
    progress: str = ""
    """The last known progress, in words."""
    until: datetime | None = None
    """When it would have given up; null: never."""

    @property
    def duration(self) -> timedelta:
        """How long the wait took."""
        return self.ended_at - self.started_at


@dataclass(frozen=True, slots=True)
class DoingReport(Part):
    """What a run that goes on does, or waits for, at this moment."""

    step: str
    """The step."""
    node: str | None
    """The node that it is about; null: the cluster."""
    text: str
    """What is done or waited for, and why."""
    since: datetime
    """When it began."""
    progress: str = ""
    """How far it was then, in words."""
    until: datetime | None = None
    """When it gives up; null: not known, or never."""


@dataclass(frozen=True, slots=True)
class OutageReport(Part):
    """A virtual machine that was Online when the run paused a node and was later read in another state."""

    vm: str
    """The virtual machine."""
    state: str
    """The state in which it was read."""
    node: str | None
    """The node whose turn it was; null: after the last one."""
    owner: str
    """The node that had the virtual machine then; empty: none."""
    began_at: datetime
    """The first reading that did not see it Online."""
    ended_at: datetime | None
    """The first reading that saw it Online again; null: it was not Online at the last reading."""
    seconds: float
    """The time between the two, or until the end of the run."""


@dataclass(frozen=True, slots=True)
class TimeReport(Part):
    """Where the time of the run went: ``wall_seconds`` is the sum of the next three."""

    wall_seconds: float
    """From the beginning of the run to its end."""
    cluster_seconds: float
    """In which something of the cluster's own went on: roles moved, updates were searched for or installed, a node restarted,
    the storage resynchronised."""
    people_seconds: float
    """In which the run waited for a person: for the approval, or at a pause point."""
    coordinator_seconds: float
    """In which neither was the case: reading the cluster, deciding, going from one task to the next."""
    noticed_late_seconds: float | None = None
    """How much of the cluster's time may be the coordinator's as well, at most: the end of a wait is seen at its next reading
    only. Null: how often the cluster was read is not on record."""

    @property
    def coordinator_percent(self) -> float:
        """The coordinator's part of the whole."""
        return 100 * self.coordinator_seconds / self.wall_seconds if self.wall_seconds else 0.0


@dataclass(frozen=True, slots=True)
class PlanReport(Part):
    """The plan that the run followed."""

    order: tuple[str, ...]
    """The nodes in their order."""
    updates: Mapping[str, tuple[UpdateRef, ...]] = field(default_factory=dict)
    """What each node was to get."""
    why: Mapping[str, str] = field(default_factory=dict)
    """Why each node stands where it stands."""
    max_failed_nodes: int | None = None
    """How many nodes may fail before the run stops."""
    estimated_minutes: float | None = None
    """How long it was expected to take."""
    approved_by: str | None = None
    """Who approved it; null: nobody was asked, or it was refused."""
    approval_comment: str = ""
    """What that person said."""
    plan_hash: str | None = None
    """What a person approves of it: the hash of what it does under the run's options; null in a plan of an earlier version."""
    restart_asked: tuple[str, ...] = ()
    """The nodes that were to be restarted whatever was installed on them, because the run was told to."""


@dataclass(frozen=True, slots=True)
class StorageReport(Part):
    """The storage at one moment."""

    at: datetime
    """When it was read."""
    virtual_disks: tuple[DiskState, ...] = ()
    """The virtual disks."""
    jobs: tuple[JobState, ...] = ()
    """The storage jobs that were not over."""
    faults: tuple[str, ...] = ()
    """What the cluster's health service complained of."""


@dataclass(frozen=True, slots=True)
class UndoneReport(Part):
    """A change of the run that the run took back at its end."""

    at: datetime
    """When."""
    what: str
    """What was taken back."""
    node: str | None = None
    """The node that it is about; null: the cluster."""


@dataclass(frozen=True, slots=True)
class LeftReport(Part):
    """Something that a person has to deal with."""

    what: str
    """What is left."""
    why: str = ""
    """Why the run did not deal with it."""
    command: str | None = None
    """The command that does, where there is one."""
    node: str | None = None
    """The node that it is about; null: the cluster."""


@dataclass(frozen=True, slots=True)
class InterventionReport(Part):
    """What a person asked of the run while it went on."""

    at: datetime
    """When."""
    by: str
    """Who."""
    action: Literal["pause", "continue", "cancel"]
    """What was asked for."""
    comment: str = ""
    """What that person said."""


@dataclass(frozen=True, slots=True)
class WarningReport(Part):
    """A warning that stopped nothing, such as that the run took longer than ``warn_after``."""

    at: datetime
    """When."""
    text: str
    """What was said."""


@dataclass(frozen=True, slots=True)
class Section(Part):
    """A part of the report that only runs of one kind have."""

    title: str
    """Its title."""
    sentences: tuple[str, ...] = ()
    """What it says."""
    columns: tuple[str, ...] = ()
    """The columns of its table; none: it has no table."""
    rows: tuple[tuple[str, ...], ...] = ()
    """The rows of its table."""
