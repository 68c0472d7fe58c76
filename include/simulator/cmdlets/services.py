"""Get-, Set-, Start-, Stop- and Restart-Service (PowerShell-Docs, Microsoft.PowerShell.Management)."""

from __future__ import annotations

from include.simulator.cmdlets import second_hop
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimEnum, SimError, SimObject, TerminatingError
from include.simulator.world.machines import Service
from include.simulator.world.services import ServiceRefusedError

_STATUS = {"Stopped": 1, "StartPending": 2, "StopPending": 3, "Running": 4}
_START = {"Automatic": 2, "Manual": 3, "Disabled": 4}
_EXCEPTION = ("Microsoft.PowerShell.Commands.ServiceCommandException", "System.SystemException", "System.Exception")


@cmdlet("Get-Service")
async def get_service(call: Call) -> None:
    """Write the services that were named, or all; those of another machine need credentials to go there with."""
    for name in call.texts("ComputerName") or [call.host.name]:
        try:
            host = second_hop.machine(call, name)
        except second_hop.HopRefusedError:
            raise TerminatingError(_no_manager(call, name)) from None
        for service in _found(call, host.services):
            call.sink.output(service_object(service, "." if host is call.host else host.name))


@cmdlet("Start-Service")
async def start_service(call: Call) -> None:
    """Start services and wait until they run."""
    for service in _found(call, call.host.services):
        await _start(call, service)
        _pass_on(call, service)


@cmdlet("Stop-Service")
async def stop_service(call: Call) -> None:
    """Stop services and wait until they are stopped, unless -NoWait was given."""
    for service in _found(call, call.host.services):
        await _stop(call, service, wait=not call.has("NoWait"))
        _pass_on(call, service)


@cmdlet("Restart-Service")
async def restart_service(call: Call) -> None:
    """Stop services and start them again."""
    for service in _found(call, call.host.services):
        if await _stop(call, service, wait=True):
            await _start(call, service)
        _pass_on(call, service)


@cmdlet("Set-Service")
async def set_service(call: Call) -> None:
    """Change when a service starts, and its status where one was given."""
    for name in call.texts("ComputerName"):
        if not second_hop.is_local(call, name) and not call.session.delegated:
            raise TerminatingError(_no_manager(call, name))
    name = call.text("Name") or ""
    piped = [item.source for item in call.input if isinstance(item, SimObject) and isinstance(item.source, Service)]
    known = next((each for each in call.host.services.values() if each.name.lower() == name.lower()), None)
    if known is None and not piped:
        text = f"Service {name} was not found on computer '.'."
        error_id = "InvalidOperationException,Microsoft.PowerShell.Commands.SetServiceCommand"
        call.sink.error(_record(call, text, error_id, "ObjectNotFound", ".", "InvalidOperationException"))
        return
    for service in [known] if known else piped:
        start_type = call.text("StartupType")
        if start_type in ("Boot", "System"):
            text = f"Service '{_shown(service)}' cannot be configured due to the following error: The parameter is incorrect"
            call.sink.error(_record(call, text, "CouldNotSetService", "PermissionDenied", service.name))
            continue
        if start_type:
            call.world.services.set_start_type(call.host, service.name, start_type)
        wanted = (call.text("Status") or "").lower()
        if wanted == "running":
            await _start(call, service)
        elif wanted == "stopped":
            await _stop(call, service, wait=True)
        _pass_on(call, service)


def service_object(service: Service, machine: str = ".") -> SimObject:
    """Return a service as ServiceController shows it."""
    space = "System.ServiceProcess.Service"
    properties: dict[str, object] = {
        "CanPauseAndContinue": False,
        "CanShutdown": service.status == "Running",
        "CanStop": service.status == "Running",
        "DisplayName": service.display_name,
        "MachineName": machine,
        "ServiceName": service.name,
        "StartType": SimEnum(space + "StartMode", _START[service.start_type], service.start_type),
        "Status": SimEnum(space + "ControllerStatus", _STATUS[service.status], service.status),
    }
    types = (space + "Controller", "System.ComponentModel.Component", "System.MarshalByRefObject", "System.Object")
    return SimObject(
        types, properties, {"Name": service.name, "RequiredServices": []}, to_string=service.name, source=service
    )


def _found(call: Call, services: dict[str, Service]) -> list[Service]:
    """Return the services that the command is about; writes an error for every name that is none."""
    piped = [item.source for item in call.input if isinstance(item, SimObject) and isinstance(item.source, Service)]
    if piped:
        return piped
    names, displayed = call.texts("Name"), call.texts("DisplayName")
    found: list[Service] = []
    for asked, shown in [(each, False) for each in names] + [(each, True) for each in displayed]:
        hits = [each for each in services.values() if matching(asked, [each.display_name if shown else each.name])]
        if not hits and "*" not in asked:
            call.sink.error(_none(call, asked, shown=shown))
        found += [each for each in hits if each not in found]
    if not names and not displayed:
        found = list(services.values())
    include, exclude = call.texts("Include"), call.texts("Exclude")
    in_order = [each for each in services.values() if each in found]
    return [
        each
        for each in in_order
        if (not include or any(matching(pattern, [each.name]) for pattern in include))
        and not any(matching(pattern, [each.name]) for pattern in exclude)
    ]


async def _start(call: Call, service: Service) -> None:
    try:
        call.world.services.start(call.host, service.name)
    except ServiceRefusedError as why:
        text = f"Service '{_shown(service)}' cannot be started due to the following error: {why}"
        call.sink.error(_record(call, text, "CouldNotStartService", "OpenError", service.name))
        return
    await call.world.until(lambda: service.status in ("Running", "Stopped"), call.clock)


async def _stop(call: Call, service: Service, *, wait: bool) -> bool:
    try:
        call.world.services.stop(call.host, service.name)
    except ServiceRefusedError as why:
        text = f"Service '{_shown(service)}' cannot be stopped due to the following error: {why}"
        call.sink.error(_record(call, text, "CouldNotStopService", "CloseError", service.name))
        return False
    if wait:
        await call.world.until(lambda: service.status != "StopPending", call.clock)
    return True


def _pass_on(call: Call, service: Service) -> None:
    if call.has("PassThru"):
        call.sink.output(service_object(service))


def _shown(service: Service) -> str:
    return f"{service.display_name} ({service.name})"


def _none(call: Call, name: str, *, shown: bool) -> SimError:
    kind = "display" if shown else "service"
    error_id = "NoServiceFoundForGivenDisplayName" if shown else "NoServiceFoundForGivenName"
    return _record(call, f"Cannot find any service with {kind} name '{name}'.", error_id, "ObjectNotFound", name)


def _no_manager(call: Call, name: str) -> SimError:
    text = f"Cannot open Service Control Manager on computer '{name}'. This operation might require other privileges."
    verb, _, noun = call.name.partition("-")
    error_id = f"System.InvalidOperationException,Microsoft.PowerShell.Commands.{verb}{noun}Command"
    return _record(call, text, error_id, "NotSpecified", name, "InvalidOperationException")


def _record(
    call: Call, text: str, error_id: str, category: str, target: str, reason: str = "ServiceCommandException"
) -> SimError:
    types = _EXCEPTION if reason == "ServiceCommandException" else (f"System.{reason}", *_EXCEPTION[1:])
    verb, _, noun = call.name.partition("-")
    if "," not in error_id:
        error_id = f"{error_id},Microsoft.PowerShell.Commands.{verb}{noun}Command"
    return SimError(
        text, error_id, category, types, reason=reason, target=target, target_type="String", activity=call.name
    )
