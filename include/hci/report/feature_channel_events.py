"""What a feature update writes down about the preview channel, which a server never leaves again without a clean installation."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from include.hci.report.event import RunEvent, StepName
from include.hci.report.values import Frozen


class ChannelSeen(Frozen):
    """The preview channel of one node, as a person reads it; ``build`` is the node's."""

    node: str
    channel: str
    build: str = ""


class PreviewChannelRead(RunEvent):
    """Every node is on a preview channel; ``restart`` are those that still have to restart for it, as this run knows."""

    kind = "outcome"
    event: Literal["preview_channel_read"] = "preview_channel_read"
    step: StepName = "preview_channel"
    channels: tuple[ChannelSeen, ...]
    restart: tuple[str, ...] = ()


class PreviewChannelSetting(RunEvent):
    """The node is about to join the preview channel; ``before`` is what it was set to, ``boot_time`` since when it ran then."""

    kind = "intent"
    event: Literal["preview_channel_setting"] = "preview_channel_setting"
    step: StepName = "preview_channel"
    node: str
    before: str
    boot_time: AwareDatetime


class PreviewChannelNotSet(RunEvent):
    """Set-PreviewChannel said that it did not succeed, with this exit code."""

    kind = "done"
    event: Literal["preview_channel_not_set"] = "preview_channel_not_set"
    step: StepName = "preview_channel"
    node: str
    exit_code: int | None = None


class PreviewChannelSet(RunEvent):
    """The node has joined the preview channel.

    ``restart_needed`` and ``exit_code`` are what the cmdlet said; None: its answer was lost. ``boot_time``: since when the node
    ran at that time, so that a later one proves a restart.
    """

    kind = "done"
    event: Literal["preview_channel_set"] = "preview_channel_set"
    step: StepName = "preview_channel"
    node: str
    before: str
    after: str
    boot_time: AwareDatetime
    restart_needed: bool | None = None
    exit_code: int | None = None
