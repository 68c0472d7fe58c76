"""Shells for the steps: leased from one pool per process, so that a connection is never used by two threads at once."""

from __future__ import annotations

import atexit
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.pool import ShellPool
from include.hci.powershell.result import Result
from include.hci.powershell.shell import OnProgress, Shell


@cache
def shell_pool() -> ShellPool:
    """Return this process's pool; what is still open is closed when the process ends."""
    # What a step does and why is in its own words; the client's account of every pipeline would bury them.
    logging.getLogger("pypsrp").setLevel(logging.WARNING)
    pool = ShellPool()
    atexit.register(pool.close_all)
    return pool


@dataclass(frozen=True, slots=True)
class PooledShell:
    """Runs each pipeline on a shell that is leased for just that pipeline."""

    settings: ConnectionSettings

    def run(
        self,
        pipeline: Command | Pipeline,
        *,
        timeout: timedelta | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        """Run ``pipeline``; raises what the leased shell raises."""
        with shell_pool().lease(self.settings) as shell:
            return shell.run(pipeline, timeout=timeout, on_progress=on_progress)


def lend(settings: Mapping[str, ConnectionSettings]) -> Callable[[str], Shell]:
    """Return the function that gives the shell of a node by its name."""
    return lambda node: PooledShell(settings[node])
