"""The virtual machines of one node, as Hyper-V shows them: what a drain has to move, and what would keep it from moving."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from include.hci.cluster.values import enum_name, named, squeeze
from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell

#: Microsoft.HyperV.PowerShell.VMState.
VM_STATES = MappingProxyType(
    {
        1: "Other",
        2: "Running",
        3: "Off",
        4: "Stopping",
        6: "Saved",
        9: "Paused",
        10: "Starting",
        11: "Reset",
        32773: "Saving",
        32776: "Pausing",
        32777: "Resuming",
        32779: "FastSaved",
        32780: "FastSaving",
    }
)
#: Microsoft.HyperV.PowerShell.VMOperationalStatus.
VM_OPERATIONS = MappingProxyType(
    {
        2: "Ok",
        3: "Degraded",
        5: "PredictiveFailure",
        11: "InService",
        15: "Dormant",
        16: "SupportingEntityInError",
        23769: "ApplyingSnapshot",
        32768: "CreatingSnapshot",
        32770: "DeletingSnapshot",
        32771: "WaitingToStart",
        32772: "MergingDisks",
        32773: "ExportingVirtualMachine",
        32774: "MigratingVirtualMachine",
        32776: "BackingUpVirtualMachine",
    }
)
_SHARED_STORAGE = ("c:\\clusterstorage\\", "\\\\")


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """One virtual machine on ``node``.

    ``memory`` is what it has now, in bytes; ``is_dynamic``: Hyper-V takes some back where others need it (dynamic memory).
    ``operations`` are what it is busy with. ``version`` is that of its configuration, ``processor`` the share of its host's
    processors that it uses at this moment, in percent; None where the host does not say.
    """

    name: str
    node: str
    state: str
    clustered: bool
    memory: int = 0
    operations: tuple[str, ...] = ()
    version: str = ""
    processor: int | None = None
    is_dynamic: bool = False

    @property
    def uses_memory(self) -> bool:
        """Whether it takes memory on its node, and on the one that it moves to."""
        return not self.state.startswith(("Off", "Saved", "FastSaved"))

    @property
    def is_backed_up(self) -> bool:
        """Whether a backup of it runs now."""
        return any("backingup" in squeeze(text) for text in self.operations)


@dataclass(frozen=True, slots=True)
class DvdDrive:
    """What is in a DVD drive of the virtual machine ``vm``: ``kind`` is None, ISO or PassThrough."""

    vm: str
    kind: str
    path: str = ""

    @property
    def ties_to_node(self) -> bool:
        """Whether it holds something that only this node has, so that the machine cannot move away with it."""
        if squeeze(self.kind) == "passthrough":
            return True
        return bool(self.path) and not self.path.lower().startswith(_SHARED_STORAGE)


def get_virtual_machines(shell: Shell, node: str) -> tuple[VirtualMachine, ...]:
    """Return the virtual machines on the node that ``shell`` talks to, clustered or not (Get-VM)."""
    return tuple(
        VirtualMachine(
            name=item.string("Name"),
            node=node,
            state=enum_name(item, "State", VM_STATES),
            clustered=item.boolean("IsClustered", False),
            memory=item.integer("MemoryAssigned", 0),
            operations=tuple(named(text, VM_OPERATIONS) for text in item.strings("OperationalStatus", ())),
            version=item.string("Version", ""),
            processor=item.integer("CPUUsage", None),
            is_dynamic=item.boolean("DynamicMemoryEnabled", False),
        )
        for item in shell.run(Command("Get-VM")).require().objects()
    )


def get_dvd_drives(shell: Shell) -> tuple[DvdDrive, ...]:
    """Return the DVD drives of the virtual machines on the node that ``shell`` talks to (Get-VMDvdDrive)."""
    pipeline = Command("Get-VM") | Command("Get-VMDvdDrive")
    return tuple(
        DvdDrive(item.string("VMName"), item.string("DvdMediaType", "None"), item.string("Path", ""))
        for item in shell.run(pipeline).require().objects()
    )
