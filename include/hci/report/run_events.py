"""What a run may write down about itself as a whole, and what any of its steps may write down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from include.hci.report.event import ChangeKind, RunEvent, RunKind, StepName
from include.hci.report.values import Check, DiskState, ExcludedUpdate, JobState, Problem, Progress, UpdateRef


class RunStarted(RunEvent):
    """The run has begun: for which cluster, with which nodes and options (``RunOptions.to_json()``), and who asked for it.

    ``request`` holds what runs of its ``run_kind`` are told beyond these options. ``poll_seconds``: how often a
    wait is looked at.
    """

    kind = "outcome"
    event: Literal["run_started"] = "run_started"
    step: StepName = "readiness"
    run_id: str
    cluster: str
    nodes: tuple[str, ...] = ()
    options: Mapping[str, Any] = Field(default_factory=dict)
    started_by: str | None = None
    mode: str = "update"
    run_kind: RunKind = "rolling-update"
    request: Mapping[str, Any] = Field(default_factory=dict)
    poll_seconds: float | None = None


class WindowMissed(RunEvent):
    """The run was due at ``due`` and began too late after it: it touches nothing, and ``why`` says it all."""

    kind = "outcome"
    event: Literal["window_missed"] = "window_missed"
    step: StepName = "readiness"
    due: AwareDatetime
    why: str


class ReadinessChecked(RunEvent):
    """What the readiness checks found; a single ``refused`` check refuses the run."""

    kind = "outcome"
    event: Literal["readiness_checked"] = "readiness_checked"
    step: StepName = "readiness"
    checks: tuple[Check, ...]


class StorageRead(RunEvent):
    """The storage as it was before the run or after it."""

    kind = "outcome"
    event: Literal["storage_read"] = "storage_read"
    step: StepName = "readiness"
    moment: Literal["before", "after"]
    virtual_disks: tuple[DiskState, ...] = ()
    jobs: tuple[JobState, ...] = ()
    faults: tuple[str, ...] = ()


class Scanned(RunEvent):
    """What a node needs: ``updates`` to install, ``excluded`` ones with the reason, and its ``build`` (``20348.2113``).

    ``reasons`` say by update id why those to install are in.
    """

    kind = "outcome"
    event: Literal["scanned"] = "scanned"
    step: StepName = "scan"
    node: str
    updates: tuple[UpdateRef, ...] = ()
    excluded: tuple[ExcludedUpdate, ...] = ()
    reasons: Mapping[str, str] = Field(default_factory=dict)
    build: str | None = None
    restart_pending: bool = False


class NodeUpdaterChosen(RunEvent):
    """Which way of installing a node is going to use, and what the probe saw."""

    kind = "outcome"
    event: Literal["node_updater_chosen"] = "node_updater_chosen"
    step: StepName = "scan"
    node: str
    updater: str
    why: str = ""


class Planned(RunEvent):
    """The plan: nodes in ``order`` (also those with nothing to do), updates per node, the reason for the order.

    ``restart_asked``: nodes that are restarted because the run was told to, whatever is installed on them.
    """

    kind = "outcome"
    event: Literal["planned"] = "planned"
    step: StepName = "plan"
    order: tuple[str, ...]
    updates: Mapping[str, tuple[UpdateRef, ...]] = Field(default_factory=dict)
    why: Mapping[str, str] = Field(default_factory=dict)
    max_failed_nodes: int | None = None
    estimated_minutes: float | None = None
    plan_id: str | None = None
    restart_asked: tuple[str, ...] = ()


#: Who has answered where nobody did in time: that is a no.
NOBODY = "nobody"


class Approved(RunEvent):
    """A person answered the plan; ``accepted`` False is a refusal."""

    kind = "outcome"
    event: Literal["approved"] = "approved"
    step: StepName = "approve"
    by: str
    accepted: bool = True
    comment: str = ""
    plan_id: str | None = None


class OperatorAsked(RunEvent):
    """A person asked the run to ``pause`` at the next pause point, to ``continue``, or to ``cancel``: who, and why."""

    kind = "outcome"
    event: Literal["operator_asked"] = "operator_asked"
    step: StepName = "operator"
    action: Literal["pause", "continue", "cancel"]
    by: str
    comment: str = ""


class LockTaking(RunEvent):
    """The run is about to take the lock on ``nodes``."""

    kind = "intent"
    event: Literal["lock_taking"] = "lock_taking"
    step: StepName = "take_lock"
    guid: str
    nodes: tuple[str, ...]


class LockTaken(RunEvent):
    """The lock was seen on every node of ``nodes``."""

    kind = "done"
    event: Literal["lock_taken"] = "lock_taken"
    step: StepName = "take_lock"
    guid: str
    nodes: tuple[str, ...]


class LockReleased(RunEvent):
    """No node of ``nodes`` holds this run's lock any more; ``node`` None and ``nodes`` empty means: nowhere."""

    kind = "done"
    event: Literal["lock_released"] = "lock_released"
    step: StepName = "conclude"
    guid: str
    nodes: tuple[str, ...] = ()


