"""The configuration version of virtual machines: never down again (windowsserverdocs, upgrade-virtual-machine-version).

Every command runs on the node that owns the machine: Hyper-V of another node is out of reach without delegated credentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from include.hci.cluster.values import enum_name
from include.hci.cluster.virtual_machines import VM_STATES
from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.errors import AnswerNotUnderstood
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH

_RAISING = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class VmVersion:
    """The configuration version of one machine, and its state by Hyper-V: a role that is offline may be off or saved."""

    version: str
    state: str


def order(version: str) -> tuple[int, ...]:
    """Return a configuration version (``10.0``) as something that can be compared; raises ValueError."""
    return tuple(int(part) for part in version.split("."))


def get_vm_version(shell: Shell, role: str) -> VmVersion:
    """Return the version of the virtual machine in ``role``, from the node that owns it."""
    found = shell.run(_machine(role)).require().objects()
    if len(found) != 1:
        raise AnswerNotUnderstood(f"the role {role} has {len(found)} virtual machines where one belongs")
    return VmVersion(found[0].string("Version"), enum_name(found[0], "State", VM_STATES))


def get_default_version(shell: Shell) -> str:
    """Return the version that a new machine gets on the host (Get-VMHostSupportedVersion -Default)."""
    item = shell.run(Command("Get-VMHostSupportedVersion", {"Default": SWITCH})).require().one()
    return item.string("Version")


def get_supported_versions(shell: Shell) -> tuple[str, ...]:
    """Return the versions that the host takes (Get-VMHostSupportedVersion)."""
    items = shell.run(Command("Get-VMHostSupportedVersion")).require().objects()
    return tuple(item.string("Version") for item in items)


def update_vm_version(shell: Shell, role: str) -> None:
    """Raise the version of the machine in ``role`` to the host's default; it has to be off (Update-VMVersion -Force)."""
    pipeline = _machine(role) | Command("Update-VMVersion", {"Force": SWITCH})
    shell.run(pipeline, timeout=_RAISING).require()


def _machine(role: str) -> Pipeline:
    # A role need not be called like its machine, and two nodes may have machines of the same name.
    return Command("Get-ClusterGroup", {"Name": role}) | Command("Get-VM")
