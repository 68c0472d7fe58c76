"""Names that DAGs, tasks and stored records share."""

from __future__ import annotations

ROLLING_UPDATE = "rolling_update__"
OFFLINE_UPDATE = "offline_update__"
CAU_REMOTE = "cau_remote_updating__"
CAU_SELF = "cau_self_updating__"
FEATURE_UPDATE = "feature_update__"
#: The DAGs whose runs have a record and a report.
UPDATES = (ROLLING_UPDATE, CAU_REMOTE, CAU_SELF, OFFLINE_UPDATE, FEATURE_UPDATE)
MAKE_SAFE = "make_safe__"
UPDATING_STATUS = "updating_run_status__"
#: Run states in which Airflow still works on a run, or is going to.
ALIVE = ("queued", "running")
NODE_GROUP = "update_node"
OFFLINE_GROUP = "update_offline"


def rolling_update_dag_id(slug: str) -> str:
    """Return the id of the DAG that updates the cluster with this slug."""
    return f"{ROLLING_UPDATE}{slug}"


def offline_update_dag_id(slug: str) -> str:
    """Return the id of the DAG that updates all servers of the cluster with this slug at once, with downtime."""
    return f"{OFFLINE_UPDATE}{slug}"


def cau_remote_dag_id(slug: str) -> str:
    """Return the id of the DAG that lets CAU update the cluster with this slug from its management host."""
    return f"{CAU_REMOTE}{slug}"


def cau_self_dag_id(slug: str) -> str:
    """Return the id of the DAG that looks after CAU's self-updating role on the cluster with this slug."""
    return f"{CAU_SELF}{slug}"


def feature_update_dag_id(slug: str) -> str:
    """Return the id of the DAG that brings the cluster with this slug to its next version."""
    return f"{FEATURE_UPDATE}{slug}"


def dag_id_of_kind(kind: str, slug: str) -> str:
    """Return the id of the DAG that makes runs of ``kind`` (``report.event.RunKind``) of the cluster with this slug."""
    return f"{kind.replace('-', '_')}__{slug}"


def cluster_slug(dag_id: str) -> str | None:
    """Return the slug of the cluster that the DAG updates, or None when it is not one of ours."""
    return next((dag_id.removeprefix(kind) for kind in UPDATES if dag_id.startswith(kind)), None)


def make_safe_dag_id(slug: str) -> str:
    """Return the id of the DAG that undoes what dead runs left on the cluster with this slug."""
    return f"{MAKE_SAFE}{slug}"


def updating_status_dag_id(slug: str) -> str:
    """Return the id of the DAG that tells who is updating the cluster with this slug."""
    return f"{UPDATING_STATUS}{slug}"


def run_type_name(run_type: object) -> str:
    """Return what kind a run is, ``scheduled`` or ``manual``: tasks are given an enumeration whose ``str()`` is neither."""
    return str(getattr(run_type, "value", run_type))
