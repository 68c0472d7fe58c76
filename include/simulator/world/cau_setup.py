"""The rules of Test-CauSetup, judged by the state of the world (windowsserverdocs, cluster-aware-updating-requirements)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.world.cau_options import OptionError, PluginUse, RunOptions
from include.simulator.world.cau_plugins import PluginError
from include.simulator.world.firewall import REMOTE_SHUTDOWN
from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.world import World

Rule = Callable[["World"], list[str]]

ERROR, WARNING = "Error", "Warning"
#: The first build whose failover clusters CAU can update (Windows Server 2012).
_FIRST_BUILD = 9200
_WINHTTP = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections"


@dataclass(frozen=True, slots=True)
class BpaRule:
    """One rule: ``check`` returns the machines that break it."""

    number: int
    id: str
    title: str
    severity: str
    check: Rule


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one rule."""

    rule: BpaRule
    failed: tuple[str, ...]
    ran: bool = True


def judge(world: World) -> list[Finding]:
    """Return what every rule says; where the cluster cannot be reached no other rule runs."""
    found: list[Finding] = []
    for rule in RULES:
        reachable = not found or not found[0].failed
        found.append(Finding(rule, tuple(rule.check(world)) if reachable else (), reachable))
    return found


def _where(world: World, broken: Callable[[Node], bool]) -> list[str]:
    return [node.name for node in world.nodes if broken(node)]


def _cluster(world: World) -> list[str]:
    """Whether the cluster's name is found: a node that is down alone breaks the rule about the cluster service."""
    return [] if any(node.member for node in world.nodes) else [world.management_host.name]


def _wmi(world: World) -> list[str]:
    return _where(world, lambda node: not world.remoting.configured(node))


def _powershell(world: World) -> list[str]:
    return _where(world, lambda node: not world.remoting.state(node).powershell)


def _version(world: World) -> list[str]:
    return _where(world, lambda node: node.build < _FIRST_BUILD)


def _framework(world: World) -> list[str]:
    return _where(world, lambda node: not world.features.installed(node, "NET-Framework-45-Core"))


def _service(world: World) -> list[str]:
    return _where(world, lambda node: not node.member or node.services["ClusSvc"].start_type != "Automatic")


def _automatic(world: World) -> list[str]:
    return _where(world, lambda node: world.policies.of(node).installs)


def _source(world: World) -> list[str]:
    sources = [world.policies.of(node).source for node in world.nodes]
    usual = max(sources, key=sources.count)
    return _where(world, lambda node: world.policies.of(node).source != usual)


def _shutdown(world: World) -> list[str]:
    return _where(world, lambda node: not world.firewall.in_effect(node, REMOTE_SHUTDOWN))


def _proxy(world: World) -> list[str]:
    return _where(world, lambda node: not world.registry.value(node, _WINHTTP, "WinHttpSettings"))


def _installed(world: World) -> list[str]:
    return [] if world.cau.role else [world.spec.cluster]


def _enabled(world: World) -> list[str]:
    return [] if world.cau.role is None or world.cau.roles.enabled else [world.spec.cluster]


def _uses(world: World) -> tuple[PluginUse, ...]:
    options = _options(world)
    return options.plugins if options else ()


def _plugin(world: World) -> list[str]:
    def lacks(node: Node) -> bool:
        for use in _uses(world):
            try:
                world.cau.plugins.check(node, use)
            except (PluginError, OptionError):
                return True
        return False

    return _where(world, lacks)


def _same_plugins(world: World) -> list[str]:
    if world.cau.role is None:
        return []
    names = {node.name: tuple(each.name for each in world.cau.plugins.on(node)) for node in world.nodes}
    sets = list(names.values())
    usual = max(sets, key=sets.count)
    return _where(world, lambda node: names[node.name] != usual)


def _valid(world: World) -> list[str]:
    role = world.cau.role
    if role is None:
        return []
    never = role.schedule is not None and role.schedule.next_after(world.now) is None
    return [world.spec.cluster] if never or _options(world) is None else []


def _owners(world: World) -> list[str]:
    role = world.cau.role
    return [world.spec.cluster] if role is not None and len(role.possible_owners) < 2 else []


