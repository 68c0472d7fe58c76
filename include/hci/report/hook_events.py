"""What a run writes down about the operator's own commands: CAU's scripts on a node, and the hooks of a monitoring system."""

from __future__ import annotations

from typing import Literal

from include.hci.report.event import RunEvent
from include.hci.settings.hooks import HookMoment

ScriptPart = Literal["pre-update", "post-update"]
ScriptResult = Literal["succeeded", "failed", "timed-out", "unknown", "not-begun"]


class ScriptStarting(RunEvent):
    """A script is about to be run on the node; without an end after it nobody knows what came of it."""

    kind = "intent"
    event: Literal["script_starting"] = "script_starting"
    node: str
    script: ScriptPart
    path: str
    configuration: str = ""


class ScriptEnded(RunEvent):
    """What came of a script: ``output`` is what it wrote (cut off where it is long), ``why`` what it failed with.

    ``not-begun``: nothing of it has reached the node.
    """

    kind = "done"
    event: Literal["script_ended"] = "script_ended"
    node: str
    script: ScriptPart
    path: str
    result: ScriptResult
    output: str = ""
    why: str = ""


class HookGiven(RunEvent):
    """A command of a hook was given over an Airflow connection; ``unknown``: it may or may not have arrived.

    ``hook`` is the position of the hook among the run's.
    """

    kind = "outcome"
    event: Literal["hook_given"] = "hook_given"
    when: HookMoment
    hook: int
    connection: str
    command: str
    result: Literal["sent", "failed", "unknown"]
    required: bool = False
    why: str = ""
