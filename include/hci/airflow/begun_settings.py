"""The cluster as it was when its last run began: what a run needs to end where the fleet file has lost the cluster since."""

from __future__ import annotations

from collections.abc import Iterable

from include.hci.airflow.names import cluster_slug
from include.hci.airflow.storage import open_cluster_storage
from include.hci.settings import ClusterSettings

#: Holds names of nodes and of Airflow connections, and no secret.
SETTINGS = "cluster.json"


def keep_settings(settings: ClusterSettings) -> None:
    """Keep ``settings`` for the end of the run that begins."""
    open_cluster_storage(settings.slug).write(SETTINGS, settings.model_dump_json(indent=1))


def kept_settings(slug: str) -> ClusterSettings | None:
    """Return the cluster with this slug as it was when its last run began; None where that is not known."""
    try:
        return ClusterSettings.model_validate_json(open_cluster_storage(slug).read(SETTINGS))
    except (OSError, ValueError):
        return None


def with_kept(clusters: Iterable[ClusterSettings], wanted: str | None) -> tuple[ClusterSettings, ...]:
    """Return ``clusters`` and, for a task of the DAG ``wanted`` that has none of them any more, its cluster as it was.

    Without its DAG no task could say what is wrong, and the last one could not take back what the run has changed.
    """
    found = tuple(clusters)
    slug = None if wanted is None else cluster_slug(wanted)
    if slug is None or any(cluster.slug == slug for cluster in found):
        return found
    kept = kept_settings(slug)
    return found if kept is None else (*found, kept)
