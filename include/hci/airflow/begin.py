"""The beginning of a run: it goes on record, with everything that its steps have to know, before anything is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.hci.airflow.begun_runs import BegunRun, note_begun
from include.hci.airflow.begun_settings import keep_settings
from include.hci.airflow.names import run_type_name
from include.hci.airflow.open_runs import OpenRun, mark_open
from include.hci.airflow.work import now
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.settings import ClusterSettings, RunOptions


def begin_run(
    context: Mapping[str, Any],
    dag_id: str,
    settings: ClusterSettings,
    options: RunOptions,
    record: RunRecord,
    kind: ev.RunKind = "rolling-update",
    request: Mapping[str, Any] | None = None,
) -> None:
    """Put the run in ``context`` on record, once; ``request`` is what runs of its ``kind`` are told beyond the options."""
    if record.last(ev.RunStarted) is not None:
        return
    run = context["dag_run"]
    started = ev.RunStarted(
        run_id=context["run_id"],
        cluster=settings.name,
        nodes=settings.node_names,
        options=options.to_json(),
        mode="plan-only" if options.plan_only else "stage-only" if options.stage_only else "update",
        started_by=getattr(run, "triggering_user_name", None) or run_type_name(run.run_type),
        run_kind=kind,
        request=dict(request or {}),
        poll_seconds=settings.pacing.poll_seconds,
    )
    # Before anything else: a run that dies is found by this.
    mark_open(settings.slug, OpenRun(context["run_id"], dag_id))
    keep_settings(settings)
    begun = now()
    record.add(started, begun)
    note_begun(settings.slug, BegunRun(context["run_id"], dag_id), begun)
