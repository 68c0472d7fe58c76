"""Get-HotFix (PowerShell-Docs, Get-HotFix): what component based servicing installed, no proof of the full patch state."""

from __future__ import annotations

from include.simulator.cmdlets import cim_inventory, second_hop
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimError, SimObject

_CLASS = "root\\cimv2\\Win32_QuickFixEngineering"
_TYPES = (
    f"System.Management.ManagementObject#{_CLASS}",
    "System.Management.ManagementObject",
    "System.Management.ManagementBaseObject",
    "System.ComponentModel.Component",
    "System.MarshalByRefObject",
    "System.Object",
)


@cmdlet("Get-HotFix")
async def get_hotfix(call: Call) -> None:
    """Write the hotfixes that were named, or all; another machine needs credentials to go there with."""
    for name in call.texts("ComputerName") or ["localhost"]:
        try:
            host = second_hop.machine(call, name)
        except second_hop.HopRefusedError as why:
            call.sink.error(_failed(call, why, name))
            continue
        wanted, described = call.texts("Id"), call.texts("Description")
        found = [
            each
            for each in cim_inventory.quick_fixes(call.world, host)
            if (not wanted or any(matching(pattern, [str(each["HotFixID"])]) for pattern in wanted))
            and (not described or any(matching(pattern, [str(each["Description"])]) for pattern in described))
        ]
        if not found and (wanted or described):
            call.sink.error(_none(call, name))
        for each in found:
            call.sink.output(
                SimObject(_TYPES, dict(each), {"PSComputerName": host.name}, to_string=f"\\\\{host.name}\\{_CLASS}")
            )


def _none(call: Call, name: str) -> SimError:
    return SimError(
        f"Cannot find the requested hotfix on the '{name}' computer. Verify the input and run the command again.",
        "GetHotFixNoEntriesFound,Microsoft.PowerShell.Commands.GetHotFixCommand",
        "ObjectNotFound",
        ("System.ArgumentException", "System.SystemException", "System.Exception"),
        reason="ArgumentException",
        target=name,
        target_type="String",
        activity=call.name,
    )


def _failed(call: Call, why: second_hop.HopRefusedError, name: str) -> SimError:
    refused = why.code == second_hop.ACCESS_DENIED
    return SimError(
        f"{why} (Exception from HRESULT: 0x{0x80070000 | why.code:08X})",
        f"System.{'UnauthorizedAccessException' if refused else 'Runtime.InteropServices.COMException'},"
        "Microsoft.PowerShell.Commands.GetHotFixCommand",
        "NotSpecified",
        (
            "System.UnauthorizedAccessException" if refused else "System.Runtime.InteropServices.COMException",
            "System.SystemException",
            "System.Exception",
        ),
        target=name,
        target_type="String",
        activity=call.name,
    )
