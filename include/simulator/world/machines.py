"""The machines of a simulated world: cluster nodes and the management host."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, IntEnum, IntFlag
from typing import TYPE_CHECKING

from include.simulator.world.versions import OsVersion

if TYPE_CHECKING:
    from include.simulator.world.locks import Lock


class NodeState(IntEnum):
    """ClusterNodeState."""

    Unknown = -1
    Up = 0
    Down = 1
    Paused = 2
    Joining = 3


class DrainStatus(IntEnum):
    """ClusterNodeDrainStatus."""

    NotInitiated = 0
    InProgress = 1
    Completed = 2
    Failed = 3


class Information(IntFlag):
    """ClusterNodeStatusInformation."""

    Normal = 0
    Isolated = 1
    Quarantined = 2
    DrainInProgress = 4
    DrainCompleted = 8
    DrainFailed = 16
    AvoidPlacement = 32


class Power(Enum):
    """Where a machine is between two runs of its operating system."""

    ON = "on"
    SHUTTING_DOWN = "shutting down"
    OFF = "off"
    BOOTING = "booting"


class Maintenance(Enum):
    """Storage maintenance mode of a node's disks."""

    NONE = "none"
    IN = "in"
    LEAVING = "leaving"


@dataclass(slots=True)
class Service:
    """One Windows service."""

    name: str
    display_name: str
    status: str = "Running"
    start_type: str = "Automatic"


@dataclass(slots=True, eq=False)
class Machine:
    """A Windows machine that can be reached while it is up.

    ``installed_at`` is when its present version was put on it, where that was an upgrade. ``programs`` are the versions of
    programs that run beside those of Windows, by the names of their processes.
    """

    name: str
    os: OsVersion
    boot_time: datetime
    memory_gib: float
    services: dict[str, Service]
    build: int
    ubr: int
    power: Power = Power.ON
    credssp: bool = False
    clock_skew: timedelta = timedelta(0)
    time_zone: str = "UTC"
    installed_at: datetime | None = None
    programs: dict[str, str] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        """Whether its operating system runs and answers."""
        return self.power in (Power.ON, Power.SHUTTING_DOWN)

    @property
    def is_node(self) -> bool:
        """Whether it belongs to the cluster."""
        return isinstance(self, Node)


@dataclass(slots=True, eq=False)
class ManagementHost(Machine):
    """A machine outside the cluster from which it is managed."""


@dataclass(slots=True, eq=False)
class Node(Machine):
    """A member of the cluster.

    ``member``: its cluster service takes part in the cluster. ``paused`` outlives restarts. ``leaves`` are the times at which it
    left without being asked to, for the quarantine rule. ``locks`` are the CAU provider's instances by class name.
    """

    id: int = 0
    member: bool = True
    joining: bool = False
    paused: bool = False
    drain_status: DrainStatus = DrainStatus.NotInitiated
    drain_target: int = 0xFFFFFFFF
    drain_error: int = 0
    isolated: bool = False
    quarantined: bool = False
    weight: int = 1
    dynamic_weight: int = 1
    maintenance: Maintenance = Maintenance.NONE
    maintenance_by: str = ""
    pending_restart: bool = False
    restarts: int = 0
    leaves: list[datetime] = field(default_factory=list)
    locks: dict[str, Lock] = field(default_factory=dict)
    instance_id: uuid.UUID = field(default_factory=uuid.uuid4)
    serial_number: str = ""

    @property
    def state(self) -> NodeState:
        """What the cluster says of it."""
        if self.joining:
            return NodeState.Joining
        if not self.member:
            return NodeState.Down
        return NodeState.Paused if self.paused else NodeState.Up

    @property
    def information(self) -> Information:
        """The flags beside its state."""
        flags = Information.Normal
        if self.isolated:
            flags |= Information.Isolated
        if self.quarantined:
            flags |= Information.Quarantined
        return flags | {
            DrainStatus.InProgress: Information.DrainInProgress,
            DrainStatus.Completed: Information.DrainCompleted,
            DrainStatus.Failed: Information.DrainFailed,
        }.get(self.drain_status, Information.Normal)

    @property
    def can_host(self) -> bool:
        """Whether roles may be placed on it."""
        return self.member and not self.paused and self.power is Power.ON
