"""``warn_after``: Airflow's own deadline on a run, whose alert puts the warning on the run's record. The run goes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, now
from include.hci.policy.deadlines import run_deadlines
from include.hci.powershell.threads import short_threads
from include.hci.report import events as ev
from include.hci.report.ended import end_of_run
from include.hci.report.record import RunRecord
from include.hci.settings import ClusterSettings, RunOptions

NAME = "warn_after"
_log = logging.getLogger(__name__)


def warning_of(cluster: ClusterSettings) -> DeadlineAlert | None:
    """Return the deadline of the runs of ``cluster``, counted from when Airflow queued them; None when it has none."""
    after = cluster.options.warn_after
    if after is None:
        return None
    callback = AsyncCallback(warn_late_run, kwargs={"cluster": cluster.name})
    return DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=after, callback=callback, name=NAME)


async def warn_late_run(cluster: str, context: Mapping[str, Any]) -> str:
    """Put it on record that the run in ``context`` takes longer than it should; returns what was said.

    Airflow's triggerer calls this when the deadline has passed. A run that ended badly before keeps its deadline, and one that
    has ended needs no warning.
    """
    run = context["dag_run"]
    return await short_threads().run(_warn, cluster, str(run["dag_run_id"]), _moment(run.get("queued_at")))


def _warn(cluster: str, run_id: str, queued_at: datetime | None) -> str:
    record = open_record(cluster_settings(cluster).slug, run_id)
    text = note_late(record, queued_at, now())
    if text:
        _log.warning("Run %s of %s: %s", run_id, cluster, text)
    return text


def note_late(record: RunRecord, queued_at: datetime | None, moment: datetime) -> str:
    """Write the warning once, if the run is late at ``moment`` and still goes on; returns it, empty if it was not written."""
    started = record.last(ev.RunStarted)
    if started is None or end_of_run(record.events()) is not None or record.facts.warned:
        return ""
    options = RunOptions.from_json(started.event.options)
    text = run_deadlines(queued_at or started.at, options.warn_after, None).warning(moment)
    if text:
        record.add(ev.RanLong(why=text), moment)
    return text


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
