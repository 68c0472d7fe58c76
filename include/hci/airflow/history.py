"""How long the phases of earlier runs took, kept per cluster, so that a plan goes by this cluster and not by general figures."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from hashlib import sha256

from include.hci.airflow.storage import open_cluster_storage
from include.hci.policy.estimates import FIRST_GUESS
from include.hci.policy.outlook import History
from include.hci.report.history import phase_seconds
from include.hci.report.model import RunReport

#: With a sign that no folder of a run's record has in its name.
_FOLDER = "history+/"
#: How many runs are looked back on: older ones were of other updates and other hardware.
RUNS = 10


def keep_history(slug: str, report: RunReport) -> None:
    """Keep what ``report`` teaches about the cluster ``slug``; a run that updated no node teaches nothing."""
    seconds = phase_seconds(report, FIRST_GUESS)
    if not seconds or report.started_at is None:
        return
    readable = re.sub(r"[^A-Za-z0-9]+", "-", report.run_id).strip("-")[:60]
    digest = sha256(report.run_id.encode()).hexdigest()[:8]
    name = f"{_FOLDER}{report.started_at:%Y%m%dT%H%M%S}-{readable}-{digest}.json"
    open_cluster_storage(slug).write(name, json.dumps(seconds))


def read_history(slug: str) -> History:
    """Return how long each phase took on the nodes of the last runs, oldest first."""
    storage = open_cluster_storage(slug)
    seen: dict[str, list[timedelta]] = {}
    for name in storage.list(_FOLDER)[-RUNS:]:
        for phase, seconds in json.loads(storage.read(name)).items():
            seen.setdefault(phase, []).extend(timedelta(seconds=value) for value in seconds)
    return seen
