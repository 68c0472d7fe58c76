"""The report of a run: what was done to which node, what came of it, and what is left for a person to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from include.hci.report.event import RunKind
from include.hci.report.model_node import NodeOutcome, NodeReport, PhaseReport, RoleReport, UpdateReport
from include.hci.report.model_parts import (
    DoingReport,
    InterventionReport,
    LeftReport,
    LockReport,
    OutageReport,
    PlanReport,
    Section,
    StorageReport,
    TimeReport,
    UndoneReport,
    WaitReport,
    WarningReport,
)
from include.hci.report.part import Part
from include.hci.report.values import Check, Problem

__all__ = [
    "SCHEMA",
    "DoingReport",
    "InterventionReport",
    "LeftReport",
    "LockReport",
    "NodeOutcome",
    "NodeReport",
    "OutageReport",
    "PhaseReport",
    "PlanReport",
    "RoleReport",
    "RunOutcome",
    "RunReport",
    "Section",
    "StorageReport",
    "TimeReport",
    "UndoneReport",
    "UpdateReport",
    "WaitReport",
    "WarningReport",
]

SCHEMA = 1

#: ``running`` stands only in a report that is built before the run has concluded.
RunOutcome = Literal[
    "succeeded", "failed", "nothing-to-do", "planned", "staged", "parked", "missed", "cancelled", "running"
]


@dataclass(frozen=True, slots=True)
class RunReport(Part):
    """The report of a run. Times are ISO 8601 in UTC, durations are seconds, null is unknown."""

    run_id: str
    """Airflow's id of the run."""
    cluster: str
    """The cluster's name in the fleet file."""
    outcome: RunOutcome
    """What came of the run; running: it has not ended yet."""
    headline: str
    """What came of it in one line."""
    lock: LockReport
    """What became of the cluster's lock."""
    started_at: datetime | None = None
    """When it began."""
    ended_at: datetime | None = None
    """When it ended; null: it has not ended yet."""
    started_by: str | None = None
    """The user who started it, or the type of run."""
    mode: str = "update"
    """How far it was to go: update, plan-only or stage-only."""
    run_kind: RunKind = "rolling-update"
    """What it was for."""
    nodes: tuple[NodeReport, ...] = ()
    """The nodes, in the order of the plan."""
    interventions: tuple[InterventionReport, ...] = ()
    """What people asked of it while it went on."""
    undone: tuple[UndoneReport, ...] = ()
    """What it took back at its end."""
    left: tuple[LeftReport, ...] = ()
    """What a person has to deal with."""
    problems: tuple[Problem, ...] = ()
    """The problems of the whole run."""
    checks: tuple[Check, ...] = ()
    """The readiness checks."""
    plan: PlanReport | None = None
    """The plan; null: there was none."""
    storage_before: StorageReport | None = None
    """The storage before anything was touched."""
    storage_after: StorageReport | None = None
    """The storage as the run left it."""
    waits: tuple[WaitReport, ...] = ()
    """Every wait, oldest first."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of the run."""
    sections: tuple[Section, ...] = ()
    """What only runs of its kind report."""
    unreadable: tuple[str, ...] = ()
    """Parts of the record that could not be read: what they held is missing here."""
    vms_watched: int | None = None
    """How many virtual machines were Online when a node was paused, and so were watched; null: no node was paused."""
    outages: tuple[OutageReport, ...] = ()
    """Which of them were not Online at a later reading. Roles are read while a node is drained, restarts and is resumed, and at
    the end; not while it installs."""
    time: TimeReport | None = None
    """Where the time went; null: the run has not begun."""
    warnings: tuple[WarningReport, ...] = ()
    """Warnings that stopped nothing."""
    doing: tuple[DoingReport, ...] = ()
    """What it does at this moment; none: it is over, or between two steps."""
    last_word_at: datetime | None = None
    """When anything was written into its record last; null: it has not begun."""
    schema: int = SCHEMA
    """The version of this format. Keys may be added to a version, none is removed from it or changes its meaning."""

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data (``report.schema.json``); times are ISO 8601 in UTC, ``null`` is unknown."""
        data: dict[str, Any] = to_jsonable_python(self)
        return {"schema": data.pop("schema"), **data}

    def to_text(self) -> str:
        """Return the report as the text of a JSON file."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"
