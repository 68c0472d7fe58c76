"""Cluster-Aware Updating on a node: its runs, its clustered role, and the lock objects of its WMI provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal
from uuid import UUID

from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.psobject import EnumValue, PSObject
from include.hci.powershell.shell import Shell

#: Name space of CAU's provider, which is installed with the Failover-Clustering feature (MSFT_CAURun class).
NAMESPACE = "root/Microsoft/Windows/ClusterUpdate"
LockClass = Literal["MSFT_CAURun", "MSFT_CAUNode"]

_NO_ROLE = "not configured with a cluster-aware updating clustered role"
#: A parameter that the role calls by another name than the cmdlets that set it, and how it shows a switch that they were given
#: (windows-powershell-docs, the examples of Get-CauClusterRole and Set-CauClusterRole).
_RENAMED = MappingProxyType({"weeksinterval": "IntervalWeeks"})
_SWITCHES = MappingProxyType({"On": "True", "Off": "False"})


@dataclass(frozen=True, slots=True)
class CauRunState:
    """Whether CAU itself is updating the cluster. ``state`` is CAU's RunState as it came: not all of them are documented.

    ``nodes`` is what the run says of each node last, in its own words.
    """

    state: str
    coordinator: str = ""
    run_id: str = ""
    started_at: datetime | None = None
    nodes: tuple[tuple[str, str], ...] = ()

    @property
    def is_free(self) -> bool:
        """Whether no CAU run is in progress and none has left something behind."""
        return self.state == "RunNotInProgress"


@dataclass(frozen=True, slots=True)
class LockHolder:
    """Who holds a lock object on a node."""

    node: str
    kind: LockClass
    guid: UUID


def get_cau_run(shell: Shell, cluster: str) -> CauRunState:
    """Return the state of CAU's own run; the first object is the state, the second one, if any, the run."""
    output = shell.run(Command("Get-CauRun", {"ClusterName": cluster})).require().output
    if not output:
        return CauRunState("Unknown")
    first, run = output[0], output[1] if len(output) > 1 else None
    state = first.text or "Unknown" if isinstance(first, PSObject) else str(first)
    if isinstance(first, EnumValue):
        state = str(first)
    if not isinstance(run, PSObject):
        return CauRunState(state)
    return CauRunState(
        state,
        run.string("CurrentOrchestrator", ""),
        run.string("RunId", ""),
        _moment(run.get("RunStartTime")),
        _node_states(run.get("NodeStatusNotifications")),
    )


def get_cau_cluster_role(shell: Shell, cluster: str) -> dict[str, str] | None:
    """Return the parameters of the self-updating role by the names of Set-CauClusterRole, or None when there is none."""
    try:
        items = shell.run(Command("Get-CauClusterRole", {"ClusterName": cluster})).require().objects()
    except CommandFailed as error:
        if _NO_ROLE in error.detail.lower():
            return None
        raise
    pairs = ((item.string("Name"), _role_value(item.get("Value"))) for item in items)
    return {_RENAMED.get(name.lower(), name): value for name, value in pairs}


def get_lock_holders(shell: Shell, node: str, kind: LockClass) -> tuple[LockHolder, ...]:
    """Return who holds the lock object ``kind`` on the node that ``shell`` talks to: nobody or one coordinator."""
    items = shell.run(Command("Get-CimInstance", {"Namespace": NAMESPACE, "ClassName": kind})).require().objects()
    return tuple(LockHolder(node, kind, item.guid("OrchestratorGuid")) for item in items)


def holds_lock(shell: Shell, kind: LockClass, guid: UUID) -> bool:
    """Return whether ``guid`` holds the lock object on the node.

    Asking for it by its own id is a sign of life of its owner, which keeps the provider from dropping it.
    """
    return bool(shell.run(lock_of(kind, guid)).require().objects())


def create_lock(shell: Shell, kind: LockClass, guid: UUID) -> None:
    """Create the lock object ``kind`` for ``guid``; raises CommandFailed when another coordinator holds it."""
    shell.run(
        Command(
            "New-CimInstance",
            {"Namespace": NAMESPACE, "ClassName": kind, "Property": {"OrchestratorGuid": str(guid)}},
        )
    ).require()


def remove_lock(shell: Shell, kind: LockClass, guid: UUID) -> None:
    """Remove the lock object ``kind`` if it is that of ``guid``; nobody else's is touched."""
    shell.run(lock_of(kind, guid) | Command("Remove-CimInstance")).require()


def _moment(value: object) -> datetime | None:
    """Return when a run began; the property's kind of time is not documented, so what is no time is passed over."""
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def _node_states(value: object) -> tuple[tuple[str, str], ...]:
    """Return node and state of every notification; remoting flattens what lies too deep to text, which says neither."""
    found = []
    for item in value if isinstance(value, tuple | list) else ():
        node = item.get("Node") if isinstance(item, PSObject) else None
        name = node.string("NodeName", "") if isinstance(node, PSObject) else str(node or "")
        if name:
            found.append((name, str(item.get("Status") or "")))
    return tuple(found)


def _role_value(value: object) -> str:
    """Return one parameter of the role as text: its schedule has times, its limits are spans, its plug-ins have arguments."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " ".join(map(_role_value, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_role_value(inner)}" for name, inner in value.items())
    return value.isoformat() if isinstance(value, datetime) else _SWITCHES.get(str(value), str(value))


def lock_of(kind: LockClass, guid: UUID) -> Pipeline:
    """Return the command that gives the lock object of ``guid`` only."""
    where = f"OrchestratorGuid='{guid}'"
    return Pipeline((Command("Get-CimInstance", {"Namespace": NAMESPACE, "ClassName": kind, "Filter": where}),))
