"""The ScheduledTasks module (windows-powershell-docs, ScheduledTasks)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from include.simulator.cmdlets import second_hop
from include.simulator.cmdlets.cim_objects import cim_error, instance, query_not_found
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, ask, cmdlet, fail
from include.simulator.objects import SimEnum, SimError, SimObject, TerminatingError, UInt32
from include.simulator.world.task_definition import SYSTEM, Definition, DefinitionError, is_system, read
from include.simulator.world.tasks import FILE_NOT_FOUND, SERVICE_NOT_RUNNING, Task, TaskError

NAMESPACE = "root/microsoft/windows/taskscheduler"
_ENUMS = "Microsoft.PowerShell.Cmdletization.GeneratedTypes.ScheduledTask."
_STATES = {"Disabled": 1, "Ready": 3, "Running": 4}
#: What the Task Scheduler gives as the last run of a task that never ran.
NEVER = datetime(1999, 11, 30, tzinfo=UTC)


@cmdlet("Register-ScheduledTask")
async def register_scheduled_task(call: Call) -> None:
    """Register a task from its XML; -User takes the place of the account that the XML names."""
    _local_only(call)
    text = call.text("Xml")
    if text is None:
        raise fail(
            "This simulated machine registers tasks from -Xml only: the objects of -Action and -InputObject need a script.",
            "ParameterNotSimulated",
            "NotImplemented",
        )
    try:
        definition = read(text)
    except DefinitionError as why:
        raise _refused(call, str(why), why.code) from None
    except NotImplementedError as why:
        raise fail(str(why), "TriggerNotSimulated", "NotImplemented") from None
    definition = _as_user(call, definition)
    try:
        task = call.world.tasks.register(
            call.host,
            call.text("TaskName") or "",
            definition,
            call.text("TaskPath") or "\\",
            replace=call.has("Force"),
        )
    except TaskError as why:
        raise _refused(call, str(why), why.code) from None
    call.sink.output(task_object(call, task))


@cmdlet("Get-ScheduledTask")
async def get_scheduled_task(call: Call) -> None:
    """Write the tasks that were named, or all."""
    for task in _found(call):
        call.sink.output(task_object(call, task))


@cmdlet("Get-ScheduledTaskInfo")
async def get_scheduled_task_info(call: Call) -> None:
    """Write when tasks last ran, how that ended, and when they run next."""
    for task in _found(call, by_file=True):
        properties: dict[str, object] = {
            "LastRunTime": task.last_run or NEVER,
            "LastTaskResult": UInt32(task.last_result),
            "NextRunTime": call.world.tasks.next_run(task),
            "NumberOfMissedRuns": UInt32(task.missed),
            "TaskName": task.name,
            "TaskPath": task.path,
        }
        call.sink.output(instance(NAMESPACE, ("MSFT_TaskDynamicInfo",), properties, host=call.host.name, source=task))


@cmdlet("Start-ScheduledTask")
async def start_scheduled_task(call: Call) -> None:
    """Start tasks; it does not wait for them."""
    for task in _found(call, by_file=True):
        try:
            call.world.tasks.start(task)
        except TaskError as why:
            raise _refused(call, str(why), why.code) from None


@cmdlet("Stop-ScheduledTask")
async def stop_scheduled_task(call: Call) -> None:
    """End what tasks run."""
    for task in _found(call, by_file=True):
        call.world.tasks.stop(task)


@cmdlet("Unregister-ScheduledTask")
async def unregister_scheduled_task(call: Call) -> None:
    """Remove tasks; it asks first unless -Confirm:$false was given."""
    found = _found(call)
    if found:
        ask(call)
    for task in found:
        call.world.tasks.unregister(task)


@cmdlet("Enable-ScheduledTask")
async def enable_scheduled_task(call: Call) -> None:
    """Let tasks be started again."""
    _set_enabled(call, enabled=True)


@cmdlet("Disable-ScheduledTask")
async def disable_scheduled_task(call: Call) -> None:
    """Keep tasks from being started."""
    _set_enabled(call, enabled=False)


@cmdlet("Export-ScheduledTask")
async def export_scheduled_task(call: Call) -> None:
    """Write the XML of tasks."""
    for task in _found(call, by_file=True):
        call.sink.output(_xml(task))


def task_object(call: Call, task: Task) -> SimObject:
    """Return a task as MSFT_ScheduledTask with the state that the module's type data shows."""
    definition = task.definition

    def part(cls: str, properties: dict[str, object]) -> SimObject:
        return instance(NAMESPACE, (cls,), properties, host=call.host.name, to_string=cls)

    properties: dict[str, object] = {
        "Actions": [
            part(
                "MSFT_TaskExecAction",
                {
                    "Id": None,
                    "Arguments": each.arguments or None,
                    "Execute": each.command,
                    "WorkingDirectory": each.directory or None,
                },
            )
            for each in definition.actions
        ],
        "Author": definition.author or None,
        "Date": task.registered_at.strftime("%Y-%m-%dT%H:%M:%S"),
        "Description": definition.description or None,
        "Principal": part(
            "MSFT_TaskPrincipal2",
            {"UserId": definition.user, "LogonType": definition.logon_type, "RunLevel": definition.run_level},
        ),
        "Settings": part(
            "MSFT_TaskSettings3",
            {
                "Enabled": task.enabled,
                "Hidden": definition.hidden,
                "MultipleInstances": definition.multiple,
                "AllowDemandStart": True,
            },
        ),
        "TaskName": task.name,
        "TaskPath": task.path,
        "Triggers": [part(f"MSFT_Task{each.kind}", {"Enabled": each.enabled}) for each in definition.triggers],
        "URI": task.path + task.name,
    }
    texts: dict[str, object] = {"State": SimEnum(_ENUMS + "StateEnum", _STATES[task.state], task.state)}
    shown = f'MSFT_ScheduledTask (TaskName = "{task.name}", TaskPath = "{task.path}")'
    return instance(
        NAMESPACE,
        ("MSFT_ScheduledTask",),
        properties,
        host=call.host.name,
        texts=texts,
        to_string=shown,
        source=task,
    )


