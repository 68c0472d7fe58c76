"""The tasks of a feature update: those of a run that is left to CAU where they are the same, with what comes after it beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hci.airflow import rolling_run
from include.hci.airflow.admission import missing_approval
from include.hci.airflow.begin import begin_run, refuse_unknown
from include.hci.airflow.cau_remote import ApprovePreviewOperator, ConcludeCauOperator, PreviewOperator
from include.hci.airflow.cluster_operator import ClusterOperator
from include.hci.airflow.events import is_from
from include.hci.airflow.names import rolling_update_dag_id
from include.hci.airflow.operators import RetriedPerNode, StepOperator
from include.hci.airflow.rolling_run import GOOD, RollingRun, RollingRunTrigger
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, now, read_plan
from include.hci.policy.plan_hash import plan_hash
from include.hci.report import events as ev
from include.hci.report.model import RunReport
from include.hci.report.record import RunRecord
from include.hci.report.values import Problem
from include.hci.settings import ClusterSettings, RunOptions, SettingsError, SettingsProblem, fleet_path, load_fleet
from include.hci.settings.feature import SET_BY_IT, FeatureUpdateRequest, upgrade_options
from include.hci.settings.request import SOURCE
from include.hci.steps.decisions import show_problem
from include.hci.steps.feature_admission import admit_feature


def feature_options(settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
    """Return the run's options; raises SettingsError naming every parameter that is wrong, or on which CAU does not act."""
    params = dict(context["params"])
    given = {key: value for key, value in params.items() if key in RunOptions.model_fields and key not in SET_BY_IT}
    return upgrade_options(RunOptions.for_cau(settings, given), feature_request(context))


def feature_request(context: Mapping[str, Any]) -> FeatureUpdateRequest:
    """Return what the run was told beyond its options; raises SettingsError."""
    return FeatureUpdateRequest.from_parameters(dict(context["params"]))


def request_on_record(record: RunRecord) -> FeatureUpdateRequest:
    """Return what the run was told when it began; raises AirflowFailException where it has not."""
    started = record.last(ev.RunStarted)
    if started is None:
        raise AirflowFailException("The run has not begun. Clear the task 'readiness' with its downstream tasks.")
    return FeatureUpdateRequest.from_json(started.event.request)


def admitted(step: str, record: RunRecord, options: RunOptions) -> None:
    """Raise when the task of ``step`` has nothing to do or must not begin."""
    plan, answer = read_plan(record), record.last(ev.Approved)
    missing = ""
    if plan is not None:
        identity = plan_hash(plan, options.to_json())
        missing = missing_approval(options.require_approval, identity, answer.event if answer else None)
    found = admit_feature(
        step,
        request_on_record(record),
        record.facts,
        plan,
        plan_only=options.plan_only,
        missing_approval=missing,
    )
    if found.refused:
        raise AirflowFailException(found.why)
    if not found.goes:
        raise AirflowSkipException(found.why)


def check_rolling(settings: ClusterSettings, request: FeatureUpdateRequest) -> None:
    """Raise SettingsError where the run would need a rolling update of a cluster that has none."""
    if request.post_steps_only or settings.name in {cluster.name for cluster in load_fleet(fleet_path()).rolling}:
        return
    because = (
        "needs the rolling update of this cluster, which has none: its profile sets options that only CAU acts on."
    )
    wanted = [name for name in ("further_updates", "preview_channel") if getattr(request, name)]
    if wanted:
        raise SettingsError([SettingsProblem(SOURCE, None, name, settings.name, because) for name in wanted])


