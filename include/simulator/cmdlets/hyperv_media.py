"""Get-VMDvdDrive: what is in the DVD drives of a host's virtual machines."""

from __future__ import annotations

from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimEnum, SimError, SimObject
from include.simulator.world.groups import Group
from include.simulator.world.machines import Node

_SPACE = "Microsoft.HyperV.PowerShell."
#: Microsoft.HyperV.PowerShell.DvdMediaType.
_MEDIA = {"None": 0, "ISO": 1, "PassThrough": 2}


@cmdlet("Get-VMDvdDrive")
async def get_vm_dvd_drive(call: Call) -> None:
    """Write the drives of the virtual machines that are piped, or of those of the host that were named.

    Every machine of this world has one drive (windows-powershell-docs, Get-VMDvdDrive).
    """
    for group in _chosen(call):
        if group.vm is None:
            continue
        kind = "ISO" if group.vm.disc else "None"
        properties: dict[str, object] = {
            "ComputerName": group.owner.name,
            "ControllerLocation": 1,
            "ControllerNumber": 0,
            "DvdMediaType": SimEnum(_SPACE + "DvdMediaType", _MEDIA[kind], kind),
            "Path": group.vm.disc or None,
            "VMId": group.vm.id,
            "VMName": group.vm.name,
        }
        types = (_SPACE + "DvdDrive", _SPACE + "Drive", "System.Object")
        call.sink.output(SimObject(types, properties, to_string=types[0], source=group))


def _chosen(call: Call) -> list[Group]:
    given = call.parameters.get("VM")
    items = [*call.input, *(given if isinstance(given, list | tuple) else [given])]
    found = [item.source for item in items if isinstance(item, SimObject) and isinstance(item.source, Group)]
    if found or call.input:
        return list(dict.fromkeys(found))
    mine = [group for group in call.world.groups.on(call.host) if group.vm] if isinstance(call.host, Node) else []
    names = call.texts("VMName")
    for name in names:
        if "*" not in name and not any(matching(name, [group.name]) for group in mine):
            call.sink.error(_not_found(name))
    return [group for group in mine if any(matching(name, [group.name]) for name in names)]


def _not_found(name: str) -> SimError:
    return SimError(
        f'Hyper-V was unable to find a virtual machine with name "{name}".',
        f"InvalidParameter,{_SPACE}Commands.GetVMDvdDrive",
        "InvalidArgument",
        (_SPACE + "VirtualizationException", "System.Exception"),
        reason="VirtualizationException",
        target=name,
        target_type="String",
        activity="Get-VMDvdDrive",
    )
