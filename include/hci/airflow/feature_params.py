"""What a feature update is told, as Airflow's trigger form shows it: what is installed, what is raised, CAU's options."""

from __future__ import annotations

from typing import Any, get_args

from airflow.sdk import Param

from include.hci.airflow.cau_remote_params import HOST, cau_remote_params
from include.hci.settings import ClusterSettings
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.settings.feature import SET_BY_IT, Consent, FeatureUpdateRequest

INSTALLED = "What is installed"
FOR_GOOD = "What cannot be taken back"
PROOF = "The proof at the end"
SCOPE = "How far it goes"

_BOOLEAN: dict[str, Any] = {"type": "boolean"}
_TEXT: dict[str, Any] = {"type": ["null", "string"]}
_CONSENT: dict[str, Any] = {
    "type": "string",
    "enum": list(get_args(Consent)),
    "values_display": {
        "ask": "ask: a person answers when it comes to that; no answer means no",
        "yes": "yes: approved by starting this run",
        "no": "no: left as it is",
    },
}
#: (parameter, section, JSON schema beside the default)
_FORM: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("source", INSTALLED, {"type": "string", "enum": ["windows_update", "media"]}),
    ("media_path", INSTALLED, _TEXT),
    ("preview_channel", INSTALLED, _BOOLEAN),
    ("further_updates", INSTALLED, _BOOLEAN),
    ("functional_level", FOR_GOOD, _CONSENT),
    ("pool_version", FOR_GOOD, _CONSENT),
    ("vm_versions", FOR_GOOD, _CONSENT),
    ("vm_names", FOR_GOOD, {"type": "array", "items": {"type": "string"}}),
    ("running_vms", FOR_GOOD, {"type": "string", "enum": ["leave", "restart"]}),
    ("verify_move", PROOF, _BOOLEAN),
    ("move_role", PROOF, _TEXT),
    ("post_steps_only", SCOPE, _BOOLEAN),
    ("credssp", HOST, {"type": "string", "enum": ["when_needed", "never"]}),
    ("force_recovery", HOST, {"type": "string", "enum": ["never", "allow"]}),
)


def feature_params(cluster: ClusterSettings, *, has_rolling_update: bool = True) -> dict[str, Param]:
    """Return the parameters of a feature update of ``cluster``, with this cluster's values as defaults.

    ``has_rolling_update``: the cluster has the DAG that brings further updates.
    """
    fields = FeatureUpdateRequest.model_fields
    defaults = FeatureUpdateRequest().to_json() | {"further_updates": has_rolling_update}
    own = {
        name: Param(defaults[name], title=name, section=section, description_md=fields[name].description, **schema)
        for name, section, schema in _FORM
    }
    shared = cau_remote_params(cluster)
    return own | {
        name: param for name, param in shared.items() if name not in SET_BY_IT | set(CauRemoteRequest.model_fields)
    }
