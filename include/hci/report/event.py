"""What every event of a run's record has in common."""

from __future__ import annotations

from typing import ClassVar, Literal

from include.hci.report.values import Frozen

Kind = Literal["decision", "intent", "done", "outcome", "problem"]
StepName = Literal[
    "readiness",
    "scan",
    "plan",
    "approve",
    "take_lock",
    "stage",
    "turn",
    "drain",
    "install",
    "restart",
    "resume",
    "resync",
    "verify",
    "hardware",
    "conclude",
    "operator",
]
#: Where a run can be held: before anything is touched on a node, before it restarts, and before the next node begins.
PausePoint = Literal["before-drain", "before-restart", "after-resume"]


class RunEvent(Frozen):
    """What every event has. ``event`` is the name under which it is stored and read back."""

    kind: ClassVar[Kind]
    event: str
    step: StepName
    node: str | None = None
