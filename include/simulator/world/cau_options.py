"""The options of an Updating Run by CAU's names (windows-powershell-docs, Invoke-CauRun; cluster-aware-updating-options)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

DEFAULT_PLUGIN = "Microsoft.WindowsUpdatePlugin"
DEFAULT_RETRIES = 3
DEFAULT_REBOOT_TIMEOUT = timedelta(minutes=15)
MAX_RETRIES = 64
MAX_PATH = 260

#: Every option of a run that the CAU role can keep as well, by its parameter's name.
RUN_OPTIONS = (
    "CauPluginName",
    "CauPluginArguments",
    "MaxFailedNodes",
    "MaxRetriesPerNode",
    "NodeOrder",
    "PreUpdateScript",
    "PostUpdateScript",
    "ConfigurationName",
    "RequireAllNodesOnline",
    "WarnAfter",
    "StopAfter",
    "RebootTimeoutMinutes",
    "SeparateReboots",
    "RunPluginsSerially",
    "StopOnPluginFailure",
    "EnableFirewallRules",
    "FailbackMode",
    "SuspendClusterNodeTimeoutMinutes",
    "SuspendRetriesPerNode",
    "WaitForStorageRepairTimeoutMinutes",
    "ForcePauseNoDrain",
    "ForcePauseAndDrain",
    "ForcePauseDrainAndReboot",
    "SkipUpdateChecks",
    "SiteAwareUpdatingOrder",
    "OsRollingUpgrade",
    "AttemptSoftReboot",
    "RebootMode",
)


class OptionError(ValueError):
    """An option has a value that CAU does not take; ``option`` names it."""

    def __init__(self, option: str, text: str) -> None:
        super().__init__(text)
        self.option = option


@dataclass(frozen=True, slots=True)
class PluginUse:
    """One plug-in of a run with its arguments."""

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    def argument(self, name: str, default: str = "") -> str:
        """Return an argument whatever the case of its name."""
        return next((value for key, value in self.arguments.items() if key.lower() == name.lower()), default)

    def flag(self, name: str) -> bool:
        """Tell whether an argument says 'True'."""
        return self.argument(name).lower() == "true"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of one run; ``pause`` is drain, none, force or force-and-reboot, None means CAU's own default."""

    plugins: tuple[PluginUse, ...] = (PluginUse(DEFAULT_PLUGIN),)
    max_failed_nodes: int = 0
    max_retries_per_node: int = DEFAULT_RETRIES
    node_order: tuple[str, ...] = ()
    pre_update_script: str = ""
    post_update_script: str = ""
    require_all_nodes_online: bool = False
    warn_after: timedelta | None = None
    stop_after: timedelta | None = None
    reboot_timeout: timedelta = DEFAULT_REBOOT_TIMEOUT
    separate_reboots: bool = False
    run_plugins_serially: bool = False
    stop_on_plugin_failure: bool = False
    enable_firewall_rules: bool = False
    failback_mode: str = "Immediate"
    suspend_timeout: timedelta | None = None
    suspend_retries: int = 0
    storage_timeout: timedelta | None = None
    pause: str = "drain"
    attempt_soft_reboot: bool = False
    reboot_mode: str = ""


