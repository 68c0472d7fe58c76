"""The versions that are raised for good once every node runs a new Windows: the cluster's functional level and its pools'.

Neither goes down again (windowsserverdocs, cluster-operating-system-rolling-upgrade; azure-stack-docs, update-cluster).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import total_ordering

from include.hci.cluster.nodes import get_cluster
from include.hci.cluster.values import HEALTH, OPERATIONAL, enum_name, named, squeeze
from include.hci.powershell.command import Command
from include.hci.powershell.errors import AnswerNotUnderstood
from include.hci.powershell.result import Result
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH

#: Raising a level or a pool's version writes to the cluster's database, or to every drive.
_RAISING = timedelta(minutes=15)
#: A node's highest version has the level in its upper half and the upgrade version in its lower one (win32, clusapi.h,
#: CLUSTER_GET_MAJOR_VERSION and CLUSTER_GET_MINOR_VERSION).
_HALF = 16
#: The sentence "What if: ..." itself goes to the window of whoever types the command, and this client has none: what counts is
#: that the test ends without an error.
READY = "it ended without an error, so the level can be raised"


@total_ordering
@dataclass(frozen=True, slots=True)
class Level:
    """ClusterFunctionalLevel and ClusterUpgradeVersion: only the two together tell one release from the next."""

    functional: int
    upgrade: int

    def __str__(self) -> str:
        return f"{self.functional}.{self.upgrade}"

    def __lt__(self, other: Level) -> bool:
        return (self.functional, self.upgrade) < (other.functional, other.upgrade)

    @classmethod
    def parse(cls, text: str) -> Level:
        """Return the level that ``text`` (``10.2``) names; raises ValueError."""
        functional, _, upgrade = text.partition(".")
        return cls(int(functional), int(upgrade))


@dataclass(frozen=True, slots=True)
class Pool:
    """One storage pool; ``identity`` names it and no other, which its friendly name need not."""

    identity: str
    name: str
    version: str
    health: str
    operational: tuple[str, ...] = ()
    read_only: bool = False

    @property
    def trouble(self) -> str:
        """Why its version had better not be raised now; empty: it is well."""
        if self.read_only:
            return f"{self.name} is read-only"
        well = self.health == "Healthy" and {squeeze(text) for text in self.operational} <= {"ok"}
        return (
            "" if well else f"{self.name} is {self.health} ({', '.join(self.operational) or 'no operational status'})"
        )


def get_level(shell: Shell) -> Level:
    """Return the level that the cluster is at; raises AnswerNotUnderstood where it does not say so."""
    found = get_cluster(shell)
    if found.functional_level is None:
        raise AnswerNotUnderstood("Get-Cluster names no ClusterFunctionalLevel", command="Get-Cluster")
    return Level(found.functional_level, found.upgrade_version or 0)


def get_supported_levels(shell: Shell) -> Mapping[str, Level | None]:
    """Return the highest level that each node supports, None where it does not say so (Get-ClusterNode, NodeHighestVersion)."""
    found: dict[str, Level | None] = {}
    for item in shell.run(Command("Get-ClusterNode")).require().objects():
        number = item.integer("NodeHighestVersion", None)
        found[item.string("Name")] = None if not number else Level(number >> _HALF, number & (1 << _HALF) - 1)
    return found


def try_functional_level(shell: Shell) -> str:
    """Return what the cluster says to being raised; nothing is changed (Update-ClusterFunctionalLevel -WhatIf).

    It is a real test (windows-powershell-docs): raises CommandFailed where the level cannot be raised.
    """
    command = Command("Update-ClusterFunctionalLevel", {"WhatIf": SWITCH}).marked(changes=False)
    return _said(shell.run(command).require()) or READY


def update_functional_level(shell: Shell) -> None:
    """Raise the functional level for good; without -Force it would ask (Update-ClusterFunctionalLevel)."""
    shell.run(Command("Update-ClusterFunctionalLevel", {"Force": SWITCH}), timeout=_RAISING).require()


def get_pools(shell: Shell) -> tuple[Pool, ...]:
    """Return the cluster's storage pools, whatever they are called; primordial ones and those of one server are none."""
    return tuple(
        Pool(
            identity=item.string("UniqueId"),
            name=item.string("FriendlyName"),
            version=item.string("Version", ""),
            health=enum_name(item, "HealthStatus", HEALTH),
            operational=tuple(named(text, OPERATIONAL) for text in item.strings("OperationalStatus", ())),
            read_only=item.boolean("IsReadOnly", False),
        )
        for item in shell.run(Command("Get-StoragePool", {"IsPrimordial": False})).require().objects()
        if item.boolean("IsClustered", True)
    )


def update_storage_pool(shell: Shell, identity: str) -> None:
    """Raise the version of the pool with that UniqueId for good; it would ask otherwise (Update-StoragePool -Confirm:$false)."""
    command = Command("Update-StoragePool", {"UniqueId": identity, "Confirm": False})
    shell.run(command, timeout=_RAISING).require()


def _said(result: Result) -> str:
    """Return everything that a command said, whatever stream it came by: which one -WhatIf uses is not documented."""
    streams = (result.information, result.warnings, result.verbose)
    lines = [str(message).strip() for stream in streams for message in stream]
    return " ".join(dict.fromkeys(filter(None, lines)))
