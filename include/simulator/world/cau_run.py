"""What an Updating Run is and what it leaves behind: statuses, results, the report."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from include.simulator.world.cau_options import RunOptions
from include.simulator.world.machines import Node
from include.simulator.world.updates import SUCCEEDED, UpdateResult

if TYPE_CHECKING:
    from include.simulator.world.world import World


class RunState(IntEnum):
    """RunState of Get-CauRun: three names are Microsoft's, the locked one is only implied, the numbers are not documented."""

    RunNotInProgress = 0
    RunInProgress = 1
    RunFailed = 2
    RunLocked = 3


class SummaryStatus(IntEnum):
    """SummaryStatus Enumeration; the numbers are not documented."""

    Canceled = 0
    Failed = 1
    PartiallyFailed = 2
    Succeeded = 3


class Stage(Enum):
    """Where a node is in a run: the name that the world gives it, and another one that CAU may have for it."""

    WAITING = ("Waiting", "Waiting")
    SCANNING = ("Scanning", "Scanning")
    STAGING = ("Staging", "Downloading")
    PRE_SCRIPT = ("RunningPreUpdateScript", "PreUpdateScript")
    STORAGE = ("WaitingForHealthyStorage", "Preparing")
    SUSPENDING = ("Suspending", "EnteringMaintenanceMode")
    INSTALLING = ("Installing", "Installing")
    RESTARTING = ("Restarting", "Rebooting")
    RESUMING = ("Resuming", "ExitingMaintenanceMode")
    POST_SCRIPT = ("RunningPostUpdateScript", "PostUpdateScript")
    SUCCEEDED = ("Succeeded", "Completed")
    FAILED = ("Failed", "Failed")
    CANCELED = ("Canceled", "Canceled")


#: The variant in which the stages carry their other names.
OTHER_NAMES = "cau-node-statuses-have-other-names"


@dataclass(frozen=True, slots=True)
class ErrorData:
    """Why something failed: the id that reports quote, the text, and the HRESULT where there is one."""

    id: str
    text: str
    hresult: int = 0


#: Why what was not begun any more did not succeed.
CANCELED = ErrorData("RunCanceled", "The Updating Run was canceled.")


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What one node is doing in a run."""

    node: str
    stage: Stage
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Installed:
    """The result of one update on one node and the plug-in that brought it."""

    plugin: str
    result: UpdateResult


@dataclass(slots=True)
class NodeResult:
    """What became of one node; ``transient`` are failures that a retry made good, ``left_as_found`` a pause that stayed."""

    node: str
    status: SummaryStatus | None = None
    error: ErrorData | None = None
    installs: list[Installed] = field(default_factory=list)
    transient: list[Installed] = field(default_factory=list)
    suspended_at: datetime | None = None
    suspended_for: timedelta = timedelta(0)
    left_as_found: bool = False
    attempts: int = 0
    restarts: int = 0

    @property
    def succeeded(self) -> list[Installed]:
        """The updates that were installed."""
        return [each for each in self.installs if each.result.code == SUCCEEDED]

    @property
    def failed(self) -> list[Installed]:
        """The updates that were not."""
        return [each for each in self.installs if each.result.code != SUCCEEDED]

    def add(self, plugin: str, results: list[UpdateResult]) -> None:
        """Take down results; a later result of the same update replaces a failure, which becomes a transient one."""
        for result in results:
            before = [each for each in self.installs if each.result.update.update_id == result.update.update_id]
            for each in before:
                self.installs.remove(each)
                if each.result.code != SUCCEEDED:
                    self.transient.append(each)
            self.installs.append(Installed(plugin, result))


@dataclass(slots=True, eq=False)
class CauRun:
    """One Updating Run; ``by_role`` says that it is a self-updating one, ``coordinator`` names the machine that drives it."""

    id: uuid.UUID
    started: datetime
    coordinator: str
    by_role: bool
    user: str
    options: RunOptions
    statuses: dict[str, NodeStatus] = field(default_factory=dict)
    results: dict[str, NodeResult] = field(default_factory=dict)
    staging: list[tuple[str, Installed]] = field(default_factory=list)
    history: list[NodeStatus] = field(default_factory=list)
    cancel_pending: bool = False
    warned: bool = False
    ended: datetime | None = None
    status: SummaryStatus | None = None
    error: ErrorData | None = None

    @property
    def guid(self) -> str:
        """The id as the provider's locks hold it."""
        return str(self.id)

    def say(self, world: World, node: str, stage: Stage) -> None:
        """Note and journal what ``node`` does now, where it is something else than before."""
        before = self.statuses.get(node)
        if before is not None and before.stage is stage:
            return
        name = stage.value[1 if world.variant(OTHER_NAMES) else 0]
        status = self.statuses[node] = NodeStatus(node, stage, name, world.now)
        self.history.append(status)
        machine = world.machines.get(node)  # it may have been evicted meanwhile
        world.emit(
            "cau.node",
            machine if isinstance(machine, Node) else None,
            {"run_id": self.guid, "node": node, "state": name},
        )

    def tell(self, world: World, state: str, **more: object) -> None:
        """Journal that the run itself is in ``state`` now."""
        detail = {"run_id": self.guid, "state": state, "orchestrator": self.guid, "coordinator": self.coordinator}
        world.emit("cau.run", None, detail | more)

    def summary(self) -> SummaryStatus:
        """Return the status of the whole run from those of its nodes (SummaryStatus Enumeration)."""
        found = [result.status for result in self.results.values()]
        if found and all(status is SummaryStatus.Succeeded for status in found):
            return SummaryStatus.Succeeded
        worked = any(status in (SummaryStatus.Succeeded, SummaryStatus.PartiallyFailed) for status in found)
        if self.cancel_pending and not worked:
            return SummaryStatus.Canceled
        return SummaryStatus.PartiallyFailed if worked else SummaryStatus.Failed
