"""Which runs of a cluster have begun and not ended: kept beside their records, whatever Airflow's own database still knows.

A person may mark, clear or delete anything in Airflow, and a database may be restored from yesterday. What a run changed on a
cluster stands in its record; that there is such a record to look into stands here.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from hashlib import sha256

from include.hci.airflow.storage import open_cluster_storage

#: With a sign that no folder of a run's record has in its name.
_FOLDER = "open+runs/"


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run and the DAG it belongs to; ``left`` once it has ended and left something for a person."""

    run_id: str
    dag_id: str
    left: bool = False


def mark_open(slug: str, run: OpenRun) -> None:
    """Remember that ``run`` has begun on the cluster ``slug``; raises OSError when that could not be made durable."""
    open_cluster_storage(slug).write(_name(run.run_id), json.dumps(asdict(run)))


def close_run(slug: str, run_id: str, *, left: bool) -> None:
    """Forget a run that has ended; one that ``left`` something behind stays for whoever asks by hand."""
    storage = open_cluster_storage(slug)
    if not left:
        storage.remove(_name(run_id))
        return
    known = next((run for run in open_runs(slug) if run.run_id == run_id), None)
    if known is not None:
        mark_open(slug, OpenRun(run_id, known.dag_id, left=True))


def open_runs(slug: str) -> tuple[OpenRun, ...]:
    """Return the runs that have not ended, and those that left something behind."""
    storage = open_cluster_storage(slug)
    found = []
    for name in storage.list(_FOLDER):
        try:
            found.append(OpenRun(**json.loads(storage.read(name))))
        except FileNotFoundError:  # it ended just now
            continue
    return tuple(found)


def _name(run_id: str) -> str:
    # Two run ids that differ in signs only must not share a name.
    readable = re.sub(r"[^A-Za-z0-9]+", "-", run_id).strip("-")[:80] or "run"
    return f"{_FOLDER}{readable}-{sha256(run_id.encode()).hexdigest()[:8]}.json"
