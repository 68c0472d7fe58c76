"""Cmdlets about the machine itself: registry, services, restart, virtual machines."""

from __future__ import annotations

from datetime import timedelta

from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet, fail
from include.simulator.objects import Int64, SimEnum, SimError, SimObject
from include.simulator.world.machines import Machine, Node, Service
from include.simulator.world.power import ShutdownInProgressError

_STATUS = {"Stopped": 1, "StartPending": 2, "StopPending": 3, "Running": 4}
_START = {"Automatic": 2, "Manual": 3, "Disabled": 4}
_VM_STATES = {"Running": 2, "Off": 3, "Saved": 6}
_CURRENT_VERSION = "hklm:\\software\\microsoft\\windows nt\\currentversion"


@cmdlet("Get-ItemProperty")
async def get_item_property(call: Call) -> None:
    """Write the values of a registry key; the simulated machines have the key that tells the Windows version."""
    for path in (*call.texts("LiteralPath"), *call.texts("Path")):
        normal = path.lower().replace("registry::hkey_local_machine", "hklm:").rstrip("\\")
        if normal != _CURRENT_VERSION:
            call.sink.error(_no_path(call, path))
            continue
        values = current_version(call.host)
        names = call.texts("Name")
        for name in names:
            if not any(matching(name, [key]) for key in values):
                call.sink.error(_no_property(call, name, path))
        notes = {
            key: value for key, value in values.items() if not names or any(matching(each, [key]) for each in names)
        }
        parent, _, child = path.rpartition("\\")
        provider = "Microsoft.PowerShell.Core\\Registry"
        notes |= {
            "PSPath": f"{provider}::{path.replace('HKLM:', 'HKEY_LOCAL_MACHINE')}",
            "PSParentPath": f"{provider}::{parent.replace('HKLM:', 'HKEY_LOCAL_MACHINE')}",
            "PSChildName": child,
            "PSDrive": "HKLM",
            "PSProvider": provider,
        }
        call.sink.output(
            SimObject(("System.Management.Automation.PSCustomObject", "System.Object"), {}, notes, to_string="")
        )


def current_version(host: Machine) -> dict[str, object]:
    """Return the values of the key CurrentVersion of Windows NT."""
    return {
        "CurrentBuild": str(host.build),
        "CurrentBuildNumber": str(host.build),
        "CurrentMajorVersionNumber": 10,
        "CurrentMinorVersionNumber": 0,
        "CurrentType": "Multiprocessor Free",
        "CurrentVersion": "6.3",
        "DisplayVersion": host.os.display_version,
        "EditionID": host.os.edition_id,
        "InstallationType": "Server Core",
        "ProductName": host.os.caption.removeprefix("Microsoft "),
        "ReleaseId": "2009",
        "UBR": host.ubr,
    }


@cmdlet("Get-Service")
async def get_service(call: Call) -> None:
    """Write the services that were named, or all."""
    names = call.texts("Name")
    services = call.host.services
    for name in names:
        if "*" not in name and name.lower() not in {each.lower() for each in services}:
            call.sink.error(
                SimError(
                    f"Cannot find any service with service name '{name}'.",
                    "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand",
                    "ObjectNotFound",
                    (
                        "Microsoft.PowerShell.Commands.ServiceCommandException",
                        "System.SystemException",
                        "System.Exception",
                    ),
                    reason="ServiceCommandException",
                    target=name,
                    target_type="String",
                    activity=call.name,
                )
            )
    for service in services.values():
        if not names or any(matching(name, [service.name]) for name in names):
            call.sink.output(_service(service))


def _service(service: Service) -> SimObject:
    space = "System.ServiceProcess.Service"
    properties: dict[str, object] = {
        "CanPauseAndContinue": False,
        "CanShutdown": service.status == "Running",
        "CanStop": service.status == "Running",
        "DisplayName": service.display_name,
        "MachineName": ".",
        "ServiceName": service.name,
        "StartType": SimEnum(space + "StartMode", _START[service.start_type], service.start_type),
        "Status": SimEnum(space + "ControllerStatus", _STATUS[service.status], service.status),
    }
    types = (space + "Controller", "System.ComponentModel.Component", "System.MarshalByRefObject", "System.Object")
    return SimObject(
        types, properties, {"Name": service.name, "RequiredServices": []}, to_string=service.name, source=service
    )


