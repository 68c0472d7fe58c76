"""Shells for the steps: leased from one pool per process, so that a connection is never used by two threads at once."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from uuid import UUID

from include.hci.airflow.quiet import quiet_protocols
from include.hci.airflow.storage import airflow_home
from include.hci.cluster.facade import EndpointUnknown
from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.detached import SETTLE, end_session, leave_running
from include.hci.powershell.logins import shared_logins
from include.hci.powershell.pool import ShellPool
from include.hci.powershell.result import Result
from include.hci.powershell.shell import OnProgress, Shell

#: The folder in Airflow's home in which this machine's processes tell each other of refused logins.
REFUSED_LOGINS = "refused-logins"


@cache
def shell_pool() -> ShellPool:
    """Return this process's pool; what is still open is closed when the process ends."""
    quiet_protocols()
    # Tasks are processes of their own: with a wrong password each of them would bring its account closer to a lockout.
    shared_logins().share(airflow_home() / REFUSED_LOGINS)
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

    def leave(
        self, pipeline: Command | Pipeline, session: UUID, *, lasts: timedelta, settle: timedelta = SETTLE
    ) -> None:
        """Begin ``pipeline`` in a session of its own and leave it running there."""
        leave_running(self.settings, pipeline, session, lasts=lasts, settle=settle)

    def end_session(self, session: UUID) -> None:
        """End a session in which something was left running."""
        end_session(self.settings, session)


def lend(settings: Mapping[str, ConnectionSettings]) -> Callable[[str], Shell]:
    """Return the function that gives the shell of a node by its name."""
    return lambda node: PooledShell(settings[node])


def lend_in(settings: Mapping[str, ConnectionSettings]) -> Callable[[str, str], Shell]:
    """Return the function that gives the shell of a node in a session configuration other than its connection's own."""
    return lambda node, configuration: PooledShell(replace(settings[node], configuration_name=configuration))


def lend_endpoint(found: Mapping[str, ConnectionSettings | str]) -> Callable[[str], Shell]:
    """Return the function that gives the shell behind an Airflow connection; ``found`` says how it is reached or why not."""

    def lend_one(connection: str) -> Shell:
        one = found.get(connection, f"The Airflow connection {connection} was not looked up.")
        if isinstance(one, str):
            raise EndpointUnknown(one)
        return PooledShell(one)

    return lend_one
