"""Effects on scheduled tasks, and on what decides whether they are needed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from include.simulator.faults.registry import CannotStrike, Details, Undo, effect, targets, together
from include.simulator.world.machines import Machine, Node
from include.simulator.world.policies import ASR_RULES, ASR_WMI

if TYPE_CHECKING:
    from include.simulator.world.world import World


@effect("task-scheduler-down")
def task_scheduler_down(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let the Task Scheduler not run: its tasks are ended, and every command about them is refused; healing starts it."""
    undone: list[Undo] = []
    for target in targets(world, node):
        if target.services["Schedule"].status != "Running":
            continue
        for task in world.tasks.all(target):
            world.tasks.stop(task)
        world.services.set(target, "Schedule", "Stopped")
        undone.append(partial(world.services.set, target, "Schedule", "Running"))
    return together(undone)


@effect("tasks-killed", stands=False)
def tasks_killed(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let somebody end the processes of every task that runs on the server."""
    running = [task for target in targets(world, node) for task in world.tasks.all(target) if task.run is not None]
    if not running:
        raise CannotStrike("No scheduled task is running.")
    for task in running:
        world.tasks.stop(task)
    return None


@effect("defender-rule")
def defender_rule(world: World, node: Node | None, details: Details) -> Undo | None:
    """Let group policy have Defender block the processes that WMI starts; healing takes the rule away."""

    def remove(target: Machine) -> None:
        if world.registry.value(target, ASR_RULES, ASR_WMI) is not None:
            world.registry.remove(target, ASR_RULES, ASR_WMI)

    chosen = targets(world, node)
    for target in chosen:
        world.registry.create(target, ASR_RULES)
        world.registry.set(target, ASR_RULES, ASR_WMI, 1)
    return together([partial(remove, target) for target in chosen])