@cmdlet("Restart-Computer")
async def restart_computer(call: Call) -> None:
    """Order a restart of the machine the session is on; it returns at once, and the session dies some seconds later.

    -Wait is not valid for the local computer, and without -Force other users' sessions stand against it (PowerShell-Docs,
    Restart-Computer).
    """
    names = [name.split(".")[0].lower() for name in call.texts("ComputerName")]
    if any(name not in ("localhost", call.host.name.lower(), "") for name in names):
        raise _restart_failed(call, f"Failed to restart the computer {', '.join(names)}: Access is denied.")
    if call.has("Wait"):
        raise fail(
            "Failed to restart the local computer: a computer cannot wait for itself.",
            "RestartComputerInvalidParameter,Microsoft.PowerShell.Commands.RestartComputerCommand",
            "InvalidOperation",
        )
    if not isinstance(call.host, Node):
        raise _restart_failed(call, f"Failed to restart the computer {call.host.name}: Access is denied.")
    if not call.has("Force"):
        why = "The system shutdown cannot be initiated because there are other users logged on to the computer."
        raise _restart_failed(
            call, f"Failed to restart the computer {call.host.name} with the following error message: {why}"
        )
    try:
        call.world.power.restart(call.host, call.session.user)
    except ShutdownInProgressError as why:
        text = f"Failed to restart the computer {call.host.name} with the following error message: {why}"
        raise _restart_failed(call, text) from None


def _restart_failed(call: Call, message: str) -> Exception:
    return fail(
        message,
        "RestartcomputerFailed,Microsoft.PowerShell.Commands.RestartComputerCommand",
        "OperationStopped",
        exception_types=("System.InvalidOperationException", "System.SystemException", "System.Exception"),
        reason="InvalidOperationException",
        target=call.host.name,
        target_type="String",
        activity=call.name,
    )


@cmdlet("Get-VM")
async def get_vm(call: Call) -> None:
    """Write the virtual machines of the host."""
    names = call.texts("Name")
    mine = [group for group in call.world.groups.on(call.host) if group.vm] if isinstance(call.host, Node) else []
    for name in names:
        if "*" not in name and not any(matching(name, [group.name]) for group in mine):
            call.sink.error(
                SimError(
                    f'Hyper-V was unable to find a virtual machine with name "{name}".',
                    "InvalidParameter,Microsoft.HyperV.PowerShell.Commands.GetVM",
                    "InvalidArgument",
                    ("Microsoft.HyperV.PowerShell.VirtualizationException", "System.Exception"),
                    reason="VirtualizationException",
                    target=name,
                    target_type="String",
                    activity=call.name,
                )
            )
    for group in mine:
        vm = group.vm
        if vm is None or (names and not any(matching(name, [vm.name]) for name in names)):
            continue
        running = vm.state == "Running"
        properties: dict[str, object] = {
            "ComputerName": call.host.name,
            "Id": vm.id,
            "IsClustered": True,
            "MemoryAssigned": Int64(int(vm.memory_gib * 1024**3) if running else 0),
            "Name": vm.name,
            "State": SimEnum("Microsoft.HyperV.PowerShell.VMState", _VM_STATES[vm.state], vm.state),
            "Status": "Operating normally",
            "Uptime": timedelta(days=9) if running else timedelta(0),
            "VMName": vm.name,
        }
        types = ("Microsoft.HyperV.PowerShell.VirtualMachine", "System.Object")
        call.sink.output(SimObject(types, properties, to_string=types[0], source=group))


def _no_path(call: Call, path: str) -> SimError:
    return SimError(
        f"Cannot find path '{path}' because it does not exist.",
        "PathNotFound,Microsoft.PowerShell.Commands.GetItemPropertyCommand",
        "ObjectNotFound",
        ("System.Management.Automation.ItemNotFoundException", "System.Management.Automation.SessionStateException"),
        reason="ItemNotFoundException",
        target=path,
        target_type="String",
        activity=call.name,
    )


def _no_property(call: Call, name: str, path: str) -> SimError:
    return SimError(
        f"Property {name} does not exist at path {path}.",
        "System.Management.Automation.PSArgumentException,Microsoft.PowerShell.Commands.GetItemPropertyCommand",
        "InvalidArgument",
        ("System.Management.Automation.PSArgumentException", "System.ArgumentException", "System.Exception"),
        reason="PSArgumentException",
        target=name,
        target_type="String",
        activity=call.name,
    )
