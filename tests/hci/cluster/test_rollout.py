from __future__ import annotations

import pytest

from include.hci.cluster.rollout import ScheduledTask, get_admin_center_tasks, get_firmware_rollout
from tests.hci.cluster.fakes import FakeShell, enum, obj

TARGETS = "<Components><Disks><Disk><TargetFirmware><Version>2</Version></TargetFirmware></Disk></Disks></Components>"
ALLOWED = "<Components><Disks><Disk><AllowedFirmware><Version>2</Version></AllowedFirmware></Disk></Disks></Components>"


@pytest.mark.parametrize(
    ("document", "enabled", "active"),
    [
        (None, None, False),
        (ALLOWED, None, False),
        (ALLOWED.replace("<Disks>", "<!-- <Disk>\n<TargetFirmware/></Disk> --><Disks>"), None, False),
        (TARGETS, None, True),
        (TARGETS, "True", True),
        (TARGETS, "false", False),
    ],
)
def test_firmware_is_rolled_out_where_targets_are_named_and_nobody_has_stopped_it(document, enabled, active):
    values = {
        "System.Storage.SupportedComponents.Document": document,
        "System.Storage.PhysicalDisk.AutoFirmwareUpdate.RollOut.Enabled": enabled,
    }
    shell = FakeShell(
        {
            "Get-StorageHealthSetting": lambda pipeline: [
                obj(Name=name, Value=value)
                for name, value in values.items()
                if value is not None and pipeline.commands[-1].parameters["Name"] == name
            ]
        }
    )
    assert get_firmware_rollout(shell).is_active is active
    assert shell.lines[0].startswith(
        "Get-StorageSubSystem -FriendlyName 'Clustered*' | Get-StorageHealthSetting -Name "
    )


@pytest.mark.parametrize(
    ("state", "active"), [(4, True), (enum(4, "Running"), True), ("Queued", True), (3, False), (1, False)]
)
def test_only_the_task_of_windows_admin_center_is_looked_at(state, active):
    items = [obj(TaskName="SMEWINDOWSUPDATEInstallUpdates", TaskPath="\\", State=state), obj(TaskName="Other", State=4)]
    (task,) = get_admin_center_tasks(FakeShell({"Get-ScheduledTask": items}))
    assert task.is_active is active


def test_a_node_without_the_task_has_none():
    shell = FakeShell({"Get-ScheduledTask": [obj(TaskName="Other", State=4)]})
    assert get_admin_center_tasks(shell) == ()
    # By a plain name a task that is not there is an error, and among all tasks a broken one is.
    assert shell.lines == ["Get-ScheduledTask -TaskName 'SMEWindowsUpdate*'"]
    assert ScheduledTask("t", "\\", "Ready").is_active is False