def _set_enabled(call: Call, *, enabled: bool) -> None:
    for task in _found(call, by_file=True):
        call.world.tasks.enable(task, enabled)
        call.sink.output(task_object(call, task))


def _as_user(call: Call, definition: Definition) -> Definition:
    user = call.text("User")
    if not user:
        return definition
    if is_system(user):
        return replace(definition, user=SYSTEM, logon_type="ServiceAccount")
    kind = "Password" if call.text("Password") else "InteractiveToken"
    return replace(definition, user=user, logon_type=kind)


def _found(call: Call, *, by_file: bool = False) -> list[Task]:
    """Return the tasks that the command is about; ``by_file``: one that is missing is a missing file to the service."""
    _local_only(call)
    piped = [item.source for item in call.input if isinstance(item, SimObject) and isinstance(item.source, Task)]
    if piped:
        return piped
    names, paths = call.texts("TaskName"), call.texts("TaskPath")
    tasks = call.world.tasks.all(call.host)
    if by_file:
        found = call.world.tasks.find(call.host, names[0] if names else "", paths[0] if paths else "\\")
        if found is None:
            raise _refused(call, "The system cannot find the file specified.", FILE_NOT_FOUND)
        return [found]
    if paths:
        tasks = [task for task in tasks if any(matching(path, [task.path]) for path in paths)]
    if not names:
        return tasks
    kept: list[Task] = []
    for name in names:
        hits = [task for task in tasks if matching(name, [task.name])]
        if not hits and "*" not in name:
            call.sink.error(query_not_found(call, "MSFT_ScheduledTask", "TaskName", name))
        kept += [task for task in hits if task not in kept]
    return kept


def _local_only(call: Call) -> None:
    if call.host.services["Schedule"].status != "Running":
        raise _refused(call, "The Task Scheduler service is not running.", SERVICE_NOT_RUNNING)
    for session in call.texts("CimSession"):
        if not second_hop.is_local(call, session):
            raise cim_error(call, "Access is denied. ", 0x80070005, "PermissionDenied", session)


def _refused(call: Call, text: str, code: int) -> TerminatingError:
    category = {FILE_NOT_FOUND: "ObjectNotFound", 0x800700B7: "ResourceExists"}.get(code, "NotSpecified")
    return TerminatingError(
        SimError(
            text,
            f"HRESULT 0x{code:08x},{call.name}",
            category,
            ("Microsoft.Management.Infrastructure.CimException", "System.Exception"),
            reason="CimException",
            target="PS_ScheduledTask",
            target_type="String",
            activity=call.name,
            hresult=code - (1 << 32),
        )
    )


def _xml(task: Task) -> str:
    definition = task.definition
    level = "HighestAvailable" if definition.run_level == "Highest" else "LeastPrivilege"
    user = "S-1-5-18" if definition.user == SYSTEM else definition.user
    actions = "".join(
        f"\r\n    <Exec>\r\n      <Command>{escape(each.command)}</Command>\r\n"
        f"      <Arguments>{escape(each.arguments)}</Arguments>\r\n    </Exec>"
        for each in definition.actions
    )
    return (
        '<?xml version="1.0" encoding="UTF-16"?>\r\n'
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">\r\n'
        f"  <RegistrationInfo>\r\n    <URI>{escape(task.path + task.name)}</URI>\r\n  </RegistrationInfo>\r\n"
        f'  <Principals>\r\n    <Principal id="Author">\r\n      <UserId>{escape(user)}</UserId>\r\n'
        f"      <RunLevel>{level}</RunLevel>\r\n    </Principal>\r\n  </Principals>\r\n"
        f"  <Settings>\r\n    <Enabled>{str(task.enabled).lower()}</Enabled>\r\n  </Settings>\r\n"
        f"  <Actions>{actions}\r\n  </Actions>\r\n</Task>"
    )