class Decided(RunEvent):
    """A step's decision, written when it differs from the one before.

    ``until`` is when a wait gives up. ``action`` names what an ``act`` does, ``outcome`` how a ``done`` ended.
    """

    kind = "decision"
    event: Literal["decided"] = "decided"
    decision: Literal["done", "act", "wait", "stop"]
    why: str = ""
    action: str | None = None
    outcome: str | None = None
    progress: Progress | None = None
    until: AwareDatetime | None = None
    problem: Problem | None = None


class Skipped(RunEvent):
    """The node's step (and with it the rest of its turn) was not done, and why."""

    kind = "outcome"
    event: Literal["skipped"] = "skipped"
    node: str
    reason: str


class Parked(RunEvent):
    """The run begins no node any more, because ``why`` (a window closes, a blackout, stop_after): the next run goes on.

    ``next_opening`` is when the calendar allows it again, where that is known.
    """

    kind = "outcome"
    event: Literal["parked"] = "parked"
    step: StepName = "turn"
    why: str
    next_opening: AwareDatetime | None = None


class Failed(RunEvent):
    """A step failed for good; ``node`` None means that the whole run is stopped by it."""

    kind = "problem"
    event: Literal["failed"] = "failed"
    problem: Problem


class TriedAgain(RunEvent):
    """A step of a node stopped and is tried again, which uses up one of the node's ``max_retries_per_node``."""

    kind = "problem"
    event: Literal["tried_again"] = "tried_again"
    node: str
    why: str


class Changing(RunEvent):
    """The run is about to change ``subject`` on ``node`` from ``before`` to ``after``, and takes that back at its end.

    ``node`` may be a machine beside the cluster. What was changed last is taken back first.
    """

    kind = "intent"
    event: Literal["changing"] = "changing"
    change: ChangeKind
    subject: str
    before: str = ""
    after: str = ""


class ChangeTakenBack(RunEvent):
    """A change that the run announced was seen to be as it was found."""

    kind = "done"
    event: Literal["change_taken_back"] = "change_taken_back"
    step: StepName = "conclude"
    change: ChangeKind
    subject: str


class Undone(RunEvent):
    """A change of this run that was taken back at the end: ``what`` in words."""

    kind = "done"
    event: Literal["undone"] = "undone"
    step: StepName = "conclude"
    what: str


class Left(RunEvent):
    """Something that this run leaves behind for a person: ``what`` in words, ``command`` to deal with it.

    A run that leaves something behind has not succeeded.
    """

    kind = "problem"
    event: Literal["left"] = "left"
    step: StepName = "conclude"
    what: str
    why: str = ""
    command: str | None = None


class Concluded(RunEvent):
    """The run is over. ``cancelled`` True when a person (or a closing window) ended it early."""

    kind = "outcome"
    event: Literal["concluded"] = "concluded"
    step: StepName = "conclude"
    cancelled: bool = False
    why: str = ""
