"""What Test-Cluster finds: one result a test, derived from how the cluster is at that moment.

Categories as the cmdlet's page names them (windows-powershell-docs, Test-Cluster); hyperconverged clusters have
"Storage Spaces Direct" beside them (azure-stack-docs, validate).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.machines import Node, Power
from include.simulator.world.storage import Health

if TYPE_CHECKING:
    from include.simulator.world.world import World

SUCCESS, WARNING, FAILED, SKIPPED = "Success", "Warning", "Failed", "Skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one test, and the sentences that explain it."""

    category: str
    test: str
    result: str
    messages: tuple[str, ...] = ()


Check = Callable[["World"], tuple[str, tuple[str, ...]]]


def _fine(world: World) -> tuple[str, tuple[str, ...]]:
    return SUCCESS, ()


def _builds(world: World) -> tuple[str, tuple[str, ...]]:
    found = {f"{node.build}.{node.ubr}": node.name for node in world.nodes}
    if len({node.build for node in world.nodes}) > 1:
        return FAILED, (f"The nodes run different versions of Windows: {', '.join(sorted(found))}.",)
    if len(found) > 1:
        return WARNING, (f"The nodes have different software updates: {', '.join(sorted(found))}.",)
    return SUCCESS, ()


def _restarts(world: World) -> tuple[str, tuple[str, ...]]:
    pending = tuple(f"{node.name} has a restart pending." for node in world.nodes if node.pending_restart)
    return (WARNING if pending else SUCCESS), pending


def _members(world: World) -> tuple[str, tuple[str, ...]]:
    away = tuple(f"{node.name} is {node.state.name}." for node in world.nodes if node.state.name != "Up")
    gone = any(not node.member for node in world.nodes)
    return (FAILED if gone else WARNING if away else SUCCESS), away


def _roles(world: World) -> tuple[str, tuple[str, ...]]:
    failed = tuple(f"{group.name} is Failed." for group in world.groups.all if group.state.name == "Failed")
    return (WARNING if failed else SUCCESS), failed


def _quorum(world: World) -> tuple[str, tuple[str, ...]]:
    if world.spec.witness and not world.quorum.witness_online:
        return WARNING, (f"{world.spec.witness} is not online.",)
    if not world.spec.witness and len(world.nodes) % 2 == 0:
        return WARNING, ("An even number of nodes without a witness is not recommended.",)
    return SUCCESS, ()


def _network(world: World) -> tuple[str, tuple[str, ...]]:
    cut = tuple(f"{node.name} cannot be reached." for node in world.nodes if node.isolated or not _answers(node))
    return (FAILED if cut else SUCCESS), cut


def _levels(world: World) -> tuple[str, tuple[str, ...]]:
    if world.levels.pending and not world.levels.mixed:
        return WARNING, ("The cluster functional level is below what the nodes support.",)
    return SUCCESS, ()


def _disks(world: World) -> tuple[str, tuple[str, ...]]:
    disks = world.storage.virtual_disks
    sick = tuple(
        f"{disk.name} is {disk.health.name}, {', '.join(disk.operational_status)}."
        for disk in disks
        if disk.health is not Health.Healthy
    )
    lost = any(not disk.attached for disk in disks)
    return (FAILED if lost else WARNING if sick else SUCCESS), sick


def _drives(world: World) -> tuple[str, tuple[str, ...]]:
    sick = tuple(
        f"{drive.serial_number} in {drive.node.name}: {drive.fault}."
        for drive in world.storage.physical_disks
        if drive.fault
    )
    return (WARNING if sick else SUCCESS), sick


def _answers(node: Node) -> bool:
    return node.power is Power.ON


CHECKS: dict[str, dict[str, Check]] = {
    "Cluster": {
        "List Cluster Core Groups": _roles,
        "Validate Cluster Functional Level": _levels,
        "Validate Node Status": _members,
        "Validate Quorum Configuration": _quorum,
    },
    "Inventory": {"List Operating System Information": _fine, "List Software Updates": _fine},
    "Network": {"Validate Network Communication": _network},
    "Storage": {"List All Disks": _fine},
    "Storage Spaces Direct": {"Verify Disks": _drives, "Verify Virtual Disks": _disks},
    "System": {"Validate Software Update Levels": _builds, "Validate Pending Restarts": _restarts},
}


def tests() -> list[tuple[str, str]]:
    """Return every test with its category."""
    return [(category, name) for category, checks in CHECKS.items() for name in checks]


def validate(world: World, wanted: list[tuple[str, str]]) -> list[Finding]:
    """Run the tests that are wanted; storage tests do not touch disks in use, which all are, and so only list them."""
    findings = []
    for category, name in tests():
        if (category, name) in wanted:
            result, messages = CHECKS[category][name](world)
            findings.append(Finding(category, name, result, messages))
        else:
            findings.append(Finding(category, name, SKIPPED))
    return findings
