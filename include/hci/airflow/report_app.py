"""The web application that shows a run's report: one page, for people who may see the DAG's runs."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from include.hci.airflow.names import cluster_slug
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import now
from include.hci.report.build import report_of
from include.hci.report.events import RunStarted
from include.hci.report.html import render_html

#: How often the page of a run that goes on is read again.
REFRESH_SECONDS = 10
#: The page is a document of its own: it may neither load anything from elsewhere nor run scripts.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def report_app() -> FastAPI:
    """Return the application; every route is closed to people who may not see the runs of the DAG."""
    # Airflow mounts a plugin's application without any authentication, so the application brings its own.
    app = FastAPI(
        title="Cluster update reports",
        dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.add_api_route("/report/{dag_id}/{run_id}", report, methods=["GET"], response_class=HTMLResponse)
    return app


def report(dag_id: str, run_id: str) -> HTMLResponse:
    """Return the report of one run; while it goes on, what its record tells so far."""
    cluster = cluster_slug(dag_id)
    if cluster is None:
        return _note("This DAG does not update a cluster, so it has no update report.", 404)
    try:
        record = open_record(cluster, run_id)
        if record.last(RunStarted) is None:
            return _note("This run has not begun yet, or its record is gone.", 200)
        current = report_of(record, now(), run_id, cluster)
    except OSError as error:
        return _note(
            f"The record cannot be read: {type(error).__name__}. Look at the storage that HCI_REPORTS names.", 503
        )
    refresh = {"Refresh": str(REFRESH_SECONDS)} if current.outcome == "running" else {}
    return HTMLResponse(render_html(current, now=now()), headers=HEADERS | refresh)


def _note(text: str, status: int) -> HTMLResponse:
    return HTMLResponse(
        f"<!doctype html><meta charset='utf-8'><title>Update report</title><body style='font:16px sans-serif;margin:2em'>{text}",
        status_code=status,
        headers=HEADERS,
    )
