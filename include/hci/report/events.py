"""The vocabulary of a run's record: everything a run may write down about itself, one class per event.

Steps write these and the report is folded from them, so both sides share one definition of every key. An event says which
``step`` it belongs to and which ``node`` it is about (None: the whole cluster). Its ``kind`` tells how it may be used:

* ``intent`` is written BEFORE a change is made. After a crash it is the only witness that the change may have happened.
* ``done`` is written after the change was seen to have happened.
* ``decision`` is a step's decision that differs from the one before, with its reason.
* ``outcome`` is what a step found or how it ended.
* ``problem`` is what went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter

from include.hci.report.event import ChangeKind, Kind, PausePoint, RunEvent, RunKind, StepName
from include.hci.report.node_events import (
    Drained,
    FoundPaused,
    Held,
    InstallFinished,
    InstallStarted,
    MaintenanceEntered,
    MaintenanceEntering,
    MaintenanceLeft,
    PauseRefused,
    Pausing,
    RepairOrdered,
    Restarted,
    RestartOrdered,
    Resumed,
    Resuming,
    Resynced,
    Staged,
    Staging,
    TurnGiven,
    Verified,
)
from include.hci.report.run_events import (
    Approved,
    ChangeTakenBack,
    Changing,
    Concluded,
    Decided,
    Failed,
    Left,
    LockReleased,
    LockTaken,
    LockTaking,
    NodeUpdaterChosen,
    OperatorAsked,
    Parked,
    Planned,
    ReadinessChecked,
    RunStarted,
    Scanned,
    Skipped,
    StorageRead,
    Undone,
    WindowMissed,
)

__all__ = [
    "AnyEvent",
    "Approved",
    "ChangeKind",
    "ChangeTakenBack",
    "Changing",
    "Concluded",
    "Decided",
    "Drained",
    "Failed",
    "FoundPaused",
    "Held",
    "InstallFinished",
    "InstallStarted",
    "Kind",
    "Left",
    "LockReleased",
    "LockTaken",
    "LockTaking",
    "MaintenanceEntered",
    "MaintenanceEntering",
    "MaintenanceLeft",
    "NodeUpdaterChosen",
    "OperatorAsked",
    "Parked",
    "PausePoint",
    "PauseRefused",
    "Pausing",
    "Planned",
    "ReadinessChecked",
    "RepairOrdered",
    "RestartOrdered",
    "Restarted",
    "Resumed",
    "Resuming",
    "Resynced",
    "RunEvent",
    "RunKind",
    "RunStarted",
    "Scanned",
    "Skipped",
    "Staged",
    "Staging",
    "StepName",
    "StorageRead",
    "TurnGiven",
    "Undone",
    "Verified",
    "WindowMissed",
    "parse_event",
]

AnyEvent = Annotated[
    RunStarted
    | WindowMissed
    | ReadinessChecked
    | StorageRead
    | Scanned
    | NodeUpdaterChosen
    | Planned
    | Approved
    | OperatorAsked
    | LockTaking
    | LockTaken
    | LockReleased
    | Staging
    | Staged
    | TurnGiven
    | Pausing
    | PauseRefused
    | FoundPaused
    | Held
    | Drained
    | MaintenanceEntering
    | MaintenanceEntered
    | MaintenanceLeft
    | InstallStarted
    | InstallFinished
    | RestartOrdered
    | Restarted
    | Resuming
    | Resumed
    | RepairOrdered
    | Resynced
    | Verified
    | Decided
    | Skipped
    | Parked
    | Failed
    | Changing
    | ChangeTakenBack
    | Undone
    | Left
    | Concluded,
    Field(discriminator="event"),
]

_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def parse_event(data: Mapping[str, object]) -> AnyEvent:
    """Return the typed event of ``data`` (``event``, ``step``, ``node`` and the event's own keys).

    Raises pydantic.ValidationError, a ValueError, when the name or a key's value is not of this vocabulary.
    """
    return _ADAPTER.validate_python(dict(data))
