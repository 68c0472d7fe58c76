"""Conditions: what the parts of the world ask for at the moment it would matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.faults.registry import Details, Undo, effect, number, targets
from include.simulator.world.machines import Node
from include.simulator.world.rig import Condition

if TYPE_CHECKING:
    from include.simulator.world.world import World


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of condition: what it means, its details, and what has to be set going again when it is taken away."""

    what: str
    parameters: frozenset[str] = frozenset()
    after: Callable[[World, Node], None] | None = None


def _install_again(world: World, node: Node) -> None:
    world.updates.go_on(node)


def _migrate_again(world: World, node: Node) -> None:
    world.drains.go_on(node)


def _switch_on(world: World, node: Node) -> None:
    world.power.start(node)


def _let_in(world: World, node: Node) -> None:
    world.membership.clear_quarantine(node)


def _resume_repairs(world: World, node: Node) -> None:
    world.repairs.resume_all()


_COMMAND = frozenset({"command", "parameter", "where", "message", "error_id", "category", "hresult", "exception"})
_WHAT = frozenset({"title", "hresult"})

#: Every kind that some part of the world asks for.
CONDITIONS: Mapping[str, Kind] = {
    "install-fails": Kind("an installation fails", _WHAT),
    "download-fails": Kind("a download fails", _WHAT),
    "scan-fails": Kind("a search for updates fails", frozenset({"hresult"})),
    "scan-empty": Kind("a search finds nothing although there is something"),
    "rolls-back": Kind("an update is gone after the restart", _WHAT),
    "install-lies": Kind("an update is reported installed and is not", frozenset({"title"})),
    "install-slow": Kind("an update takes longer", frozenset({"title", "minutes"})),
    "install-hangs": Kind("an installation never ends", frozenset({"title"}), _install_again),
    "download-hangs": Kind("a download never ends", frozenset({"title"}), _install_again),
    "task-answer-corrupt": Kind("the answer file of a task is cut off in the middle"),
    "restart-still-pending": Kind("the server asks for one more restart"),
    "servicing-busy": Kind("servicing goes on after the boot", frozenset({"minutes"})),
    "drain-keeps-role": Kind("a drain leaves a role behind and says Completed"),
    "drain-without-maintenance": Kind("a drain does not put the disks into maintenance mode"),
    "migration-hangs": Kind("a live migration hangs", after=_migrate_again),
    "vm-fails-after-failback": Kind("a virtual machine is down after it came home"),
    "never-comes-back": Kind("the server stays off", after=_switch_on),
    "slow-boot": Kind("the self test takes longer", frozenset({"minutes"})),
    "no-restart": Kind("a restart is ordered and does not happen"),
    "boot-time-unchanged": Kind("the server reports its old boot time after a restart"),
    "restarts-again": Kind("the server restarts by itself once it is up"),
    "quarantine": Kind("the cluster keeps the node out", after=_let_in),
    "repair-suspended": Kind("a repair job is suspended", after=_resume_repairs),
    "repair-frozen": Kind("a repair job moves no bytes", after=_resume_repairs),
    "repair-restarts": Kind("a repair job starts over at its end"),
    "script-fails": Kind("a script that somebody calls on the server fails", frozenset({"message"})),
    "script-hangs": Kind("a script that somebody calls on the server never ends"),
    "function-fails": Kind("a function of a constrained endpoint fails", frozenset({"message"})),
    "command-fails": Kind("a command fails", _COMMAND),
    "command-late": Kind("a command answers late", _COMMAND | {"minutes"}),
    "parameter-unknown": Kind("a command does not know a parameter", _COMMAND),
}


@effect("condition", "times")
def condition(world: World, node: Node | None, details: Details) -> Undo | None:
    """Prepare a condition on the node, or on all; healing takes it away and lets go on what it kept."""
    given = details.get("details")
    more = {key: value for key, value in details.items() if key not in ("effect", "kind", "times", "details")}
    times = int(number(details, "times", 0)) or None
    everything = {**(given if isinstance(given, dict) else {}), **more}
    kind = str(details["kind"])
    made = world.rig.add(Condition(kind, node.name if node else None, times, everything))

    def undo() -> None:
        if made in world.rig.conditions:
            world.rig.conditions.remove(made)
        after = CONDITIONS[kind].after
        for target in targets(world, node):
            if after is not None:
                after(world, target)

    return undo
