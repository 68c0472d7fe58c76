"""What runs that are left to Cluster-Aware Updating write down: CAU's run, what it does on each node, and its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from include.hci.report.event import RunEvent, StepName
from include.hci.report.values import Frozen, UpdateResult


class CauUpdateResult(UpdateResult):
    """How CAU says that one update ended, which plug-in brought it, and when that was."""

    plugin: str = ""
    at: AwareDatetime | None = None


class CauNodeResult(Frozen):
    """What CAU's report says of one node; ``status`` is its SummaryStatus as it came, ``transient`` failures made good later.

    ``succeeded`` and ``failed`` are CAU's own counts; None in a record of an earlier version.
    """

    node: str
    status: str
    error: str = ""
    error_id: str = ""
    updates: tuple[CauUpdateResult, ...] = ()
    transient: tuple[CauUpdateResult, ...] = ()
    suspended_at: AwareDatetime | None = None
    suspended_seconds: float | None = None
    succeeded: int | None = None
    failed: int | None = None


class CauRunStarting(RunEvent):
    """The run is about to begin an Updating Run on ``host``, in a session called ``session``.

    ``last_report`` is the id of CAU's newest report before: the run that is begun now has another one.
    """

    kind = "intent"
    event: Literal["cau_run_starting"] = "cau_run_starting"
    step: StepName = "run_cau"
    host: str
    session: str
    last_report: str = ""
    parameters: Mapping[str, Any] = Field(default_factory=dict)


class CauRunNotStarted(RunEvent):
    """What was announced did not come about: CAU refused it, or nothing of it was ever seen."""

    kind = "done"
    event: Literal["cau_run_not_started"] = "cau_run_not_started"
    step: StepName = "run_cau"
    session: str
    why: str


class CauRunSeen(RunEvent):
    """CAU's run was seen for the first time."""

    kind = "done"
    event: Literal["cau_run_seen"] = "cau_run_seen"
    step: StepName = "run_cau"
    run_id: str
    coordinator: str = ""
    started_at: AwareDatetime | None = None


class CauNodeStatus(RunEvent):
    """What CAU's run does on a node now, in CAU's own words; ``since`` is the time that CAU gives for it."""

    kind = "outcome"
    event: Literal["cau_node_status"] = "cau_node_status"
    step: StepName = "run_cau"
    node: str
    status: str
    since: AwareDatetime | None = None


class CauNodeRead(RunEvent):
    """A node before CAU's run or after it: its state in the cluster, its build and when it was started last."""

    kind = "outcome"
    event: Literal["cau_node_read"] = "cau_node_read"
    step: StepName = "collect"
    node: str
    moment: Literal["before", "after"]
    state: str = ""
    build: str | None = None
    boot_time: AwareDatetime | None = None


class CauRunStopping(RunEvent):
    """CAU's run is about to be told to stop, and why."""

    kind = "intent"
    event: Literal["cau_run_stopping"] = "cau_run_stopping"
    step: StepName = "run_cau"
    run_id: str = ""
    why: str


class CauRunOver(RunEvent):
    """CAU's run is not on any more; ``state`` is what CAU says instead, ``why`` is said where it did not end by itself."""

    kind = "outcome"
    event: Literal["cau_run_over"] = "cau_run_over"
    step: StepName = "run_cau"
    state: str
    run_id: str = ""
    why: str = ""


class CauRecovering(RunEvent):
    """The lock of a run whose coordinator is gone is about to be overridden: what showed that, and who allowed it."""

    kind = "intent"
    event: Literal["cau_recovering"] = "cau_recovering"
    step: StepName = "prepare"
    state: str
    evidence: tuple[str, ...] = ()
    allowed_by: str = ""


class CauReportRead(RunEvent):
    """CAU's own report of the run. ``status`` is its SummaryStatus as it came; times are CAU's.

    ``user`` began the run, ``account`` is the one under which updates were installed.
    """

    kind = "outcome"
    event: Literal["cau_report_read"] = "cau_report_read"
    step: StepName = "collect"
    run_id: str
    status: str
    started_at: AwareDatetime | None = None
    seconds: float | None = None
    error_id: str = ""
    error: str = ""
    coordinator: str = ""
    user: str = ""
    account: str = ""
    plugin: str = ""
    nodes: tuple[CauNodeResult, ...] = ()
