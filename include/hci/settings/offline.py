"""What the person who starts a fast offline update decides beyond the options of every run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from include.hci.settings.request import Request


class OfflineRequest(Request):
    """How a whole cluster is taken down and brought back."""

    vm_action: Literal["shutdown", "save"] = Field(
        "shutdown", description="What is done with every running virtual machine: its guest shuts down, or it is saved."
    )
    vm_patience_minutes: int = Field(
        10, ge=1, le=240, description="How many minutes a guest may take to shut down before `vm_fallback` is done."
    )
    vm_fallback: Literal["save", "stop_run"] = Field(
        "save",
        description="What becomes of a virtual machine whose guest does not shut down: it is saved, or the run ends there and"
        " starts again what it has stopped. The power of a running machine is never switched off.",
    )
    install_before: bool = Field(
        False,
        description="Install on all servers while the cluster is still up, so that only the restarts fall into the downtime.",
    )
