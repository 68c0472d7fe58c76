"""What runs on a machine at the start, as part of a world's specification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.features import FEATURES

if TYPE_CHECKING:
    from include.simulator.world.machines import Machine
    from include.simulator.world.world import World


@dataclass(frozen=True, slots=True)
class SoftwareSpec:
    """The software of one machine where it is not as after a quiet installation.

    ``ubr``: its update build revision, where it is behind or ahead of the others. ``policies`` are values of the Windows Update
    policy (such as ("AUOptions", 4)) and the active hours, by name. ``registry`` are further values as (key, name, value).
    ``firewall``: display groups whose rules are enabled beside the usual ones. ``start_types``: services that do not start as
    usual. ``bitlocker``: its operating system volume is encrypted and protected by the TPM. ``remoting``: PowerShell remoting
    is enabled. ``without_features``: Windows features that it lacks.
    """

    ubr: int | None = None
    policies: tuple[tuple[str, int | str], ...] = ()
    registry: tuple[tuple[str, str, int | str], ...] = ()
    firewall: tuple[str, ...] = ()
    start_types: tuple[tuple[str, str], ...] = ()
    bitlocker: bool = False
    remoting: bool = True
    without_features: tuple[str, ...] = ()


def furnish(world: World, machine: Machine, software: SoftwareSpec) -> None:
    """Make ``machine`` what ``software`` says; an unknown policy, service, feature or rule group raises ValueError."""
    if software.ubr is not None:
        machine.ubr = software.ubr
    for name, value in software.policies:
        world.policies.set(machine, name, value)
    for key, name, value in software.registry:
        world.registry.create(machine, key)
        world.registry.set(machine, key, name, value)
    for group in software.firewall:
        if group not in world.firewall.groups(machine):
            raise ValueError(f"{machine.name} has no firewall rules of a group {group!r}.")
        world.firewall.enable_group(machine, group)
    for name, start_type in software.start_types:
        if name not in machine.services:
            raise ValueError(f"{machine.name} has no service {name!r}.")
        world.services.set_start_type(machine, name, start_type)
    if software.bitlocker:
        world.bitlocker.encrypt(machine)
    if not software.remoting:
        world.remoting.disable_powershell(machine)
    for name in software.without_features:
        if name.lower() not in FEATURES:
            raise ValueError(f"There is no Windows feature {name!r}.")
        world.features.leave_out(machine, FEATURES[name.lower()])
