"""What else changes a node by a schedule of its own: the Health Service's firmware roll-out, and tasks that install updates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from include.hci.cluster.values import enum_name
from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell

#: Settings of the Health Service (windowsserverdocs, update-firmware).
COMPONENTS_SETTING = "System.Storage.SupportedComponents.Document"
ROLLOUT_SETTING = "System.Storage.PhysicalDisk.AutoFirmwareUpdate.RollOut.Enabled"
#: The task that Windows Admin Center installs updates with.
ADMIN_CENTER_TASK = "SMEWindowsUpdateInstallUpdates"
#: Asked for by a pattern: a task that does not exist is an error by its plain name, and among all tasks every broken one is.
_ADMIN_CENTER_TASKS = "SMEWindowsUpdate*"

_TARGET = re.compile(r"<\s*TargetFirmware\b", re.IGNORECASE)
#: The document may carry an example of itself.
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
TASK_STATES = MappingProxyType({0: "Unknown", 1: "Disabled", 2: "Queued", 3: "Ready", 4: "Running"})


@dataclass(frozen=True, slots=True)
class FirmwareRollout:
    """Whether the Health Service rolls drive firmware out: it needs a document with target versions, and must not be stopped."""

    has_targets: bool
    enabled: bool

    @property
    def is_active(self) -> bool:
        """Whether drives may get new firmware at any time."""
        return self.has_targets and self.enabled


@dataclass(frozen=True, slots=True)
class ScheduledTask:
    """One scheduled task of a node."""

    name: str
    path: str
    state: str

    @property
    def is_active(self) -> bool:
        """Whether it runs, or is about to."""
        return self.state in ("Running", "Queued")


def get_firmware_rollout(shell: Shell) -> FirmwareRollout:
    """Return whether drive firmware is rolled out by the Health Service; without a setting its default counts (enabled)."""
    document = _setting(shell, COMPONENTS_SETTING)
    enabled = _setting(shell, ROLLOUT_SETTING)
    return FirmwareRollout(
        bool(_TARGET.search(_COMMENT.sub("", document))), enabled.strip().lower() not in ("false", "0")
    )


def get_admin_center_tasks(shell: Shell) -> tuple[ScheduledTask, ...]:
    """Return the node's tasks with which Windows Admin Center installs updates; mostly there are none (Get-ScheduledTask)."""
    items = shell.run(Command("Get-ScheduledTask", {"TaskName": _ADMIN_CENTER_TASKS})).require().objects()
    return tuple(
        ScheduledTask(item.string("TaskName"), item.string("TaskPath", ""), enum_name(item, "State", TASK_STATES))
        for item in items
        if item.string("TaskName", "").lower() == ADMIN_CENTER_TASK.lower()
    )


def _setting(shell: Shell, name: str) -> str:
    pipeline = Command("Get-StorageSubSystem", {"FriendlyName": "Clustered*"}) | Command(
        "Get-StorageHealthSetting", {"Name": name}
    )
    items = shell.run(pipeline).require().objects()
    return items[0].string("Value", "") if items else ""
