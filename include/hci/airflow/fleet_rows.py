"""The rows of the fleet's page: from the fleet file and the runs' own records, without asking a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import quote

from include.hci.airflow.begun_runs import BegunRun, begun_runs
from include.hci.airflow.names import make_safe_dag_id, rolling_update_dag_id, updating_status_dag_id
from include.hci.airflow.open_runs import OpenRun, open_runs
from include.hci.airflow.status import latest_status
from include.hci.airflow.storage import open_record
from include.hci.policy.upcoming import upcoming, without_runs
from include.hci.report.fleet_page import ClusterLine, NextLine, RunLine, StatusLine
from include.hci.settings import ClusterSettings, Fleet
from include.hci.steps.status_reading import own_run

#: How many of the next times are shown, and how many ended runs are looked into for one that left a report.
_TIMES, _RUNS = 3, 5


def fleet_rows(
    fleet: Fleet,
    now: datetime,
    may_see: Callable[[str], bool],
    is_alive: Callable[[OpenRun], bool] = lambda run: True,
) -> tuple[ClusterLine, ...]:
    """Return a row for every cluster whose updating DAG ``may_see`` allows, by name.

    ``is_alive`` tells whether Airflow still works on a run that has not ended.
    """
    seen = (cluster for cluster in fleet.clusters.values() if may_see(rolling_update_dag_id(cluster.slug)))
    return tuple(_row(cluster, now, is_alive) for cluster in sorted(seen, key=lambda cluster: cluster.name.casefold()))


def _row(cluster: ClusterSettings, now: datetime, is_alive: Callable[[OpenRun], bool]) -> ClusterLine:
    schedule, none = cluster.schedule, without_runs(cluster)
    # A schedule that is left to CAU's role has its times all the same.
    has_times = schedule is not None and (schedule.run_by == "cau" or not none)
    row = ClusterLine(
        name=cluster.name,
        nodes=len(cluster.nodes),
        timezone=cluster.schedule.timezone if cluster.schedule else "UTC",
        pages=(
            ("rolling update", _dag(rolling_update_dag_id(cluster.slug))),
            ("who is updating", _dag(updating_status_dag_id(cluster.slug))),
            ("make safe", _dag(make_safe_dag_id(cluster.slug))),
        ),
        coming=tuple(
            NextLine(one.at, one.remark) for one in upcoming(cluster, now, _TIMES) if one.begins and has_times
        ),
        schedule="" if schedule is None else "no time within five years" if has_times else none,
    )
    try:
        known = open_runs(cluster.slug)
        under_way = {run.run_id for run in known if not run.left}
        ended = (run for run in begun_runs(cluster.slug) if run.run_id not in under_way)
        reports = (_last(cluster, run) for run in islice(ended, _RUNS))
        return replace(
            row,
            running=tuple(_running(cluster, run, alive=is_alive(run)) for run in known if not run.left),
            left=tuple(_running(cluster, run, alive=False) for run in known if run.left),
            last=next((line for line in reports if line is not None), None),
            status=_status(cluster.slug),
        )
    except (OSError, ValueError, TypeError) as error:
        return replace(row, problem=f"Its records cannot be read: {type(error).__name__}. Look at HCI_REPORTS.")


def _running(cluster: ClusterSettings, run: OpenRun, *, alive: bool) -> RunLine:
    record = open_record(cluster.slug, run.run_id)
    found = own_run(cluster.name, run.run_id, run.dag_id, record, alive=alive, left=run.left)
    last = record.latest()
    return RunLine(
        run_id=run.run_id,
        kind=found.kind,
        outcome="running",
        report=_report(run.dag_id, run.run_id),
        page=_run(run.dag_id, run.run_id),
        began_at=found.began_at,
        heard_at=None if last is None else last.at,
        node=found.node,
        doing=found.doing,
        alive=alive,
    )


def _last(cluster: ClusterSettings, run: BegunRun) -> RunLine | None:
    """Return what the report of a run that is over says; None when there is none."""
    try:
        report: dict[str, Any] = json.loads(open_record(cluster.slug, run.run_id).storage.read("report.json"))
    except (OSError, ValueError):
        return None
    return RunLine(
        run_id=run.run_id,
        kind=str(report.get("run_kind", "rolling-update")),
        outcome=str(report.get("outcome", "unknown")),
        report=_report(run.dag_id, run.run_id),
        page=_run(run.dag_id, run.run_id),
        said=str(report.get("headline", "")),
        began_at=_moment(report.get("started_at")),
        ended_at=_moment(report.get("ended_at")),
    )


def _status(slug: str) -> StatusLine | None:
    found = latest_status(slug)
    read_at = _moment(found.get("read_at")) if found else None
    if found is None or read_at is None:
        return None
    return StatusLine(read_at, str(found.get("state", "unknown")), str(found.get("headline", "")))


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.utcoffset() is not None else found.replace(tzinfo=UTC)


# Relative addresses, seen from /hci/status: Airflow may be served below a path of its own.
def _dag(dag_id: str) -> str:
    return f"../dags/{quote(dag_id, safe='')}"


def _run(dag_id: str, run_id: str) -> str:
    return f"{_dag(dag_id)}/runs/{quote(run_id, safe='')}"


def _report(dag_id: str, run_id: str) -> str:
    return f"report/{quote(dag_id, safe='')}/{quote(run_id, safe='')}"
