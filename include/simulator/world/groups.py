"""Clustered roles: who owns them, how they move, and what becomes of virtual machines when their node goes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING

from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.spec import VmSpec
    from include.simulator.world.world import World


class GroupState(IntEnum):
    """ClusterGroupState."""

    Unknown = -1
    Online = 0
    Offline = 1
    Failed = 2
    PartialOnline = 3
    Pending = 4


class GroupType(IntEnum):
    """GroupType, as far as the simulated clusters have them."""

    Cluster = 1
    AvailableStorage = 2
    VirtualMachine = 111
    Unknown = 9999


@dataclass(slots=True, eq=False)
class Vm:
    """A virtual machine.

    ``state`` is Running, Off, Saved or PausedCritical (its storage is out of reach); ``blocked`` says why it cannot migrate;
    ``version`` is that of its configuration, ``disc`` the image in its DVD drive, a path; ``processor_percent`` how much of its
    host's processors it uses while it runs; ``backed_up`` that a backup of it runs.
    """

    name: str
    memory_gib: float
    disk: str
    state: str
    id: uuid.UUID
    blocked: str = ""
    version: str = ""
    disc: str = ""
    processor_percent: int = 2
    backed_up: bool = False


@dataclass(slots=True, eq=False)
class Group:
    """A clustered role.

    ``home`` is the node that a drain took it from. ``wanted`` is its persistent state: it comes online with the cluster.
    ``configuration_failed``: the storage of a virtual machine went away under its configuration, which stays Failed until it
    is started by hand (MSLab, "S2D and Emergency Patching").
    """

    name: str
    type: GroupType
    owner: Node
    state: GroupState
    id: uuid.UUID
    vm: Vm | None = None
    home: Node | None = None
    is_core: bool = False
    locked: bool = False
    moving_to: Node | None = None
    wanted: bool = True
    configuration_failed: bool = False

    @property
    def unmonitored(self) -> bool:
        """Whether its node is isolated, so that the cluster no longer watches it while it runs on."""
        return self.vm is not None and self.owner.isolated


class Groups:
    """All roles of the cluster."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.all: list[Group] = []

    def add_core(self) -> None:
        """Create the groups that every cluster has."""
        first, last = self._world.nodes[0], self._world.nodes[-1]
        self._add("Cluster Group", GroupType.Cluster, first, GroupState.Online, core=True)
        self._add("Available Storage", GroupType.AvailableStorage, last, GroupState.Offline, core=True)
        self._add("SDDC Group", GroupType.Unknown, last, GroupState.Online)

    def add_role(self, name: str, owner: Node, state: GroupState) -> Group:
        """Create a role that is not a virtual machine."""
        return self._add(name, GroupType.Unknown, owner, state)

    def add_vm(self, spec: VmSpec) -> Group:
        """Create a clustered virtual machine."""
        state = GroupState.Online if spec.running else GroupState.Offline
        group = self._add(spec.name, GroupType.VirtualMachine, self._world.node(spec.node), state)
        state_of_vm = "Running" if spec.running else "Off"
        version = spec.version or self._world.virtual_machines.common()
        group.vm = Vm(spec.name, spec.memory_gib, spec.disk, state_of_vm, group.id, spec.blocked, version)
        group.vm.processor_percent = spec.processor_percent
        group.wanted = spec.running
        return group

    def _add(self, name: str, kind: GroupType, owner: Node, state: GroupState, *, core: bool = False) -> Group:
        group = Group(name, kind, owner, state, self._world.guid(f"group:{name}"), is_core=core)
        group.wanted = state is GroupState.Online
        self.all.append(group)
        return group

    @property
    def core(self) -> Group:
        """The group of the cluster's own name, address and witness."""
        return self.all[0]

    def find(self, name: str) -> Group | None:
        """Return the role called ``name``, or None."""
        return next((group for group in self.all if group.name.lower() == name.lower()), None)

    def on(self, node: Node) -> list[Group]:
        """Return the roles that ``node`` owns."""
        return [group for group in self.all if group.owner is node]

    def destination(self, group: Group, avoid: Node) -> Node | None:
        """Return the node with most free memory that can take ``group``, or None.

        A virtual machine of a newer configuration version cannot go to an older host (windowsserverdocs,
        upgrade-virtual-machine-version).
        """
        needed = group.vm.memory_gib if group.vm else 0.0
        rooms = [
            (self.free_memory(node), node)
            for node in self._world.nodes
            if node is not avoid and node.can_host and self.accepts(node, group)
        ]
        fitting = [(free, -node.id, node) for free, node in rooms if free >= needed]
        return max(fitting, key=lambda each: each[:2])[2] if fitting else None

    def accepts(self, node: Node, group: Group) -> bool:
        """Tell whether ``node`` can run ``group`` at all."""
        return group.vm is None or self._world.virtual_machines.runs_on(group.vm, node)

    def free_memory(self, node: Node) -> float:
        """Return the memory in GiB that virtual machines, those on their way included, leave on ``node``."""
        used = sum(
            group.vm.memory_gib
            for group in self.all
            if group.vm and group.vm.state == "Running" and node in (group.owner, group.moving_to)
        )
        return node.memory_gib - 16.0 - used

    def migration_time(self, group: Group) -> timedelta:
        """Return how long moving ``group`` takes: by memory where it is a running virtual machine."""
        timings = self._world.spec.timings
        if group.vm is None or group.vm.state != "Running":
            return self._world.spread(timings.group_move)
        copy = timedelta(seconds=group.vm.memory_gib / timings.migration_gib_per_second)
        return self._world.spread(timings.migration_setup + copy)

    def move(self, group: Group, destination: Node, how: str) -> None:
        """Give ``group`` to ``destination``."""
        source, group.owner, group.moving_to = group.owner, destination, None
        detail = {
            "group": group.name,
            "type": group.type.name,
            "source": source.name,
            "destination": destination.name,
            "how": how,
        }
        self._world.emit("group.moved", None, detail)

    def set_state(self, group: Group, state: GroupState, reason: str) -> None:
        """Change the state of a role."""
        group.state = state
        detail = {
            "group": group.name,
            "type": group.type.name,
            "owner": group.owner.name,
            "state": state.name,
            "reason": reason,
        }
        self._world.emit("group.state", None, detail)

    def set_vm(self, group: Group, state: str, reason: str) -> None:
        """Change the state of a virtual machine."""
        if group.vm is None:
            raise TypeError(f"The role {group.name} is no virtual machine.")
        group.vm.state = state
        self._world.emit(
            "vm.state", None, {"vm": group.vm.name, "owner": group.owner.name, "state": state, "reason": reason}
        )

    def stop(self, group: Group, reason: str) -> None:
        """Take a role down where it is: its node or its storage is gone."""
        group.moving_to = None
        if group.vm and group.vm.state in ("Running", "PausedCritical"):
            self.set_vm(group, "Off", reason)
        if group.state in (GroupState.Online, GroupState.Pending):
            self.set_state(group, GroupState.Failed if group.vm else GroupState.Offline, reason)

    def save(self, group: Group, reason: str) -> None:
        """Take a role offline in good order: a virtual machine is saved, as its resource's offline action is by default."""
        group.moving_to = None
        if group.vm and group.vm.state == "Running":
            self.set_vm(group, "Saved", reason)
        if group.state in (GroupState.Online, GroupState.Pending):
            self.set_state(group, GroupState.Offline, reason)

    def node_left(self, node: Node, reason: str, *, saving: bool = False) -> None:
        """Take down what ``node`` ran and start it elsewhere; an isolated node goes on running its virtual machines."""
        for group in self.on(node):
            if group.unmonitored and group.vm and group.vm.state != "Saved" and group.state is not GroupState.Pending:
                group.moving_to = None
            elif saving:
                self.save(group, reason)
            else:
                self.stop(group, reason)
        self._world.after(self._world.spec.timings.failover, self.place_orphans)

    def place_orphans(self) -> None:
        """Start what should run and does not on a node that can take it."""
        if not self._world.quorum.has_quorum or not any(node.member for node in self._world.nodes):
            return
        for group in self.all:
            stranded = not group.owner.member
            if group.state in (GroupState.Online, GroupState.Pending) or not (stranded or group.wanted):
                continue
            target = group.owner if group.owner.can_host else self.destination(group, group.owner)
            if target is None and group.is_core:
                # The cluster's own groups run on a paused node rather than not at all.
                target = next((node for node in self._world.nodes if node.member), None)
            if target is None or (group.vm and group.wanted and not self._world.storage.serves(group.vm.disk)):
                continue
            if group.configuration_failed and group.wanted:
                continue
            if target is not group.owner:
                self.move(group, target, "failover")
            if group.wanted:
                self.start(group, "started")

    def start(self, group: Group, reason: str) -> None:
        """Bring a role online where it is; a virtual machine takes its time."""
        if group.vm is None:
            self.set_state(group, GroupState.Online, reason)
            return
        self.set_state(group, GroupState.Pending, "starting")

        def started() -> None:
            if group.owner.member and group.state is GroupState.Pending:
                self.set_vm(group, "Running", reason)
                self.set_state(group, GroupState.Online, reason)

        self._world.after(self._world.spec.timings.vm_start, started)
