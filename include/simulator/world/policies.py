"""What tells Windows Update on a machine what to do: the policy values, the update source, the active hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine
from include.simulator.world.registry import Value, normal

if TYPE_CHECKING:
    from include.simulator.world.world import World

#: Registry settings of the Windows Update policy (windows-itpro-docs, waas-wu-settings).
WINDOWS_UPDATE = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate"
AUTOMATIC = WINDOWS_UPDATE + "\\AU"
ACTIVE_HOURS = "HKLM:\\SOFTWARE\\Microsoft\\WindowsUpdate\\UX\\Settings"
#: Attack surface reduction rules and the one that blocks processes which PsExec and WMI commands start.
ASR_RULES = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows Defender\\Windows Defender Exploit Guard\\ASR\\Rules"
ASR_WMI = "D1E49AAC-8F56-4280-B9BA-993A6D77406C"

_KEYS = {
    name.lower(): (name, key)
    for key, names in {
        WINDOWS_UPDATE: (
            "WUServer",
            "WUStatusServer",
            "DoNotConnectToWindowsUpdateInternetLocations",
            "ExcludeWUDriversInQualityUpdate",
            "SetActiveHours",
        ),
        AUTOMATIC: (
            "NoAutoUpdate",
            "AUOptions",
            "UseWUServer",
            "ScheduledInstallDay",
            "ScheduledInstallTime",
            "NoAutoRebootWithLoggedOnUsers",
            "AlwaysAutoRebootAtScheduledTime",
        ),
        ACTIVE_HOURS: ("ActiveHoursStart", "ActiveHoursEnd"),
    }.items()
    for name in names
}

#: AUOptions: notify, download and notify, install on a schedule, let the local administrator choose.
NOTIFY, DOWNLOAD, INSTALL, LOCAL_CHOICE = 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class UpdatePolicy:
    """How automatic updates behave on a machine.

    ``option`` is AUOptions. Where nothing is configured, updates are downloaded and an administrator is told (SConfig,
    DownloadOnly). ``day``: 0 every day, else 1 (Sunday) to 7. ``hour``: when to install. ``active_hours``: from and to, in
    which no automatic restart happens.
    """

    off: bool
    option: int
    day: int
    hour: int
    active_hours: tuple[int, int] | None
    wsus: str

    @property
    def installs(self) -> bool:
        """Whether updates are installed without anybody asking for it."""
        return not self.off and self.option == INSTALL

    @property
    def source(self) -> str:
        """Where updates come from: the address of the WSUS server, or Windows Update."""
        return self.wsus or "Windows Update"

    def may_restart_at(self, hour: int) -> bool:
        """Tell whether an automatic restart may happen in ``hour``."""
        if self.active_hours is None:
            return True
        first, last = self.active_hours
        inside = first <= hour < last if first <= last else hour >= first or hour < last
        return not inside


class Policies:
    """Reads and sets the values, wherever in the registry they belong."""

    def __init__(self, world: World) -> None:
        self._world = world

    def set(self, machine: Machine, name: str, value: Value | None) -> None:
        """Set the value called ``name``, or take it away; ValueError where there is none of that name."""
        if name.lower() not in _KEYS:
            raise ValueError(
                f"There is no policy value {name!r}; there are {', '.join(sorted(n for n, _ in _KEYS.values()))}."
            )
        known, key = _KEYS[name.lower()]
        registry = self._world.registry
        if value is not None:
            registry.create(machine, key)
            registry.set(machine, key, known, value)
        elif registry.value(machine, key, known) is not None:
            registry.remove(machine, key, known)

    def values(self, machine: Machine) -> dict[str, Value]:
        """Return every value that is set, by name."""
        registry = self._world.registry
        found = {name: registry.value(machine, key, name) for name, key in _KEYS.values()}
        return {name: value for name, value in found.items() if value is not None}

    def of(self, machine: Machine) -> UpdatePolicy:
        """Return how automatic updates behave on ``machine``."""
        values = self.values(machine)

        def number(name: str, default: int) -> int:
            value = values.get(name, default)
            return int(value) if isinstance(value, int | str) and str(value).isdigit() else default

        hours = (number("ActiveHoursStart", -1), number("ActiveHoursEnd", -1))
        server = str(values.get("WUServer", ""))
        return UpdatePolicy(
            off=number("NoAutoUpdate", 0) == 1,
            option=number("AUOptions", DOWNLOAD),
            day=number("ScheduledInstallDay", 0),
            hour=number("ScheduledInstallTime", 3),
            active_hours=None if -1 in hours else hours,
            wsus=server if number("UseWUServer", 0) == 1 else "",
        )

    def blocks_wmi_processes(self, machine: Machine) -> bool:
        """Tell whether Defender's rule against processes from WMI is in Block mode (1; 2 is audit, 6 warn), which stops CAU.

        Source: AzureLocal-Supportability, Windows Defender blocking WMI commands.
        """
        return str(self._world.registry.value(machine, ASR_RULES, ASR_WMI)) == "1"

    @staticmethod
    def concerns(key: str) -> bool:
        """Tell whether ``key`` holds any of the values."""
        return normal(key) in {normal(each) for _, each in _KEYS.values()}
