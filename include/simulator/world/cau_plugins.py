"""The plug-ins of CAU: which there are on a machine, what arguments they take, and which updates they find.

Sources: windowsserverdocs, cluster-aware-updating-plug-ins; azure-stack-docs, update-cluster for the rolling upgrade.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.cau_options import DEFAULT_PLUGIN, OptionError, PluginUse
from include.simulator.world.criteria import InvalidCriteriaError, parse
from include.simulator.world.setup_media import MediaError

if TYPE_CHECKING:
    from include.simulator.world.machines import Machine, Node
    from include.simulator.world.world import World

HOTFIX = "Microsoft.HotfixPlugin"
ROLLING_UPGRADE = "Microsoft.RollingUpgradePlugin"
DEFAULT_QUERY = "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1"
#: The variant in which the Windows Update plug-in takes whatever its query finds.
TAKES_FEATURES = "cau-windows-update-plugin-takes-feature-updates"
#: 20H2 has the rolling upgrade from KB5003237 on, which made it build 17784.1737 (azure-stack-docs, update-cluster).
_ROLLING_UPGRADE_UBR = 1737
_MODULES = "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\Modules\\ClusterAwareUpdating\\"
_ARGUMENTS = {
    DEFAULT_PLUGIN: ("IncludeRecommendedUpdates", "QueryString"),
    HOTFIX: (
        "HotfixRootFolderPath",
        "RequireSmbEncryption",
        "DisableAclChecks",
        "HotfixInstallerTimeoutMinutes",
        "HotfixConfigFileName",
    ),
    ROLLING_UPGRADE: ("WuConnected", "PathToSetupMedia", "UpdateClusterFunctionalLevel", "MockSetup"),
}


def from_windows_update(use: PluginUse) -> bool:
    """Tell whether a rolling upgrade gets the operating system from Windows Update, and not from setup media."""
    return use.argument("WuConnected").lower() != "false"


class PluginError(Exception):
    """A plug-in is not there, is there already, or may not be taken away."""


class PluginFailure(Exception):
    """A plug-in cannot say what is to be installed; ``hresult`` is what it reports."""

    def __init__(self, text: str, hresult: int) -> None:
        super().__init__(text)
        self.hresult = hresult


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plug-in: ``query`` is what one from elsewhere looks for in the catalogue (criteria of the Windows Update Agent)."""

    name: str
    path: str
    query: str = ""

    @property
    def built_in(self) -> bool:
        """Whether it came with the module; such a one cannot be unregistered."""
        return self.name in _ARGUMENTS


class Plugins:
    """What is registered on which machine, and the files that could be."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._files: dict[tuple[str, str], Plugin] = {}
        self._added: dict[str, dict[str, Plugin]] = {name: {} for name in world.machines}

    def put_file(self, machine: Machine, path: str, name: str, query: str) -> None:
        """Put a plug-in's file onto ``machine`` so that it can be registered there."""
        parse(query)
        self._files[machine.name, path.lower()] = Plugin(name, path, query)

    def on(self, machine: Machine) -> list[Plugin]:
        """Return what is registered on ``machine`` by name."""
        return sorted(self._all(machine).values(), key=lambda plugin: plugin.name)

    def find(self, machine: Machine, name: str) -> Plugin | None:
        """Return the plug-in called ``name``, or None where it is not registered on ``machine``."""
        return self._all(machine).get(name.lower())

    def register(self, machine: Machine, path: str) -> Plugin:
        """Register the file at ``path``; raises PluginError."""
        plugin = self._files.get((machine.name, path.lower()))
        if plugin is None:
            raise PluginError(f"Could not find the plug-in file {path}.")
        if self.find(machine, plugin.name):
            raise PluginError(f"The plug-in {plugin.name} is already registered.")
        self._added[machine.name][plugin.name.lower()] = plugin
        return plugin

    def unregister(self, machine: Machine, name: str) -> Plugin:
        """Take the plug-in called ``name`` away; raises PluginError, for a built-in one too."""
        plugin = self.find(machine, name)
        if plugin is None:
            raise PluginError(f"The plug-in {name} is not registered.")
        if plugin.built_in:
            raise PluginError(f"The plug-in {name} is built in and cannot be unregistered.")
        return self._added[machine.name].pop(plugin.name.lower())

    def check(self, machine: Machine, use: PluginUse) -> Plugin:
        """Return the plug-in that ``use`` names; raises PluginError where ``machine`` lacks it, OptionError for its arguments."""
        plugin = self.find(machine, use.name)
        if plugin is None:
            raise PluginError(f"The plug-in {use.name} is not registered on {machine.name}.")
        known = {name.lower() for name in _ARGUMENTS.get(plugin.name, ())}
        for name in use.arguments:
            if plugin.built_in and name.lower() not in known:
                raise OptionError("CauPluginArguments", f"The plug-in {plugin.name} has no argument {name}.")
        if plugin.name == ROLLING_UPGRADE and not from_windows_update(use) and not use.argument("PathToSetupMedia"):
            text = f"The plug-in {ROLLING_UPGRADE} needs the argument PathToSetupMedia where WuConnected is false."
            raise OptionError("CauPluginArguments", text)
        if plugin.name == HOTFIX and not use.argument("HotfixRootFolderPath"):
            raise OptionError("CauPluginArguments", f"The plug-in {HOTFIX} needs the argument HotfixRootFolderPath.")
        return plugin

    def search(self, machine: Machine, node: Node, use: PluginUse) -> list[UpdateSpec]:
        """Return what the plug-in of ``machine`` finds for ``node``; raises PluginFailure."""
        plugin = self.find(machine, use.name)
        updates = self._world.updates
        if plugin is None:
            raise PluginFailure(f"The plug-in {use.name} is not registered on {machine.name}.", 0x80070002)
        if plugin.name == HOTFIX:
            return self._world.cau.hotfixes.found(node, use)
        if plugin.name == ROLLING_UPGRADE:
            return self._upgrades(node, use)
        query = (use.argument("QueryString") or DEFAULT_QUERY) if plugin.name == DEFAULT_PLUGIN else plugin.query
        try:
            criteria = parse(query)
        except InvalidCriteriaError:
            raise PluginFailure(f"The query is not valid: {query}", 0x80240032) from None
        found = updates.search(node, criteria, recommended=use.flag("IncludeRecommendedUpdates") or bool(plugin.query))
        if plugin.name == DEFAULT_PLUGIN and not self._world.variant(TAKES_FEATURES):
            return [each for each in found if not each.is_feature_update]
        return found

    def _upgrades(self, node: Node, use: PluginUse) -> list[UpdateSpec]:
        if not from_windows_update(use):
            try:
                return self._world.cau.media.offered(node, use.argument("PathToSetupMedia"))
            except MediaError as why:
                raise PluginFailure(str(why), why.hresult) from None
        criteria = parse("IsInstalled=0 and Type='Software'")
        return self._world.updates.search(node, criteria, features_only=True)

    def _all(self, machine: Machine) -> dict[str, Plugin]:
        names = [DEFAULT_PLUGIN, HOTFIX]
        # The module of Windows Server 2019 lacks the rolling upgrade: MSLab copies it from a node.
        if machine.os.docset != "2019" or (machine.os.key == "20H2" and machine.ubr >= _ROLLING_UPGRADE_UBR):
            names.append(ROLLING_UPGRADE)
        built_in = {name.lower(): Plugin(name, _MODULES + "ClusterAwareUpdating.dll") for name in names}
        return built_in | self._added.get(machine.name, {})
