"""What a run may write down about one node's turn: drain, install, restart, resume, resync."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from include.hci.report.event import PausePoint, RunEvent, StepName
from include.hci.report.values import Check, RoleSeen, UpdateRef, UpdateResult


class Staging(RunEvent):
    """The node is about to download its updates."""

    kind = "intent"
    event: Literal["staging"] = "staging"
    step: StepName = "stage"
    node: str
    updates: tuple[UpdateRef, ...] = ()


class Staged(RunEvent):
    """The node's downloads ended; one result per update."""

    kind = "done"
    event: Literal["staged"] = "staged"
    step: StepName = "stage"
    node: str
    results: tuple[UpdateResult, ...] = ()


class TurnGiven(RunEvent):
    """It is this node's turn: ``position`` (from 1) of ``total``."""

    kind = "outcome"
    event: Literal["turn_given"] = "turn_given"
    step: StepName = "turn"
    node: str
    position: int
    total: int
    why: str = ""


class Pausing(RunEvent):
    """The node is about to be paused and drained by this run; from here on the pause is this run's to undo.

    ``seen``: the cluster's virtual machines and the node's other roles, as they were read right before.
    """

    kind = "intent"
    event: Literal["pausing"] = "pausing"
    step: StepName = "drain"
    node: str
    state_before: str = "Up"
    roles: tuple[str, ...] = ()
    seen: tuple[RoleSeen, ...] = ()


class Paused(RunEvent):
    """The cluster has taken the order: the node is paused by this run, and its drain goes on."""

    kind = "done"
    event: Literal["paused"] = "paused"
    step: StepName = "drain"
    node: str


class PauseRefused(RunEvent):
    """The cluster refused the pause and the node is still Up: there is nothing of this run's to undo on it."""

    kind = "outcome"
    event: Literal["pause_refused"] = "pause_refused"
    step: StepName = "drain"
    node: str
    why: str = ""
    code: str | None = None


class FoundPaused(RunEvent):
    """The node was already paused by somebody else: it is left as found."""

    kind = "outcome"
    event: Literal["found_paused"] = "found_paused"
    step: StepName = "drain"
    node: str
    state: str = "Paused"


class Drained(RunEvent):
    """The node is Paused, its drain is Completed and no online role is left on it; ``seen``: where its roles are now."""

    kind = "done"
    event: Literal["drained"] = "drained"
    step: StepName = "drain"
    node: str
    roles_moved: int | None = None
    seen: tuple[RoleSeen, ...] = ()


class MaintenanceEntering(RunEvent):
    """The node's disks are about to be put into storage maintenance mode by hand (2019 and 20H2 only)."""

    kind = "intent"
    event: Literal["maintenance_entering"] = "maintenance_entering"
    step: StepName = "restart"
    node: str


class MaintenanceEntered(RunEvent):
    """The node's disks are in storage maintenance mode."""

    kind = "done"
    event: Literal["maintenance_entered"] = "maintenance_entered"
    step: StepName = "restart"
    node: str


class MaintenanceLeft(RunEvent):
    """The node's disks are out of storage maintenance mode again."""

    kind = "done"
    event: Literal["maintenance_left"] = "maintenance_left"
    step: StepName = "resume"
    node: str


class InstallStarted(RunEvent):
    """The node is about to install; ``install_pass`` counts from 1."""

    kind = "intent"
    event: Literal["install_started"] = "install_started"
    step: StepName = "install"
    node: str
    install_pass: int
    updates: tuple[UpdateRef, ...] = ()


class InstallFinished(RunEvent):
    """An install pass ended; one result per update. ``restart_needed`` is the node's own answer."""

    kind = "done"
    event: Literal["install_finished"] = "install_finished"
    step: StepName = "install"
    node: str
    install_pass: int
    results: tuple[UpdateResult, ...] = ()
    restart_needed: bool | None = None


class RestartOrdered(RunEvent):
    """The node is about to be told to restart; only a boot time later than ``boot_time_before`` proves that it did.

    ``local_time_before`` is what its own clock showed: one that is set later moves the boot time, too.
    """

    kind = "intent"
    event: Literal["restart_ordered"] = "restart_ordered"
    step: StepName = "restart"
    node: str
    boot_time_before: AwareDatetime
    local_time_before: AwareDatetime | None = None
    why: str = ""


class Restarted(RunEvent):
    """The node is back: new boot time, its services run, no restart pending."""

    kind = "done"
    event: Literal["restarted"] = "restarted"
    step: StepName = "restart"
    node: str
    boot_time: AwareDatetime
    build: str | None = None


class Held(RunEvent):
    """The node's turn is held at a pause point until a person lets it go on."""

    kind = "outcome"
    event: Literal["held"] = "held"
    node: str
    point: PausePoint
    why: str


class Resuming(RunEvent):
    """The node that this run paused is about to be resumed."""

    kind = "intent"
    event: Literal["resuming"] = "resuming"
    step: StepName = "resume"
    node: str
    failback_mode: str = "Immediate"


class Resumed(RunEvent):
    """The node is Up again; ``seen``: the roles that were drained from it, as they are now."""

    kind = "done"
    event: Literal["resumed"] = "resumed"
    step: StepName = "resume"
    node: str
    failback_mode: str = "Immediate"
    seen: tuple[RoleSeen, ...] = ()


class RepairOrdered(RunEvent):
    """A repair is about to be started for a virtual disk whose repair jobs are merely suspended."""

    kind = "intent"
    event: Literal["repair_ordered"] = "repair_ordered"
    step: StepName = "resync"
    virtual_disk: str
    why: str = ""


class Resynced(RunEvent):
    """The storage is whole again after the node's return: ``gib`` GiB copied in ``seconds``."""

    kind = "outcome"
    event: Literal["resynced"] = "resynced"
    step: StepName = "resync"
    node: str
    gib: float | None = None
    seconds: float | None = None


class Verified(RunEvent):
    """The node after the run: its ``build`` and what a last scan still offers."""

    kind = "outcome"
    event: Literal["verified"] = "verified"
    step: StepName = "verify"
    node: str
    build: str | None = None
    remaining: tuple[UpdateRef, ...] = ()
    checks: tuple[Check, ...] = ()
