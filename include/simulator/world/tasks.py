"""The Task Scheduler of every machine: what is registered, what runs, and how it ended."""

from __future__ import annotations

import ntpath
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from include.simulator.world.agent import Logon
from include.simulator.world.machines import Machine, Node
from include.simulator.world.task_definition import Action, Definition, Trigger, is_system

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.world import World

#: Results (win32, Task Scheduler error and success constants).
RUNNING, NEVER_RAN, TERMINATED = 0x00041301, 0x00041303, 0x00041306
FILE_NOT_FOUND, EXISTS = 0x80070002, 0x800700B7
DISABLED_TASK, NOT_RUNNING = 0x80041326, 0x8004130B
SERVICE_NOT_RUNNING = 0x80041315


class TaskError(Exception):
    """The Task Scheduler refused with HRESULT ``code``."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True, eq=False)
class Task:
    """One registered task; ``path`` begins and ends with a backslash."""

    machine: Machine
    name: str
    path: str
    definition: Definition
    registered_at: datetime
    enabled: bool = True
    run: TaskRun | None = None
    last_run: datetime | None = None
    last_result: int = NEVER_RAN
    missed: int = 0
    timers: list[Timer] = field(default_factory=list)

    @property
    def state(self) -> str:
        """StateEnum."""
        if self.run:
            return "Running"
        return "Ready" if self.enabled else "Disabled"


@dataclass(slots=True, eq=False)
class TaskRun:
    """A task while it runs one of its actions: a handler does the work and calls ``end`` once with the exit code.

    ``on_stop`` is called when the run is ended from outside (stopped, out of time, the machine went down).
    """

    task: Task
    action: Action
    logon: Logon
    end: Callable[[int], None]
    on_stop: Callable[[], None] | None = None
    over: bool = False

    @property
    def machine(self) -> Machine:
        """The machine it runs on."""
        return self.task.machine


Handler = Callable[[TaskRun], None]


class Tasks:
    """Registers, starts and ends tasks. What an action's program does is told by handlers, which parts of the world add."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: dict[str, dict[tuple[str, str], Task]] = defaultdict(dict)
        self._handlers: list[tuple[str, str, Handler]] = []
        self._down: set[str] = set()
        world.on_power(self._power_changed)

    def handle(self, program: str, handler: Handler, *, arguments_with: str = "") -> None:
        """Let ``handler`` play ``program`` (such as "powershell.exe") when its arguments contain ``arguments_with``."""
        self._handlers.append((_program(program), arguments_with.lower(), handler))

    def all(self, machine: Machine) -> list[Task]:
        """Return the machine's tasks in the order of their names."""
        return sorted(self._tasks[machine.name].values(), key=lambda task: (task.path.lower(), task.name.lower()))

    def find(self, machine: Machine, name: str, path: str = "\\") -> Task | None:
        """Return the task called ``name`` in the folder ``path``, or None."""
        return self._tasks[machine.name].get((_folder(path).lower(), name.lower()))

    def register(
        self, machine: Machine, name: str, definition: Definition, path: str = "\\", *, replace: bool = False
    ) -> Task:
        """Register a task; raises TaskError where there is one of that name and it is not to be replaced."""
        before = self.find(machine, name, path)
        if before is not None:
            if not replace:
                raise TaskError(EXISTS, "Cannot create a file when that file already exists.")
            self._drop(before)
        task = Task(machine, name, _folder(path), definition, self._world.now, definition.enabled)
        self._tasks[machine.name][task.path.lower(), name.lower()] = task
        self._announce(task, "registered")
        self._arm(task, booted=False)
        return task

    def unregister(self, task: Task) -> None:
        """Remove a task; one that runs is ended."""
        self._drop(task)
        self._announce(task, "removed")

    def enable(self, task: Task, enabled: bool) -> None:
        """Let a task be started or not; one that runs goes on."""
        task.enabled = enabled

    def start(self, task: Task) -> None:
        """Start a task; raises TaskError for a disabled one. One that runs already is left alone (IgnoreNew).

        Without anybody at the console a task with an interactive token does not start.
        """
        if not task.enabled:
            raise TaskError(DISABLED_TASK, "The task is disabled.")
        if task.run is not None or not task.machine.up or task.definition.logon_type.startswith("Interactive"):
            return
        task.last_run, task.last_result = self._world.now, RUNNING
        self._announce(task, "started")
        self._next(task, list(task.definition.actions))
        limit, started = task.definition.limit, task.last_run
        if limit is not None:
            task.timers.append(self._world.after(limit, lambda: self._time_is_up(task, started)))

    def stop(self, task: Task) -> None:
        """End a task that runs; one that does not is left alone."""
        if task.run is not None:
            self._terminate(task)

    def next_run(self, task: Task) -> datetime | None:
        """Return when a trigger will start the task, or None where none will."""
        times = [each.at for each in task.definition.triggers if each.at and each.enabled and each.at > self._world.now]
        return min(times, default=None) if task.enabled else None

    def state(self, machine: Machine) -> list[dict[str, object]]:
        """Return what is registered, for the snapshot."""
        return [
            {"name": task.name, "path": task.path, "state": task.state, "last_result": task.last_result}
            for task in self.all(machine)
        ]

    def _next(self, task: Task, actions: list[Action], code: int = 0) -> None:
        task.run = None
        if not actions or code:
            task.last_result = code
            self._announce(task, "ended")
            return
        action, *rest = actions
        logon = Logon.SYSTEM if is_system(task.definition.user) else Logon.BATCH
        ended: list[TaskRun] = []

        def end(exit_code: int) -> None:
            run = ended[0]
            if not run.over:
                run.over = True
                self._next(task, rest, exit_code)

        run = task.run = TaskRun(task, action, logon, end)
        ended.append(run)
        handler = self._handler(action)
        if handler is None:
            self._world.after(timedelta(seconds=1), lambda: end(FILE_NOT_FOUND))
        else:
            handler(run)

    def _handler(self, action: Action) -> Handler | None:
        program, arguments = _program(action.command), action.arguments.lower()
        return next((handler for name, part, handler in self._handlers if name == program and part in arguments), None)

    def _terminate(self, task: Task) -> None:
        run = task.run
        if run is None:
            return
        run.over, task.run, task.last_result = True, None, TERMINATED
        if run.on_stop:
            run.on_stop()
        self._announce(task, "ended")

    def _time_is_up(self, task: Task, started: datetime) -> None:
        if task.last_run == started:
            self._terminate(task)

    def _drop(self, task: Task) -> None:
        self._terminate(task)
        for timer in task.timers:
            timer.cancel()
        del self._tasks[task.machine.name][task.path.lower(), task.name.lower()]

    def _arm(self, task: Task, *, booted: bool) -> None:
        for trigger in task.definition.triggers:
            at = self._due(trigger, booted=booted)
            if at is not None:
                task.timers.append(self._world.at(at, lambda: self._triggered(task)))

    def _due(self, trigger: Trigger, *, booted: bool) -> datetime | None:
        wanted = "BootTrigger" if booted else "RegistrationTrigger"
        if not trigger.enabled:
            return None
        if trigger.kind == wanted:
            return self._world.now + trigger.delay
        return trigger.at if not booted and trigger.at and trigger.at > self._world.now else None

    def _triggered(self, task: Task) -> None:
        if not task.machine.up:
            task.missed += 1
        elif task.enabled:
            self.start(task)

    def _power_changed(self, name: str, up: bool) -> None:
        machine = self._world.machines[name]
        if not machine.up:
            self._down.add(name)
            for task in self.all(machine):
                self._terminate(task)
        elif name in self._down:
            self._down.discard(name)
            for task in self.all(machine):
                self._arm(task, booted=True)

    def _announce(self, task: Task, action: str) -> None:
        node = task.machine if isinstance(task.machine, Node) else None
        self._world.emit("task", node, {"node": task.machine.name, "name": task.path + task.name, "action": action})


def _program(command: str) -> str:
    return ntpath.basename(command.strip().strip('"')).lower().removesuffix(".exe")


def _folder(path: str) -> str:
    inner = path.strip("\\")
    return f"\\{inner}\\" if inner else "\\"
