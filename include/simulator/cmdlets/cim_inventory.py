"""The classes of root/cimv2 that tell about a machine itself."""

from __future__ import annotations

from collections.abc import Callable

from include.simulator.cmdlets.cim_objects import instance
from include.simulator.cmdlets.cim_time_zone import time_zone
from include.simulator.cmdlets.registry import Call
from include.simulator.objects import SimObject, UInt16, UInt32, UInt64
from include.simulator.world.catalogue import SECURITY, UpdateSpec
from include.simulator.world.machines import Machine, Node
from include.simulator.world.world import World

NAMESPACE = "root/cimv2"


def operating_system(call: Call) -> SimObject:
    """Return the Win32_OperatingSystem of the machine the command runs on."""
    host = call.host
    total = int(host.memory_gib * 1024 * 1024)
    free = int(call.world.groups.free_memory(host) * 1024 * 1024) if isinstance(host, Node) else total // 2
    properties: dict[str, object] = {
        "BootDevice": "\\Device\\HarddiskVolume1",
        "BuildNumber": str(host.build),
        "Caption": host.os.caption,
        "CSName": host.name,
        "FreePhysicalMemory": UInt64(max(0, free)),
        "InstallDate": host.installed_at or host.boot_time.replace(year=host.boot_time.year - 1, month=1, day=15),
        "LastBootUpTime": host.boot_time + host.clock_skew,
        "LocalDateTime": call.world.now + host.clock_skew,
        "Name": f"{host.os.caption}|C:\\Windows|\\Device\\Harddisk0\\Partition4",
        "NumberOfProcesses": UInt32(120),
        "OSArchitecture": "64-bit",
        "OSLanguage": UInt32(1033),
        "Status": "OK",
        "SystemDirectory": "C:\\Windows\\system32",
        "TotalVisibleMemorySize": UInt64(total),
        "Version": f"10.0.{host.build}",
    }
    classes = ("Win32_OperatingSystem", "CIM_OperatingSystem", "CIM_LogicalElement", "CIM_ManagedSystemElement")
    return instance(
        NAMESPACE, classes, properties, host=host.name, to_string=f"Win32_OperatingSystem: {host.os.caption}"
    )


def computer_system(call: Call) -> SimObject:
    """Return the Win32_ComputerSystem of the machine the command runs on."""
    host = call.host
    properties: dict[str, object] = {
        "Domain": call.world.spec.domain,
        "DNSHostName": host.name,
        "DomainRole": UInt16(3),
        "Manufacturer": "Contoso",
        "Model": "HCI Server" if isinstance(host, Node) else "Virtual Machine",
        "Name": host.name,
        "PartOfDomain": True,
        "Status": "OK",
        "TotalPhysicalMemory": UInt64(int(host.memory_gib * 1024**3)),
    }
    classes = ("Win32_ComputerSystem", "CIM_UnitaryComputerSystem", "CIM_ComputerSystem", "CIM_System")
    return instance(NAMESPACE, classes, properties, host=host.name, to_string=f"Win32_ComputerSystem: {host.name}")


def services(call: Call) -> list[SimObject]:
    """Return the Win32_Service objects of the machine the command runs on."""
    start_modes = {"Automatic": "Auto", "Manual": "Manual", "Disabled": "Disabled"}
    states = {"StartPending": "Start Pending", "StopPending": "Stop Pending"}
    classes = ("Win32_Service", "Win32_BaseService", "CIM_Service", "CIM_EnabledLogicalElement")
    return [
        instance(
            NAMESPACE,
            classes,
            {
                "DisplayName": service.display_name,
                "ExitCode": UInt32(0),
                "Name": service.name,
                "Started": service.status == "Running",
                "StartMode": start_modes[service.start_type],
                "State": states.get(service.status, service.status),
                "Status": "OK",
                "SystemName": call.host.name,
            },
            host=call.host.name,
            to_string=f'Win32_Service (Name = "{service.name}")',
        )
        for service in call.host.services.values()
    ]


def quick_fixes(world: World, machine: Machine) -> list[dict[str, object]]:
    """Return what Win32_QuickFixEngineering tells of ``machine``: installed packages that are in effect, and nothing else."""
    if not isinstance(machine, Node):
        return []
    record = world.updates.record(machine)
    updates = [(world.updates.catalogue[each], record.installed_at.get(each)) for each in record.installed]
    return [
        {
            "Caption": f"http://support.microsoft.com/?kbid={update.kb.removeprefix('KB')}",
            "CSName": machine.name,
            "Description": "Security Update" if SECURITY in update.categories else "Update",
            "HotFixID": update.kb,
            "InstalledBy": "NT AUTHORITY\\SYSTEM",
            "InstalledOn": at.replace(hour=0, minute=0, second=0, microsecond=0) if at else None,
        }
        for update, at in sorted(updates, key=lambda each: each[0].kb)
        if update.listed and update.kb and record.installed[update.update_id] and _is_for(world, machine, update)
    ]


def _is_for(world: World, node: Node, update: UpdateSpec) -> bool:
    """Tell whether the update is one of the version that the node runs: a feature update starts the list anew."""
    return node.build == (update.for_build or world.spec.os.build)


def _fixes(call: Call) -> list[SimObject]:
    classes = ("Win32_QuickFixEngineering", "CIM_LogicalElement", "CIM_ManagedSystemElement")
    return [instance(NAMESPACE, classes, each, host=call.host.name) for each in quick_fixes(call.world, call.host)]


READERS: dict[str, Callable[[Call], list[SimObject]]] = {
    "Win32_OperatingSystem": lambda call: [operating_system(call)],
    "Win32_ComputerSystem": lambda call: [computer_system(call)],
    "Win32_Service": services,
    "Win32_QuickFixEngineering": _fixes,
    "Win32_TimeZone": lambda call: [time_zone(call)],
}
