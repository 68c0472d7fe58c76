"""The task that tells who is updating a cluster now, and where its last answer is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from include.hci.airflow import connections
from include.hci.airflow.cluster_operator import ClusterOperator
from include.hci.airflow.make_safe import is_alive
from include.hci.airflow.open_runs import OpenRun, open_runs
from include.hci.airflow.shells import lend
from include.hci.airflow.storage import open_cluster_storage, open_record
from include.hci.airflow.work import cluster_settings, management_host, now
from include.hci.cluster.facade import FleetCluster
from include.hci.policy.upcoming import upcoming, without_runs
from include.hci.policy.updating_status import OwnRun, updating_status
from include.hci.settings import ClusterSettings
from include.hci.steps.context import orchestrator_guid
from include.hci.steps.status_reading import own_run, read_status

#: With a sign that no folder of a run's record has in its name.
_LATEST = "status+/latest.json"


class UpdatingStatusOperator(ClusterOperator):
    """Reads who is updating a cluster; changes nothing, and fails only when the fleet file or a connection cannot be used."""

    ui_color = "#eef5ee"

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the status as JSON data, after its lines have been written to the log."""
        settings = cluster_settings(self.cluster)
        cluster = FleetCluster(
            settings.name,
            settings.node_names,
            lend(connections.load(settings)),
            management_host(connections.load_management(settings)),
        )
        timezone = settings.schedule.timezone if settings.schedule else "UTC"
        none = without_runs(settings)
        own_next = None if none else next((one for one in upcoming(settings, now(), 1) if one.begins), None)
        facts = read_status(cluster, now, own_runs(settings), own_next, timezone)
        facts = replace(facts, own_none=none or "no time within five years")
        status = updating_status(facts, now())
        for line in status.lines():
            self.log.info("%s", line)
        found = status.to_json()
        open_cluster_storage(settings.slug).write(_LATEST, json.dumps(found, indent=1))
        return found


def own_runs(settings: ClusterSettings) -> tuple[OwnRun, ...]:
    """Return the runs of this Airflow on the cluster that have not ended, or have left something; from inside a task only."""
    return tuple(_own(settings, run) for run in open_runs(settings.slug))


def _own(settings: ClusterSettings, run: OpenRun) -> OwnRun:
    alive = not run.left and is_alive(run)
    try:
        record = open_record(settings.slug, run.run_id)
        return own_run(settings.name, run.run_id, run.dag_id, record, alive=alive, left=run.left)
    except OSError as error:
        said = f"its record cannot be read: {type(error).__name__}"
        guid = orchestrator_guid(settings.name, run.run_id)
        return OwnRun(run.run_id, run.dag_id, "run", guid, doing=said, alive=alive, left=run.left)


def latest_status(slug: str) -> dict[str, Any] | None:
    """Return the last status that was read of the cluster ``slug``, or None."""
    try:
        found = json.loads(open_cluster_storage(slug).read(_LATEST))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