class FeatureStepOperator(StepOperator):
    """Runs one step of a feature update, of a whole cluster or of one node."""

    def options_of(self, settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
        """Return the run's options."""
        return feature_options(settings, context)

    def admitted(self, record: RunRecord, options: RunOptions) -> None:
        """Raise when this task has nothing to do or must not begin."""
        admitted(self.step, record, options)


class FeatureReadinessOperator(FeatureStepOperator):
    """Begins the run: puts it on record and checks the cluster and the machine that is to coordinate it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(step="readiness", **kwargs)

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Check; nothing is touched before every check is done."""
        settings = cluster_settings(self.cluster)
        refuse_unknown(context, settings, {*RunOptions.model_fields, *FeatureUpdateRequest.model_fields} - SET_BY_IT)
        options, request = feature_options(settings, context), feature_request(context)
        check_rolling(settings, request)
        record = open_record(settings.slug, context["run_id"])
        begin_run(context, self.dag_id, settings, options, record, "feature-update", request.to_json())
        return super().execute(context)


class FeaturePreviewOperator(PreviewOperator):
    """Asks CAU which feature update it would install on which node, and keeps that for the whole run."""

    def options_of(self, settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
        """Return the run's options."""
        return feature_options(settings, context)

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Preview, once per run; skips the installation when there is nothing to install, or nothing more was asked for."""
        settings = cluster_settings(self.cluster)
        admitted(self.step, open_record(settings.slug, self.run_of(context)), self.options_of(settings, context))
        return super().execute(context)

    def admitted(self, record: RunRecord, options: RunOptions) -> None:
        """Raise when this task has nothing to do or must not begin."""
        admitted(self.step, record, options)


class ApproveFeatureOperator(ApprovePreviewOperator):
    """Asks for the approval of the preview when the run's options want one."""

    def execute(self, context: Any) -> Any:
        """Ask, unless there is nothing to approve."""
        settings = cluster_settings(self.cluster)
        admitted("approve", open_record(settings.slug, context["run_id"]), self.options_of(settings, context))
        return super().execute(context)

    def options_of(self, settings: ClusterSettings, context: Any) -> RunOptions:
        """Return the run's options."""
        return feature_options(settings, context)


class ConcludeFeatureOperator(ConcludeCauOperator):
    """Ends the run: whatever it left is taken back, the lock is released, the report is written."""


class RollingUpdateOperator(ClusterOperator):
    """Lets the cluster's own rolling update run, once for this run, and waits for it."""

    ui_color = "#e8f0fb"

    @property
    def step(self) -> ev.StepName:
        """The step's name, the task's own."""
        return self.task_id  # type: ignore[return-value]  # the DAG names its tasks after the steps

    def conf(self, record: RunRecord) -> Mapping[str, Any]:
        """Return the parameters of the rolling update; raises AirflowSkipException where none is needed."""
        return {"plan_only": False, "stage_only": False}

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Begin the rolling update, or find the one that was begun, and wait for it."""
        settings, record, run = self._of(context)
        admitted(self.step, record, feature_options(settings, context))
        state = rolling_run.state_of(run)
        if state is None:
            conf = self.conf(record)
            if record.last(ev.UpdatingBegun) is None or self._begun(record) is None:
                record.add(ev.UpdatingBegun(step=self.step, dag_id=run.dag_id, started_run=run.run_id), now())
            rolling_run.begin(run, conf, f"Begun by {self.dag_id}, run {context['run_id']}")
            self.log.info("%s has begun: run %s.", run.dag_id, run.run_id)
        elif state in rolling_run.ENDED:
            return self._ended(context, state)
        else:
            self.log.info("%s was begun already: run %s.", run.dag_id, run.run_id)
        return self._wait(context)

    def go_on(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> Any:
        """Take over from the trigger; what another task's trigger said sends this one back to wait for its own."""
        if not is_from(event, self._sender(context)):
            self.log.warning("This is the answer of another task; it is waited for on: %s", dict(event))
            return self._wait(context)
        return self._ended(context, str(event["state"]))

    def _wait(self, context: Mapping[str, Any]) -> NoReturn:
        settings, _, run = self._of(context)
        self.defer(
            trigger=RollingRunTrigger(
                dag_id=run.dag_id,
                child_run_id=run.run_id,
                slug=settings.slug,
                run_id=str(context["run_id"]),
                sender=self._sender(context),
                first_check_seconds=settings.pacing.first_check_seconds,
                poll_seconds=settings.pacing.poll_seconds,
            ),
            method_name="go_on",
        )

    def _ended(self, context: Mapping[str, Any], state: str) -> dict[str, Any]:
        """Put on record how it ended; raises unless what follows may go on."""
        settings, record, run = self._of(context)
        report = rolling_run.report_on(settings.slug, run)
        good = state == "success" and report is not None and report.outcome in GOOD
        outcome, headline = ("", "") if report is None else (str(report.outcome), report.headline)
        ended = ev.UpdatingEnded(
            step=self.step,
            dag_id=run.dag_id,
            started_run=run.run_id,
            state=state,
            outcome=outcome,
            headline=headline,
            builds=rolling_run.builds_after(report),
            good=good,
        )
        before = [each.event for each in record.all_of(ev.UpdatingEnded) if each.event.step == self.step]
        if not before or before[-1] != ended:
            record.add(ended, now())
        self.log.info("%s, run %s: %s (%s). %s", run.dag_id, run.run_id, state, outcome or "no report", headline)
        if good:
            return {"run_id": run.run_id, "outcome": outcome, "why": headline}
        problem = _not_good(run, state, report)
        record.add(ev.Failed(step=self.step, problem=problem), now())
        raise AirflowFailException(show_problem(problem))

    def _begun(self, record: RunRecord) -> ev.UpdatingBegun | None:
        found = [each.event for each in record.all_of(ev.UpdatingBegun) if each.event.step == self.step]
        return found[-1] if found else None

    def _sender(self, context: Mapping[str, Any]) -> list[str | None]:
        return [self.cluster, str(context["run_id"]), self.task_id]

    def _of(self, context: Mapping[str, Any]) -> tuple[ClusterSettings, RunRecord, RollingRun]:
        settings, run_id = cluster_settings(self.cluster), str(context["run_id"])
        run = RollingRun(rolling_update_dag_id(settings.slug), rolling_run.run_id_of(self.task_id, run_id))
        return settings, open_record(settings.slug, run_id), run


class RestartForPreviewOperator(RollingUpdateOperator):
    """Lets a rolling update restart the nodes that have joined the preview channel and have to restart for it."""

    def conf(self, record: RunRecord) -> Mapping[str, Any]:
        """Return the parameters of the rolling update; raises AirflowSkipException where no node has to restart."""
        read = record.last(ev.PreviewChannelRead)
        if read is None or not read.event.restart:
            raise AirflowSkipException("No node has to restart for the preview channel.")
        return {**super().conf(record), "restart_nodes": list(read.event.restart)}


class FeatureNodeStepOperator(RetriedPerNode, FeatureStepOperator):
    """Runs one step of one node; tried again as often as the run says."""


def _not_good(run: RollingRun, state: str, report: RunReport | None) -> Problem:
    said = f"it ended {report.outcome}: {report.headline}" if report is not None else f"Airflow says {state}"
    return Problem(
        title=f"The rolling update {run.run_id} has not brought every node up to date: {said}",
        meaning="What follows cannot be taken back, so none of it was done. Every node has the version that it has: nothing of "
        "that is lost.",
        next_action=f"Look at that run of {run.dag_id}. Once the nodes are up to date, start a feature update with"
        " post_steps_only, or clear that run's failed tasks and then this task.",
        retry_is_safe=False,
    )
