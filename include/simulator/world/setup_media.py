"""Extracted setup media on file shares, from which the rolling upgrade installs where it may not go to Windows Update."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.feature_catalogue import media_updates
from include.simulator.world.versions import OsVersion, os_version

if TYPE_CHECKING:
    from include.simulator.world.machines import Node
    from include.simulator.world.world import World

#: The path does not exist (win32, system error codes).
NO_SUCH_PATH = 0x80070003
#: Setup: the upgrade is not possible with these media, of another edition or too far away (windows, upgrade error codes).
MIGRATION_NOT_AVAILABLE = 0xC1900204


class MediaError(Exception):
    """Setup media are not there, or are not for this server; ``hresult`` is what setup says."""

    def __init__(self, text: str, hresult: int) -> None:
        super().__init__(text)
        self.hresult = hresult


class SetupMedia:
    """The media that there are, by their share."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._versions: dict[str, OsVersion] = {}
        for path, version in world.spec.media:
            self.put(path, version)

    def put(self, path: str, version: str) -> None:
        """Put the media of ``version`` onto a share; ValueError for a version that there is not, or no path of a share."""
        if not path.startswith("\\\\"):
            raise ValueError(f"{path!r} is no path of a share; setup media are at \\\\server\\share\\folder.")
        target = os_version(version)
        self._versions[_key(path)] = target
        for update in media_updates(target):
            self._world.updates.catalogue.setdefault(update.update_id, update)

    def take_all_away(self) -> dict[str, str]:
        """Let nobody read any media any more; return the version of each by its share."""
        lost = {path: version.key for path, version in self._versions.items()}
        self._versions.clear()
        return lost

    def offered(self, node: Node, path: str) -> list[UpdateSpec]:
        """Return what the media at ``path`` bring to ``node``, nothing where it has that version; raises MediaError."""
        target = self._versions.get(_key(path))
        if target is None:
            raise MediaError(f"The setup media at {path!r} cannot be read.", NO_SUCH_PATH)
        if node.os.edition_id == target.edition_id and node.build == target.build:
            return []
        for update in media_updates(target):
            if node.os.edition_id == target.edition_id and node.build == update.for_build:
                return [self._world.updates.catalogue[update.update_id]]
        held = f"{target.caption}, {target.version}"
        text = f"The setup media at {path!r} ({held}) do not upgrade {node.name} from {node.os.version}."
        raise MediaError(text, MIGRATION_NOT_AVAILABLE)


def _key(path: str) -> str:
    return path.lower().rstrip("\\")
