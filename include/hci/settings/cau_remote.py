"""What a run in CAU's remote-updating mode is told beyond the options of the updating run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from include.hci.settings.request import Request


class CauRemoteRequest(Request):
    """How a remote-updating run reaches the nodes, and what it may do about a run that has lost its coordinator."""

    credssp: Literal["when_needed", "never"] = Field(
        default="when_needed",
        description="Let the management host accept delegated credentials for the time of the run, where it does not yet and the "
        "connection passes none on.",
    )
    force_recovery: Literal["never", "allow"] = Field(
        default="never",
        description="Override the lock of an earlier run of CAU (Invoke-CauRun -ForceRecovery) once everything says that its "
        "coordinator is gone.",
    )
