"""Cluster-Aware Updating as a whole: its clustered role, the run that is on, the reports, and what else it keeps."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from include.simulator.world.cau_coordinator import Coordinator, RunRefusedError
from include.simulator.world.cau_hotfixes import Hotfixes
from include.simulator.world.cau_maintenance import resume_node
from include.simulator.world.cau_options import OptionError, RunOptions, read
from include.simulator.world.cau_plugins import PluginError, Plugins
from include.simulator.world.cau_role import CauRole, Roles
from include.simulator.world.cau_run import CauRun, RunState
from include.simulator.world.cau_scripts import Scripts
from include.simulator.world.groups import Group, GroupState
from include.simulator.world.setup_media import SetupMedia
from include.simulator.world.spec import CauRoleSpec

if TYPE_CHECKING:
    from include.simulator.world.machines import Machine, Node
    from include.simulator.world.world import World

__all__ = ["CauRun", "ClusterAwareUpdating", "RunState"]

#: The variant in which CAU has no state of its own for locks that a lost coordinator left.
NO_LOCKED_STATE = "cau-has-no-locked-state"


class ClusterAwareUpdating:
    """CAU of one cluster. At most one run is on; ``failed`` says that the last one left something behind."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.roles = Roles(world)
        self.plugins = Plugins(world)
        self.scripts = Scripts(world)
        self.hotfixes = Hotfixes(world)
        self.media = SetupMedia(world)
        self.files: dict[tuple[str, str], bytes] = {}
        self.reports: list[CauRun] = []
        self.corrupt: set[uuid.UUID] = set()
        self.failed = False
        self._coordinator: Coordinator | None = None
        self._left: CauRun | None = None
        world.on_event(self._heard)

    @property
    def role(self) -> CauRole | None:
        """The clustered role's settings."""
        return self.roles.role

    @property
    def role_group(self) -> Group | None:
        """The clustered role's group."""
        return self.roles.group

    @property
    def run(self) -> CauRun | None:
        """The run that is on."""
        return self._coordinator.run if self._coordinator else None

    @property
    def state(self) -> RunState:
        """What Get-CauRun says first."""
        if self._coordinator:
            return RunState.RunInProgress
        if self._orphaned and not self._world.variant(NO_LOCKED_STATE):
            return RunState.RunLocked
        return RunState.RunFailed if self.failed else RunState.RunNotInProgress

    def add_role(self, role: CauRoleSpec) -> None:
        """Install the clustered role, or give the one that is there another schedule."""
        self.roles.from_spec(role)

    def start_run(self, lasts: timedelta, orchestrator: str) -> None:
        """Begin a self-updating run on the node called ``orchestrator`` that is stopped after ``lasts``.

        The role is added where it is missing. Raises RunRefusedError where somebody else holds the lock.
        """
        owner = self._world.node(orchestrator)
        if self.role is None:
            self.roles.add({}, {}, owner=owner)
        group = self.role_group
        if group is not None and group.owner is not owner:
            self._world.groups.move(group, owner, "moved")
        if group is not None and group.state is not GroupState.Online:
            self.roles.enable(True)
        options = {"EnableFirewallRules": True, "StopAfter": lasts}
        self._begin(owner, options, "NT AUTHORITY\\SYSTEM", by_role=True)

    def update_now(self, user: str, *, quiet: bool = False) -> CauRun | None:
        """Begin a self-updating run with the role's options; raises RunRefusedError, or journals the refusal when ``quiet``."""
        role, group = self.roles.require(), self.role_group
        try:
            if group is None or group.state is not GroupState.Online or not group.owner.member:
                raise RunRefusedError("RoleNotOnline", "The Cluster-Aware Updating clustered role is not online.")
            run = self._begin(group.owner, role.options, user, by_role=True)
        except (RunRefusedError, OptionError, PluginError) as refusal:
            if not quiet:
                raise
            detail = {
                "run_id": None,
                "state": "Refused",
                "orchestrator": None,
                "coordinator": None,
                "why": str(refusal),
            }
            self._world.emit("cau.run", None, detail)
            return None
        self.roles.updating()
        return run

    def update_from(self, machine: Machine, values: Mapping[str, object], user: str) -> CauRun:
        """Begin a remote-updating run that ``machine`` coordinates; raises RunRefusedError, OptionError, PluginError."""
        return self._begin(machine, values, user, by_role=False)

    def read_options(self, values: Mapping[str, object]) -> RunOptions:
        """Return the options that ``values`` describe; raises OptionError."""
        return read(values, [node.name for node in self._world.nodes])

    def cancel(self) -> bool:
        """Ask the run that is on to stop; return whether there is one."""
        if self._coordinator is None:
            return False
        self._coordinator.cancel()
        return True

    def lose_coordinator(self) -> None:
        """Let the coordinator of the run vanish with its console or its machine."""
        if self._coordinator is not None:
            coordinator = self._coordinator
            coordinator.die()
            self._over(coordinator)

    def recover(self) -> None:
        """Override the lock and take back what a lost coordinator left: its locks and the nodes that it had paused.

        It asks nobody, a coordinator that is alive included (windows-powershell-docs, Invoke-CauRun: ForceRecovery).
        """
        left = self.run or self._left
        self.lose_coordinator()
        for node in self._world.nodes:
            if not node.up:
                continue
            for cls in list(node.locks):
                self._world.locks.remove(node, cls, node.locks[cls].guid)
        if left is not None:
            for node in self._paused_by(left):
                if not node.member:
                    continue
                resume_node(self._world, node, "NoFailback")
            left.tell(self._world, "Recovered")
            self._leave(left)
        else:
            self._left, self.failed = None, False

    def _begin(self, machine: Machine, values: Mapping[str, object], user: str, *, by_role: bool) -> CauRun:
        options = self.read_options(values)
        for use in options.plugins:
            self.plugins.check(machine, use)
        if self._coordinator is not None:
            raise RunRefusedError(
                "RunInProgress", "A Cluster-Aware Updating run is already in progress on this cluster."
            )
        if self._orphaned:
            raise RunRefusedError("ClusterLocked", "The cluster is locked by an earlier run; recover it first.")
        number = len(self.reports) + 1
        run_id = self._world.guid(f"cau:{self._world.now}:{number}")
        run = CauRun(run_id, self._world.now, machine.name, by_role, user, options)
        coordinator = Coordinator(self._world, run, self._over)
        self._coordinator = coordinator
        try:
            coordinator.begin()
        except RunRefusedError:
            self._coordinator = None
            raise
        self._left, self.failed = None, False
        return run

    def _over(self, coordinator: Coordinator) -> None:
        run = coordinator.run
        if self._coordinator is coordinator:
            self._coordinator = None
        self.reports.append(run)
        self._leave(run, lost=run.error is not None and run.error.id == "CoordinatorLost")

    def _leave(self, run: CauRun, *, lost: bool = False) -> None:
        """Note whether ``run`` left anything behind: locks on nodes that were down, nodes that are still paused, or all of it."""
        self.failed = lost or self._locked_by(run) or bool(self._paused_by(run))
        self._left = run if self.failed else None

    @property
    def _orphaned(self) -> bool:
        """Whether the locks of a lost coordinator are there."""
        run = self._left
        return run is not None and run.error is not None and run.error.id == "CoordinatorLost" and self._locked_by(run)

    def _locked_by(self, run: CauRun) -> bool:
        held = [lock.guid for node in self._world.nodes for lock in node.locks.values()]
        return run.guid in held

    def _paused_by(self, run: CauRun) -> list[Node]:
        """Return the nodes that ``run`` suspended and that are still paused, those aside that it left as it found them."""
        own = {result.node for result in run.results.values() if result.suspended_at and not result.left_as_found}
        return [node for node in self._world.nodes if node.name in own and node.paused]

    def _heard(self, op: str, node: str | None, detail: Mapping[str, object]) -> None:
        group = self.role_group
        if op == "group.moved" and group is not None and detail["group"] == group.name:
            self.roles.moved(str(detail["source"]), str(detail["destination"]))

    def last_report(self) -> CauRun | None:
        """Return the most recent run that is over."""
        return self.reports[-1] if self.reports else None

    def reports_between(self, start: datetime | None, end: datetime | None) -> list[CauRun]:
        """Return the runs that began between two moments, newest first."""
        found = [run for run in self.reports if (not start or run.started >= start) and (not end or run.started <= end)]
        return list(reversed(found))

    def view(self) -> dict[str, object]:
        """Return role and run as plain JSON values."""
        role, run = self.role, self.run
        return {
            "cau_role": {"present": True, "enabled": self.roles.enabled, "schedule": self.roles.describe()}
            if role
            else None,
            "cau_run": {
                "run_id": run.guid,
                "coordinator": run.coordinator,
                "self_updating": run.by_role,
                "cancel_pending": run.cancel_pending,
                "nodes": {name: status.name for name, status in run.statuses.items()},
            }
            if run
            else None,
        }
