"""The report of a run: what was done to which node, what came of it, and what is left for a person to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from include.hci.report.event import RunKind
from include.hci.report.values import (
    Check,
    ChosenUpdate,
    DiskState,
    ExcludedUpdate,
    JobState,
    Problem,
    ResultName,
    UpdateRef,
)

SCHEMA = 1

#: ``running`` stands only in a report that is built before the run has concluded.
RunOutcome = Literal[
    "succeeded", "failed", "nothing-to-do", "planned", "staged", "parked", "missed", "cancelled", "running"
]
#: ``in-progress`` stands only in a report that is built before the run has concluded.
NodeOutcome = Literal["updated", "nothing-to-install", "failed", "skipped", "not-started", "in-progress"]


@dataclass(frozen=True, slots=True)
class LockReport:
    """The cluster's lock: ``guid`` None when this run never tried to take it; ``released`` when it holds it nowhere."""

    guid: str | None
    released: bool


@dataclass(frozen=True, slots=True)
class UpdateReport:
    """One update on one node: its last result, in which install pass, and what a failure means."""

    update_id: str
    kb: str | None
    title: str
    result: ResultName
    hresult: str | None = None
    reboot_required: bool = False
    meaning: str | None = None
    next_action: str | None = None
    install_pass: int | None = None


@dataclass(frozen=True, slots=True)
class WaitReport:
    """A wait and its reason; ``progress`` is the last known one in words, ``until`` when it would have given up."""

    started_at: datetime
    ended_at: datetime
    step: str
    node: str | None
    why: str
    progress: str = ""
    until: datetime | None = None

    @property
    def duration(self) -> timedelta:
        """How long the wait took."""
        return self.ended_at - self.started_at


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """One step of a node's timeline, from the first to the last thing that is on record about it."""

    step: str
    started_at: datetime
    ended_at: datetime
    state: Literal["done", "failed", "skipped", "unfinished"]
    waited_for: tuple[str, ...] = ()

    @property
    def duration(self) -> timedelta:
        """How long the phase took."""
        return self.ended_at - self.started_at


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node. ``taken_out``: this run paused it. ``resumed``: it also brought it back. ``error``: the problem in a line."""

    name: str
    outcome: NodeOutcome
    taken_out: bool = False
    resumed: bool = False
    restarts: int = 0
    build_before: str | None = None
    build_after: str | None = None
    updates: tuple[UpdateReport, ...] = ()
    error: str | None = None
    problem: Problem | None = None
    failed_step: str | None = None
    excluded: tuple[ExcludedUpdate, ...] = ()
    chosen: tuple[ChosenUpdate, ...] = ()
    remaining: tuple[UpdateRef, ...] = ()
    timeline: tuple[PhaseReport, ...] = ()
    node_updater: str | None = None
    install_passes: int = 0
    resynced_gib: float | None = None


@dataclass(frozen=True, slots=True)
class PlanReport:
    """The plan that the run followed."""

    order: tuple[str, ...]
    updates: Mapping[str, tuple[UpdateRef, ...]] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    max_failed_nodes: int | None = None
    estimated_minutes: float | None = None
    approved_by: str | None = None
    approval_comment: str = ""


@dataclass(frozen=True, slots=True)
class StorageReport:
    """The storage at one moment."""

    at: datetime
    virtual_disks: tuple[DiskState, ...] = ()
    jobs: tuple[JobState, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UndoneReport:
    """A change of the run that the run took back at its end."""

    at: datetime
    what: str
    node: str | None = None


@dataclass(frozen=True, slots=True)
class LeftReport:
    """Something that a person has to deal with; ``command`` does it where a command can."""

    what: str
    why: str = ""
    command: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class InterventionReport:
    """What a person asked of the run while it went on: ``pause``, ``continue`` or ``cancel``."""

    at: datetime
    by: str
    action: Literal["pause", "continue", "cancel"]
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report that only runs of one kind have: a title, some sentences, and a table where there are columns."""

    title: str
    sentences: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class RunReport:
    """The whole report. ``headline`` says in one sentence what came of the run; ``problems`` are those of the whole run."""

    run_id: str
    cluster: str
    outcome: RunOutcome
    headline: str
    lock: LockReport
    started_at: datetime | None = None
    ended_at: datetime | None = None
    started_by: str | None = None
    mode: str = "update"
    run_kind: RunKind = "rolling-update"
    nodes: tuple[NodeReport, ...] = ()
    interventions: tuple[InterventionReport, ...] = ()
    undone: tuple[UndoneReport, ...] = ()
    left: tuple[LeftReport, ...] = ()
    problems: tuple[Problem, ...] = ()
    checks: tuple[Check, ...] = ()
    plan: PlanReport | None = None
    storage_before: StorageReport | None = None
    storage_after: StorageReport | None = None
    waits: tuple[WaitReport, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    #: Parts of the record that could not be read: what they held is missing above.
    unreadable: tuple[str, ...] = ()
    schema: int = SCHEMA

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data (schema 1); times are ISO 8601 in UTC, ``null`` is unknown."""
        data: dict[str, Any] = to_jsonable_python(self)
        return {"schema": data.pop("schema"), **data}

    def to_text(self) -> str:
        """Return the report as the text of a JSON file."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"
