"""The options of an updating run as the parameters of CAU's own cmdlets: Invoke-CauRun, Add- and Set-CauClusterRole.

Source: windows-powershell-docs, Add-CauClusterRole and Invoke-CauRun; windowsserverdocs, cluster-aware-updating-plug-ins.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from include.hci.powershell.values import SWITCH, Value
from include.hci.settings.profile import DEFAULT_PLUGIN, DEFAULT_QUERY, UpdatingRunProfile

#: Windows Server 2022 and 2025: the first builds whose documentation has the parameters below.
WS2022, WS2025 = 20348, 26100

#: Option -> CAU's parameter. These are always sent: what CAU would choose by itself depends on the cluster or its version.
_ALWAYS: Mapping[str, str] = MappingProxyType(
    {
        "max_failed_nodes": "MaxFailedNodes",
        "max_retries_per_node": "MaxRetriesPerNode",
        "cau_plugin_name": "CauPluginName",
    }
)
#: These are sent where they differ from the documented default, switches where they are on.
_WHERE_SET: Mapping[str, str] = MappingProxyType(
    {
        "node_order": "NodeOrder",
        "require_all_nodes_online": "RequireAllNodesOnline",
        "reboot_timeout_minutes": "RebootTimeoutMinutes",
        "failback_mode": "FailbackMode",
        "warn_after": "WarnAfter",
        "stop_after": "StopAfter",
        "enable_firewall_rules": "EnableFirewallRules",
        "pre_update_script": "PreUpdateScript",
        "post_update_script": "PostUpdateScript",
        "configuration_name": "ConfigurationName",
        "separate_reboots": "SeparateReboots",
        "run_plugins_serially": "RunPluginsSerially",
        "stop_on_plugin_failure": "StopOnPluginFailure",
        "suspend_cluster_node_timeout_minutes": "SuspendClusterNodeTimeoutMinutes",
        "suspend_retries_per_node": "SuspendRetriesPerNode",
        "wait_for_storage_repair_timeout_minutes": "WaitForStorageRepairTimeoutMinutes",
        "attempt_soft_reboot": "AttemptSoftReboot",
        "reboot_mode": "RebootMode",
        "force_pause_no_drain": "ForcePauseNoDrain",
        "force_pause_and_drain": "ForcePauseAndDrain",
        "force_pause_drain_and_reboot": "ForcePauseDrainAndReboot",
        "skip_update_checks": "SkipUpdateChecks",
        "site_aware_updating_order": "SiteAwareUpdatingOrder",
        "os_rolling_upgrade": "OsRollingUpgrade",
    }
)
#: Parameters that came with a version of Windows. It is the machine on which the cmdlet runs that must know them.
SINCE: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(
        (
            "ForcePauseNoDrain",
            "ForcePauseAndDrain",
            "ForcePauseDrainAndReboot",
            "SkipUpdateChecks",
            "ForceSelfUpdate",
            "SiteAwareUpdatingOrder",
            "OsRollingUpgrade",
            "AttemptSoftReboot",
            "RebootMode",
        ),
        WS2022,
    )
    | dict.fromkeys(("SuspendRetriesPerNode", "WaitForStorageRepairTimeoutMinutes"), WS2025)
)
#: Parameter -> its documented default as text, of those that are only sent where they differ from it.
DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        parameter: "" if default in (None, ()) else str(default)
        for option, parameter in _WHERE_SET.items()
        for default in (UpdatingRunProfile.model_fields[option].default,)
    }
)


def cau_parameters(options: UpdatingRunProfile) -> dict[str, Value]:
    """Return the parameters of CAU's cmdlets that say what ``options`` say.

    ``max_failed_nodes`` is left out where the options leave it to CAU.
    """
    found: dict[str, Value] = {}
    for option, parameter in _ALWAYS.items():
        value = getattr(options, option)
        if value is not None:
            found[parameter] = _value(value)
    arguments = plugin_arguments(options)
    if any(arguments):
        # As the vendor's examples have it: one table where there is one plug-in.
        found["CauPluginArguments"] = arguments[0] if len(arguments) == 1 else list(arguments)
    fields = UpdatingRunProfile.model_fields
    for option, parameter in _WHERE_SET.items():
        value = getattr(options, option)
        if value != fields[option].default:
            found[parameter] = SWITCH if value is True else _value(value)
    return found


def plugin_arguments(options: UpdatingRunProfile) -> tuple[dict[str, str], ...]:
    """Return one table of arguments per plug-in; the Windows Update plug-in gets its own options where none are given."""
    tables: list[dict[str, str]] = []
    for position, name in enumerate(options.cau_plugin_name):
        given = options.cau_plugin_arguments
        table = dict(given[position]) if position < len(given) else {}
        if name.lower() == DEFAULT_PLUGIN.lower() and not table:
            table["IncludeRecommendedUpdates"] = str(options.include_recommended_updates)
            if options.query_string != DEFAULT_QUERY:
                table["QueryString"] = options.query_string
        tables.append(table)
    return tuple(tables)


def too_new(parameters: Mapping[str, object], build: int) -> tuple[str, ...]:
    """Return those of ``parameters`` that CAU's cmdlets do not have on a Windows of ``build``."""
    return tuple(name for name in parameters if build < SINCE.get(name, 0))


def _value(value: object) -> Value:
    return list(value) if isinstance(value, tuple) else value  # type: ignore[return-value]
