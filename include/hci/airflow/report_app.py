"""A run's pages: its report, live while it goes on, and what people can ask of it; for people with the right to."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from html import escape
from typing import cast
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, get_user, requires_access_dag
from airflow.configuration import conf
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import select

from include.hci.airflow.fleet_rows import fleet_rows
from include.hci.airflow.names import ALIVE, cluster_slug, dag_id_of_kind, make_safe_dag_id
from include.hci.airflow.run_tasks import AS_CSV, AS_JSON, REPORT_DATA, UPDATES
from include.hci.airflow.storage import open_record, open_storage, run_address
from include.hci.airflow.work import now
from include.hci.report.ask import WISHES, Wish, controls, possible, render_ask
from include.hci.report.build import report_of
from include.hci.report.ended import end_of_run
from include.hci.report.events import OperatorAsked, RunKind, RunStarted
from include.hci.report.fleet_page import render_fleet
from include.hci.report.html import KIND_WORDS, Control, render_html
from include.hci.report.record import RunRecord
from include.hci.report.updates_csv import BYTE_ORDER_MARK, updates_csv
from include.hci.settings import fleet_path, load_fleet

#: How often the page of a run that goes on is read again.
REFRESH_SECONDS = 10
#: How many runs' records are kept between two readings of their pages: of a record only what is new is read then.
KEPT_RECORDS = 4
#: How often the fleet's page is: it reads the records of every cluster.
FLEET_REFRESH_SECONDS = 30
#: The pages are documents of their own: they may neither load anything from elsewhere, run scripts, nor send forms elsewhere.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
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
    app.add_api_route(f"{page}/{REPORT_DATA}", data, methods=["GET"], response_class=Response, dependencies=see)
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
    rows = fleet_rows(found, now(), may_see, lambda run: state_in_airflow(run.dag_id, run.run_id) in ALIVE)
    page = render_fleet(rows, now(), mistakes=len(found.problems))
    return HTMLResponse(page, headers=HEADERS | {"Refresh": str(FLEET_REFRESH_SECONDS)})


def report(dag_id: str, run_id: str, request: Request, still: bool = False) -> HTMLResponse:
    """Return the report of one run; while it goes on, what its record tells so far, and what can be asked of it.

    ``still``: the page is not read again by itself, for whoever reads on in what is unfolded.
    """
    try:
        found = _begun(dag_id, run_id)
        if isinstance(found, str):
            return _note(found, 404, refresh=cluster_slug(dag_id) is not None)
        current = report_of(found, now(), run_id, str(cluster_slug(dag_id)))
        gone = _gone(dag_id, run_id, found) if current.outcome == "running" else ""
        wishes = () if gone else _possible(found)
    except OSError as error:
        return _unreadable(error)
    base = str(request.url.path).rstrip("/")
    buttons = [*controls(wishes, base), Control(AS_CSV, f"{base}/{UPDATES}")]
    buttons.append(Control(AS_JSON, f"{base}/{REPORT_DATA}"))
    goes_on = current.outcome == "running"
    if goes_on:
        hold = Control("Refresh by itself", base) if still else Control("Hold the page still", f"{base}?still=1")
        buttons = sorted([*buttons, hold], key=lambda button: button.grave)
    refresh = {"Refresh": str(REFRESH_SECONDS)} if goes_on and not still else {}
    page = render_html(current, now=now(), controls=buttons, gone=gone)
    return HTMLResponse(page, headers=HEADERS | refresh)


def updates(dag_id: str, run_id: str) -> Response:
    """Return the updates of one run as a file for a spreadsheet."""
    try:
        found = _begun(dag_id, run_id)
        if isinstance(found, str):
            return _note(found, 404)
        cluster = str(cluster_slug(dag_id))
        text = BYTE_ORDER_MARK + updates_csv(report_of(found, now(), run_id, cluster))
    except OSError as error:
        return _unreadable(error)
    disposition = {"Content-Disposition": f'attachment; filename="{cluster}-updates.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=HEADERS | disposition)


def data(dag_id: str, run_id: str) -> Response:
    """Return the report of one run for programs (``report.schema.json``); while it goes on, as it stands."""
    try:
        found = _begun(dag_id, run_id)
        if isinstance(found, str):
            return Response(json.dumps({"detail": found}), 404, media_type="application/json", headers=HEADERS)
        text = report_of(found, now(), run_id, str(cluster_slug(dag_id))).to_text()
    except OSError as error:
        return _unreadable(error)
    return Response(text, media_type="application/json", headers=HEADERS)


def confirm(dag_id: str, run_id: str, wish: str, request: Request) -> Response:
    """Return the page that makes sure that a person wants this."""
    try:
        found = _asked(dag_id, run_id, wish, _back(request))
        if isinstance(found, Response):
            return found
        started = found.last(RunStarted)
        cluster = "" if started is None else started.event.cluster
        about = f"Cluster {cluster}: {KIND_WORDS[_kind(found)]}, run {run_id}"
        return HTMLResponse(render_ask(cast(Wish, wish), _back(request), _kind(found), about), headers=HEADERS)
    except OSError as error:
        return _unreadable(error)


def ask(
    dag_id: str, run_id: str, wish: str, request: Request, user: GetUserDep, comment: str = Form("", max_length=200)
) -> Response:
    """Put what a person asks of the run on record, where its steps read it, and go back to the report."""
    if not _is_own_form(request):
        return _note("This request came from another site, so nothing was done.", 403, back=_back(request))
    try:
        found = _asked(dag_id, run_id, wish, _back(request))
        if isinstance(found, Response):
            return found
        asked = OperatorAsked(action=cast(Wish, wish), by=user.get_name(), comment=comment.strip())
        # What is kept for the pages has counted its events long ago; this one has to come after all that there are to read.
        record = open_record(str(cluster_slug(dag_id)), run_id)
        record.events()
        record.add(asked, now())
    except OSError as error:
        return _unreadable(error)
    return RedirectResponse(_back(request), status_code=303)


def _is_own_form(request: Request) -> bool:
    # The browser sends the session's cookie with forms of other sites as well, unless the site is asked for.
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    # Browsers tell that to encrypted addresses only; the origin they tell always.
    if (origin := request.headers.get("origin")) is None:
        return True
    own = {request.headers.get("host"), request.headers.get("x-forwarded-host")}
    own.add(urlsplit(conf.get("api", "base_url", fallback="")).netloc)
    return urlsplit(origin).netloc in own - {None, ""}


def _asked(dag_id: str, run_id: str, wish: str, back: str) -> RunRecord | HTMLResponse:
    """Return the record of the run of which ``wish`` can be asked now, or the page that says why not and leads ``back``."""
    if wish not in WISHES:
        return _note("There is nothing like that to ask of a run.", 404)
    found = _begun(dag_id, run_id)
    if isinstance(found, str):
        return _note(found, 404)
    if wish not in _possible(found):
        return _note(f"This run cannot be asked to {wish} now: it is over, or that was asked already.", 409, back=back)
    if gone := _gone(dag_id, run_id, found):
        return _note(f"Nobody would act on it. {gone}", 409, back=back)
    return found


def _begun(dag_id: str, run_id: str) -> RunRecord | str:
    """Return the record of a run of this very DAG, or why there is none."""
    slug = cluster_slug(dag_id)
    if slug is None or not re.fullmatch("[a-z0-9_]+", slug):
        return "This DAG does not update a cluster, so it has no update report."
    record = _kept_record(run_address(slug, run_id))
    started = record.last(RunStarted)
    if started is None:
        return "This run has not begun yet, or its record is gone."
    # All runs of a cluster are kept together: who may see those of one DAG may not therefore see, or cancel, those of another.
    if dag_id != dag_id_of_kind(started.event.run_kind, slug):
        return "This run is one of another DAG."
    return record


@lru_cache(maxsize=KEPT_RECORDS)
def _kept_record(address: str) -> RunRecord:
    try:
        return RunRecord(open_storage(address))
    except (ValueError, ImportError) as error:  # an address of a kind that no provider here knows
        raise OSError(f"{address}: {error}") from error


def _gone(dag_id: str, run_id: str, record: RunRecord) -> str:
    """Return why nobody works on a run that has not concluded; empty when somebody does."""
    state = state_in_airflow(dag_id, run_id)
    if state in ALIVE or end_of_run(record.events()) is not None:
        return ""
    facts, slug = record.facts, str(cluster_slug(dag_id))
    ended = "Airflow does not know this run any more" if state is None else f"Airflow has ended this run ({state})"
    nodes = [f"{node} is paused" for node in facts.paused]
    locks = [f"the lock on {', '.join(facts.lock_nodes)}"] if facts.lock_nodes else []
    disks = [f"{node} is in storage maintenance mode" for node in facts.in_maintenance]
    others = [f"{change.subject}{f' on {change.node}' if change.node else ''}" for change in facts.changes]
    if not (changed := [*nodes, *disks, *others, *locks]):
        return f"{ended} without an end of its own. It has left nothing behind that is on record."
    return (
        f"{ended} before it took back what it had changed: {'; '.join(changed)}. {make_safe_dag_id(slug)} does that, every ten "
        "minutes where it is switched on: trigger it to have it done now."
    )


def state_in_airflow(dag_id: str, run_id: str) -> str | None:
    """Return the state of a run in Airflow's database; None when there is no such run."""
    with create_session() as session:
        state = session.scalar(select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    return None if state is None else str(getattr(state, "value", state))


def _possible(record: RunRecord) -> tuple[Wish, ...]:
    return possible(record.facts, over=end_of_run(record.events()) is not None, kind=_kind(record))


def _kind(record: RunRecord) -> RunKind:
    started = record.last(RunStarted)
    return "rolling-update" if started is None else started.event.run_kind


def _back(request: Request) -> str:
    return str(request.url.path).partition("/ask/")[0]


def _unreadable(error: OSError) -> HTMLResponse:
    return _note(f"The record cannot be read: {type(error).__name__}. Look at the storage that HCI_REPORTS names.", 503)


def _note(text: str, status: int, *, refresh: bool = False, back: str = "") -> HTMLResponse:
    way = f'<p><a href="{escape(back)}">Back to the report</a>' if back else ""
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f"<title>Update report</title><body style='font:16px sans-serif;margin:2em'>{escape(text)}{way}",
        status_code=status,
        headers=HEADERS | ({"Refresh": str(REFRESH_SECONDS)} if refresh else {}),
    )
