"""What a simulated world is made of at the start; the same specification and seed make the same world."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.feature_catalogue import standard_catalogue
from include.simulator.world.software import SoftwareSpec
from include.simulator.world.variants import check as check_variants
from include.simulator.world.versions import OsVersion, os_version

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Timings:
    """How long things take; each one is spread by a tenth with the world's seed."""

    group_move: timedelta = timedelta(seconds=3)
    migration_setup: timedelta = timedelta(seconds=4)
    migration_gib_per_second: float = 1.0
    failover: timedelta = timedelta(seconds=20)
    vm_start: timedelta = timedelta(seconds=30)
    shutdown: timedelta = timedelta(seconds=20)
    post: timedelta = timedelta(minutes=4)
    boot: timedelta = timedelta(seconds=70)
    join: timedelta = timedelta(seconds=30)
    servicing: timedelta = timedelta(minutes=3)
    scan: timedelta = timedelta(seconds=25)
    repair_start: timedelta = timedelta(seconds=40)
    repair_mib_per_second: float = 600.0
    job_linger: timedelta = timedelta(seconds=60)
    maintenance_exit: timedelta = timedelta(seconds=10)
    lock_expiry: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One server of the cluster; ``os`` where it already runs another version than the cluster was made with."""

    name: str
    memory_gib: float = 512.0
    disks: int = 4
    disk_gib: int = 3576
    credssp: bool = False
    paused: bool = False
    os: str = ""
    software: SoftwareSpec = field(default_factory=SoftwareSpec)


@dataclass(frozen=True, slots=True)
class VmSpec:
    """One clustered virtual machine.

    ``blocked`` says why it cannot move, where it cannot. ``version`` is that of its configuration, the host's where none is told;
    ``processor_percent`` how much of its host's processors it uses while it runs.
    """

    name: str
    node: str
    memory_gib: float = 8.0
    disk: str = ""
    running: bool = True
    blocked: str = ""
    version: str = ""
    processor_percent: int = 2


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """One mirrored virtual disk: its size, how many copies it keeps, and how fast it is written to.

    ``shared``: its volume is a cluster shared volume (ClusterPerformanceHistory's is not). ``used`` is how full it is, 0 to 1.
    """

    name: str
    size_gib: int
    copies: int
    write_mib_per_second: float = 60.0
    shared: bool = True
    used: float = 0.35


@dataclass(frozen=True, slots=True)
class CauRoleSpec:
    """The CAU clustered role with its self-updating schedule."""

    days_of_week: str = "Tuesday"
    weeks_of_month: tuple[int, ...] = (3,)
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """A cluster, its management host and the updates that are offered to it.

    ``management_os`` is the version that the management host runs, the cluster's where none is told; ``management_credssp``
    says that it takes delegated credentials. ``formed_with`` is the version at whose functional level, pool version and
    virtual machine version the cluster still is, where its nodes were upgraded since. ``media`` are extracted setup media by
    their share, each with the version that they bring.
    """

    cluster: str
    os: OsVersion
    nodes: tuple[NodeSpec, ...]
    vms: tuple[VmSpec, ...]
    disks: tuple[DiskSpec, ...]
    updates: tuple[UpdateSpec, ...]
    domain: str = "corp.contoso.com"
    management_host: str = "MGMT01"
    management_os: str = ""
    management_credssp: bool = False
    witness: str = "Cloud Witness"
    drain_on_shutdown: bool = True
    parallel_migrations: int = 1
    repair_queue_depth: int = 4
    quarantine_threshold: int = 3
    quarantine_duration: timedelta = timedelta(seconds=7200)
    resiliency_level: int = 2
    resiliency_default_period: timedelta = timedelta(seconds=240)
    cau_role: CauRoleSpec | None = None
    timings: Timings = field(default_factory=Timings)
    variants: frozenset[str] = frozenset()
    host_software: SoftwareSpec = field(default_factory=SoftwareSpec)
    formed_with: str = ""
    media: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        check_variants(self.variants)
        for version in (self.formed_with, self.management_os, *(version for _, version in self.media)):
            if version:
                os_version(version)
        names = [node.name for node in self.nodes]
        if not names or len(set(names)) != len(names):
            raise ValueError("A cluster needs nodes with different names.")
        for vm in self.vms:
            if vm.node not in names:
                raise ValueError(f"VM {vm.name} is on {vm.node}, which is no node of {self.cluster}.")
            if vm.disk and vm.disk not in {disk.name for disk in self.disks}:
                raise ValueError(f"VM {vm.name} is on virtual disk {vm.disk}, which {self.cluster} does not have.")
        for disk in self.disks:
            if disk.copies > len(self.nodes):
                raise ValueError(f"Virtual disk {disk.name} wants {disk.copies} copies on {len(self.nodes)} nodes.")


def demo_world(
    nodes: int = 4,
    os: str = "21H2",
    *,
    cluster: str = "HCI-CL01",
    prefix: str = "HCI",
    vms_per_node: int = 3,
    updates: tuple[UpdateSpec, ...] | None = None,
    timings: Timings | None = None,
    later_versions: bool = False,
) -> WorldSpec:
    """Return a healthy hyperconverged cluster of ``nodes`` servers (1 to 16) running version ``os`` (such as "21H2").

    It has one volume per server, two-way mirrors up to two servers and three-way mirrors from three on, a cloud witness,
    and one month's updates on offer: the feature update to the next version is among them, and with ``later_versions`` also those
    that Windows Update has for the versions after it.
    """
    if not 1 <= nodes <= 16:
        raise ValueError(f"A hyperconverged cluster has 1 to 16 servers, not {nodes}.")
    version = os_version(os)
    names = [f"{prefix}{number:02d}" for number in range(1, nodes + 1)]
    disks = tuple(
        DiskSpec(f"Volume{number:02d}", 2048, min(3, nodes), 15.0 + 5.0 * number) for number in range(1, nodes + 1)
    )
    vms = tuple(
        VmSpec(
            f"VM-{node}-{count}", name, memory_gib=(4.0, 8.0, 16.0, 32.0)[(node + count) % 4], disk=disks[node - 1].name
        )
        for node, name in enumerate(names, 1)
        for count in range(1, vms_per_node + 1)
    )
    return WorldSpec(
        cluster=cluster,
        os=version,
        nodes=tuple(NodeSpec(name) for name in names),
        vms=vms,
        disks=disks,
        updates=standard_catalogue(version, later=later_versions) if updates is None else updates,
        timings=timings or Timings(),
    )


def without_witness(spec: WorldSpec) -> WorldSpec:
    """Return ``spec`` with node majority only."""
    return replace(spec, witness="")
