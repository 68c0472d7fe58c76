"""The Hyper-V cmdlets of a node: its own virtual machines, their power and the version of their configuration."""

from __future__ import annotations

import uuid
from datetime import timedelta

from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, ask, cmdlet
from include.simulator.objects import Int64, SimEnum, SimError, SimObject, UInt32
from include.simulator.world.groups import Group, GroupState, Vm
from include.simulator.world.machines import Node
from include.simulator.world.virtual_machines import VmStateError

_SPACE = "Microsoft.HyperV.PowerShell."
_VM_STATES = {"Running": 2, "Off": 3, "Saved": 6, "PausedCritical": 27}
#: Microsoft.HyperV.PowerShell.VMOperationalStatus.
_OPERATIONS = {"Ok": 2, "BackingUpVirtualMachine": 32776}
_STATUS = {"PausedCritical": "Cannot connect to virtual machine storage"}
#: What hosts call the configuration versions (windowsserverdocs, upgrade-virtual-machine-version).
_VERSION_NAMES = {
    "8.0": "Microsoft Windows 10 Anniversary Update/Server 2016",
    "9.0": "Microsoft Windows 10 October 2018 Update/Server 2019",
    "10.0": "Microsoft Windows Server 2022",
    "12.0": "Microsoft Windows Server 2025",
}


@cmdlet("Get-VM")
async def get_vm(call: Call) -> None:
    """Write the virtual machines of the host, those of cluster objects that are piped, or those that were named."""
    vm_id = (call.text("Id") or "").lower()
    given = call.parameters.get("ClusterObject")
    piped = [each.source for each in (*call.input, given) if isinstance(each, SimObject)]
    of_cluster = list(dict.fromkeys(each for each in piped if isinstance(each, Group)))
    for group in of_cluster or _named(call):
        if group.vm and (not vm_id or str(group.vm.id) == vm_id):
            call.sink.output(virtual_machine(group))
    if not of_cluster and not vm_id and not call.texts("Name"):
        for condition in call.world.rig.every("local-vm", call.host.name):
            call.sink.output(_local_machine(call.host.name, condition.text("name", "DC01")))


def _operations(vm: Vm) -> tuple[str, ...]:
    return ("Ok", "BackingUpVirtualMachine") if vm.backed_up else ("Ok",)


def _local_machine(node: str, name: str) -> SimObject:
    """Return a virtual machine that is no role of the cluster: it runs whenever its host does."""
    properties: dict[str, object] = {
        "ComputerName": node,
        "CPUUsage": 1,
        "Id": uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.{node}"),
        "IsClustered": False,
        "DynamicMemoryEnabled": False,
        "MemoryAssigned": Int64(4 * 1024**3),
        "Name": name,
        "State": SimEnum(_SPACE + "VMState", _VM_STATES["Running"], "Running"),
        "Status": "Operating normally",
        "Uptime": timedelta(days=1),
        "Version": "9.0",
        "VMName": name,
    }
    types = (_SPACE + "VirtualMachine", "System.Object")
    return SimObject(types, properties, to_string=types[0])


def virtual_machine(group: Group) -> SimObject:
    """Return the VirtualMachine object of a clustered role."""
    vm = group.vm
    if vm is None:
        raise TypeError(f"The role {group.name} is no virtual machine.")
    running = vm.state == "Running"
    operations = [SimEnum(_SPACE + "VMOperationalStatus", _OPERATIONS[name], name) for name in _operations(vm)]
    properties: dict[str, object] = {
        "ComputerName": group.owner.name,
        "CPUUsage": vm.processor_percent if running else 0,
        "Id": vm.id,
        "IsClustered": True,
        "DynamicMemoryEnabled": False,
        "MemoryAssigned": Int64(int(vm.memory_gib * 1024**3) if running else 0),
        "Name": vm.name,
        "OperationalStatus": operations,
        "State": SimEnum(_SPACE + "VMState", _VM_STATES[vm.state], vm.state),
        "Status": _STATUS.get(vm.state, "Operating normally"),
        "Uptime": timedelta(days=9) if running else timedelta(0),
        "Version": vm.version,
        "VMName": vm.name,
    }
    types = (_SPACE + "VirtualMachine", "System.Object")
    return SimObject(types, properties, to_string=types[0], source=group)


@cmdlet("Start-VM")
async def start_vm(call: Call) -> None:
    """Start virtual machines of the host and wait until they run."""
    for group in _chosen(call):
        try:
            call.world.virtual_machines.start(group, f"Start-VM by {call.session.user}")
        except VmStateError as why:
            call.sink.error(_wrong_state(call, group, str(why)))
            continue
        await call.world.until(lambda group=group: group.state is not GroupState.Pending, call.clock)  # type: ignore[misc]
        _pass_through(call, group)


@cmdlet("Stop-VM")
async def stop_vm(call: Call) -> None:
    """Shut virtual machines of the host down; -TurnOff pulls the plug, -Save keeps their state."""
    for group in _chosen(call):
        gently = not (call.has("Save") or call.has("TurnOff") or call.has("Force"))
        if gently and await _ignores(call, group):
            continue
        await _stop(call, group, "Saved" if call.has("Save") else "Off", wait=not call.has("TurnOff"))


