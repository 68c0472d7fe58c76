"""The tasks and the form of a run that looks after CAU's self-updating role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException

from include.hci.airflow.begin import begin_run, refuse_unknown
from include.hci.airflow.cluster_operator import ClusterOperator
from include.hci.airflow.open_runs import close_run
from include.hci.airflow.operators import StepOperator
from include.hci.airflow.run_tasks import GOOD_OUTCOMES, write_report
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, now
from include.hci.report import events as ev
from include.hci.settings import ClusterSettings, RunOptions
from include.hci.settings.cau_role import ACTIONS, CauRoleRequest
from include.hci.settings.cluster import CauRole

_SECTION = "CAU's self-updating role"
_ACTION = (
    "`configure`: set the role up as the cluster's profile and schedule ask, and enable it; `check`: compare and change nothing; "
    "`enable`, `disable`, `remove`: what they say; `update_now`: let the role update the cluster at once."
)


def cau_self_params(cluster: ClusterSettings) -> dict[str, Param]:
    """Return the form of a run of ``cluster``: its options are those of the fleet file, so that what is proven stands there."""
    found = {
        "action": Param(
            "configure",
            title="action",
            section=_SECTION,
            description_md=_ACTION,
            type="string",
            enum=list(ACTIONS),
        )
    }
    for name, field in CauRole.model_fields.items():
        found[name] = Param(
            getattr(cluster.cau_role, name),
            title=name,
            section=_SECTION,
            description_md=f"{field.description} Used only when the role is added.",
            type=["null", "string"],
        )
    return found


def role_options(settings: ClusterSettings, request: CauRoleRequest) -> RunOptions:
    """Return the options of the run; where the role gets them, raises SettingsError for those on which CAU does not act."""
    if request.is_run_by_cau and request.action in ("configure", "enable", "check"):
        return RunOptions.for_cau(settings)
    return RunOptions.as_given(settings)


def role_request(settings: ClusterSettings, context: Mapping[str, Any]) -> CauRoleRequest:
    """Return what the run is asked for; raises SettingsError naming every parameter that is wrong."""
    return CauRoleRequest.for_run(settings, dict(context["params"]))


class BeginRoleRunOperator(ClusterOperator):
    """Begins the run: puts it on record with what it is asked for, before anything is looked at."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the run is asked for."""
        settings = cluster_settings(self.cluster)
        refuse_unknown(context, settings, cau_self_params(settings))
        request = role_request(settings, context)
        options = role_options(settings, request)
        record = open_record(settings.slug, context["run_id"])
        begin_run(context, self.dag_id, settings, options, record, "cau-self-updating", request.to_json())
        return request.to_json()


class RoleStepOperator(StepOperator):
    """Runs one step of a run that looks after the role."""

    def options_of(self, settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
        """Return the options with which the run began: the fleet file may have changed since."""
        started = open_record(settings.slug, self.run_of(context)).last(ev.RunStarted)
        if started is None:
            raise AirflowFailException("The run has not begun. Clear the task 'begin' with its downstream tasks.")
        return RunOptions.from_json(started.event.options)


class ConcludeRoleRunOperator(ClusterOperator):
    """Ends the run and writes its report, whose verdict is the run's state: nothing of what it changed is taken back."""

    def execute(self, context: Mapping[str, Any]) -> str:
        """Return what the report says; raises unless what was asked for is proven."""
        settings, run_id = cluster_settings(self.cluster), context["run_id"]
        record = open_record(settings.slug, run_id)
        if record.last(ev.RunStarted) is None:
            raise AirflowFailException("The run has not begun.")
        cancel = record.facts.cancel
        why = "The run is over." if cancel is None else f"Cancelled by {cancel}."
        record.add(ev.Concluded(why=why, cancelled=cancel is not None), now())
        report = write_report(settings, run_id)
        close_run(settings.slug, run_id, left=False)
        if report.outcome not in GOOD_OUTCOMES:
            raise AirflowFailException(report.headline)
        return report.headline
