"""Cluster-Aware Updating itself: its clustered role, and a run of its own that another coordinator may meet."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

from include.simulator.world.groups import Group, GroupState
from include.simulator.world.locks import RUN
from include.simulator.world.spec import CauRoleSpec

if TYPE_CHECKING:
    from include.simulator.world.world import World


class RunState(IntEnum):
    """RunState of Get-CauRun; the names are Microsoft's, the numbers are not documented."""

    RunNotInProgress = 0
    RunInProgress = 1
    RunFailed = 2


@dataclass(slots=True)
class CauRun:
    """A run of CAU."""

    id: uuid.UUID
    started: datetime
    orchestrator: str
    status: str = "Scanning"
    cancel_pending: bool = False


class ClusterAwareUpdating:
    """The CAU role and CAU's own runs. A run here holds the lock and reports itself; it does not update nodes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.role: CauRoleSpec | None = None
        self.role_group: Group | None = None
        self.run: CauRun | None = None
        self.failed = False

    @property
    def state(self) -> RunState:
        """What Get-CauRun says first."""
        if self.run:
            return RunState.RunInProgress
        return RunState.RunFailed if self.failed else RunState.RunNotInProgress

    def add_role(self, role: CauRoleSpec) -> None:
        """Install the clustered role."""
        self.role = role
        state = GroupState.Online if role.enabled else GroupState.Offline
        name = f"CAU{self._world.spec.cluster.replace('-', '')[:6]}"
        self.role_group = self._world.groups.add_role(name, self._world.nodes[0], state)

    def start_run(self, lasts: timedelta, orchestrator: str) -> None:
        """Begin a run that takes the lock on every node that is up and ends after ``lasts``."""
        run = self.run = CauRun(self._world.guid(f"cau:{self._world.now}"), self._world.now, orchestrator)
        guid = str(run.id)
        for node in self._world.nodes:
            if node.up and RUN not in node.locks:
                self._world.locks.create(node, RUN, guid)
                self._world.locks.begin(node, RUN, guid)
        self._world.after(lasts, lambda: self._end(run))

    def _end(self, run: CauRun) -> None:
        if self.run is run:
            self.run = None
        for node in self._world.nodes:
            lock = node.locks.get(RUN)
            if lock and lock.guid == str(run.id):
                self._world.locks.remove(node, RUN, lock.guid)
