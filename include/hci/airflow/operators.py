"""The operators that run steps: a first look in the worker, everything that takes time in the triggerer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hci.airflow.admission import Admission, admit, admit_cluster_step, missing_approval
from include.hci.airflow.cluster_operator import ClusterOperator
from include.hci.airflow.events import Ended, end_of, is_from, parse
from include.hci.airflow.log_text import END, after_stop, closing, first_look, opening, problem_lines
from include.hci.airflow.open_runs import OpenRun, mark_open
from include.hci.airflow.retry import attempt_of
from include.hci.airflow.storage import REPORT_PAGE, open_record, run_address
from include.hci.airflow.triggers import StepTrigger
from include.hci.airflow.work import StepWork, now, read_plan, settings_for
from include.hci.policy.plan_hash import plan_hash
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.values import Problem
from include.hci.settings import ClusterSettings, RunOptions
from include.hci.steps.context import deadline_for
from include.hci.steps.decisions import Done, Stop, show_problem
from include.hci.steps.gates import void_by_options

#: The steps that share a node's ``max_retries_per_node``, which CAU counts over the whole of its update (Invoke-CauRun). What
#: brings a node back into service has as many for itself: giving up there leaves it out.
RETRIES_SHARED = frozenset({"turn", "drain", "install", "restart"})


class StepStopped(Exception):
    """A step stopped with a problem; Airflow tries it again while the run's retries last."""


