"""The tasks of a run in CAU's remote-updating mode: CAU does the work, these begin it, watch it and say what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from include.hci.airflow.approval import ApprovePlanOperator
from include.hci.airflow.begin import begin_run, refuse_unknown
from include.hci.airflow.events import Ended
from include.hci.airflow.operators import StepOperator
from include.hci.airflow.run_tasks import ConcludeOperator, is_quick, options_begun_with
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, keep_plan, read_plan
from include.hci.policy.plan import Plan
from include.hci.settings import ClusterSettings, RunOptions
from include.hci.settings.cau_remote import CauRemoteRequest


def cau_options(settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
    """Return the run's options; raises SettingsError naming every parameter that is wrong, or on which CAU does not act."""
    given = {key: value for key, value in dict(context["params"]).items() if key in RunOptions.model_fields}
    return RunOptions.for_cau(settings, given)


def cau_request(context: Mapping[str, Any]) -> CauRemoteRequest:
    """Return what the run was told beyond its options; raises SettingsError."""
    return CauRemoteRequest.from_parameters(dict(context["params"]))


class CauStepOperator(StepOperator):
    """Runs one step of a run that is left to CAU."""

    def options_of(self, settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
        """Return the run's options: those that CAU acts on as well."""
        return cau_options(settings, context)


class CauReadinessOperator(CauStepOperator):
    """Begins the run: puts it on record and checks the cluster and the machine that is to coordinate it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(step="readiness", **kwargs)

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Check; nothing is touched before every check is done."""
        settings = cluster_settings(self.cluster)
        refuse_unknown(context, settings, {*RunOptions.model_fields, *CauRemoteRequest.model_fields})
        options, request = cau_options(settings, context), cau_request(context)
        record = open_record(settings.slug, context["run_id"])
        begin_run(context, self.dag_id, settings, options, record, "cau-remote-updating", request.to_json())
        self.look_first = is_quick(settings, options)
        return super().execute(context)


class PreviewOperator(CauStepOperator):
    """Asks CAU what it would install, and keeps that for the whole run: what is approved is its hash."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(step="preview", **kwargs)

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Preview, once per run; skips the rest when there is nothing to install, or nothing more was asked for."""
        settings = cluster_settings(self.cluster)
        plan = read_plan(open_record(settings.slug, self.run_of(context)))
        return self._previewed(context, plan) if plan is not None else super().execute(context)

    def ended(self, context: Mapping[str, Any], end: Ended) -> Any:
        """Keep what was found."""
        super().ended(context, end)
        plan = Plan.from_json(end.details["plan"])
        keep_plan(open_record(cluster_settings(self.cluster).slug, self.run_of(context)), plan)
        return self._previewed(context, plan)

    def _previewed(self, context: Mapping[str, Any], plan: Plan) -> Any:
        for node in plan.nodes:
            offered = ", ".join(update.label for update in node.updates) or node.skip or "nothing to install"
            self.log.info("%s: %s", node.name, offered)
        if not any(node.has_work for node in plan.nodes):
            raise AirflowSkipException("CAU finds nothing to install on any node.")
        if self.options_of(cluster_settings(self.cluster), context).plan_only:
            raise AirflowSkipException("This run ends with its preview, as plan_only asks.")
        return {node.name: [update.label for update in node.updates] for node in plan.nodes}


class ApprovePreviewOperator(ApprovePlanOperator):
    """Asks for the approval of the preview when the run's options want one."""

    def options_of(self, settings: ClusterSettings, context: Any) -> RunOptions:
        """Return the run's options: those that CAU acts on as well."""
        return cau_options(settings, context)


class ConcludeCauOperator(ConcludeOperator):
    """Ends the run: CAU's run with it, its session, CredSSP and the firewall rules; writes the report."""

    def options_of(self, settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
        """Return the options with which the run began; a wrong one must not keep it from being ended."""
        return options_begun_with(settings, open_record(settings.slug, self.run_of(context)))
