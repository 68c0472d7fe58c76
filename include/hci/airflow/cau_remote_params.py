"""The options of a run in CAU's remote-updating mode as Airflow's trigger form shows them: every option of Invoke-CauRun."""

from __future__ import annotations

from typing import Any, get_args

from airflow.sdk import Param

from include.hci.settings import ClusterSettings, RunOptions, UpdatingRunProfile
from include.hci.settings.cau_remote import CauRemoteRequest

RUN = "Updating run (Invoke-CauRun)"
PLUGINS = "Plug-ins"
NODES = "How nodes are taken out of service and restart"
SCRIPTS = "Scripts"
CHECKS = "Readiness checks"
PEOPLE = "What people decide"
HOST = "Management host and recovery"

_BOOLEAN: dict[str, Any] = {"type": "boolean"}
_TEXT: dict[str, Any] = {"type": ["null", "string"]}
_TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
_MINUTES: dict[str, Any] = {"type": "integer", "minimum": 1}
_MAYBE_MINUTES: dict[str, Any] = {"type": ["null", "integer"], "minimum": 1}
_SPAN: dict[str, Any] = {"type": ["null", "string"], "pattern": r"^(\d+\.)?\d{1,2}:\d{2}:\d{2}$"}

#: (option, section, JSON schema beside the default)
_FORM: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("max_failed_nodes", RUN, {"type": "integer", "minimum": 0}),
    ("max_retries_per_node", RUN, {"type": "integer", "minimum": 0, "maximum": 64}),
    ("node_order", RUN, _TEXTS),
    ("require_all_nodes_online", RUN, _BOOLEAN),
    ("warn_after", RUN, _SPAN),
    ("stop_after", RUN, _SPAN),
    ("enable_firewall_rules", RUN, _BOOLEAN),
    ("cau_plugin_name", PLUGINS, {**_TEXTS, "minItems": 1}),
    ("cau_plugin_arguments", PLUGINS, {"type": "array", "items": {"type": "object"}}),
    ("include_recommended_updates", PLUGINS, _BOOLEAN),
    ("query_string", PLUGINS, {"type": "string", "minLength": 1}),
    ("separate_reboots", PLUGINS, _BOOLEAN),
    ("run_plugins_serially", PLUGINS, _BOOLEAN),
    ("stop_on_plugin_failure", PLUGINS, _BOOLEAN),
    ("force_self_update", PLUGINS, _BOOLEAN),
    ("os_rolling_upgrade", PLUGINS, _BOOLEAN),
    ("failback_mode", NODES, {"type": "string", "enum": ["Immediate", "NoFailback", "Policy"]}),
    ("reboot_timeout_minutes", NODES, _MINUTES),
    ("suspend_cluster_node_timeout_minutes", NODES, _MAYBE_MINUTES),
    ("suspend_retries_per_node", NODES, {"type": ["null", "integer"], "minimum": 0}),
    ("wait_for_storage_repair_timeout_minutes", NODES, _MAYBE_MINUTES),
    ("attempt_soft_reboot", NODES, _BOOLEAN),
    ("reboot_mode", NODES, _TEXT),
    ("force_pause_no_drain", NODES, _BOOLEAN),
    ("force_pause_and_drain", NODES, _BOOLEAN),
    ("force_pause_drain_and_reboot", NODES, _BOOLEAN),
    ("skip_update_checks", NODES, _BOOLEAN),
    ("site_aware_updating_order", NODES, _TEXTS),
    ("pre_update_script", SCRIPTS, _TEXT),
    ("post_update_script", SCRIPTS, _TEXT),
    ("configuration_name", SCRIPTS, {"type": "string", "minLength": 1}),
    ("check_cau_setup", CHECKS, _BOOLEAN),
    ("validate_cluster", CHECKS, _BOOLEAN),
    ("require_acknowledgement", CHECKS, _BOOLEAN),
    ("accepted_warnings", CHECKS, _TEXTS),
    ("local_vms", CHECKS, _TEXTS),
    ("plan_only", PEOPLE, _BOOLEAN),
    ("require_approval", PEOPLE, _BOOLEAN),
    ("approvers", PEOPLE, _TEXTS),
    ("approval_timeout_minutes", PEOPLE, _MINUTES),
)


def cau_remote_params(cluster: ClusterSettings) -> dict[str, Param]:
    """Return the parameters of a run of ``cluster``, with this cluster's values as defaults."""
    defaults = RunOptions.as_given(cluster).to_json()
    found = {}
    for name, section, schema in _FORM:
        own = dict(schema)
        if name == "max_failed_nodes":
            own["maximum"] = len(cluster.nodes) - 1
        if name == "node_order":
            own["items"] = {"type": "string", "enum": list(cluster.node_names)}
            own["examples"] = list(cluster.node_names)
        if name == "reboot_mode":
            own["enum"] = [None, "ClusProp", "FullReboot", "SoftReboot", "PluginCustomReboot", "OrchestratorDefault"]
        text = UpdatingRunProfile.model_fields[name].description
        found[name] = Param(defaults[name], title=name, section=section, description_md=text, **own)
    for name, item in CauRemoteRequest.model_fields.items():
        choices = list(get_args(item.annotation))
        found[name] = Param(
            item.default, title=name, section=HOST, description_md=item.description, type="string", enum=choices
        )
    return found
