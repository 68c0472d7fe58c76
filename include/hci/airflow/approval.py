"""A person's yes to the plan, by Airflow's own human-in-the-loop: what is approved is the plan's hash, and silence means no."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException

from include.hci.airflow.history import outlook_of
from include.hci.airflow.operators import run_options
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, now, read_plan
from include.hci.policy.plan import Plan
from include.hci.policy.plan_hash import plan_hash
from include.hci.report import events as ev
from include.hci.report.plan_text import plan_markdown
from include.hci.report.record import RunRecord
from include.hci.report.run_events import NOBODY
from include.hci.settings import ClusterSettings, RunOptions

YES, NO = "Approve", "Refuse"


class ApprovePlanOperator(HITLOperator):
    """Asks for the approval of a run's plan when the run's options want one.

    The plan and its hash are shown; the answer, who gave it and for which hash go on record. No answer in time is a no.
    """

    def __init__(self, *, cluster: str, **kwargs: Any) -> None:
        super().__init__(
            subject=f"Approve the update plan of {cluster}",
            options=[YES, NO],
            defaults=NO,
            **kwargs,
        )
        # Airflow hands every operator the DAG's parameters; the form of the question has this one alone.
        comment = Param(
            "", source="task", type=["string", "null"], maxLength=200, title="Comment (stands in the report)"
        )
        self.params = ParamsDict({"comment": comment})
        self.cluster = cluster

    def execute(self, context: Any) -> Any:
        """Ask, unless the run needs no approval or has one for this very plan; waits without a worker or a trigger."""
        settings = cluster_settings(self.cluster)
        options = self.options_of(settings, context)
        record = open_record(settings.slug, context["run_id"])
        identity = self.identity_of(record, options)
        if not self.is_wanted(options):
            self.log.info("This run needs no approval (require_approval). Plan %s.", identity)
            return {"plan": identity, "approved_by": None}
        if (answer := record.last(ev.Approved)) is not None and answer.event.plan_id == identity:
            # Airflow may try this task again after the answer: it is not asked for twice.
            return self._answered(answer.event)
        return self.ask(context, options, self.body_of(settings, record, options, identity))

    def ask(self, context: Any, options: RunOptions, body: str) -> Any:
        """Ask what ``body`` says of those who may answer by ``options``, and wait."""
        self.body = body
        self.response_timeout = timedelta(minutes=options.approval_timeout_minutes)
        self.assigned_users = [{"id": name, "name": name} for name in options.approvers] or None
        return super().execute(context)

    def answer_of(self, context: Any, event: dict[str, Any]) -> tuple[str, bool, str]:
        """Return who answered, whether it is a yes, and the comment."""
        answer = super().execute_complete(context, event)
        by = _who(answer.get("responded_by_user"))
        accepted = by != NOBODY and answer["chosen_options"] == [YES]
        return by, accepted, str((answer.get("params_input") or {}).get("comment") or "")

    def options_of(self, settings: ClusterSettings, context: Any) -> RunOptions:
        """Return the run's options."""
        return run_options(settings, context)

    def is_wanted(self, options: RunOptions) -> bool:
        """Return whether the run wants the approval."""
        return options.require_approval

    def identity_of(self, record: RunRecord, options: RunOptions) -> str:
        """Return the hash of what is approved; raises AirflowFailException when there is no plan.

        It is that of the plan as it was made and shown: what somebody changes in the fleet file meanwhile nobody has approved.
        """
        plan = planned(record)
        return plan_hash(plan, plan.options or options.to_json())

    def body_of(self, settings: ClusterSettings, record: RunRecord, options: RunOptions, identity: str) -> str:
        """Return what the person reads, as Markdown."""
        plan = planned(record)
        return plan_markdown(plan, outlook_of(settings.slug, plan, options, record, now()), identity)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Put the answer on record; raises when it is no."""
        settings = cluster_settings(self.cluster)
        record = open_record(settings.slug, context["run_id"])
        identity = self.identity_of(record, self.options_of(settings, context))
        by, accepted, comment = self.answer_of(context, event)
        approved = ev.Approved(by=by, accepted=accepted, comment=comment, plan_id=identity)
        record.add(approved, now())
        return self._answered(approved)

    def _answered(self, answer: ev.Approved) -> dict[str, Any]:
        if answer.accepted:
            self.log.info("%s approved plan %s. %s", answer.by, answer.plan_id, answer.comment)
            return {"plan": answer.plan_id, "approved_by": answer.by}
        if answer.by == NOBODY:
            raise AirflowFailException(
                "Nobody approved the plan in time, and that means no. Nothing was changed. Only a new run asks again."
            )
        raise AirflowFailException(
            f"{answer.by} refused the plan. {answer.comment} Nothing was changed. Only a new run asks again."
        )


def planned(record: RunRecord) -> Plan:
    """Return the run's plan; raises AirflowFailException when there is none."""
    plan = read_plan(record)
    if plan is None:
        raise AirflowFailException("There is no plan for this run. Clear the task 'plan' with its downstream tasks.")
    return plan


def _who(user: Mapping[str, Any] | None) -> str:
    # Airflow answers for a question that nobody answered with the default, and names no user.
    return str((user or {}).get("name") or (user or {}).get("id") or NOBODY)
