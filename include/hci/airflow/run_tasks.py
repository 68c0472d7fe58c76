"""The tasks that concern the whole run: its beginning, its plan, its report and its end."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NoReturn

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hci.airflow import connections
from include.hci.airflow.begin import begin_run, refuse_unknown
from include.hci.airflow.cluster_operator import ClusterOperator
from include.hci.airflow.events import Ended
from include.hci.airflow.history import keep_history, outlook_of, read_history
from include.hci.airflow.log_text import closing, verdict_lines
from include.hci.airflow.names import make_safe_dag_id, run_type_name
from include.hci.airflow.open_runs import close_run
from include.hci.airflow.operators import StepOperator, following, run_options
from include.hci.airflow.schedule import missed_window
from include.hci.airflow.storage import REPORT_PAGE, open_record, run_address
from include.hci.airflow.work import (
    cluster_settings,
    keep_plan,
    not_begun,
    now,
    open_cluster,
    read_plan,
    settings_for,
)
from include.hci.policy.plan import Plan
from include.hci.policy.plan_hash import plan_hash, short_hash
from include.hci.powershell.connection import ConnectionSettings
from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.ended import end_of_run
from include.hci.report.html import Control, render_html
from include.hci.report.model import RunReport
from include.hci.report.plan_text import outlook_lines
from include.hci.report.record import RunRecord
from include.hci.report.spent import time_with_people
from include.hci.report.updates_csv import BYTE_ORDER_MARK, updates_csv
from include.hci.report.values import Problem
from include.hci.settings import ClusterSettings, RunOptions
from include.hci.settings.problems import SettingsError
from include.hci.steps.context import StepContext
from include.hci.steps.planning import plan_run

_log = logging.getLogger(__name__)
GOOD_OUTCOMES = frozenset({"succeeded", "nothing-to-do", "planned", "staged", "parked", "missed"})
REPORT_DATA = "report.json"
UPDATES = "updates.csv"
AS_CSV, AS_JSON = "Updates as CSV", "Report as JSON"


class ReadinessOperator(StepOperator):
    """Begins the run: puts it on record and checks that the cluster may be updated at all."""

    kind: ev.RunKind = "rolling-update"
    #: The parameters that a run may have.
    known: Collection[str] = frozenset(RunOptions.model_fields)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(step="readiness", **kwargs)

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Check; skips the whole run when its window has passed. Nothing is touched before every check is done."""
        run = context["dag_run"]
        settings = cluster_settings(self.cluster)
        refuse_unknown(context, settings, self.known)
        options = run_options(settings, context)
        record = open_record(settings.slug, context["run_id"])
        # A run that began in time and is cleared by a person later is begun by hand; a late retry of Airflow's own is not.
        is_cleared = record.last(ev.RunStarted) is not None and not record.facts.missed and bool(run.clear_number)
        request = self.request_of(context, settings, options)
        begin_run(context, self.dag_id, settings, options, record, self.kind, request)
        late = missed_window(run_type_name(run.run_type), run.run_after, now(), settings, lambda: _run_before(context))
        if late is not None and not is_cleared:
            if not record.facts.missed:
                record.add(ev.WindowMissed(due=run.run_after, why=late), now())
            raise AirflowSkipException(late)
        self.look_first = is_quick(settings, options)
        return super().execute(context)

    def request_of(
        self, context: Mapping[str, Any], settings: ClusterSettings, options: RunOptions
    ) -> Mapping[str, Any]:
        """Return what runs of this kind are told beyond the options; raises SettingsError."""
        return {}


def is_quick(settings: ClusterSettings, options: RunOptions) -> bool:
    """Return whether the readiness checks are: the vendor's own tests take minutes, for which no worker should be held."""
    if options.validate_cluster:
        return False
    found = connections.load_management(settings) if options.check_cau_setup else None
    return not (isinstance(found, ConnectionSettings) and found.passes_credentials)


