"""A simulated cluster as a whole: its parts, its time, and what it tells about itself."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from include.simulator.clock import Clock
from include.simulator.faults.engine import FaultEngine
from include.simulator.world import update_worker
from include.simulator.world.agenda import Agenda, Timer
from include.simulator.world.automatic_updates import AutomaticUpdates
from include.simulator.world.bitlocker import BitLocker
from include.simulator.world.cau import ClusterAwareUpdating
from include.simulator.world.cluster_service import ClusterService
from include.simulator.world.credssp import CredSsp
from include.simulator.world.drains import Drains
from include.simulator.world.features import Features
from include.simulator.world.files import Files
from include.simulator.world.firewall import Firewall
from include.simulator.world.groups import Groups
from include.simulator.world.levels import Levels
from include.simulator.world.locks import Locks
from include.simulator.world.machines import Machine, ManagementHost, Node
from include.simulator.world.membership import Membership
from include.simulator.world.moves import Moves
from include.simulator.world.own_commands import OwnCommands
from include.simulator.world.policies import Policies
from include.simulator.world.power import PowerControl
from include.simulator.world.preview import PreviewChannels
from include.simulator.world.quorum import Quorum
from include.simulator.world.registry import Registry
from include.simulator.world.remoting import Remoting
from include.simulator.world.repair import Repairs
from include.simulator.world.resources import Resources
from include.simulator.world.rig import Rig
from include.simulator.world.services import Services, host_services, node_services
from include.simulator.world.servicing import Servicing
from include.simulator.world.snapshot import snapshot
from include.simulator.world.software import furnish
from include.simulator.world.spec import NodeSpec, WorldSpec
from include.simulator.world.storage import Storage
from include.simulator.world.tasks import Tasks
from include.simulator.world.updates import Updates
from include.simulator.world.validation import Finding
from include.simulator.world.versions import os_version
from include.simulator.world.virtual_machines import VirtualMachines

#: How often a waiting command looks again although nothing was due.
LOOK_AGAIN = timedelta(seconds=30)


class JournalSink(Protocol):
    """Takes down what happens in the world."""

    def event(self, op: str, node: str | None, detail: Mapping[str, object], actor: str = "world") -> None:
        """Write one event."""
        ...


class World:
    """One cluster and its management host; the same specification and seed give the same world."""

    def __init__(self, spec: WorldSpec, clock: Clock, journal: JournalSink, seed: int = 0) -> None:
        self.spec = spec
        self.clock = clock
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311
        self._journal = journal
        self._agenda = Agenda()
        self._at: datetime | None = None
        self._on_power: list[Callable[[str, bool], None]] = []
        self._on_wire_fault: list[Callable[[str, str, dict[str, object]], None]] = []
        self._on_event: list[Callable[[str, str | None, Mapping[str, object]], None]] = []
        self._silent = True
        #: The fault whose effects are being brought about or taken back right now.
        self.fault: str | None = None
        self.nodes = [self._make_node(number, node) for number, node in enumerate(spec.nodes, 1)]
        self.management_host = self._make_host()
        self.machines: dict[str, Machine] = {machine.name: machine for machine in (*self.nodes, self.management_host)}
        self.rig = Rig()
        self.services = Services(self)
        self.registry = Registry(self)
        self.policies = Policies(self)
        self.firewall = Firewall(self)
        self.credssp = CredSsp(self)
        self.remoting = Remoting(self)
        self.bitlocker = BitLocker(self)
        self.features = Features(self)
        self.preview = PreviewChannels(self)
        self.tasks = Tasks(self)
        self.files = Files(self)
        self.own_commands = OwnCommands()
        self.locks = Locks(self)
        self.quorum = Quorum(self)
        self.groups = Groups(self)
        self.storage = Storage(self)
        self.repairs = Repairs(self)
        self.updates = Updates(self)
        self.servicing = Servicing(self)
        self.automatic_updates = AutomaticUpdates(self)
        self.drains = Drains(self)
        self.moves = Moves(self)
        self.resources = Resources(self)
        self.levels = Levels(self)
        self.virtual_machines = VirtualMachines(self)
        self.cluster_service = ClusterService(self)
        self.cluster_parameters: dict[str, dict[str, object]] = {}
        self.reports: dict[str, list[Finding]] = {}
        self.membership = Membership(self)
        self.power = PowerControl(self)
        self.cau = ClusterAwareUpdating(self)
        self.faults = FaultEngine(self)
        update_worker.install(self)
        self._furnish()
        self._silent = False

    @property
    def now(self) -> datetime:
        """The time of what is happening: that of the event being processed, else the clock's."""
        return self._at or self.clock.now()

    def advance(self) -> None:
        """Let everything happen that is due by now."""
        if self._at is not None:
            return
        until = self.clock.now()
        try:
            while (timer := self._agenda.pop_due(until)) is not None:
                self._at = timer.at
                timer.action()
        finally:
            self._at = None

    def next_event(self) -> datetime | None:
        """Return when the next thing is due to happen, or None where nothing is."""
        return self._agenda.next_at()

    async def until(self, condition: Callable[[], bool], clock: Clock) -> None:
        """Return once ``condition`` holds, letting the world go on meanwhile."""
        self.advance()
        while not condition():
            due = self.next_event()
            wait = LOOK_AGAIN if due is None else min(LOOK_AGAIN, max(timedelta(0), due - clock.now()))
            await clock.sleep(wait)
            await asyncio.sleep(0)
            self.advance()

    @property
    def functional_level(self) -> int:
        """The functional level that the cluster has been raised to."""
        return self.levels.functional_level

    def variant(self, name: str) -> bool:
        """Return whether the variant called ``name`` is on (see ``variants``)."""
        return name in self.spec.variants

    def at(self, when: datetime, action: Callable[[], None]) -> Timer:
        """Let ``action`` happen at ``when``."""
        return self._agenda.add(when, action)

    def after(self, duration: timedelta, action: Callable[[], None]) -> Timer:
        """Let ``action`` happen after ``duration``."""
        return self._agenda.add(self.now + duration, action)

    def spread(self, duration: timedelta) -> timedelta:
        """Return ``duration`` give or take a tenth, as the seed has it."""
        return duration * self.random.uniform(0.9, 1.1)

    def guid(self, name: str) -> uuid.UUID:
        """Return the id that the thing called ``name`` has in this cluster."""
        return uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.spec.cluster}.{self.spec.domain}/{name}")

    def node(self, name: str) -> Node:
        """Return the node called ``name``, short or fully qualified; an unknown one raises KeyError."""
        short = name.split(".")[0].lower()
        for node in self.nodes:
            if node.name.lower() == short:
                return node
        raise KeyError(name)

    def emit(self, op: str, node: Node | None, detail: Mapping[str, object]) -> None:
        """Journal an event and tell whoever listens."""
        if self._silent:
            return
        name = node.name if node else None
        self._journal.event(
            op, name, {**detail, "fault": self.fault} if self.fault and "fault" not in detail else detail
        )
        for listener in list(self._on_event):
            listener(op, name, detail)

    def on_event(self, listener: Callable[[str, str | None, Mapping[str, object]], None]) -> None:
        """Call ``listener`` with (op, node, detail) of every event."""
        self._on_event.append(listener)

    def on_power(self, callback: Callable[[str, bool], None]) -> None:
        """Call ``callback`` with (machine, up) whenever a machine goes down or comes up."""
        self._on_power.append(callback)

    def power_changed(self, name: str, up: bool) -> None:
        """Tell those who asked that a machine went down or came up."""
        for callback in list(self._on_power):
            callback(name, up)

    def on_wire_fault(self, callback: Callable[[str, str, dict[str, object]], None]) -> None:
        """Call ``callback`` with (machine, kind, arguments) for faults of the connection.

        Kinds: ``reset``, ``silence``, ``refuse``, ``slow``, and ``heal``, which ends the standing ones.
        """
        self._on_wire_fault.append(callback)

    def wire_fault(self, name: str, kind: str, arguments: dict[str, object]) -> None:
        """Tell those who apply faults of the connection."""
        shown = {key: value for key, value in arguments.items() if key != "password"}
        detail = {"machine": name, "kind": kind, **shown}
        self.emit("wire.fault", next((node for node in self.nodes if node.name == name), None), detail)
        for callback in list(self._on_wire_fault):
            callback(name, kind, dict(arguments))

    def inject(self, fault: str, **arguments: Any) -> None:
        """Put a fault from the catalogue into the world; ValueError where it or an argument is unknown."""
        self.faults.inject(fault, **arguments)

    def join_new(self, number: int, spec: NodeSpec) -> Node:
        """Return a new member with drives of its own in the pool; nothing is placed on it yet."""
        node = self._make_node(number, spec)
        self.nodes.append(node)
        self.machines[node.name] = node
        self.updates.add(node)
        self.storage.add_drives(node, spec.disks, spec.disk_gib)
        furnish(self, node, spec.software)
        self.quorum.member_joined()
        return node

    def snapshot(self) -> dict[str, object]:
        """Return the state of everything as plain JSON values."""
        return snapshot(self)

    def _make_node(self, number: int, spec: NodeSpec) -> Node:
        os = os_version(spec.os) if spec.os else self.spec.os
        boot = self.clock.now() - timedelta(days=self.random.randint(20, 45), minutes=self.random.randrange(1440))
        return Node(
            spec.name,
            os,
            boot.replace(microsecond=500000),
            spec.memory_gib,
            node_services(),
            os.build,
            os.ubr,
            credssp=spec.credssp,
            id=number,
            paused=spec.paused,
            instance_id=self.guid(f"node:{spec.name}"),
            serial_number=f"CZ29{self.random.randrange(16**6):06X}",
        )

    def _make_host(self) -> ManagementHost:
        spec = self.spec
        os = os_version(spec.management_os) if spec.management_os else spec.os
        boot = self.clock.now() - timedelta(days=12, hours=5)
        host = ManagementHost(spec.management_host, os, boot, 32.0, host_services(), os.build, os.ubr)
        host.credssp = spec.management_credssp
        return host

    def _furnish(self) -> None:
        self.groups.add_core()
        for vm in self.spec.vms:
            self.groups.add_vm(vm)
        for disk in self.spec.disks:
            self.storage.add(disk)
        for node, node_spec in zip(self.nodes, self.spec.nodes, strict=True):
            self.storage.add_drives(node, node_spec.disks, node_spec.disk_gib)
            furnish(self, node, node_spec.software)
        furnish(self, self.management_host, self.spec.host_software)
        if self.spec.cau_role:
            self.cau.add_role(self.spec.cau_role)
        self.quorum.member_joined()
