"""Every run that has begun on a cluster, oldest first, without looking into Airflow's database or reading a single record."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from include.hci.airflow.storage import open_cluster_storage

#: With a sign that no folder of a run's record has in its name.
_FOLDER = "begun+runs/"


@dataclass(frozen=True, slots=True)
class BegunRun:
    """A run and the DAG it belongs to."""

    run_id: str
    dag_id: str


def note_begun(slug: str, run: BegunRun, at: datetime) -> None:
    """Remember that ``run`` began ``at`` (UTC) on the cluster ``slug``."""
    name = f"{_FOLDER}{at:%Y%m%dT%H%M%S}-{sha256(run.run_id.encode()).hexdigest()[:8]}.json"
    open_cluster_storage(slug).write(name, json.dumps({"run_id": run.run_id, "dag_id": run.dag_id}))


def begun_runs(slug: str) -> Iterator[BegunRun]:
    """Give the runs of the cluster ``slug``, the latest first; one that cannot be read is passed over."""
    storage = open_cluster_storage(slug)
    for name in reversed(storage.list(_FOLDER)):
        try:
            found = json.loads(storage.read(name))
            yield BegunRun(str(found["run_id"]), str(found["dag_id"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
