"""What a fast offline update writes down beyond every other run: what goes down, and what the nodes had before they came back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from include.hci.report.event import RunEvent, StepName
from include.hci.report.values import Frozen


class PlannedVm(Frozen):
    """A virtual machine as the plan found it; one that does not run is not touched."""

    name: str
    node: str
    running: bool


class PhaseMinutes(Frozen):
    """How long a phase takes, in minutes."""

    low: float
    expected: float
    high: float


class OfflinePlanned(RunEvent):
    """What goes down: every virtual machine, how the running ones are stopped, and how long each phase takes.

    ``window_minutes``: for how long a window must be open before anything begins.
    """

    kind = "outcome"
    event: Literal["offline_planned"] = "offline_planned"
    step: StepName = "plan"
    nodes: tuple[str, ...]
    vms: tuple[PlannedVm, ...] = ()
    request: Mapping[str, object] = Field(default_factory=dict)
    phases: Mapping[str, PhaseMinutes] = Field(default_factory=dict)
    window_minutes: float = 0.0

    @property
    def running(self) -> tuple[PlannedVm, ...]:
        """The virtual machines that are stopped and started again."""
        return tuple(vm for vm in self.vms if vm.running)


class DowntimeCleared(RunEvent):
    """Everything is as the plan found it and there is time enough: the virtual machines may be stopped from here on."""

    kind = "outcome"
    event: Literal["downtime_cleared"] = "downtime_cleared"
    step: StepName = "downtime_gate"
    why: str = ""


class ClusterDown(RunEvent):
    """The cluster service is stopped and disabled on every node: the servers may be worked on, all at once."""

    kind = "done"
    event: Literal["cluster_down"] = "cluster_down"
    step: StepName = "stop_cluster"


class BuildsCompared(RunEvent):
    """The builds of the nodes before the cluster was started again; ``silent``: those that did not answer, with the reason."""

    kind = "outcome"
    event: Literal["builds_compared"] = "builds_compared"
    step: StepName = "start_cluster"
    builds: Mapping[str, str] = Field(default_factory=dict)
    silent: Mapping[str, str] = Field(default_factory=dict)
