"""A rolling update of the same cluster, begun by another run and waited for: once, however often the task is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from include.hci.airflow.events import addressed
from include.hci.airflow.progress import publish
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import now
from include.hci.powershell.threads import short_threads
from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.ended import end_of_run
from include.hci.report.model import RunReport

#: States of an Airflow run after which it does nothing more by itself; GONE is a run that somebody has deleted.
ENDED = frozenset({"success", "failed"})
GONE = "gone"
#: Airflow begins no task of a DAG that is paused, and a trigger cannot ask whether it is.
NOT_BEGUN = "It has not begun yet. If that lasts, look whether {} is paused: nothing of a paused DAG is begun."
#: How a rolling update may end for what comes after it.
GOOD = frozenset({"succeeded", "nothing-to-do"})
#: As much of a run's id as Airflow keeps, less what is put before it.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class RollingRun:
    """A rolling update by its DAG and run."""

    dag_id: str
    run_id: str


def run_id_of(task: str, run_id: str) -> str:
    """Return the id of the rolling update that ``task`` of the run ``run_id`` begins: always the same one."""
    short = run_id if len(run_id) <= _LONGEST else f"{run_id[:100]}-{sha256(run_id.encode()).hexdigest()[:16]}"
    return f"{task}__{short}"


def state_of(run: RollingRun) -> str | None:
    """Return Airflow's state of ``run``, None while there is none; from inside a task or a trigger's thread."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    if RuntimeTaskInstance.get_dr_count(dag_id=run.dag_id, run_ids=[run.run_id]) == 0:
        return None
    state = RuntimeTaskInstance.get_dagrun_state(dag_id=run.dag_id, run_id=run.run_id)
    # It is an enumeration whose ``str()`` is not what it is called.
    return str(getattr(state, "value", state))


def begin(run: RollingRun, conf: Mapping[str, Any], note: str) -> None:
    """Begin ``run`` with ``conf``, unless it was begun already; from inside a task.

    Raises AirflowFailException where Airflow has no such DAG, or it is paused and so would never run.
    """
    # What TriggerDagRunOperator does takes a run that exists for a failure that is not tried again: a worker that dies between
    # beginning the run and waiting for it would end this one.
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    if RuntimeTaskInstance.get_dag(run.dag_id).is_paused:
        raise AirflowFailException(
            f"The DAG {run.dag_id} is paused, so its run would never begin. Unpause it, then clear this task."
        )
    order = TriggerDagRun(dag_id=run.dag_id, run_id=run.run_id, conf=dict(conf), note=note)
    answer = task_runner.SUPERVISOR_COMMS.send(order)
    if isinstance(answer, ErrorResponse) and answer.error.value != "DAGRUN_ALREADY_EXISTS":
        raise RuntimeError(f"Airflow did not begin {run.dag_id} {run.run_id}: {answer.error.value} {answer.detail}")


def report_on(slug: str, run: RollingRun) -> RunReport | None:
    """Return the report of ``run`` as it stands, None while it has not put itself on record."""
    record = open_record(slug, run.run_id)
    if record.last(ev.RunStarted) is None:
        return None
    return report_of(record, now(), run.run_id, slug)


def builds_after(report: RunReport | None) -> dict[str, str]:
    """Return the builds that the nodes have after the run of ``report``, of those that it knows."""
    nodes = () if report is None else report.nodes
    return {node.name: node.build_after for node in nodes if node.build_after}


def pass_on_cancel(slug: str, run_id: str, run: RollingRun) -> str:
    """Ask ``run`` to cancel when the run ``run_id`` that began it was; returns who has asked for that, empty: nobody."""
    cancel, record = open_record(slug, run_id).facts.cancel, open_record(slug, run.run_id)
    if cancel is None or record.last(ev.RunStarted) is None or end_of_run(record.events()) is not None:
        return ""
    if record.facts.cancel is None:
        comment = "The run that began this one was cancelled."
        record.add(ev.OperatorAsked(action="cancel", by=cancel.by, comment=comment), now())
    return str(cancel)


class RollingRunTrigger(BaseTrigger):
    """Waits until a rolling update has ended, and says what its report says meanwhile.

    The arguments are all that a restarted triggerer needs to go on. ``sender`` is the task that waits.
    """

    def __init__(
        self,
        dag_id: str,
        child_run_id: str,
        slug: str,
        run_id: str,
        sender: list[str | None],
        first_check_seconds: float,
        poll_seconds: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dag_id = dag_id
        self.child_run_id = child_run_id
        self.slug = slug
        self.run_id = run_id
        self.sender = list(sender)
        self.first_check_seconds = first_check_seconds
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what rebuilds this trigger."""
        names = ("dag_id", "child_run_id", "slug", "run_id", "sender", "first_check_seconds", "poll_seconds")
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; yield one event with Airflow's state of the run when it has ended, or is gone."""
        # A trigger that fires at once can overtake the scheduler's own note that the task was deferred.
        await asyncio.sleep(self.first_check_seconds)
        said = ""
        while True:
            state, text = await short_threads().run(self._look)
            if state in ENDED or state == GONE:
                break
            if text != said:
                said = text
                self.log.info("%s", text)
                await publish(self.task_instance, {"step": self.task_instance.task_id, "text": text})  # type: ignore[union-attr]
            await asyncio.sleep(self.poll_seconds)
        yield addressed(TriggerEvent({"state": state}), self.sender)

    def _look(self) -> tuple[str, str]:
        """Return the state and what to say of it; what cannot be asked now is asked again."""
        run = RollingRun(self.dag_id, self.child_run_id)
        try:
            state = state_of(run)
            cancel = pass_on_cancel(self.slug, self.run_id, run)
            report = report_on(self.slug, run)
        except Exception as error:
            return "", f"{self.dag_id} cannot be looked at now ({type(error).__name__}); it is tried again"
        if state is None:
            return GONE, ""
        headline = NOT_BEGUN.format(self.dag_id) if report is None else report.headline
        asked = f" It was told to cancel, as asked by {cancel}." if cancel else ""
        return state, f"Waits for {self.dag_id}, run {self.child_run_id} ({state}). {headline}{asked}"
