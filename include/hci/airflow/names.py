"""Names that DAGs, tasks and stored records share."""

from __future__ import annotations

ROLLING_UPDATE = "rolling_update__"
MAKE_SAFE = "make_safe__"
NODE_GROUP = "update_node"


def rolling_update_dag_id(slug: str) -> str:
    """Return the id of the DAG that updates the cluster with this slug."""
    return f"{ROLLING_UPDATE}{slug}"


def cluster_slug(dag_id: str) -> str | None:
    """Return the slug of the cluster that the DAG updates, or None when it is not one of ours."""
    return dag_id.removeprefix(ROLLING_UPDATE) if dag_id.startswith(ROLLING_UPDATE) else None


def make_safe_dag_id(slug: str) -> str:
    """Return the id of the DAG that undoes what dead runs left on the cluster with this slug."""
    return f"{MAKE_SAFE}{slug}"


def run_type_name(run_type: object) -> str:
    """Return what kind a run is, ``scheduled`` or ``manual``: tasks are given an enumeration whose ``str()`` is neither."""
    return str(getattr(run_type, "value", run_type))