class PlanOperator(ClusterOperator):
    """Makes the plan, once per run, and gives the nodes in their order to the tasks that follow."""

    def __init__(self, *, scan_task_id: str = "scan", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scan_task_id = scan_task_id

    def execute(self, context: Mapping[str, Any]) -> list[str]:
        """Return the planned nodes in order; skips the run when there is nothing to do on any of them."""
        settings = cluster_settings(self.cluster)
        record = open_record(settings.slug, context["run_id"])
        if record.last(ev.RunStarted) is None:
            # Skipped, everything after it would be as well, and a run that never began would count as a success.
            raise AirflowFailException(not_begun(run_address(settings.slug, context["run_id"])))
        if record.facts.missed:
            raise AirflowSkipException(record.facts.missed)
        if (cancel := record.facts.cancel) is not None:
            raise AirflowFailException(f"The run was cancelled by {cancel}.")
        plan = read_plan(record)
        # A map index is a position in the plan, so a plan that exists is never made again.
        if plan is None:
            plan = self._make(context, settings, record)
            keep_plan(record, plan)
        self.log.info("The plan of %s, one server after the other:", settings.name)
        for node in plan.nodes:
            self.log.info("%s: %s", node.name, node.work)
        if not any(node.has_work for node in plan.nodes):
            raise AirflowSkipException("No node has anything to install and none waits for a restart.")
        options = run_options(settings, context)
        self.log.info("Plan %s.", short_hash(plan_hash(plan, options.to_json())))
        for line in outlook_lines(outlook_of(settings.slug, plan, options, record, now())):
            self.log.info("%s", line)
        if options.plan_only:
            raise AirflowSkipException("This run ends with its plan, as plan_only asks.")
        self.log.info("%s", closing(following(self)))
        return [node.name for node in plan.nodes]

    def _make(self, context: Mapping[str, Any], settings: ClusterSettings, record: RunRecord) -> Plan:
        options = run_options(settings, context)
        # In the order of the mapped task, which is the fleet file's; a node whose scan was not done has no entry.
        indexes = list(range(len(settings.nodes)))
        found = context["ti"].xcom_pull(task_ids=self.scan_task_id, map_indexes=indexes) or []
        scans = {one["node"]: one for one in found if one}
        if not scans:
            raise AirflowFailException(
                "No node was scanned, so there is nothing to plan with. See the tasks before this one."
            )
        step_context = StepContext(settings.name, context["run_id"], options, record)
        return plan_run(open_cluster(settings), step_context, scans, now(), read_history(settings.slug))


class ReportOperator(ClusterOperator):
    """Writes the run's report as it stands: JSON for machines, a page for people."""

    def execute(self, context: Mapping[str, Any]) -> str:
        """Write the report and return the address of its page."""
        settings = cluster_settings(self.cluster)
        record = open_record(settings.slug, context["run_id"])
        if record.last(ev.RunStarted) is None:
            raise AirflowSkipException(not_begun(run_address(settings.slug, context["run_id"])))
        # A run that never reached for the lock has nothing to undo, so nothing else will say that it is over. One whose scan
        # broke off may have left its task on a server: it is found dead, and made safe.
        idle = (record.last(ev.LockTaking) is None or _never_began(record)) and not record.facts.changes
        if idle and end_of_run(record.events()) is None:
            why = "The run ended before it had begun; nothing was changed."
            record.add(ev.Concluded(why=why, cancelled=record.facts.cancel is not None), now())
            close_run(settings.slug, context["run_id"], left=False)
        report = write_report(settings, context["run_id"])
        address = f"{run_address(settings.slug, context['run_id'])}/{REPORT_PAGE}"
        self.log.info("%s", report.headline)
        self.log.info("Report: %s", address)
        return address


def _never_began(record: RunRecord) -> bool:
    """Tell whether the lock was given back at once: Airflow does not run the end of a run whose ``take_lock`` failed."""
    refused = any(failed.event.step == "take_lock" for failed in record.all_of(ev.Failed))
    return refused and not record.facts.lock_nodes and not record.facts.changes


class ConcludeOperator(StepOperator):
    """Ends the run: undoes what it left, releases the lock, writes the final report. Its verdict is the run's state."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(step="conclude", **kwargs)

    def options_of(self, settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
        """Return the run's options; where the fleet file has made them wrong since, those it began with: it has to end."""
        try:
            return super().options_of(settings, context)
        except SettingsError as error:
            started = open_record(settings.slug, self.run_of(context)).last(ev.RunStarted)
            if started is None:
                raise
            self.log.warning("The run ends with the options it began with: %s", error)
            return RunOptions.from_json(started.event.options)

    def ended(self, context: Mapping[str, Any], end: Ended) -> str:
        """Write the report; raises unless everything that was planned was done."""
        settings = settings_for(self.step, self.cluster)
        record = open_record(settings.slug, self.run_of(context))
        if end.status == "stopped":
            self._give_up(context, settings, record, end)
        cancel = record.facts.cancel
        why = end.why if cancel is None else f"Cancelled by {cancel}. {end.why[:1].upper()}{end.why[1:]}"
        # A cluster that nobody could look at leaves nothing to a person's judgement: the run is found dead, and tried again.
        if silent := bool(end.details.get("silent")):
            why = f"{why}. {make_safe_dag_id(settings.slug)} looks again every ten minutes until the cluster answers"
        record.add(ev.Concluded(why=why, cancelled=cancel is not None), now())
        report = write_report(settings, self.run_of(context))
        # What could not be read may tell of more that is left: the run is not forgotten.
        left = bool(end.details.get("left") or record.unreadable())
        if not silent:
            close_run(settings.slug, self.run_of(context), left=left)
        keep_history(settings.slug, report, time_with_people(record.events(), now()))
        self.say(verdict_lines(report, f"{run_address(settings.slug, self.run_of(context))}/{REPORT_PAGE}"))
        return self.verdict(report, end)

    def verdict(self, report: RunReport, end: Ended) -> str:
        """Return what the task says; raises when the run has not done what it was for."""
        if report.outcome not in GOOD_OUTCOMES:
            raise AirflowFailException(report.headline)
        return report.headline

    def _give_up(
        self, context: Mapping[str, Any], settings: ClusterSettings, record: RunRecord, end: Ended
    ) -> NoReturn:
        try:
            self.stopped(context, record, end.problem or Problem(title=end.why))
        finally:
            write_report(settings, self.run_of(context))


def options_begun_with(settings: ClusterSettings, record: RunRecord) -> RunOptions:
    """Return the options with which a run began, for its end: none of them that is wrong by now may keep it from that."""
    started = record.last(ev.RunStarted)
    try:
        return RunOptions.as_given(settings) if started is None else RunOptions.from_json(started.event.options)
    except SettingsError as error:
        # Another version of this program has begun it.
        _log.warning("The run ends with the options of %s as they are now: %s", settings.name, error)
        return RunOptions.as_given(settings)


def _run_before(context: Mapping[str, Any]) -> datetime | None:
    """Return when the DAG's run before this one was due; None when there is none."""
    before = context["ti"].get_previous_dagrun()
    due: datetime | None = None if before is None else before.logical_date
    return due


def write_report(settings: ClusterSettings, run_id: str) -> RunReport:
    """Build the report from the record and keep it beside it, with the updates as CSV; returns it."""
    record = open_record(settings.slug, run_id)
    report = report_of(record, now(), run_id, settings.name)
    record.storage.write(REPORT_DATA, report.to_text())
    record.storage.write(UPDATES, BYTE_ORDER_MARK + updates_csv(report))
    record.storage.write(
        REPORT_PAGE, render_html(report, controls=(Control(AS_CSV, UPDATES), Control(AS_JSON, REPORT_DATA)))
    )
    return report
