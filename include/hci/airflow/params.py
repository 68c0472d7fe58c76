"""The options of a run as Airflow's trigger form shows them."""

from __future__ import annotations

from typing import Any, get_args

from airflow.sdk import Param

from include.hci.report.events import PausePoint
from include.hci.settings import ClusterSettings, RunOptions
from include.hci.settings.node_choice import ALL_NODES

CAU = "Updating run (CAU's options)"
PAUSE_POINTS = get_args(PausePoint)
OWN = "Patience"
CHECKS = "Readiness checks"
SCOPE = "How far it goes"
OPERATOR = "What people decide"

#: (option, section, JSON schema beside the default)
_FORM: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("max_failed_nodes", CAU, {"type": "integer", "minimum": 0}),
    ("max_retries_per_node", CAU, {"type": "integer", "minimum": 0, "maximum": 64}),
    ("require_all_nodes_online", CAU, {"type": "boolean"}),
    ("node_order", CAU, {"type": "array", "items": {"type": "string"}}),
    ("reboot_timeout_minutes", CAU, {"type": "integer", "minimum": 1}),
    ("failback_mode", CAU, {"type": "string", "enum": ["Immediate", "NoFailback", "Policy"]}),
    ("include_recommended_updates", CAU, {"type": "boolean"}),
    ("query_string", CAU, {"type": "string", "minLength": 1}),
    ("drain_timeout_minutes", OWN, {"type": "integer", "minimum": 1}),
    ("install_timeout_minutes", OWN, {"type": "integer", "minimum": 1}),
    ("resync_timeout_minutes", OWN, {"type": "integer", "minimum": 1}),
    ("stuck_repair_minutes", OWN, {"type": "integer", "minimum": 1}),
    ("check_cau_setup", CHECKS, {"type": "boolean"}),
    ("validate_cluster", CHECKS, {"type": "boolean"}),
    ("require_acknowledgement", CHECKS, {"type": "boolean"}),
    ("accepted_warnings", CHECKS, {"type": "array", "items": {"type": "string"}}),
    ("local_vms", CHECKS, {"type": "array", "items": {"type": "string"}}),
    ("plan_only", SCOPE, {"type": "boolean"}),
    ("stage_only", SCOPE, {"type": "boolean"}),
    ("restart_nodes", SCOPE, {"type": "array"}),
    ("require_approval", OPERATOR, {"type": "boolean"}),
    ("approvers", OPERATOR, {"type": "array", "items": {"type": "string"}}),
    ("approval_timeout_minutes", OPERATOR, {"type": "integer", "minimum": 1}),
    ("pause_points", OPERATOR, {"type": "array", "items": {"type": "string", "enum": list(PAUSE_POINTS)}}),
    ("max_passes_per_node", OWN, {"type": "integer", "minimum": 1, "maximum": 20}),
    ("node_updater", OWN, {"type": "string", "enum": ["auto", "cau_provider", "system_task"]}),
)


def run_params(cluster: ClusterSettings) -> dict[str, Param]:
    """Return the parameters of a run of ``cluster``: the options a run acts on, with this cluster's values as defaults."""
    options = RunOptions.for_run(cluster).to_json()
    return {name: _param(cluster, name, section, schema, options[name]) for name, section, schema in _FORM}


def _param(cluster: ClusterSettings, name: str, section: str, schema: dict[str, Any], default: Any) -> Param:
    schema = dict(schema)
    if name == "pause_points":
        schema["examples"] = list(PAUSE_POINTS)
    if name == "max_failed_nodes":
        schema["maximum"] = len(cluster.nodes) - 1
    if name == "node_order":
        schema["items"] = {"type": "string", "enum": list(cluster.node_names)}
        schema["examples"] = list(cluster.node_names)
    if name == "restart_nodes":
        # A form knows no "list or word": all nodes are the word alone in the list.
        choices = [ALL_NODES, *cluster.node_names]
        schema |= {"items": {"type": "string", "enum": choices}, "examples": choices}
    description = RunOptions.model_fields[name].description
    return Param(default, title=name, section=section, description_md=description, **schema)