def read(values: Mapping[str, object], nodes: list[str]) -> RunOptions:
    """Return the options that ``values`` (by parameter name) describe; raises OptionError where CAU refuses one.

    MaxFailedNodes defaults to about a third of the nodes and may not reach their number.
    """
    given = {name: value for name, value in values.items() if value is not None}
    order = _texts(given.get("NodeOrder")) or _texts(given.get("SiteAwareUpdatingOrder"))
    for name in order:
        if name.split(".")[0].lower() not in {each.lower() for each in nodes}:
            raise OptionError("NodeOrder", f"{name} is not a node of the cluster.")
    return RunOptions(
        plugins=plugin_uses(given),
        max_failed_nodes=_number(given, "MaxFailedNodes", len(nodes) // 3, 0, max(0, len(nodes) - 1)),
        max_retries_per_node=_number(given, "MaxRetriesPerNode", DEFAULT_RETRIES, 0, MAX_RETRIES),
        node_order=tuple(name.split(".")[0] for name in order),
        pre_update_script=_script(given, "PreUpdateScript"),
        post_update_script=_script(given, "PostUpdateScript"),
        require_all_nodes_online=_on(given, "RequireAllNodesOnline"),
        warn_after=_span(given, "WarnAfter"),
        stop_after=_span(given, "StopAfter"),
        reboot_timeout=timedelta(minutes=_number(given, "RebootTimeoutMinutes", 15, 1, 100_000)),
        separate_reboots=_on(given, "SeparateReboots"),
        run_plugins_serially=_on(given, "RunPluginsSerially"),
        stop_on_plugin_failure=_on(given, "StopOnPluginFailure"),
        enable_firewall_rules=_on(given, "EnableFirewallRules"),
        failback_mode=str(given.get("FailbackMode", "Immediate")),
        suspend_timeout=_minutes(given, "SuspendClusterNodeTimeoutMinutes"),
        suspend_retries=_number(given, "SuspendRetriesPerNode", 0, 0, MAX_RETRIES),
        storage_timeout=_minutes(given, "WaitForStorageRepairTimeoutMinutes"),
        pause=_pause(given),
        attempt_soft_reboot=_on(given, "AttemptSoftReboot"),
        reboot_mode=str(given.get("RebootMode", "")),
    )


def plugin_uses(given: Mapping[str, object]) -> tuple[PluginUse, ...]:
    """Return the plug-ins with their arguments, paired by position; there are no more arguments than plug-ins."""
    names = _texts(given.get("CauPluginName")) or [DEFAULT_PLUGIN]
    tables = given.get("CauPluginArguments") or []
    rows = list(tables) if isinstance(tables, list | tuple) else [tables]
    if len(rows) > len(names):
        raise OptionError(
            "CauPluginArguments", f"There are arguments for {len(rows)} plug-ins, and {len(names)} plug-ins."
        )
    uses = []
    for position, name in enumerate(names):
        row = rows[position] if position < len(rows) else {}
        table = row if isinstance(row, dict) else {}
        for key, value in table.items():
            if not isinstance(value, str):
                raise OptionError("CauPluginArguments", f"The value of the plug-in argument {key} is not a string.")
        uses.append(PluginUse(name, {str(key): str(value) for key, value in table.items()}))
    return tuple(uses)


def _texts(value: object) -> list[str]:
    if value is None:
        return []
    items = value if isinstance(value, list | tuple) else [value]
    return [str(item) for item in items if item is not None]


def _number(given: Mapping[str, object], name: str, default: int, low: int, high: int) -> int:
    value = given.get(name, default)
    number = value if isinstance(value, int) else int(str(value))
    if not low <= number <= high:
        raise OptionError(name, f"{name} is {number}; it must be between {low} and {high}.")
    return number


def _minutes(given: Mapping[str, object], name: str) -> timedelta | None:
    return timedelta(minutes=_number(given, name, 0, 0, 100_000)) if name in given else None


def _span(given: Mapping[str, object], name: str) -> timedelta | None:
    value = given.get(name)
    if not isinstance(value, timedelta):
        return None
    if value <= timedelta(0):
        raise OptionError(name, f"{name} is {value}; it must be longer than nothing.")
    return value


def _script(given: Mapping[str, object], name: str) -> str:
    path = str(given.get(name) or "")
    if path and (not path.lower().endswith(".ps1") or len(path) > MAX_PATH):
        raise OptionError(name, f"{name} must be the path of a .ps1 file of at most {MAX_PATH} characters: {path}.")
    return path


def _on(given: Mapping[str, object], name: str) -> bool:
    # Set-CauClusterRole declares SeparateReboots as texts.
    value = given.get(name, False)
    return any(str(each).lower() == "true" for each in (value if isinstance(value, list | tuple) else [value]))


def _pause(given: Mapping[str, object]) -> str:
    for name, way in (
        ("ForcePauseDrainAndReboot", "force-and-reboot"),
        ("ForcePauseAndDrain", "force"),
        ("ForcePauseNoDrain", "none"),
    ):
        if _on(given, name):
            return way
    return "drain"