def _scripts(world: World) -> list[str]:
    options = _options(world)
    return [path for path in (options.pre_update_script, options.post_update_script) if path] if options else []


def _readable(world: World) -> list[str]:
    def hidden(node: Node) -> bool:
        copies = [world.cau.scripts.find(node.name, path) for path in _scripts(world)]
        return any(copy is None or copy.unreadable for copy in copies)

    return _where(world, hidden)


def _identical(world: World) -> list[str]:
    different: set[str] = set()
    for path in _scripts(world):
        copies = {node.name: world.cau.scripts.find(node.name, path) for node in world.nodes}
        texts = [copy.text if copy else "" for copy in copies.values()]
        usual = max(texts, key=texts.count)
        different |= {name for name, copy in copies.items() if (copy.text if copy else "") != usual}
    return sorted(different)


def _warning(world: World) -> list[str]:
    options = _options(world)
    if options is None or options.warn_after is None or options.stop_after is None:
        return []
    return [world.spec.cluster] if options.warn_after >= options.stop_after else []


def _options(world: World) -> RunOptions | None:
    role = world.cau.role
    if role is None:
        return None
    try:
        return world.cau.read_options(role.options)
    except OptionError:
        return None


_TABLE: tuple[tuple[str, str, str, Rule], ...] = (
    ("ClusterAvailable", "The failover cluster must be available", ERROR, _cluster),
    ("WmiRemoting", "The failover cluster nodes must be enabled for remote management via WMI", ERROR, _wmi),
    ("PowerShellRemoting", "PowerShell remoting should be enabled on each failover cluster node", ERROR, _powershell),
    ("ClusterVersion", "The failover cluster must be running a supported version of Windows Server", ERROR, _version),
    (
        "DotNetAndPowerShell",
        "The required versions of .NET Framework and Windows PowerShell must be installed on all failover cluster nodes",
        ERROR,
        _framework,
    ),
    ("ClusterService", "The Cluster service should be running on all cluster nodes", WARNING, _service),
    (
        "AutomaticUpdates",
        "Automatic Updates must not be configured to automatically install updates on any failover cluster node",
        WARNING,
        _automatic,
    ),
    ("SameUpdateSource", "The failover cluster nodes should use the same update source", WARNING, _source),
    (
        "RemoteShutdown",
        "A firewall rule that allows remote shutdown should be enabled on each node in the failover cluster",
        ERROR,
        _shutdown,
    ),
    (
        "WinHttpProxy",
        "The proxy server setting on each failover cluster node should be set to a local proxy server",
        WARNING,
        _proxy,
    ),
    (
        "RoleInstalled",
        "The CAU clustered role should be installed on the failover cluster to enable self-updating mode",
        WARNING,
        _installed,
    ),
    (
        "RoleEnabled",
        "The CAU clustered role should be enabled on the failover cluster to enable self-updating mode",
        WARNING,
        _enabled,
    ),
    (
        "PluginRegistered",
        "The configured CAU plug-in for self-updating mode must be registered on all failover cluster nodes",
        ERROR,
        _plugin,
    ),
    (
        "SamePlugins",
        "All failover cluster nodes should have the same set of registered CAU plug-ins",
        WARNING,
        _same_plugins,
    ),
    ("OptionsValid", "The configured Updating Run options must be valid", ERROR, _valid),
    (
        "TwoOwners",
        "At least two failover cluster nodes must be owners of the CAU clustered role",
        ERROR,
        _owners,
    ),
    (
        "ScriptsReadable",
        "All failover cluster nodes must be able to access Windows PowerShell scripts",
        ERROR,
        _readable,
    ),
    (
        "ScriptsIdentical",
        "All failover cluster nodes should use identical Windows PowerShell scripts",
        WARNING,
        _identical,
    ),
    (
        "WarnBeforeStop",
        "The WarnAfter setting specified for the Updating Run should be less than the StopAfter setting",
        WARNING,
        _warning,
    ),
)
RULES = tuple(BpaRule(number, *row) for number, row in enumerate(_TABLE, start=1))
