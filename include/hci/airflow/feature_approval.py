"""A person's yes to what cannot be taken back after a feature update, one question each; a no is no failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hci.airflow.approval import ApprovePlanOperator
from include.hci.airflow.events import Ended
from include.hci.airflow.feature import FeatureStepOperator, admitted, feature_options, request_on_record
from include.hci.airflow.operators import StepStopped
from include.hci.airflow.retry import attempt_of
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import StepWork, cluster_settings, now
from include.hci.policy.post_question import Question
from include.hci.powershell.errors import CommandFailed
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.values import Problem
from include.hci.settings import ClusterSettings, RunOptions
from include.hci.steps.decisions import show_problem
from include.hci.steps.failures import refused_problem
from include.hci.steps.feature_consent import Asking, last_answer, refusal_of

#: What each of these tasks asks about: the step that acts on the answer, which is called like the parameter that wants it.
ASKS: Mapping[ev.StepName, ev.StepName] = {
    "approve_functional_level": "functional_level",
    "approve_pool_version": "pool_version",
    "approve_vm_versions": "vm_versions",
}


class ApprovePostStepOperator(ApprovePlanOperator):
    """Asks whether ``step`` (``approve_functional_level`` ...) may be done, where the run was begun with the wish to be asked.

    What is approved is the question's hash: the versions now, the target and the builds of the nodes. The step that acts reads
    the answer from the record again; who marks this task as a success has approved nothing.
    """

    def __init__(self, *, step: ev.StepName, cluster: str, **kwargs: Any) -> None:
        super().__init__(cluster=cluster, **kwargs)
        self.step = step
        self.subject = f"{_SUBJECTS[step]} of {cluster}, for good"

    def execute(self, context: Any) -> Any:
        """Ask, unless nobody wants to be asked, there is nothing to raise, or this very question has its answer already."""
        settings = cluster_settings(self.cluster)
        options = self.options_of(settings, context)
        record = open_record(settings.slug, context["run_id"])
        admitted(self.step, record, options)
        wish = getattr(request_on_record(record), ASKS[self.step])
        if wish != "ask":
            self.log.info("Nobody is asked: the run was begun with %s: %s.", ASKS[self.step], wish)
            return {"asked": False, "why": f"{ASKS[self.step]}: {wish}"}
        asking = self.look(settings, context, options)
        if asking.problem is not None:
            self.stopped(context, record, asking.problem)
        if asking.question is None:
            self.log.info("There is nothing to ask: %s.", asking.why)
            return {"asked": False, "why": asking.why}
        answer = last_answer(record, self.step)
        if answer is not None and answer.identity == asking.question.identity:
            return self.settled(answer)
        record.add(_asked(self.step, asking.question), now())
        return self.ask(context, options, asking.question.markdown())

    def look(self, settings: ClusterSettings, context: Any, options: RunOptions) -> Asking:
        """Return what there is to ask, as the cluster is now; what it would refuse is a problem, not a question."""
        work = StepWork.open(ASKS[self.step], settings.name, context["run_id"], options.to_json())
        step: Any = work.runner.step
        asking: Asking = step.asking(work.cluster, step.observe(work.cluster), now())
        if asking.question is None or asking.try_out is None:
            return asking
        try:
            said = asking.try_out()
        except CommandFailed as error:
            return Asking(problem=refused_problem(self.step, error))
        self.log.info("-WhatIf: %s", said)
        return Asking(replace(asking.question, said=said))

    def options_of(self, settings: ClusterSettings, context: Any) -> RunOptions:
        """Return the run's options."""
        return feature_options(settings, context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Put the answer on record; a no skips this task, and the step reads it from there."""
        record = open_record(cluster_settings(self.cluster).slug, context["run_id"])
        asked = [entry.event for entry in record.all_of(ev.PostAsked) if entry.event.step == self.step]
        if not asked:
            raise AirflowFailException("There is no question on record. Clear this task with its downstream tasks.")
        by, accepted, comment = self.answer_of(context, event)
        answer = ev.PostAnswered(step=self.step, identity=asked[-1].identity, by=by, accepted=accepted, comment=comment)
        record.add(answer, now())
        return self.settled(answer)

    def settled(self, answer: ev.PostAnswered) -> dict[str, Any]:
        """Return a yes; raises AirflowSkipException for a no."""
        if not answer.accepted:
            why = refusal_of(answer)
            raise AirflowSkipException(f"{why[:1].upper()}{why[1:]}. It is left as it is, and the run goes on.")
        self.log.info("%s approved question %s. %s", answer.by, answer.identity[:12], answer.comment)
        return {"asked": True, "question": answer.identity, "approved_by": answer.by}

    def stopped(self, context: Any, record: RunRecord, problem: Problem) -> NoReturn:
        """Fail this try; the last one puts it on record."""
        text, ti, retries = show_problem(problem), context["ti"], int(self.retries or 0)
        if problem.retry_is_safe is False or attempt_of(ti.try_number, ti.max_tries, retries) > retries:
            record.add(ev.Failed(step=self.step, problem=problem), now())
            raise AirflowFailException(text)
        raise StepStopped(text)


class PostStepOperator(FeatureStepOperator):
    """Runs a step after the installation that may be left out on purpose: its task is skipped then, not failed."""

    def ended(self, context: Mapping[str, Any], end: Ended) -> Any:
        """Turn the step's end into the task's."""
        if end.status == "done" and end.details.get("left"):
            raise AirflowSkipException(end.why)
        return super().ended(context, end)


_SUBJECTS: Mapping[ev.StepName, str] = {
    "approve_functional_level": "Raise the functional level",
    "approve_pool_version": "Raise the version of the storage pool",
    "approve_vm_versions": "Raise the version of the virtual machines",
}


def _asked(step: ev.StepName, question: Question) -> ev.PostAsked:
    return ev.PostAsked(
        step=step,
        identity=question.identity,
        subjects=question.subjects,
        target=question.target,
        builds=question.builds,
        said=question.said,
    )
