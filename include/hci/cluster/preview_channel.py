"""The preview channel of one server: whether it gets the builds that are not released yet.

The vendor has no page for these cmdlets. What they give and take is as SConfig, Windows' own configuration tool, calls them
(its module SConfig.Update: Enabled, Channel, Ring; Succeeded, RestartRequired, ExitCode), and azure-stack-docs, update-cluster,
says what Set-PreviewChannel without parameters does.
"""

from __future__ import annotations

from dataclasses import dataclass

from include.hci.cluster.machine import Build
from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell

#: On 20H2 the cmdlets do not work before KB5003237, which brings this build (azure-stack-docs, update-cluster).
BUILD_20H2 = 17784
FIRST_20H2 = Build(BUILD_20H2, 1737)


@dataclass(frozen=True, slots=True)
class PreviewChannel:
    """What a server is set to; channel and ring as they came."""

    enabled: bool = False
    channel: str = ""
    ring: str = ""

    def describe(self) -> str:
        """Return it in a few words."""
        if not self.enabled:
            return "no preview channel"
        return f"{self.channel or 'a preview channel'}{f' ({self.ring})' if self.ring else ''}"


@dataclass(frozen=True, slots=True)
class ChannelResult:
    """What Set-PreviewChannel says of its work; None: it does not say."""

    succeeded: bool
    restart_required: bool | None = None
    exit_code: int | None = None


def get_preview_channel(shell: Shell) -> PreviewChannel:
    """Return the server's preview channel; raises CommandNotAvailable where Windows has none."""
    item = shell.run(Command("Get-PreviewChannel")).require().one()
    return PreviewChannel(item.boolean("Enabled", False), item.string("Channel", ""), item.string("Ring", ""))


def set_preview_channel(shell: Shell) -> ChannelResult:
    """Put the server onto the release preview channel, which is what the cmdlet without parameters does.

    Only the result object tells how that went. There is no way back but a clean installation (azure-stack-docs, preview-channel).
    """
    item = shell.run(Command("Set-PreviewChannel", changes=True)).require().one()
    return ChannelResult(
        succeeded=item.boolean("Succeeded", False),
        restart_required=item.boolean("RestartRequired", None),
        exit_code=item.integer("ExitCode", None),
    )
