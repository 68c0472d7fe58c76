"""A run's pages: its report, live while it goes on, and what people can ask of it; for people with the right to."""

from __future__ import annotations

from typing import cast

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from airflow.models.dag import DagModel
from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from include.hci.airflow.fleet_rows import fleet_rows
from include.hci.airflow.names import cluster_slug
from include.hci.airflow.run_tasks import AS_CSV, UPDATES
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import now
from include.hci.report.ask import WISHES, Wish, controls, possible, render_ask
from include.hci.report.build import report_of
from include.hci.report.events import Concluded, OperatorAsked, RunKind, RunStarted
from include.hci.report.fleet_page import render_fleet
from include.hci.report.html import Control, render_html
from include.hci.report.record import RunRecord
from include.hci.report.updates_csv import updates_csv
from include.hci.settings import fleet_path, load_fleet

#: How often the page of a run that goes on is read again.
REFRESH_SECONDS = 10
#: How often the fleet's page is: it reads the records of every cluster.
FLEET_REFRESH_SECONDS = 30
#: The pages are documents of their own: they may neither load anything from elsewhere, run scripts, nor send forms elsewhere.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def report_app() -> FastAPI:
    """Return the application; every route is closed to people who may not see, or change, the runs of the DAG."""
    # Airflow mounts a plugin's application without any authentication, so the application brings its own.
    app = FastAPI(title="Cluster update reports", docs_url=None, redoc_url=None, openapi_url=None)
    see = [Depends(requires_access_dag("GET", DagAccessEntity.RUN))]
    change = [Depends(requires_access_dag("PUT", DagAccessEntity.RUN))]
    # The fleet's page shows each person the clusters whose runs that person may see.
    app.add_api_route("/status", fleet, methods=["GET"], response_class=HTMLResponse, dependencies=[Depends(get_user)])
    page = "/report/{dag_id}/{run_id}"
    app.add_api_route(page, report, methods=["GET"], response_class=HTMLResponse, dependencies=see)
    app.add_api_route(f"{page}/{UPDATES}", updates, methods=["GET"], response_class=Response, dependencies=see)
    app.add_api_route(
        f"{page}/ask/{{wish}}", confirm, methods=["GET"], response_class=HTMLResponse, dependencies=change
    )
    app.add_api_route(f"{page}/ask/{{wish}}", ask, methods=["POST"], response_class=Response, dependencies=change)
    return app


def fleet(user: GetUserDep) -> HTMLResponse:
    """Return a row for every cluster of the fleet whose runs ``user`` may see."""
    manager = get_auth_manager()

    def may_see(dag_id: str) -> bool:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        return manager.is_authorized_dag(method="GET", access_entity=DagAccessEntity.RUN, details=details, user=user)

    found = load_fleet(fleet_path())
    page = render_fleet(fleet_rows(found, now(), may_see), now(), mistakes=len(found.problems))
    return HTMLResponse(page, headers=HEADERS | {"Refresh": str(FLEET_REFRESH_SECONDS)})


def report(dag_id: str, run_id: str, request: Request) -> HTMLResponse:
    """Return the report of one run; while it goes on, what its record tells so far, and what can be asked of it."""
    cluster = cluster_slug(dag_id)
    if cluster is None:
        return _note("This DAG does not update a cluster, so it has no update report.", 404)
    try:
        record = open_record(cluster, run_id)
        if record.last(RunStarted) is None:
            return _note("This run has not begun yet, or its record is gone.", 200)
        current = report_of(record, now(), run_id, cluster)
        wishes = _possible(record)
    except OSError as error:
        return _note(
            f"The record cannot be read: {type(error).__name__}. Look at the storage that HCI_REPORTS names.", 503
        )
    refresh = {"Refresh": str(REFRESH_SECONDS)} if current.outcome == "running" else {}
    base = str(request.url.path).rstrip("/")
    buttons = (*controls(wishes, base), Control(AS_CSV, f"{base}/{UPDATES}"))
    return HTMLResponse(render_html(current, now=now(), controls=buttons), headers=HEADERS | refresh)


def updates(dag_id: str, run_id: str) -> Response:
    """Return the updates of one run as a file for a spreadsheet."""
    cluster = cluster_slug(dag_id)
    if cluster is None:
        return _note("This DAG does not update a cluster, so it has no updates.", 404)
    record = open_record(cluster, run_id)
    if record.last(RunStarted) is None:
        return _note("This run has not begun yet, or its record is gone.", 404)
    text = updates_csv(report_of(record, now(), run_id, cluster))
    disposition = {"Content-Disposition": f'attachment; filename="{cluster}-updates.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=HEADERS | disposition)


def confirm(dag_id: str, run_id: str, wish: str, request: Request) -> Response:
    """Return the page that makes sure that a person wants this."""
    refused = _refused(dag_id, run_id, wish)
    if refused is not None:
        return refused
    kind = _kind(open_record(str(cluster_slug(dag_id)), run_id))
    return HTMLResponse(render_ask(cast(Wish, wish), _back(request), kind), headers=HEADERS)


def ask(
    dag_id: str, run_id: str, wish: str, request: Request, user: GetUserDep, comment: str = Form("", max_length=200)
) -> Response:
    """Put what a person asks of the run on record, where its steps read it, and go back to the report."""
    # The browser sends the session's cookie with forms of other sites as well, unless the site is asked for.
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return _note("This request came from another site, so nothing was done.", 403)
    if (refused := _refused(dag_id, run_id, wish)) is not None:
        return refused
    record = open_record(str(cluster_slug(dag_id)), run_id)
    record.add(OperatorAsked(action=cast(Wish, wish), by=user.get_name(), comment=comment.strip()), now())
    return RedirectResponse(_back(request), status_code=303)


def _refused(dag_id: str, run_id: str, wish: str) -> HTMLResponse | None:
    """Return why ``wish`` cannot be asked of the run now, or None."""
    cluster = cluster_slug(dag_id)
    if cluster is None or wish not in WISHES:
        return _note("There is nothing like that to ask of a run.", 404)
    record = open_record(cluster, run_id)
    if record.last(RunStarted) is None:
        return _note("This run has not begun yet, or its record is gone.", 404)
    if wish not in _possible(record):
        return _note(f"This run cannot be asked to {wish} now: it is over, or that was asked already.", 409)
    return None


def _possible(record: RunRecord) -> tuple[Wish, ...]:
    return possible(record.facts, over=record.last(Concluded) is not None, kind=_kind(record))


def _kind(record: RunRecord) -> RunKind:
    started = record.last(RunStarted)
    return "rolling-update" if started is None else started.event.run_kind


def _back(request: Request) -> str:
    return str(request.url.path).partition("/ask/")[0]


def _note(text: str, status: int) -> HTMLResponse:
    return HTMLResponse(
        f"<!doctype html><meta charset='utf-8'><title>Update report</title><body style='font:16px sans-serif;margin:2em'>{text}",
        status_code=status,
        headers=HEADERS,
    )
