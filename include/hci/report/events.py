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

from include.hci.report.cau_role_events import (
    FeaturesInstalled,
    FeaturesInstalling,
    FeaturesRead,
    FirewallOpening,
    FirewallRead,
    RoleChanged,
    RoleChangeRefused,
    RoleChanging,
    RoleRead,
)
from include.hci.report.cau_run_events import (
    CauNodeRead,
    CauNodeResult,
    CauNodeStatus,
    CauRecovering,
    CauReportRead,
    CauRunNotStarted,
    CauRunOver,
    CauRunSeen,
    CauRunStarting,
    CauRunStopping,
    CauUpdateResult,
)
from include.hci.report.event import ChangeKind, Kind, PausePoint, RunEvent, RunKind, StepName
from include.hci.report.feature_before_events import (
    ClusterValidated,
    ClusterValidating,
    RemotingRead,
    RemotingSettingUp,
)
from include.hci.report.feature_channel_events import (
    PreviewChannelNotSet,
    PreviewChannelRead,
    PreviewChannelSet,
    PreviewChannelSetting,
)
from include.hci.report.feature_events import UpdatingBegun, UpdatingEnded, VersionsRead
from include.hci.report.hook_events import HookGiven, ScriptEnded, ScriptStarting
from include.hci.report.node_events import (
    Drained,
    FoundPaused,
    Held,
    InstallFinished,
    InstallStarted,
    MaintenanceEntered,
    MaintenanceEntering,
    MaintenanceLeft,
    Paused,
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
from include.hci.report.offline_events import BuildsCompared, ClusterDown, DowntimeCleared, OfflinePlanned
from include.hci.report.post_events import (
    PostAnswered,
    PostAsked,
    PostSkipped,
    RaiseRefused,
    RaiseTaken,
    RaiseTried,
    RoleInterrupted,
    RoleMoved,
    RoleMoveEnded,
    RoleMoving,
    VersionRaising,
    VersionSettled,
)
from include.hci.report.proof_events import ClusterCompared, HygieneProved, SnapshotTaken
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
    TriedAgain,
    Undone,
    WindowMissed,
)
from include.hci.report.updater_events import UpdateTaskEnded, UpdateTaskStarting
from include.hci.report.watch_events import RanLong, VmNotOnline, VmOnline

__all__ = [
    "AnyEvent",
    "Approved",
    "BuildsCompared",
    "CauNodeRead",
    "CauNodeResult",
    "CauNodeStatus",
    "CauRecovering",
    "CauReportRead",
    "CauRunNotStarted",
    "CauRunOver",
    "CauRunSeen",
    "CauRunStarting",
    "CauRunStopping",
    "CauUpdateResult",
    "ChangeKind",
    "ChangeTakenBack",
    "Changing",
    "ClusterCompared",
    "ClusterDown",
    "ClusterValidated",
    "ClusterValidating",
    "Concluded",
    "Decided",
    "DowntimeCleared",
    "Drained",
    "Failed",
    "FeaturesInstalled",
    "FeaturesInstalling",
    "FeaturesRead",
    "FirewallOpening",
    "FirewallRead",
    "FoundPaused",
    "Held",
    "HookGiven",
    "HygieneProved",
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
    "OfflinePlanned",
    "OperatorAsked",
    "Parked",
    "PausePoint",
    "PauseRefused",
    "Paused",
    "Pausing",
    "Planned",
    "PostAnswered",
    "PostAsked",
    "PostSkipped",
    "PreviewChannelNotSet",
    "PreviewChannelRead",
    "PreviewChannelSet",
    "PreviewChannelSetting",
    "RaiseRefused",
    "RaiseTaken",
    "RaiseTried",
    "RanLong",
    "ReadinessChecked",
    "RemotingRead",
    "RemotingSettingUp",
    "RepairOrdered",
    "RestartOrdered",
    "Restarted",
    "Resumed",
    "Resuming",
    "Resynced",
    "RoleChangeRefused",
    "RoleChanged",
    "RoleChanging",
    "RoleInterrupted",
    "RoleMoveEnded",
    "RoleMoved",
    "RoleMoving",
    "RoleRead",
    "RunEvent",
    "RunKind",
    "RunStarted",
    "Scanned",
    "ScriptEnded",
    "ScriptStarting",
    "Skipped",
    "SnapshotTaken",
    "Staged",
    "Staging",
    "StepName",
    "StorageRead",
    "TriedAgain",
    "TurnGiven",
    "Undone",
    "UpdateTaskEnded",
    "UpdateTaskStarting",
    "UpdatingBegun",
    "UpdatingEnded",
    "Verified",
    "VersionRaising",
    "VersionSettled",
    "VersionsRead",
    "VmNotOnline",
    "VmOnline",
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
    | Paused
    | PauseRefused
    | FoundPaused
    | Held
    | Drained
    | MaintenanceEntering
    | MaintenanceEntered
    | MaintenanceLeft
    | UpdateTaskStarting
    | UpdateTaskEnded
    | InstallStarted
    | InstallFinished
    | RestartOrdered
    | Restarted
    | Resuming
    | Resumed
    | RepairOrdered
    | Resynced
    | Verified
    | ScriptStarting
    | ScriptEnded
    | HookGiven
    | VmNotOnline
    | VmOnline
    | RanLong
    | Decided
    | Skipped
    | TriedAgain
    | Parked
    | Failed
    | Changing
    | ChangeTakenBack
    | ClusterCompared
    | SnapshotTaken
    | HygieneProved
    | OfflinePlanned
    | DowntimeCleared
    | ClusterDown
    | BuildsCompared
    | FeaturesInstalled
    | FeaturesInstalling
    | FeaturesRead
    | FirewallOpening
    | FirewallRead
    | RoleChangeRefused
    | RoleChanged
    | RoleChanging
    | RoleRead
    | Undone
    | Left
    | CauNodeRead
    | CauNodeStatus
    | CauRecovering
    | CauReportRead
    | CauRunNotStarted
    | CauRunOver
    | CauRunSeen
    | CauRunStarting
    | CauRunStopping
    | PreviewChannelNotSet
    | PreviewChannelRead
    | PreviewChannelSet
    | PreviewChannelSetting
    | UpdatingBegun
    | UpdatingEnded
    | VersionsRead
    | PostAnswered
    | PostAsked
    | PostSkipped
    | RaiseRefused
    | RaiseTaken
    | RaiseTried
    | RoleInterrupted
    | RoleMoved
    | RoleMoveEnded
    | RoleMoving
    | VersionRaising
    | VersionSettled
    | RemotingSettingUp
    | RemotingRead
    | ClusterValidating
    | ClusterValidated
    | Concluded,
    Field(discriminator="event"),
]

_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def parse_event(data: Mapping[str, object]) -> AnyEvent:
    """Return the typed event of ``data`` (``event``, ``step``, ``node`` and the event's own keys).

    Raises pydantic.ValidationError, a ValueError, when the name or a key's value is not of this vocabulary.
    """
    return _ADAPTER.validate_python(dict(data))