async def _ignores(call: Call, group: Group) -> bool:
    """Tell whether the guest does not shut down, after the time that the host has waited for it (Stop-VM, -Force)."""
    condition = call.world.rig.find("guest-ignores-shutdown", call.host.name)
    if condition is None or group.vm is None or group.vm.state != "Running":
        return False
    if condition.text("vm", group.name).lower() != group.name.lower():
        return False
    await call.clock.sleep(timedelta(minutes=condition.number("minutes", 5.0)))
    call.world.advance()
    call.sink.error(_error(call, f"'{group.name}' failed to shut down.", "OperationFailed", "NotSpecified", group.name))
    return True


@cmdlet("Save-VM")
async def save_vm(call: Call) -> None:
    """Save virtual machines of the host."""
    for group in _chosen(call):
        await _stop(call, group, "Saved", wait=True)


async def _stop(call: Call, group: Group, state: str, *, wait: bool) -> None:
    if wait and group.vm and group.vm.state == "Running":
        await call.clock.sleep(call.world.spread(call.world.spec.timings.shutdown))
        call.world.advance()
    try:
        call.world.virtual_machines.stop(group, f"{call.name} by {call.session.user}", state)
    except VmStateError as why:
        call.sink.error(_wrong_state(call, group, str(why)))
    else:
        _pass_through(call, group)


@cmdlet("Update-VMVersion")
async def update_vm_version(call: Call) -> None:
    """Raise the configuration version of virtual machines that are off, for good; it asks unless -Force is given."""
    chosen = _chosen(call)
    ask(call)
    for group in chosen:
        try:
            call.world.virtual_machines.update_version(group)
        except VmStateError as why:
            call.sink.error(_wrong_state(call, group, str(why)))
        else:
            _pass_through(call, group)


@cmdlet("Get-VMHostSupportedVersion")
async def get_vm_host_supported_version(call: Call) -> None:
    """Write the configuration versions that the host takes, with -Default the one of new virtual machines."""
    if not isinstance(call.host, Node):
        return
    versions = call.world.virtual_machines.supported(call.host)
    for version in versions:
        default = version == versions[-1]
        if call.has("Default") and not default:
            continue
        properties: dict[str, object] = {"IsDefault": default, "Name": _VERSION_NAMES[version], "Version": version}
        types = (_SPACE + "VMHostSupportedVersion", "System.Object")
        call.sink.output(SimObject(types, properties, to_string=types[0]))


@cmdlet("Get-VMHost")
async def get_vm_host(call: Call) -> None:
    """Write the host's settings; the cluster's MaximumParallelMigrations overrides its number of live migrations."""
    if not isinstance(call.host, Node):
        return
    properties: dict[str, object] = {
        "ComputerName": call.host.name,
        "MaximumStorageMigrations": UInt32(2),
        "MaximumVirtualMachineMigrations": UInt32(2),
        "MemoryCapacity": Int64(int(call.host.memory_gib * 1024**3)),
        "Name": call.host.name,
        "VirtualMachineMigrationEnabled": True,
    }
    types = (_SPACE + "VMHost", "System.Object")
    call.sink.output(SimObject(types, properties, to_string=types[0]))


def _pass_through(call: Call, group: Group) -> None:
    if call.has("Passthru"):
        call.sink.output(virtual_machine(group))


def _chosen(call: Call) -> list[Group]:
    given = call.parameters.get("VM")
    items = [*call.input, *(given if isinstance(given, list | tuple) else [given])]
    found = list(
        dict.fromkeys(item.source for item in items if isinstance(item, SimObject) and isinstance(item.source, Group))
    )
    return found or _named(call)


def _named(call: Call) -> list[Group]:
    """Return the host's virtual machines that were named, all without a name; unknown names are errors."""
    names = call.texts("Name")
    mine = [group for group in call.world.groups.on(call.host) if group.vm] if isinstance(call.host, Node) else []
    for name in names:
        if "*" not in name and not any(matching(name, [group.name]) for group in mine):
            call.sink.error(_not_found(call, name))
    return [group for group in mine if not names or any(matching(name, [group.name]) for name in names)]


def _not_found(call: Call, name: str) -> SimError:
    return _error(
        call,
        f'Hyper-V was unable to find a virtual machine with name "{name}".',
        "InvalidParameter",
        "InvalidArgument",
        name,
    )


def _wrong_state(call: Call, group: Group, reason: str) -> SimError:
    return _error(call, reason, "InvalidState", "InvalidOperation", group.name)


def _error(call: Call, message: str, error_id: str, category: str, target: str) -> SimError:
    return SimError(
        message,
        f"{error_id},{_SPACE}Commands.{call.name.replace('-', '')}",
        category,
        (_SPACE + "VirtualizationException", "System.Exception"),
        reason="VirtualizationException",
        target=target,
        target_type="String",
        activity=call.name,
    )
