"""What a run notices beside its steps: a virtual machine that is not Online, and that the run takes longer than it should."""

from __future__ import annotations

from typing import Literal

from include.hci.report.event import RunEvent, StepName


class VmNotOnline(RunEvent):
    """A virtual machine that was Online when this run began to pause a node was read in another ``state``.

    ``owner``: the node that had it then, empty where the cluster names none. ``node``: whose turn it was.
    """

    kind = "problem"
    event: Literal["vm_not_online"] = "vm_not_online"
    vm: str
    state: str
    owner: str = ""


class VmOnline(RunEvent):
    """A virtual machine that was read as not Online was read as Online again."""

    kind = "outcome"
    event: Literal["vm_online"] = "vm_online"
    vm: str
    owner: str = ""


class RanLong(RunEvent):
    """The run has taken longer than ``warn_after``: it goes on, and ``why`` says how long."""

    kind = "problem"
    event: Literal["ran_long"] = "ran_long"
    step: StepName = "operator"
    why: str
