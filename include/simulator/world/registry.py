"""The registry of the simulated machines: what is written there, and the keys that show the state of the system."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine, Node

if TYPE_CHECKING:
    from include.simulator.world.world import World

Value = int | str | list[str]

SOFTWARE = "hklm:\\software\\microsoft\\windows\\currentversion"
CURRENT_VERSION = "hklm:\\software\\microsoft\\windows nt\\currentversion"
#: Keys that exist while a restart is pending (common practice; microsoft/win32 names only the second one's owner).
CBS_PENDING = SOFTWARE + "\\component based servicing\\rebootpending"
WU_PENDING = SOFTWARE + "\\windowsupdate\\auto update\\rebootrequired"
SESSION_MANAGER = "hklm:\\system\\currentcontrolset\\control\\session manager"

#: Keys that a Windows installation has although nothing here is kept in them.
_ALWAYS = (
    SOFTWARE + "\\component based servicing",
    SOFTWARE + "\\windowsupdate\\auto update",
    SOFTWARE + "\\clusterawareupdating",
    "hklm:\\software\\policies\\microsoft\\windows",
    "hklm:\\software\\microsoft\\windowsupdate\\ux\\settings",
    SESSION_MANAGER,
)
_ROOTS = {"hkey_local_machine": "hklm:", "registry::hkey_local_machine": "hklm:"}


class NoKeyError(KeyError):
    """There is no such key."""


def normal(path: str) -> str:
    """Return ``path`` as the keys are called here, whatever the notation it came in."""
    text = path.strip().rstrip("\\").replace("/", "\\").lower().removeprefix("microsoft.powershell.core\\")
    root, separator, rest = text.partition("\\")
    root = _ROOTS.get(root, root)
    return f"{root}{separator}{rest}" if rest else root


class Registry:
    """Reads and writes values; every write is journalled."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stored: dict[str, dict[str, dict[str, Value]]] = defaultdict(dict)
        self._computed: dict[str, Callable[[Machine], Mapping[str, Value] | None]] = {
            CURRENT_VERSION: _current_version,
            CBS_PENDING: self._cbs_pending,
            WU_PENDING: self._wu_pending,
        }
        self._on_change: list[Callable[[Machine, str], None]] = []

    def on_change(self, listener: Callable[[Machine, str], None]) -> None:
        """Call ``listener`` with (machine, key) after every write."""
        self._on_change.append(listener)

    def values(self, machine: Machine, path: str) -> dict[str, Value] | None:
        """Return the values of a key, or None where there is no such key."""
        key = normal(path)
        stored = self._stored[machine.name]
        computed = self._computed[key](machine) if key in self._computed else None
        if computed is None and not self._exists(machine, key):
            return None
        return {**(computed or {}), **stored.get(key, {})}

    def value(self, machine: Machine, path: str, name: str) -> Value | None:
        """Return one value, or None where the key or the value is not there."""
        values = self.values(machine, path) or {}
        return next((value for key, value in values.items() if key.lower() == name.lower()), None)

    def create(self, machine: Machine, path: str) -> None:
        """Create a key and those above it."""
        self._stored[machine.name].setdefault(normal(path), {})

    def delete(self, machine: Machine, path: str) -> None:
        """Delete a key with everything below it; raises NoKeyError where it is not there."""
        key = normal(path)
        stored = self._stored[machine.name]
        below = [each for each in stored if each == key or each.startswith(key + "\\")]
        if not below:
            raise NoKeyError(path)
        for each in below:
            for name in list(stored[each]):
                self.remove(machine, each, name)
            del stored[each]

    def set(self, machine: Machine, path: str, name: str, value: Value) -> None:
        """Write a value; raises NoKeyError where the key is not there."""
        if self.values(machine, path) is None:
            raise NoKeyError(path)
        values = self._stored[machine.name].setdefault(normal(path), {})
        known = next((each for each in values if each.lower() == name.lower()), name)
        before = self.value(machine, path, name)
        values[known] = value
        self._announce(machine, path, known, before, value)

    def remove(self, machine: Machine, path: str, name: str) -> None:
        """Delete a value; raises NoKeyError where it is not there."""
        values = self._stored[machine.name].get(normal(path), {})
        known = next((each for each in values if each.lower() == name.lower()), None)
        if known is None:
            raise NoKeyError(name)
        self._announce(machine, path, known, values.pop(known), None)

    def _announce(self, machine: Machine, path: str, name: str, before: Value | None, after: Value | None) -> None:
        if before != after:
            node = machine if isinstance(machine, Node) else None
            detail = {"node": machine.name, "name": name, "key": normal(path), "before": before, "after": after}
            self._world.emit("policy", node, detail)
        for listener in self._on_change:
            listener(machine, normal(path))

    def _exists(self, machine: Machine, key: str) -> bool:
        keys = (*_ALWAYS, CURRENT_VERSION, *self._stored[machine.name])
        return any(each == key or each.startswith(key + "\\") for each in keys)

    def _cbs_pending(self, machine: Machine) -> Mapping[str, Value] | None:
        return {} if self._world.servicing.restart_pending(machine) else None

    def _wu_pending(self, machine: Machine) -> Mapping[str, Value] | None:
        return {} if isinstance(machine, Node) and self._world.updates.awaiting_restart(machine) else None


def _current_version(machine: Machine) -> Mapping[str, Value]:
    # DisplayVersion came after Windows Server 2019, which has only ReleaseId.
    display: dict[str, Value] = {} if machine.build <= 17763 else {"DisplayVersion": machine.os.display_version}
    return {
        "CurrentBuild": str(machine.build),
        "CurrentBuildNumber": str(machine.build),
        "CurrentMajorVersionNumber": 10,
        "CurrentMinorVersionNumber": 0,
        "CurrentType": "Multiprocessor Free",
        "CurrentVersion": "6.3",
        **display,
        "EditionID": machine.os.edition_id,
        "InstallationType": "Server Core",
        "ProductName": machine.os.caption.removeprefix("Microsoft "),
        "ReleaseId": machine.os.display_version if machine.build <= 17763 else "2009",
        "UBR": machine.ubr,
    }
