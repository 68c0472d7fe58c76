"""Whether a run has left anything behind: two snapshots of what it might have touched, and the command for every remainder."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from include.hci.cluster.cau import NAMESPACE
from include.hci.powershell.quoting import quoted


@dataclass(frozen=True, slots=True)
class NodeSnapshot:
    """One node; what was not read is None or left out.

    ``services`` maps names to start types, ``firewall`` rule groups to whether they are enabled, ``locks`` lock classes to the
    id of who holds them. ``tasks`` and ``endpoints`` are names of scheduled tasks and session configurations.
    """

    name: str
    state: str = ""
    in_maintenance: bool | None = None
    credssp_server: bool | None = None
    credssp_client: bool | None = None
    services: Mapping[str, str] = field(default_factory=dict)
    firewall: Mapping[str, bool] = field(default_factory=dict)
    locks: Mapping[str, str] = field(default_factory=dict)
    tasks: tuple[str, ...] | None = None
    endpoints: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The cluster before a run or after it. ``role_enabled``: the self-updating role; None: no role, or not read."""

    nodes: tuple[NodeSnapshot, ...]
    role_enabled: bool | None = None

    def node(self, name: str) -> NodeSnapshot | None:
        """Return the snapshot of a node, or None."""
        return next((node for node in self.nodes if node.name.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class RunChanges:
    """What the run recorded before it changed it: its lock id, and per kind of change the nodes, or ``node/name``."""

    guid: UUID
    paused: Collection[str] = ()
    in_maintenance: Collection[str] = ()
    credssp: Collection[str] = ()
    services: Collection[str] = ()
    firewall: Collection[str] = ()
    tasks: Collection[str] = ()
    endpoints: Collection[str] = ()
    role_disabled: bool = False


@dataclass(frozen=True, slots=True)
class Remainder:
    """Something that is not as it was found. ``command`` mends it; ``by_run``: the run's record says that it was this run."""

    node: str
    what: str
    command: str
    by_run: bool

    def __str__(self) -> str:
        who = "" if self.by_run else " (not by this run, as its record has it)"
        return f"{self.what}{who}: {self.command}"


def left_over(before: Snapshot, after: Snapshot, changes: RunChanges) -> tuple[Remainder, ...]:
    """Return what is not as ``before`` any more and should be, node by node.

    Our own lock is a remainder wherever it stands. A node that is missing on either side is passed over: that it is gone is for
    the comparison of fingerprints to say.
    """
    found: list[Remainder] = []
    for now in after.nodes:
        then = before.node(now.name)
        found += _locks(now, changes)
        if then is not None:
            found += _service_state(then, now, changes)
            found += _remote_access(then, now, changes)
            found += _added(then, now, changes)
    if before.role_enabled is True and after.role_enabled is False:
        by_run = changes.role_disabled
        found.append(Remainder("", "the self-updating role is disabled", "Enable-CauClusterRole -Force", by_run))
    return tuple(found)


def _locks(now: NodeSnapshot, changes: RunChanges) -> list[Remainder]:
    where = f"-Filter \"OrchestratorGuid='{changes.guid}'\""
    return [
        Remainder(
            now.name,
            f"{now.name} still holds our {kind}",
            f"Get-CimInstance -Namespace {NAMESPACE} -ClassName {kind} {where} | Remove-CimInstance",
            True,
        )
        for kind, guid in sorted(now.locks.items())
        if guid.strip("{}").lower() == str(changes.guid)
    ]


def _service_state(then: NodeSnapshot, now: NodeSnapshot, changes: RunChanges) -> list[Remainder]:
    name = now.name
    found = []
    if then.in_maintenance is False and now.in_maintenance is True:
        command = (
            f"Get-StorageFaultDomain -Type StorageScaleUnit | Where-Object FriendlyName -EQ {name} |"
            " Disable-StorageMaintenanceMode"
        )
        said = f"the disks of {name} are in maintenance mode"
        found.append(Remainder(name, said, command, _has(changes.in_maintenance, name)))
    if then.state == "Up" and now.state == "Paused":
        command = f"Resume-ClusterNode -Name {name} -Failback Immediate"
        found.append(Remainder(name, f"{name} is paused", command, _has(changes.paused, name)))
    return found


def _remote_access(then: NodeSnapshot, now: NodeSnapshot, changes: RunChanges) -> list[Remainder]:
    name = now.name
    by_run = _has(changes.credssp, name)
    found = []
    for role, was, now_on in (
        ("Server", then.credssp_server, now.credssp_server),
        ("Client", then.credssp_client, now.credssp_client),
    ):
        if was is False and now_on is True:
            said = f"CredSSP is on for the {role.lower()} role of {name}"
            found.append(Remainder(name, said, f"Disable-WSManCredSSP -Role {role}", by_run))
    for service, start in sorted(now.services.items()):
        was_start = then.services.get(service)
        if was_start is not None and was_start != start:
            found.append(
                Remainder(
                    name,
                    f"{service} on {name} starts {start}, it was {was_start}",
                    f"Set-Service -Name {quoted(service)} -StartupType {was_start}",
                    _has(changes.services, f"{name}/{service}"),
                )
            )
    for group, enabled in sorted(now.firewall.items()):
        was_enabled = then.firewall.get(group)
        if was_enabled is not None and was_enabled != enabled:
            verb = "Enable" if was_enabled else "Disable"
            found.append(
                Remainder(
                    name,
                    f"the firewall rules {group!r} on {name} are {'enabled' if enabled else 'disabled'}",
                    f"{verb}-NetFirewallRule -DisplayGroup {quoted(group)}",
                    _has(changes.firewall, f"{name}/{group}"),
                )
            )
    return found


def _added(then: NodeSnapshot, now: NodeSnapshot, changes: RunChanges) -> list[Remainder]:
    found = []
    if then.tasks is not None and now.tasks is not None:
        for task in sorted(set(now.tasks) - set(then.tasks)):
            said = f"the scheduled task {task} is on {now.name}"
            command = f"Unregister-ScheduledTask -TaskName {quoted(task)} -Confirm:$false"
            found.append(Remainder(now.name, said, command, _has(changes.tasks, f"{now.name}/{task}")))
    if then.endpoints is not None and now.endpoints is not None:
        for endpoint in sorted(set(now.endpoints) - set(then.endpoints)):
            said = f"the session configuration {endpoint} is on {now.name}"
            command = f"Unregister-PSSessionConfiguration -Name {quoted(endpoint)} -Force"
            found.append(Remainder(now.name, said, command, _has(changes.endpoints, f"{now.name}/{endpoint}")))
    return found


def _has(names: Collection[str], name: str) -> bool:
    return name.lower() in {each.lower() for each in names}
