"""Taking back what a job of a task has changed on its node: the task first, then its files."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from include.hci.cluster.facade import Cluster
from include.hci.cluster.files import path_exists, remove_folder
from include.hci.cluster.scheduled_tasks import get_task, remove_task
from include.hci.cluster.system_task.job import owns_folder
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord
from include.hci.report.facts import Change
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Scene
from include.hci.steps.undo import Standing


class TaskUndoer:
    """Removes a scheduled task that this run has registered. One that installs is given a while to end by itself."""

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Look for the task."""
        what, command = self.describe(change)
        task = get_task(cluster.on(change.node), change.subject)
        if task is None:
            return Standing(change, what, command)
        installs = task.is_active and change.after.startswith("install ")
        wait = "it is installing updates" if installs else ""
        return Standing(change, what, command, RemoveTask(change.node, change.subject), wait)

    def describe(self, change: Change) -> tuple[str, str]:
        """Return what was registered and the command that removes it."""
        what = f"the scheduled task {change.subject} on {change.node}"
        name = f"-TaskName {change.subject} -TaskPath \\"
        return what, f"On {change.node}: Stop-ScheduledTask {name}; Unregister-ScheduledTask {name} -Confirm:$false"


class FileUndoer:
    """Removes a folder that this run has made, unless it is another job's by now."""

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Look for the folder, and whose it is."""
        what, command = self.describe(change)
        shell = cluster.on(change.node)
        if not path_exists(shell, change.subject) or not owns_folder(shell, UUID(change.after)):
            return Standing(change, what, command)
        return Standing(change, what, command, RemoveFolder(change.node, change.subject))

    def describe(self, change: Change) -> tuple[str, str]:
        """Return what was made and the command that removes it."""
        command = f"On {change.node}: Remove-Item -LiteralPath {change.subject} -Recurse -Force"
        return f"the folder {change.subject} on {change.node}", command


@dataclass(frozen=True, slots=True)
class RemoveTask:
    """Stop and remove the task ``name``."""

    node: str
    name: str

    def describe(self) -> str:
        """Return the command."""
        return f"Unregister-ScheduledTask {self.name} on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Remove it; raises CommandFailed when it is still there afterwards."""
        if not remove_task(scene.cluster.on(self.node), self.name):
            raise CommandFailed([ErrorRecord(f"{self.name} is still there")], node=self.node, retry_safe=True)


@dataclass(frozen=True, slots=True)
class RemoveFolder:
    """Remove the folder ``path`` with what is in it."""

    node: str
    path: str

    def describe(self) -> str:
        """Return the command."""
        return f"Remove-Item {self.path} on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Remove it; raises CommandFailed when it is still there afterwards."""
        if not remove_folder(scene.cluster.on(self.node), self.path):
            raise CommandFailed([ErrorRecord(f"{self.path} is still there")], node=self.node, retry_safe=True)
