"""Cluster resources: what each role, virtual disk and the pool consist of, and taking them offline and online by hand.

A resource that was taken offline stays so, over a restart of the cluster too (its persistent state).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from include.simulator.world.groups import Group, GroupState
from include.simulator.world.machines import Node
from include.simulator.world.storage import Storage, VirtualDisk

if TYPE_CHECKING:
    from include.simulator.world.world import World


class ResourceState(IntEnum):
    """ClusterResourceState."""

    Unknown = -1
    Inherited = 0
    Initializing = 1
    Online = 2
    Offline = 3
    Failed = 4
    Pending = 128
    OnlinePending = 129
    OfflinePending = 130


_OF_GROUP = {
    GroupState.Online: ResourceState.Online,
    GroupState.Offline: ResourceState.Offline,
    GroupState.Failed: ResourceState.Failed,
    GroupState.Pending: ResourceState.OnlinePending,
}


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as it is now; ``source`` is what it stands for."""

    name: str
    type: str
    owner: Node
    group: str
    state: ResourceState
    source: object
    wanted: bool = True
    core: bool = False
    maintenance: bool = False
    locked: bool = False
    unmonitored: bool = False


class ResourceRefusedError(Exception):
    """The resource cannot do that now; ``code`` is the Win32 error."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Resources:
    """Lists the resources, stops and starts them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pending: dict[str, ResourceState] = {}
        self._offline: set[str] = set()

    def all(self) -> list[Resource]:
        """Return every resource: the core ones, those of roles, the virtual disks and the pool."""
        groups = self._world.groups
        found = [self._core(name, kind) for name, kind in self._core_kinds()]
        for group in groups.all:
            if group.vm:
                found += self._of_vm(group)
            elif group is self._world.cau.role_group:
                found.append(self._of_role(group, f"{group.name}Resource", "ClusterAwareUpdatingResource"))
            elif not group.is_core:
                found.append(self._of_role(group, "SDDC Management", "SDDC Management"))
        found += [self._of_disk(disk) for disk in self._world.storage.virtual_disks]
        return [*found, self._of_pool()]

    def find(self, name: str) -> Resource | None:
        """Return the resource called ``name`` as it is now, or None."""
        return next((each for each in self.all() if each.name.lower() == name.lower()), None)

    def settled(self, name: str) -> bool:
        """Tell whether the resource called ``name`` is done going offline or online."""
        found = self.find(name)
        return found is None or found.state < ResourceState.Pending

    def of(self, group: Group) -> list[Resource]:
        """Return the resources of ``group``."""
        return [each for each in self.all() if each.source is group]

    def stop(self, resource: Resource, reason: str) -> None:
        """Take a resource offline, and those that depend on it."""
        if resource.state in (ResourceState.Online, ResourceState.Failed):
            self._go(resource, ResourceState.OfflinePending, lambda: self._stopped(resource, reason))

    def start(self, resource: Resource, reason: str) -> None:
        """Bring a resource online; raises ResourceRefusedError where what it stands on is offline."""
        world = self._world
        if resource.state is ResourceState.Online:
            return
        if isinstance(resource.source, VirtualDisk) and world.storage.pool_offline:
            raise ResourceRefusedError(5006, f"The storage pool under {resource.name} is offline.")
        vm = resource.source.vm if isinstance(resource.source, Group) else None
        if vm and not world.storage.serves(vm.disk):
            raise ResourceRefusedError(5006, f"The storage of {resource.name} is offline.")
        self._go(resource, ResourceState.OnlinePending, lambda: self._started(resource, reason))

    def _go(self, resource: Resource, way: ResourceState, done: Callable[[], None]) -> None:
        self._pending[resource.name] = way

        def finish() -> None:
            if self._pending.pop(resource.name, None) is not None:
                done()

        self._world.after(self._world.spread(self._world.spec.timings.group_move), finish)

    def _stopped(self, resource: Resource, reason: str) -> None:
        source, world = resource.source, self._world
        if isinstance(source, VirtualDisk):
            world.storage.take_offline(source, reason)
        elif isinstance(source, Storage):
            world.storage.set_pool(online=False, reason=reason)
        elif isinstance(source, Group) and source.is_core:
            self._set_core(resource, online=False)
        elif isinstance(source, Group):
            source.wanted = False
            world.groups.save(source, reason)

    def _started(self, resource: Resource, reason: str) -> None:
        source, world = resource.source, self._world
        if isinstance(source, VirtualDisk):
            world.storage.bring_online(source, reason)
        elif isinstance(source, Storage):
            world.storage.set_pool(online=True, reason=reason)
        elif isinstance(source, Group) and source.is_core:
            self._set_core(resource, online=True)
        elif isinstance(source, Group) and resource.type == "Virtual Machine Configuration":
            source.configuration_failed = False
        elif isinstance(source, Group):
            source.wanted, source.configuration_failed = True, False
            world.groups.start(source, reason)

    def _set_core(self, resource: Resource, *, online: bool) -> None:
        if online:
            self._offline.discard(resource.name)
        else:
            self._offline.add(resource.name)
        if resource.name == self._world.spec.witness:
            self._world.quorum.set_witness(online=online)

    def _core_kinds(self) -> list[tuple[str, str]]:
        witness = self._world.spec.witness
        kinds = [
            ("Cluster Name", "Network Name"),
            ("Cluster IP Address", "IP Address"),
            ("Health", "Health Service"),
        ]
        return kinds + ([(witness, witness)] if witness else [])

    def _core(self, name: str, kind: str) -> Resource:
        group = self._world.groups.core
        state = _OF_GROUP.get(group.state, ResourceState.Unknown)
        if name in self._offline:
            state = ResourceState.Offline
        elif name == self._world.spec.witness and not self._world.quorum.witness_online:
            state = ResourceState.Failed
        return Resource(name, kind, group.owner, group.name, self._way(name, state), group, group.wanted, core=True)

    def _way(self, name: str, state: ResourceState) -> ResourceState:
        return self._pending.get(name, state)

    def _of_vm(self, group: Group) -> list[Resource]:
        machine, configuration = f"Virtual Machine {group.name}", f"Virtual Machine Configuration {group.name}"
        state = _OF_GROUP.get(group.state, ResourceState.Unknown)
        of_configuration = ResourceState.Online if group.owner.member or group.unmonitored else state
        if group.configuration_failed:
            of_configuration = ResourceState.Failed
        return [
            Resource(
                name,
                name.removesuffix(f" {group.name}"),
                group.owner,
                group.name,
                self._way(name, now),
                group,
                group.wanted or name == configuration,
                locked=group.locked,
                unmonitored=group.unmonitored,
            )
            for name, now in ((machine, state), (configuration, of_configuration))
        ]

    def _of_role(self, group: Group, name: str, kind: str) -> Resource:
        state = _OF_GROUP.get(group.state, ResourceState.Unknown)
        return Resource(name, kind, group.owner, group.name, self._way(name, state), group, group.wanted)

    def _of_disk(self, disk: VirtualDisk) -> Resource:
        name = disk.resource_name
        state = ResourceState.Online if disk.attached else ResourceState.Failed
        if disk.offline or self._world.storage.pool_offline:
            state = ResourceState.Offline
        group = str(disk.id) if disk.shared else "SDDC Group"
        owner, state = disk.owner, self._way(name, state)
        return Resource(name, "Physical Disk", owner, group, state, disk, not disk.offline, False, disk.maintenance)

    def _of_pool(self) -> Resource:
        storage = self._world.storage
        owner = storage.virtual_disks[0].owner if storage.virtual_disks else self._world.nodes[0]
        state = ResourceState.Offline if storage.pool_offline else ResourceState.Online
        name, group = "Cluster Pool 1", str(self._world.guid("pool group"))
        wanted = not storage.pool_offline
        return Resource(name, "Storage Pool", owner, group, self._way(name, state), storage, wanted)
