"""One DAG per cluster of the fleet file: what is wrong with one cluster must not cost the others theirs.

A file that fails while Airflow reads it has no DAG any more, and of the runs that go on in any of them no further task is begun
(``DagModel.is_stale``): servers of other clusters would stay out of service.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from airflow.sdk import DAG, get_parsing_context

from include.hci.airflow.begun_settings import with_kept
from include.hci.settings import ClusterSettings

_log = logging.getLogger(__name__)


def dag_of_each(
    clusters: Iterable[ClusterSettings], dag_id: Callable[[str], str], build: Callable[[ClusterSettings], DAG]
) -> dict[str, DAG]:
    """Return what ``build`` makes of each of ``clusters``, by its DAG id; ``dag_id`` gives that of a cluster's slug.

    While a task runs only its own DAG is built, which keeps the start of a task quick in a large fleet, and what is wrong with
    that one is raised. Else a cluster that cannot be built is passed over, and ``buildable.problems_of`` says what is wrong.
    """
    wanted = get_parsing_context().dag_id
    made = {}
    for cluster in with_kept(clusters, wanted):
        name = dag_id(cluster.slug)
        if wanted not in (None, name):
            continue
        try:
            made[name] = build(cluster)
        except Exception:
            if wanted is not None:
                raise
            _log.exception("The DAG %s cannot be made; the other clusters have theirs.", name)
    return made
