"""Scheduled tasks of one server, one function per cmdlet (windows-powershell-docs, ScheduledTasks).

All of them lie in the root folder: a folder of their own would stay behind, because no cmdlet removes one.
"""

from __future__ import annotations

from include.hci.cluster.rollout import TASK_STATES, ScheduledTask
from include.hci.cluster.values import enum_name
from include.hci.powershell.command import Command
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.shell import Shell

_ROOT = "\\"
_NONE_FOUND = "CmdletizationQuery_NotFound"
#: What the last run of a task ended with (win32, Task Scheduler error and success constants).
NEVER_RAN, RUNNING, TERMINATED, QUEUED = 0x00041303, 0x00041301, 0x00041306, 0x00041325
RESULTS = {
    NEVER_RAN: "it was never started",
    TERMINATED: "it was ended from outside",
    RUNNING: "it is running",
    QUEUED: "it waits to be run",
    0x8007042B: "its process ended unexpectedly",
    0x800710E0: "the start was refused",
    0xC000013A: "its process was ended from outside",
    29: "it could not write its answer file",
    87: "it refused its arguments",
}


def get_task(shell: Shell, name: str) -> ScheduledTask | None:
    """Return the task ``name``, or None where there is none."""
    command = Command("Get-ScheduledTask", {"TaskName": name, "TaskPath": _ROOT})
    try:
        items = shell.run(command).require().objects()
    except CommandFailed as error:
        if error.records and all(record.error_id.startswith(_NONE_FOUND) for record in error.records):
            return None
        raise
    if not items:
        return None
    found = items[0]
    return ScheduledTask(found.string("TaskName"), found.string("TaskPath", ""), enum_name(found, "State", TASK_STATES))


def get_last_result(shell: Shell, name: str) -> int:
    """Return what the last run of the task ended with, unsigned."""
    command = Command("Get-ScheduledTaskInfo", {"TaskName": name, "TaskPath": _ROOT})
    return shell.run(command).require().one().integer("LastTaskResult", NEVER_RAN) & 0xFFFFFFFF


def register_task(shell: Shell, name: str, definition: str) -> None:
    """Register the task; raises CommandFailed when there is one of that name."""
    parameters = {"TaskName": name, "TaskPath": _ROOT, "Xml": definition}
    shell.run(Command("Register-ScheduledTask", parameters)).require()


def start_task(shell: Shell, name: str) -> None:
    """Start the task; it is not waited for."""
    shell.run(Command("Start-ScheduledTask", {"TaskName": name, "TaskPath": _ROOT})).require()


def stop_task(shell: Shell, name: str) -> None:
    """End what the task runs."""
    shell.run(Command("Stop-ScheduledTask", {"TaskName": name, "TaskPath": _ROOT})).require()


def unregister_task(shell: Shell, name: str) -> None:
    """Remove the task; one that runs is to be stopped first."""
    shell.run(Command("Unregister-ScheduledTask", {"TaskName": name, "TaskPath": _ROOT, "Confirm": False})).require()


def remove_task(shell: Shell, name: str) -> bool:
    """Stop and remove the task where it is there; return whether it is gone, as a last look tells."""
    task = get_task(shell, name)
    if task is None:
        return True
    if task.is_active:
        stop_task(shell, name)
    unregister_task(shell, name)
    return get_task(shell, name) is None


def say_result(code: int) -> str:
    """Return in words what a task's last result means."""
    shown = f"0x{code:08X}" if code > 0xFFFF else str(code)
    return f"{RESULTS[code]} ({shown})" if code in RESULTS else f"it ended with {shown}"
