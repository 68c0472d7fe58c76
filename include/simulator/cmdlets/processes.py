"""Get-Process: the programs that run on a machine beside those of Windows (PowerShell-Docs, Microsoft.PowerShell.Management)."""

from __future__ import annotations

from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet, fail
from include.simulator.objects import SimError, SimObject

_FILE_VERSION = ("System.Diagnostics.FileVersionInfo", "System.Object")
_ERROR = ("Microsoft.PowerShell.Commands.ProcessCommandException", "System.SystemException", "System.Exception")


@cmdlet("Get-Process")
async def get_process(call: Call) -> None:
    """Write the file versions of the programs that were named; a name that none has is an error of its own."""
    if not call.has("FileVersionInfo"):
        raise fail(
            "This simulated machine shows the file versions of processes only.", "NotSimulated", "NotImplemented"
        )
    for name in call.texts("Name") or ["*"]:
        hits = [each for each in call.host.programs if matching(name, [each])]
        if not hits and "*" not in name:
            call.sink.error(_none(name))
        for each in hits:
            version = call.host.programs[each]
            properties: dict[str, object] = {
                "FileName": f"C:\\Program Files\\{each}\\{each}.exe",
                "FileVersion": version,
                "ProductVersion": version,
            }
            call.sink.output(SimObject(_FILE_VERSION, properties, to_string=_FILE_VERSION[0]))


def _none(name: str) -> SimError:
    return SimError(
        f'Cannot find a process with the name "{name}". Verify the process name and call the cmdlet again.',
        "NoProcessFoundForGivenName,Microsoft.PowerShell.Commands.GetProcessCommand",
        "ObjectNotFound",
        _ERROR,
        reason="ProcessCommandException",
        target=name,
        target_type="String",
        activity="Get-Process",
    )
