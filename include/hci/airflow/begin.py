"""The beginning of a run: it goes on record, with everything that its steps have to know, before anything is looked at."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from include.hci.airflow.begun_runs import BegunRun, note_begun
from include.hci.airflow.begun_settings import keep_settings
from include.hci.airflow.names import run_type_name
from include.hci.airflow.open_runs import OpenRun, mark_open
from include.hci.airflow.work import now
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.settings import ClusterSettings, RunOptions
from include.hci.settings.problems import SettingsError, SettingsProblem, unknown_key
from include.hci.settings.request import SOURCE


def refuse_unknown(context: Mapping[str, Any], settings: ClusterSettings, known: Collection[str]) -> None:
    """Raise SettingsError for every parameter of the run in ``context`` that is not ``known`` to runs of its kind.

    Airflow checks what its form has, and lets everything else pass that an API or a command line says: a run with ``plan_onyl``
    would update the cluster.
    """
    strangers = sorted(set(context["params"]) - set(known))
    if strangers:
        raise SettingsError(
            [SettingsProblem(SOURCE, None, key, settings.name, unknown_key(key, known)) for key in strangers]
        )


def begin_run(
    context: Mapping[str, Any],
    dag_id: str,
    settings: ClusterSettings,
    options: RunOptions,
    record: RunRecord,
    kind: ev.RunKind = "rolling-update",
    request: Mapping[str, Any] | None = None,
) -> None:
    """Put the run in ``context`` on record, once; ``request`` is what runs of its ``kind`` are told beyond the options.

    Raises SettingsError where another run of the cluster has this place already: a person may give any id to a run, and two runs
    on one record would take each other's plan and approval for their own.
    """
    there = record.last(ev.RunStarted)
    if there is not None:
        if (there.event.run_kind, there.event.run_id) == (kind, context["run_id"]):
            return
        other = f"{there.event.run_kind} {there.event.run_id}, begun at {there.at:%Y-%m-%d %H:%M} UTC"
        said = f"{context['run_id']!r} leads to the record of another run ({other}). Trigger it again, with another id or none."
        raise SettingsError([SettingsProblem(SOURCE, None, "run_id", settings.name, said)])
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
