"""Shutting down, saving and starting clustered virtual machines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from include.hci.cluster.nodes import ClusterResource
from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.shell import Shell

_KIND = "Virtual Machine"
_RUNNING = frozenset({"Online", "OnlinePending", "OfflinePending"})
#: A machine with much memory takes a while to be saved.
_SAVING = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class ClusteredVm:
    """A virtual machine of the cluster by the role that it belongs to; ``state`` is that of the machine's own resource.

    The role's state does not tell whether the machine runs: its configuration may be online without it.
    """

    name: str
    node: str
    state: str

    @property
    def is_running(self) -> bool:
        """Whether it runs, or is on its way up or down."""
        return self.state in _RUNNING


def clustered_vms(resources: Iterable[ClusterResource]) -> tuple[ClusteredVm, ...]:
    """Return the virtual machines among the cluster's ``resources``, sorted by name."""
    found = (ClusteredVm(item.group, item.owner, item.state) for item in resources if item.kind == _KIND)
    return tuple(sorted(found, key=lambda vm: vm.name.lower()))


def shut_down_vm(shell: Shell, name: str, patience: timedelta) -> None:
    """Let the guest of the virtual machine in the role ``name`` shut down, from the node that owns it (Stop-VM).

    Without -Force, which would end programs that do not. Where the guest cannot be told, Stop-VM would ask whether to turn it
    off; nobody can be asked in a session without a host, which is an error. Raises CommandFailed when it does not shut down, and
    ChangeDeadlineExceeded when that takes longer than ``patience``.
    """
    shell.run(_machine(name) | Command("Stop-VM"), timeout=patience).require()


def save_vm(shell: Shell, name: str) -> None:
    """Save the virtual machine in the role ``name``, from the node that owns it (Save-VM)."""
    shell.run(_machine(name) | Command("Save-VM"), timeout=_SAVING).require()


def _machine(name: str) -> Pipeline:
    # A role need not be called like its machine, and two nodes may have machines of the same name.
    return Command("Get-ClusterGroup", {"Name": name}) | Command("Get-VM")
