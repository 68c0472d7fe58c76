"""Virtual machines by themselves: starting, stopping and saving them, and the version of their configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.simulator.world.groups import Group, GroupState, Vm
from include.simulator.world.levels import version_of
from include.simulator.world.machines import Node
from include.simulator.world.versions import OsVersion, os_version

if TYPE_CHECKING:
    from include.simulator.world.world import World


class VmStateError(Exception):
    """The virtual machine is in a state in which this cannot be done."""


def order(version: str) -> tuple[int, ...]:
    """Return a configuration version as something that can be compared."""
    return tuple(int(part) for part in version.split("."))


class VirtualMachines:
    """Starts, stops, saves and upgrades virtual machines, and journals it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def supported(self, node: Node) -> tuple[str, ...]:
        """Return the configuration versions that ``node`` takes, the default one last.

        Azure Stack HCI has no table of its own: it is taken to follow the Windows Server of the same build, or with the
        variant the one before.
        """
        return self._taken_by(version_of(node))

    def _taken_by(self, version: OsVersion) -> tuple[str, ...]:
        lags = self._world.variant("hci-vm-versions-lag-behind") and version.edition_id == "ServerAzureStackHCICor"
        return version.vm_versions[:-1] if lags and len(version.vm_versions) > 2 else version.vm_versions

    def common(self) -> str:
        """Return the configuration version that a virtual machine has when it was made for all nodes of the cluster.

        Where the nodes were upgraded since, it is still that of the version they had then.
        """
        formed = self._world.spec.formed_with
        then = [self._taken_by(os_version(formed))[-1]] if formed else []
        return min((*then, *(self.supported(node)[-1] for node in self._world.nodes)), key=order)

    def runs_on(self, vm: Vm, node: Node) -> bool:
        """Tell whether ``node`` takes the configuration version of ``vm``."""
        return vm.version in self.supported(node)

    def start(self, group: Group, reason: str) -> None:
        """Start a virtual machine where it is; raises VmStateError where its storage is offline or it already runs."""
        vm = _vm(group)
        if vm.state == "Running":
            raise VmStateError(f"The operation cannot be performed while '{vm.name}' is in its current state.")
        if not self._world.storage.serves(vm.disk) or group.configuration_failed:
            raise VmStateError(f"'{vm.name}' failed to start: its configuration is not accessible.")
        group.wanted = True
        self._world.groups.start(group, reason)

    def stop(self, group: Group, reason: str, state: str = "Off") -> None:
        """Shut a virtual machine down, or save it where ``state`` is Saved; its role goes offline with it."""
        vm = _vm(group)
        if vm.state not in ("Running", "Paused", "PausedCritical") and not (vm.state == "Saved" and state == "Off"):
            raise VmStateError(f"The operation cannot be performed while '{vm.name}' is in its current state.")
        group.wanted = False
        self._world.groups.set_vm(group, state, reason)
        if group.state is not GroupState.Offline:
            self._world.groups.set_state(group, GroupState.Offline, reason)

    def update_version(self, group: Group) -> None:
        """Raise the configuration version to the host's default; raises VmStateError unless it is off or saved.

        It can never go down again (windowsserverdocs, upgrade-virtual-machine-version).
        """
        vm = _vm(group)
        if vm.state != "Off":
            raise VmStateError(f"The operation cannot be performed while '{vm.name}' is in its current state.")
        before, after = vm.version, self.supported(group.owner)[-1]
        if order(after) <= order(before):
            return
        vm.version = after
        self._world.emit("vm.version", None, {"vm": vm.name, "before": before, "after": after})


def _vm(group: Group) -> Vm:
    if group.vm is None:
        raise TypeError(f"The role {group.name} is no virtual machine.")
    return group.vm
