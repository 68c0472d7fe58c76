"""What is on record about jobs that update a node through a task."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from include.hci.report.event import RunEvent


class UpdateTaskStarting(RunEvent):
    """A job is about to be given to a task on the node. ``number`` counts them per node from 1, and makes the job's id.

    ``began`` is the time from which its patience is counted.
    """

    kind = "intent"
    event: Literal["update_task_starting"] = "update_task_starting"
    node: str
    number: int
    mode: Literal["scan", "download", "install"]
    searches: tuple[str, ...]
    include_recommended: bool
    began: datetime


class UpdateTaskEnded(RunEvent):
    """The job ``number`` is over, and its task and files are seen to be gone. ``why``: how it ended."""

    kind = "done"
    event: Literal["update_task_ended"] = "update_task_ended"
    node: str
    number: int
    why: str = ""
