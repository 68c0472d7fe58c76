"""What else changes a node by a schedule of its own: the Health Service's firmware roll-out, and tasks that install updates."""

from __future__ import annotations

import re
from collections.abc import Iterable
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

_TARGET = re.compile(r"<\s*TargetFirmware\b", re.IGNORECASE)
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
    return FirmwareRollout(bool(_TARGET.search(document)), enabled.strip().lower() not in ("false", "0"))


def get_scheduled_tasks(shell: Shell, names: Iterable[str]) -> tuple[ScheduledTask, ...]:
    """Return those tasks of the node that are called one of ``names``; there may be none (Get-ScheduledTask)."""
    wanted = {name.lower() for name in names}
    # Asked for by name, a task that does not exist would be an error.
    items = shell.run(Command("Get-ScheduledTask")).require().objects()
    return tuple(
        ScheduledTask(item.string("TaskName"), item.string("TaskPath", ""), enum_name(item, "State", TASK_STATES))
        for item in items
        if item.string("TaskName", "").lower() in wanted
    )


def _setting(shell: Shell, name: str) -> str:
    pipeline = Command("Get-StorageSubSystem", {"FriendlyName": "Clustered*"}) | Command(
        "Get-StorageHealthSetting", {"Name": name}
    )
    items = shell.run(pipeline).require().objects()
    return items[0].string("Value", "") if items else ""
