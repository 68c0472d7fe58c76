"""Files that the hotfix plug-in installs from a share (windowsserverdocs, cluster-aware-updating-plug-ins)."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.cau_options import PluginUse
from include.simulator.world.cau_plugins import PluginFailure
from include.simulator.world.process import Pause
from include.simulator.world.updates import FAILED, INTERRUPTED, SUCCEEDED, UpdateResult

if TYPE_CHECKING:
    from include.simulator.world.machines import Node
    from include.simulator.world.world import World

ALL_NODES = "CAUHotfix_All"
#: Exit codes of wusa and msiexec that the default configuration file lists, and which of them ask for a restart.
_SUCCESS = {0: False, 3010: True, 0x240006: False}
#: ERROR_INSTALL_FAILURE, for every exit code that is not listed.
NOT_LISTED = 0x80070643
#: ERROR_TIMEOUT as an HRESULT.
TIMED_OUT = 0x800705B4


@dataclass(frozen=True, slots=True)
class HotfixFile:
    """One file below the root folder; ``folder`` is CAUHotfix_All or a node's name, ``exit_code`` its installer's."""

    name: str
    folder: str = ALL_NODES
    exit_code: int = 0
    minutes: float = 2.0

    @property
    def needs_restart(self) -> bool:
        """Whether the exit code asks for a restart; one that is not listed never does."""
        return _SUCCESS.get(self.exit_code, False)


class Hotfixes:
    """The root folders that there are, and which file is installed where."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._folders: dict[str, tuple[HotfixFile, ...]] = {}
        self._installed: set[tuple[str, str]] = set()

    def put(self, root: str, *files: HotfixFile) -> None:
        """Put ``files`` below ``root``."""
        self._folders[_normal(root)] = files

    def found(self, node: Node, use: PluginUse) -> list[UpdateSpec]:
        """Return the files for ``node`` that were not installed yet; raises PluginFailure where the folder cannot be read."""
        root = use.argument("HotfixRootFolderPath")
        files = self._folders.get(_normal(root))
        if files is None:
            raise PluginFailure(f"The hotfix root folder {root} cannot be read.", 0x80070003)
        mine = [each for each in files if each.folder.lower() in (ALL_NODES.lower(), node.name.lower())]
        updates = [_update(root, each) for each in mine]
        return [each for each in updates if (node.name, each.update_id) not in self._installed]

    def install(
        self, node: Node, use: PluginUse, updates: list[UpdateSpec], orchestrator: str
    ) -> Generator[Pause, bool, list[UpdateResult]]:
        """Run the installer of every file; one that takes too long or ends with an exit code that is not listed has failed."""
        root, results = use.argument("HotfixRootFolderPath"), []
        limit = timedelta(minutes=float(use.argument("HotfixInstallerTimeoutMinutes", "30")))
        wanted = {each.update_id for each in updates}
        for file in self._folders.get(_normal(root), ()):
            update = _update(root, file)
            if update.update_id not in wanted:
                continue
            takes = self._world.spread(timedelta(minutes=file.minutes))
            boot = node.boot_time
            yield min(takes, limit)
            hresult = 0 if file.exit_code in _SUCCESS else NOT_LISTED
            if takes > limit:
                hresult = TIMED_OUT
            elif node.boot_time != boot or not node.up:
                hresult = INTERRUPTED
            if not hresult:
                self._installed.add((node.name, update.update_id))
                node.pending_restart |= file.needs_restart
            code = FAILED if hresult else SUCCEEDED
            results.append(UpdateResult(update, code, hresult, self._world.now))
            detail = {
                "node": node.name,
                "update_id": update.update_id,
                "kb": "",
                "title": update.title,
                "result_code": code,
                "hresult": f"0x{hresult:08X}",
                "orchestrator": orchestrator,
            }
            self._world.emit("update.installed", node, detail)
        return results


def _normal(path: str) -> str:
    return path.lower().rstrip("\\")


def _update(root: str, file: HotfixFile) -> UpdateSpec:
    path = f"{root.rstrip(chr(92))}\\{file.folder}\\{file.name}"
    return UpdateSpec(
        str(uuid.uuid5(uuid.NAMESPACE_URL, path.lower())),
        "",
        path,
        install_minutes=file.minutes,
        needs_restart=file.needs_restart,
    )
