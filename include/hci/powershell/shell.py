"""The one thing that everything above remoting needs: something that runs a pipeline on a node."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, TypeAlias

from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.records import ProgressRecord
from include.hci.powershell.result import Result

OnProgress: TypeAlias = Callable[[ProgressRecord], None]


class Shell(Protocol):
    """Runs pipelines on one node, one after another."""

    def run(
        self,
        pipeline: Command | Pipeline,
        *,
        timeout: timedelta | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        """Run ``pipeline`` and return what it gave.

        ``timeout`` bounds the whole call; None takes the shell's own default. ``on_progress`` is called while the pipeline
        runs, in the calling thread. Raises CommandFailed where the pipeline ended as failed (non-terminating errors are in the
        result), NodeUnreachable, AuthenticationRefused, CertificateRefused or EndpointRefused where no session came about,
        ConnectionLost or DeadlineExceeded where a reading pipeline was cut short, and OutcomeUnknown where one that changes
        something was.
        """
        ...
