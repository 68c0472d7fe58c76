"""One job of the worker on one node: how it is begun, how it stands, and how everything of it is taken away again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from include.hci.cluster.files import new_folder, path_exists, read_text, remove_folder, write_text
from include.hci.cluster.lock import LockHeld
from include.hci.cluster.scheduled_tasks import (
    NEVER_RAN,
    QUEUED,
    RUNNING,
    get_last_result,
    get_task,
    register_task,
    remove_task,
    say_result,
    start_task,
)
from include.hci.cluster.system_task.build import DEFINITION
from include.hci.cluster.system_task.protocol import (
    ARGUMENTS,
    FOLDER,
    Answer,
    Arguments,
    Mode,
    answer_path,
    read_answer,
    read_arguments,
)
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.shell import Shell

_TAKEN = "another run installs through a task on this node, or one that died has left its files behind"
#: Nothing takes such a folder away by itself, unlike a lock of CAU's.
_FREE = (
    "Wait for that run, or let make_safe clean up after it where it has died. Where Get-ScheduledTask -TaskName HciUpdate-* shows"
    f" no task on the node, nobody works with the folder: Remove-Item -LiteralPath {FOLDER} -Recurse -Force."
)


@dataclass(frozen=True, slots=True)
class Job:
    """What a task is to do on ``node`` for the run ``run``; ``number`` counts the run's jobs on that node from 1."""

    node: str
    run: UUID
    number: int
    mode: Mode
    searches: tuple[str, ...]
    include_recommended: bool
    began: datetime

    @property
    def guid(self) -> UUID:
        """The job's id, the same on every try: its answer cannot be taken for that of another job."""
        return uuid5(self.run, f"{self.node.lower()}/{self.number}")

    @property
    def task_name(self) -> str:
        """The name of its task in the root folder; a run has one at a time on a node, which is found by it after a crash."""
        return f"HciUpdate-{self.run}"

    @property
    def arguments(self) -> Arguments:
        """Its argument file."""
        return Arguments(
            run=self.run,
            job=self.guid,
            mode=self.mode,
            include_recommended=self.include_recommended,
            searches=self.searches,
            answer=answer_path(self.guid),
        )


@dataclass(frozen=True, slots=True)
class AtWork:
    """The task runs; ``answer`` is what it has written so far, None: nothing that could be read."""

    job: Job
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The worker has written its last word."""

    job: Job
    answer: Answer


@dataclass(frozen=True, slots=True)
class Broken:
    """The task does not run and there is no last word of it; ``never_ran``: it may still be about to begin."""

    job: Job
    why: str
    never_ran: bool = False


JobState = AtWork | Finished | Broken


class StillAtWork(Exception):
    """A job was begun; how it goes is for ``look`` to tell. Nothing is wrong."""

    def __init__(self, job: Job) -> None:
        super().__init__(f"{job.task_name} works on {job.node}")
        self.job = job


def begin(shell: Shell, job: Job) -> None:
    """Write the argument file, register the task and start it.

    Raises LockHeld where the folder belongs to another run's job, and what the shell raises.
    """
    if path_exists(shell, FOLDER):
        raise LockHeld(f"{FOLDER} is there: {_owner(shell)}", node=job.node, meaning=_TAKEN, next_action=_FREE)
    new_folder(shell, FOLDER)
    write_text(shell, ARGUMENTS, job.arguments.model_dump_json())
    register_task(shell, job.task_name, DEFINITION.read_text(encoding="ascii"))
    start_task(shell, job.task_name)


def look(shell: Shell, job: Job) -> JobState:
    """Return how ``job`` stands. Only reads."""
    # The task first: what it wrote before it was seen not to run any more is its last word.
    task = get_task(shell, job.task_name)
    running = task is not None and task.is_active
    try:
        text = read_text(shell, answer_path(job.guid))
        answer = None if text is None else read_answer(text, job.guid)
    except (CommandFailed, ValueError) as error:
        # While the file is being replaced it may be neither there nor readable.
        return AtWork(job) if running else Broken(job, str(error))
    if answer is not None and answer.is_final:
        return Finished(job, answer)
    if running:
        return AtWork(job, answer)
    if task is None:
        return Broken(job, f"the task {job.task_name} is gone")
    code = get_last_result(shell, job.task_name)
    never_ran = answer is None and code in (NEVER_RAN, RUNNING, QUEUED)
    return Broken(job, f"the task has not finished: {say_result(code)}", never_ran)


def owns_folder(shell: Shell, job: UUID) -> bool:
    """Return whether the folder on the node is that of ``job``; one without arguments belongs to whoever was creating it."""
    text = read_text(shell, ARGUMENTS)
    if text is None:
        return True
    given = read_arguments(text)
    return given is not None and given.job == job


def tidy(shell: Shell, job: Job) -> None:
    """Take task and folder away, and make sure that they are gone; raises CommandFailed when they are not."""
    gone = remove_task(shell, job.task_name)
    if path_exists(shell, FOLDER) and owns_folder(shell, job.guid):
        gone = remove_folder(shell, FOLDER) and gone
    if not gone:
        record = ErrorRecord(f"{job.task_name} or {FOLDER} is still there after it was removed")
        raise CommandFailed([record], node=job.node, retry_safe=True)


def _owner(shell: Shell) -> str:
    text = read_text(shell, ARGUMENTS)
    given = None if text is None else read_arguments(text)
    return "it holds no arguments" if given is None else f"it belongs to the job {given.job} of the run {given.run}"
