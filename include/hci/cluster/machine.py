"""One server: its operating system, build, services and restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import total_ordering

from include.hci.cluster.values import SERVICE_STATES, START_TYPES, enum_name, squeeze
from include.hci.powershell.command import Command
from include.hci.powershell.errors import EndpointRefused
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH

_VERSION_KEY = r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
#: From this build on Azure Stack HCI is Azure Local 23H2, whose updates belong to its own orchestrator (azure-stack-docs).
AZURE_LOCAL_BUILD = 25398
#: From this build on pausing a node puts its disks into maintenance mode (azure-stack-docs, maintain-servers).
AUTOMATIC_MAINTENANCE_BUILD = 20348


@total_ordering
@dataclass(frozen=True, slots=True)
class Build:
    """A Windows build and its update build revision, ``20348.2113``."""

    number: int
    revision: int = 0

    def __str__(self) -> str:
        return f"{self.number}.{self.revision}"

    def __lt__(self, other: Build) -> bool:
        return (self.number, self.revision) < (other.number, other.revision)

    @classmethod
    def parse(cls, text: str) -> Build:
        """Return the build that ``text`` (``20348.2113``) names; raises ValueError."""
        number, _, revision = text.partition(".")
        return cls(int(number), int(revision or 0))


@dataclass(frozen=True, slots=True)
class WindowsVersion:
    """Which Windows it is: the product's name and edition tell Azure Stack HCI from Windows Server of the same build."""

    build: Build
    product: str = ""
    edition: str = ""
    display: str = ""

    @property
    def is_azure_stack(self) -> bool:
        """Whether it is Azure Stack HCI or Azure Local, not Windows Server."""
        text = squeeze(f"{self.product} {self.edition}")
        return "azurestackhci" in text or "azurelocal" in text

    @property
    def is_azure_local(self) -> bool:
        """Whether it is Azure Local 23H2 or later, which must not be updated by other tools."""
        return self.is_azure_stack and self.build.number >= AZURE_LOCAL_BUILD

    @property
    def needs_manual_maintenance(self) -> bool:
        """Whether storage maintenance mode has to be entered by hand before a restart."""
        return self.build.number < AUTOMATIC_MAINTENANCE_BUILD


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """What a server says of its running system; memory is in bytes, ``local_time`` what its own clock shows."""

    boot_time: datetime
    caption: str = ""
    version: str = ""
    free_memory: int | None = None
    total_memory: int | None = None
    local_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """One Windows service."""

    name: str
    status: str
    start_type: str = "Unknown"

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self.status == "Running"


class WrongMachine(EndpointRefused):
    """The machine behind a node's address is another one."""

    title = "Wrong machine"
    default_meaning = "what is meant for the node, a restart too, would reach that machine, so nothing of it is sent"
    default_next_action = (
        "Correct the node's address in the fleet file, the host of its connection, or its name in DNS."
    )


def get_operating_system(shell: Shell, node: str = "") -> OperatingSystem:
    """Return the running system of the server; its boot time (aware, UTC) is the proof of a restart.

    Raises WrongMachine where the server is called otherwise than ``node`` (Win32_OperatingSystem, CSName), if that is given.
    """
    item = shell.run(Command("Get-CimInstance", {"ClassName": "Win32_OperatingSystem"})).require().one()
    name = item.string("CSName", "")
    if node and name and name.casefold() != node.casefold():
        raise WrongMachine(f"the machine that answers for {node} is called {name}", node=node)
    free, total = item.integer("FreePhysicalMemory", None), item.integer("TotalVisibleMemorySize", None)
    return OperatingSystem(
        boot_time=item.moment("LastBootUpTime"),
        caption=item.string("Caption", ""),
        version=item.string("Version", ""),
        free_memory=None if free is None else free * 1024,
        total_memory=None if total is None else total * 1024,
        local_time=item.moment("LocalDateTime", None),
    )


def get_install_date(shell: Shell) -> datetime | None:
    """Return when the running version was put on the server, None where it does not say (win32, Win32_OperatingSystem)."""
    item = shell.run(Command("Get-CimInstance", {"ClassName": "Win32_OperatingSystem"})).require().one()
    return item.moment("InstallDate", None)


def get_windows_version(shell: Shell) -> WindowsVersion:
    """Return the build of the server from its registry, which is where the update build revision stands."""
    item = shell.run(Command("Get-ItemProperty", {"LiteralPath": _VERSION_KEY})).require().one()
    number = item.integer("CurrentBuild", None) or item.integer("CurrentBuildNumber")
    return WindowsVersion(
        build=Build(number, item.integer("UBR", 0)),
        product=item.string("ProductName", ""),
        edition=item.string("EditionID", ""),
        display=item.string("DisplayVersion", ""),
    )


def get_services(shell: Shell, names: Sequence[str]) -> tuple[Service, ...]:
    """Return the services called ``names``; raises CommandFailed when the server has no such service."""
    return tuple(
        Service(
            name=item.string("Name"),
            status=enum_name(item, "Status", SERVICE_STATES),
            start_type=enum_name(item, "StartType", START_TYPES),
        )
        for item in shell.run(Command("Get-Service", {"Name": list(names)})).require().objects()
    )


def get_free_space(shell: Shell, drive: str = "C") -> int:
    """Return the free bytes of the volume with the letter ``drive`` (Get-Volume)."""
    return shell.run(Command("Get-Volume", {"DriveLetter": drive})).require().one().integer("SizeRemaining")


def restart_computer(shell: Shell) -> None:
    """Tell the server to restart at once, in its own session (-Wait is not valid for the local computer)."""
    shell.run(Command("Restart-Computer", {"Force": SWITCH})).require()
