"""Cmdlets that a machine may lack although the reference of its Windows has them: their feature or an update is missing."""

from __future__ import annotations

from include.simulator.world.machines import Machine
from include.simulator.world.world import World

_PREVIEW = frozenset({"get-previewchannel", "set-previewchannel"})
_BITLOCKER = frozenset({"get-bitlockervolume", "suspend-bitlocker", "resume-bitlocker"})


def missing(world: World, machine: Machine, name: str) -> bool:
    """Tell whether ``machine`` lacks the cmdlet called ``name``."""
    short = name.rpartition("\\")[2].lower()
    if short in _PREVIEW:
        return not world.preview.available(machine)
    return short in _BITLOCKER and not world.features.installed(machine, "BitLocker")