class StepOperator(ClusterOperator):
    """Runs one step of a run for a whole cluster, or for one ``node`` of it.

    ``cluster`` is a name of the fleet file and ``step`` one of the engine's steps. With ``look_first`` the worker looks once,
    so that a step with nothing to wait for ends at once; a step whose look itself takes minutes goes to the triggerer directly.
    """

    template_fields: Sequence[str] = ("node",)
    ui_color = "#e8f0fb"

    def __init__(self, *, step: str, node: str | None = None, look_first: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step
        self.node = node
        self.look_first = look_first

    def execute(self, context: Mapping[str, Any]) -> Any:
        """Do the step; returns what it found out. Raises what Airflow takes for skipped, failed or deferred."""
        settings = settings_for(self.step, self.cluster)
        run_id = self.run_of(context)
        record = open_record(settings.slug, run_id)
        options = self.options_of(settings, context)
        self.admitted(record, options)
        self._begin_again(settings, record, context)
        patience = deadline_for(self.step, options)  # type: ignore[arg-type]
        page = f"{run_address(settings.slug, run_id)}/{REPORT_PAGE}"
        self.say(opening(self.step, self.node, settings.name, patience, page))
        if self.look_first and self.group_id is None:
            work = StepWork.open(self.step, settings.name, run_id, options.to_json(), self.node)
            decision = work.runner.tick(act=False)
            self.say(first_look(decision, now()))
            if isinstance(decision, Done | Stop):
                return self.ended(context, end_of(decision))
        return self.hand_over(settings, run_id, options)

    def run_of(self, context: Mapping[str, Any]) -> str:
        """Return the id of the run that this step belongs to."""
        return str(context["run_id"])

    def _begin_again(self, settings: ClusterSettings, record: RunRecord, context: Mapping[str, Any]) -> None:
        """Remember a run whose tasks a person has cleared after its end as one that goes on, so that it is found if it dies.

        Raises where nobody has cleared anything: Airflow then goes on with a run of which it has forgotten the end.
        """
        ended = record.last(ev.Concluded)
        if self.step == "conclude" or ended is None:
            return
        if getattr(context.get("dag_run"), "clear_number", None) == 0:
            raise AirflowFailException(
                f"By its record this run has ended at {ended.at:%Y-%m-%d %H:%M} UTC, and nobody has cleared a task of it since."
                " Airflow's database may have been restored from before that, so nothing is done again. Start a new run."
            )
        mark_open(settings.slug, OpenRun(self.run_of(context), self.dag_id))

    def options_of(self, settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
        """Return that run's options."""
        return run_options(settings, context)

    def admitted(self, record: RunRecord, options: RunOptions) -> None:
        """Raise when this task has nothing to do or must not begin."""
        facts = record.facts
        if self.node is None:
            admission = admit_cluster_step(
                self.step, facts, stage_only=options.stage_only, missing_approval=_missing_approval(record, options)
            )
            if admission.admission is Admission.REFUSE:
                raise AirflowFailException(admission.why)
            if admission.admission is Admission.SKIP:
                raise AirflowSkipException(admission.why)
            return
        turns = {self.node: record.last(ev.TurnGiven, self.node) is not None}
        plan = read_plan(record)
        answer = admit(self.step, self.node, plan, facts, turns, stage_only=options.stage_only)
        if answer.admission is Admission.REFUSE:
            raise AirflowFailException(answer.why)
        if answer.admission is Admission.SKIP:
            self.skip(record, answer.why)
        if plan is None or self.step != "drain" or self.node in facts.paused:
            return
        # While the node waited for its turn, that went by the options of when its waiting began.
        if (problem := void_by_options(self.node, plan, options)) is not None:
            record.add(ev.Failed(step="drain", node=self.node, problem=problem), now())
            raise AirflowFailException(show_problem(problem))

    def hand_over(self, settings: ClusterSettings, run_id: str, options: RunOptions) -> NoReturn:
        """Defer to the triggerer."""
        self.say(("It goes on in the triggerer, whose lines follow here.",))
        deadline = now() + deadline_for(self.step, options)  # type: ignore[arg-type]
        self.defer(
            trigger=StepTrigger(
                step=self.step,
                cluster=settings.name,
                run_id=run_id,
                options=options.to_json(),
                deadline=deadline.isoformat(),
                first_check_seconds=settings.pacing.first_check_seconds,
                poll_seconds=settings.pacing.poll_seconds,
                node=self.node,
                group_id=self.group_id,
            ),
            method_name="go_on",
        )

    @property
    def group_id(self) -> str | None:
        """The task group in which this task waits for its node's turn; None for every step but ``turn``."""
        return self.task_id.rpartition(".")[0] if self.step == "turn" else None

    def say(self, lines: Iterable[str]) -> None:
        """Write ``lines`` into the task's log."""
        for line in lines:
            self.log.info("%s", line)

    def go_on(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> Any:
        """Take over from the trigger; what another task's trigger said sends this one back to wait for its own."""
        # What a triggerer that died had begun to fold would swallow everything that follows.
        self.say((END,))
        settings = settings_for(self.step, self.cluster)
        run_id = self.run_of(context)
        if not is_from(event, (settings.name, run_id, self.step, self.node)):
            self.log.warning("This is the answer of another task; the step goes on: %s", dict(event))
            return self.hand_over(settings, run_id, self.options_of(settings, context))
        return self.ended(context, parse(event))

    def ended(self, context: Mapping[str, Any], end: Ended) -> Any:
        """Turn a step's end into the task's."""
        record = open_record(settings_for(self.step, self.cluster).slug, self.run_of(context))
        if end.status == "skipped":
            self.say((f"Left out: {end.why}",))
            self.skip(record, end.why)
        if end.status == "stopped":
            self.stopped(context, record, end.problem or Problem(title=end.why))
        self.say((f"Done: {end.why}", closing(following(self))))
        return {"why": end.why, **end.details}

    def skip(self, record: RunRecord, why: str) -> NoReturn:
        """Skip this task and put the reason on record."""
        if self.node is not None and self.step == "turn" and self.node not in record.facts.skipped:
            record.add(ev.Skipped(step="turn", node=self.node, reason=why), now())
        raise AirflowSkipException(why)

    def stopped(self, context: Mapping[str, Any], record: RunRecord, problem: Problem) -> NoReturn:
        """Fail this try; a failure that is not to be tried again is the node's, or the run's, and goes on record."""
        text = show_problem(problem)
        ti = context["ti"]
        tries = attempt_of(ti.try_number, ti.max_tries, int(self.retries or 0))
        shared = self.node if self.step in RETRIES_SHARED else None
        if shared is not None:
            tries = max(tries, 1 + record.facts.retries.get(shared, 0))
        allowed = self.retries_allowed(context)
        last = problem.retry_is_safe is False or tries > allowed
        after = after_stop(self.node, tries, allowed, self.retry_delay, final=last, shared=shared is not None)
        for line in (*problem_lines(problem), after):
            self.log.error("%s", line)
        if last:
            record.add(ev.Failed(step=self.step, node=self.node, problem=problem), now())  # type: ignore[arg-type]
            raise AirflowFailException(text)
        if shared is not None:
            record.add(ev.TriedAgain(step=self.step, node=shared, why=problem.title), now())  # type: ignore[arg-type]
        raise StepStopped(text)

    def retries_allowed(self, context: Mapping[str, Any]) -> int:
        """Return how often this task is tried again."""
        return int(self.retries or 0)


class RetriedPerNode:
    """What is tried again as often as the run's ``max_retries_per_node`` says (see ``node_retries``)."""

    def retries_allowed(self, context: Mapping[str, Any]) -> int:
        """Return the run's ``max_retries_per_node``."""
        return int(context["params"].get("max_retries_per_node", 3))


class NodeStepOperator(RetriedPerNode, StepOperator):
    """Runs one step of one node; tried again as often as the run says."""


def following(operator: BaseOperator) -> set[str]:
    """Return the ids of the tasks that come right after ``operator``'s: those that wait for none of the others."""
    after = set(operator.downstream_task_ids)
    dag = operator.get_dag()
    if dag is None:
        return after
    later = {found for name in after for found in dag.get_task(name).get_flat_relative_ids(upstream=False)}
    return after - later


def _missing_approval(record: RunRecord, options: RunOptions) -> str:
    plan, answer = read_plan(record), record.last(ev.Approved)
    if plan is None:
        return ""
    identity = plan_hash(plan, options.to_json())
    return missing_approval(options.require_approval, identity, answer.event if answer else None)


def run_options(settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
    """Return the run's options: the cluster's, with the run's parameters over them; raises SettingsError naming each bad one."""
    given = {key: value for key, value in dict(context["params"]).items() if key in RunOptions.model_fields}
    return RunOptions.for_run(settings, given)
