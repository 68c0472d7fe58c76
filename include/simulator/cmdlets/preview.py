"""Get- and Set-PreviewChannel (SConfig; azure-stack-docs, update-cluster; Windows Admin Center loads module PreviewOptIn)."""

from __future__ import annotations

from include.simulator.cmdlets.registry import Call, cmdlet, fail
from include.simulator.objects import SimObject
from include.simulator.world.preview import AUDIENCE, RELEASE_PREVIEW

_CUSTOM = ("System.Management.Automation.PSCustomObject", "System.Object")


@cmdlet("Get-PreviewChannel")
async def get_preview_channel(call: Call) -> None:
    """Write what the server is set to."""
    channel = call.world.preview.of(call.host)
    notes: dict[str, object] = {"Enabled": channel.enabled, "Channel": channel.channel, "Ring": channel.ring}
    call.sink.output(SimObject(_CUSTOM, {}, notes, to_string=""))


@cmdlet("Set-PreviewChannel")
async def set_preview_channel(call: Call) -> None:
    """Put the server onto a channel, the release preview unless told otherwise; the result says whether to restart it."""
    channel = call.text("Channel") or RELEASE_PREVIEW
    ring = call.text("Ring") or (AUDIENCE if channel.lower() == RELEASE_PREVIEW.lower() else "External")
    try:
        outcome = call.world.preview.set(call.host, channel, ring)
    except ValueError as why:
        raise fail(
            str(why),
            f"System.ArgumentException,{call.name}",
            "InvalidArgument",
            exception_types=("System.ArgumentException", "System.SystemException", "System.Exception"),
            reason="ArgumentException",
            target=channel,
            target_type="String",
            activity=call.name,
        ) from None
    notes: dict[str, object] = {
        "Succeeded": outcome.succeeded,
        "RestartRequired": outcome.restart_required,
        "ExitCode": 3010 if outcome.restart_required else 0,
    }
    call.sink.output(SimObject(_CUSTOM, {}, notes, to_string=""))
