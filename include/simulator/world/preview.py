"""The preview channel: whether a server gets its updates from it, and from which ring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine, Node

if TYPE_CHECKING:
    from include.simulator.world.world import World

#: What Set-PreviewChannel without parameters chooses, and the audience behind it (azure-stack-docs, update-cluster; SConfig).
RELEASE_PREVIEW = "ReleasePreview"
AUDIENCE = "ReleasePreview-External"
CHANNELS = ("Dev", "Beta", RELEASE_PREVIEW)
#: KB5003237 brings 20H2 to this revision; before it the cmdlets do not work there (azure-stack-docs, update-cluster).
_FIRST_REVISION_OF_20H2 = 1737


@dataclass(frozen=True, slots=True)
class Channel:
    """What a server is set to."""

    enabled: bool = False
    channel: str = ""
    ring: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change."""

    succeeded: bool
    restart_required: bool


class PreviewChannels:
    """Keeps every server's channel; flight signing takes effect with a restart."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._channels: dict[str, Channel] = {}
        self._signing_since: dict[str, int] = {}

    def available(self, machine: Machine) -> bool:
        """Tell whether the machine's Windows has the preview channel at all."""
        if machine.build <= 17763:
            return False
        return machine.build != 17784 or machine.ubr >= _FIRST_REVISION_OF_20H2

    def of(self, machine: Machine) -> Channel:
        """Return what ``machine`` is set to."""
        return self._channels.get(machine.name, Channel())

    def receives(self, machine: Machine) -> bool:
        """Tell whether preview updates are offered: a channel is set and the restart for flight signing is done."""
        since = self._signing_since.get(machine.name)
        return self.of(machine).enabled and since is not None and _restarts(machine) > since

    def set(self, machine: Machine, channel: str, ring: str) -> Outcome:
        """Put ``machine`` onto a channel; ValueError for one that there is not."""
        known = next((each for each in CHANNELS if each.lower() == channel.lower()), None)
        if known is None:
            raise ValueError(f"There is no preview channel {channel!r}.")
        before = self.of(machine)
        after = self._channels[machine.name] = Channel(True, known, ring)
        first = machine.name not in self._signing_since
        self._signing_since.setdefault(machine.name, _restarts(machine))
        if before != after:
            node = machine if isinstance(machine, Node) else None
            detail = {
                "node": machine.name,
                "name": "PreviewChannel",
                "before": before.channel or None,
                "after": after.channel,
            }
            self._world.emit("policy", node, detail)
        return Outcome(True, first)


def _restarts(machine: Machine) -> int:
    return machine.restarts if isinstance(machine, Node) else 0
