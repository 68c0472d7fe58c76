"""The tasks of a fast offline update: those of a rolling update where they are the same, with what goes down beside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hci.airflow.admission import missing_approval
from include.hci.airflow.approval import ApprovePlanOperator, planned
from include.hci.airflow.history import read_history
from include.hci.airflow.operators import RetriedPerNode, StepOperator, run_options
from include.hci.airflow.params import run_params
from include.hci.airflow.run_tasks import PlanOperator, ReadinessOperator
from include.hci.airflow.work import now, open_cluster, read_plan
from include.hci.policy.plan import Plan
from include.hci.report import events as ev
from include.hci.report.offline_events import OfflinePlanned
from include.hci.report.record import RunRecord
from include.hci.settings import ClusterSettings, RunOptions
from include.hci.settings.offline import OfflineRequest
from include.hci.settings.problems import SettingsError, SettingsProblem
from include.hci.steps.context import StepContext
from include.hci.steps.offline_admission import admit_offline
from include.hci.steps.offline_plan import offline_hash, offline_plan, plan_offline
from include.hci.steps.offline_text import offline_markdown

SECTION = "The downtime"
#: What a whole cluster that goes down has no use for: nobody's turn, nothing to hold before, no drain, and always an approval.
_NOT_HERE = frozenset(
    {
        "drain_timeout_minutes",
        "failback_mode",
        "max_failed_nodes",
        "node_order",
        "pause_points",
        "plan_only",
        "require_approval",
        "resync_timeout_minutes",
        "restart_nodes",
        "stage_only",
        "stuck_repair_minutes",
    }
)
_SCHEMAS: Mapping[str, dict[str, Any]] = {
    "vm_action": {"type": "string", "enum": ["shutdown", "save"]},
    "vm_patience_minutes": {"type": "integer", "minimum": 1, "maximum": 240},
    "vm_fallback": {"type": "string", "enum": ["save", "stop_run"]},
    "install_before": {"type": "boolean"},
}


def offline_params(cluster: ClusterSettings) -> dict[str, Param]:
    """Return the parameters of an offline update of ``cluster``: what goes down and how, then the options of every run."""
    fields = OfflineRequest.model_fields
    own = {
        name: Param(
            fields[name].default, title=name, section=SECTION, description_md=fields[name].description, **schema
        )
        for name, schema in _SCHEMAS.items()
    }
    return own | {name: param for name, param in run_params(cluster).items() if name not in _NOT_HERE}


class OfflineReadinessOperator(ReadinessOperator):
    """Begins the run as what it is, and checks what a rolling update checks."""

    kind = "offline-update"
    # What it has no use for is refused, or it would be ignored: but for plan_only, and for restarts, which have a sentence of
    # their own.
    known = frozenset(RunOptions.model_fields) - _NOT_HERE | {
        "plan_only",
        "restart_nodes",
        *OfflineRequest.model_fields,
    }

    def request_of(
        self, context: Mapping[str, Any], settings: ClusterSettings, options: RunOptions
    ) -> Mapping[str, Any]:
        """Return what goes down and how; raises SettingsError for a parameter that is wrong."""
        if options.restart_nodes:
            why = "has no effect on an offline update, which restarts what asks for it: use a rolling update."
            raise SettingsError([SettingsProblem("run parameters", None, "restart_nodes", settings.name, why)])
        return OfflineRequest.from_parameters(dict(context["params"])).to_json()


class OfflinePlanOperator(PlanOperator):
    """Makes the plan and reads which virtual machines go down with it, while the cluster can still be asked."""

    def _make(self, context: Mapping[str, Any], settings: ClusterSettings, record: RunRecord) -> Plan:
        plan = super()._make(context, settings, record)
        step = StepContext(settings.name, context["run_id"], run_options(settings, context), record)
        plan_offline(open_cluster(settings), step, plan, now(), read_history(settings.slug))
        return plan


class ApproveDowntimeOperator(ApprovePlanOperator):
    """Asks a person, always: the machines that go down are part of what is approved."""

    def is_wanted(self, options: RunOptions) -> bool:
        """Return True: nobody takes a whole cluster down unasked."""
        return True

    def identity_of(self, record: RunRecord, options: RunOptions) -> str:
        """Return the hash of the servers' plan together with what goes down."""
        return offline_hash(planned(record), options.to_json(), _goes_down(record))

    def body_of(self, settings: ClusterSettings, record: RunRecord, options: RunOptions, identity: str) -> str:
        """Return what the person reads."""
        return offline_markdown(planned(record), _goes_down(record), identity)


class OfflineStepOperator(StepOperator):
    """Runs one step of an offline update; nothing is begun without a person's yes to this very plan."""

    def admitted(self, record: RunRecord, options: RunOptions) -> None:
        """Raise when this task has nothing to do or must not begin."""
        plan, started = read_plan(record), record.last(ev.RunStarted)
        request = OfflineRequest.from_parameters(started.event.request if started else {})
        if self.step == "install_before" and not request.install_before:
            raise AirflowSkipException("Everything is installed in the downtime: install_before was not asked for.")
        admitted = admit_offline(
            self.step,
            self.node,
            plan,
            record.facts,
            is_down=record.last(ev.ClusterDown) is not None,
            missing_approval=_missing_approval(record, plan, options),
        )
        if admitted.refused:
            raise AirflowFailException(admitted.why)
        if not admitted.goes:
            raise AirflowSkipException(admitted.why)


class OfflineNodeStepOperator(RetriedPerNode, OfflineStepOperator):
    """Runs one step of one node; tried again as often as the run says."""


def _goes_down(record: RunRecord) -> OfflinePlanned:
    found = offline_plan(record)
    if found is None:
        raise AirflowFailException(
            "It is not on record what goes down. Clear the task 'plan' with its downstream tasks."
        )
    return found


def _missing_approval(record: RunRecord, plan: Plan | None, options: RunOptions) -> str:
    goes_down, answer = offline_plan(record), record.last(ev.Approved)
    if plan is None or goes_down is None:
        return "There is no plan that could have been approved."
    identity = offline_hash(plan, options.to_json(), goes_down)
    return missing_approval(True, identity, answer.event if answer else None)
