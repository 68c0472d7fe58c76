"""Files and folders of the simulated machines, as far as a coordinator writes and reads them; they outlive restarts."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from include.simulator.world.machines import Machine, Node

if TYPE_CHECKING:
    from include.simulator.world.world import World

#: Folders that every Windows has.
FOLDERS = frozenset({"c:", "c:\\windows", "c:\\windows\\system32", "c:\\windows\\cluster", "c:\\program files"})
_POWERSHELL = "c:\\windows\\system32\\windowspowershell"
#: What else is there and is never changed.
_THERE = frozenset({_POWERSHELL, _POWERSHELL + "\\v1.0", _POWERSHELL + "\\v1.0\\powershell.exe"})


class PathExistsError(Exception):
    """There is something at the path already."""


class NoPathError(Exception):
    """There is nothing at the path, or not what was asked for."""


class NotEmptyError(Exception):
    """The folder holds something, and nobody said that it may go as well."""


class Files:
    """What was written on each machine; None stands for a folder."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._items: dict[str, dict[str, tuple[str, str | None]]] = defaultdict(dict)

    def exists(self, machine: Machine, path: str) -> bool:
        """Tell whether there is a file or a folder."""
        key = _key(path)
        return key in FOLDERS or key in _THERE or key in self._items[machine.name]

    def is_folder(self, machine: Machine, path: str) -> bool:
        """Tell whether there is a folder."""
        key = _key(path)
        found = self._items[machine.name].get(key)
        fixed = key in FOLDERS or (key in _THERE and not key.endswith(".exe"))
        return fixed or (found is not None and found[1] is None)

    def make_folder(self, machine: Machine, path: str) -> None:
        """Make a folder and those above it; raises PathExistsError."""
        if self.exists(machine, path):
            raise PathExistsError(path)
        above = _above(path)
        if above and not self.exists(machine, above):
            self.make_folder(machine, above)
        self._put(machine, path, None)

    def write(self, machine: Machine, path: str, text: str) -> None:
        """Write a file; raises NoPathError where its folder is missing."""
        if not self.is_folder(machine, _above(path)) or self.is_folder(machine, path):
            raise NoPathError(path)
        self._put(machine, path, text)

    def read(self, machine: Machine, path: str) -> str:
        """Return the content of a file; raises NoPathError."""
        found = self._items[machine.name].get(_key(path))
        if found is None or found[1] is None:
            raise NoPathError(path)
        return found[1]

    def remove(self, machine: Machine, path: str, *, recurse: bool = False) -> None:
        """Remove a file or a folder; raises NoPathError, or NotEmptyError for a folder with something in it."""
        items, key = self._items[machine.name], _key(path)
        if key not in items:
            raise NoPathError(path)
        inner = [each for each in items if each.startswith(key + "\\")]
        if inner and not recurse:
            raise NotEmptyError(path)
        for each in [*inner, key]:
            shown = items.pop(each)[0]
            self._announce(machine, shown, "removed")

    def paths(self, machine: Machine) -> list[str]:
        """Return the paths of everything that was made and is still there."""
        return sorted(shown for shown, _ in self._items[machine.name].values())

    def _put(self, machine: Machine, path: str, text: str | None) -> None:
        items, key = self._items[machine.name], _key(path)
        known = key in items
        items[key] = (path.rstrip("\\"), text)
        if not known:
            self._announce(machine, path.rstrip("\\"), "created")

    def _announce(self, machine: Machine, path: str, action: str) -> None:
        node = machine if isinstance(machine, Node) else None
        self._world.emit("file", node, {"node": machine.name, "path": path, "action": action})


def _key(path: str) -> str:
    return path.replace("/", "\\").rstrip("\\").lower()


def _above(path: str) -> str:
    return path.replace("/", "\\").rstrip("\\").rpartition("\\")[0]
