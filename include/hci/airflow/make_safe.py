"""Undoing what a dead run left: found by the runs' own records, whatever happened to their tasks in Airflow."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hci.airflow.cluster_operator import ClusterOperator
from include.hci.airflow.events import Ended
from include.hci.airflow.names import ALIVE, run_type_name
from include.hci.airflow.open_runs import OpenRun, close_run, open_runs
from include.hci.airflow.run_tasks import ConcludeOperator, options_begun_with
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings
from include.hci.report.facts import RunFacts
from include.hci.report.model import RunReport
from include.hci.settings import ClusterSettings, RunOptions

_log = logging.getLogger(__name__)
#: Said of a run (id, DAG, what it has changed) that Airflow begins no further task of.
WAITS_IN_VAIN = (
    "Run {0} has begun and goes no further, because its DAG {1} is paused; meanwhile this stays as it is: {2}. Unpause the DAG. "
    "To end the run instead, unpause it and then mark the run as failed: its last task takes everything back."
)


class FindDeadRunsOperator(ClusterOperator):
    """Finds the runs of a cluster that ended in Airflow, or are gone from it, without having undone what they changed."""

    def execute(self, context: Mapping[str, Any]) -> list[str]:
        """Return the ids of the dead runs; skips the rest when there are none.

        A run that has ended and named what it leaves to a person is taken up again only when a person asks for it. Fails for what
        only a person can mend, once no run is dead: a run that waits in vain, a record that cannot be read.
        """
        settings = cluster_settings(self.cluster)
        by_hand = run_type_name(context["dag_run"].run_type) == "manual"
        dead, troubles = [], []
        for run in open_runs(settings.slug):
            if run.left and not by_hand:
                continue
            record = open_record(settings.slug, run.run_id)
            try:
                changed = _changed(record.facts)
            except OSError as error:  # the others are to be looked after all the same
                troubles.append(f"The record of run {run.run_id} cannot be read now: {error}")
                continue
            if is_alive(run):
                if changed and is_paused(run):
                    troubles.append(WAITS_IN_VAIN.format(run.run_id, run.dag_id, changed))
                else:
                    self.log.info("Run %s is under way; it is left alone.", run.run_id)
                continue
            if changed:
                self.log.warning("Run %s is dead and may have left: %s.", run.run_id, changed)
                dead.append(run.run_id)
            elif unread := record.unreadable():
                troubles.append(f"{unread[0].file} of the dead run {run.run_id} cannot be read: {unread[0].reason}")
            else:
                self.log.info("Run %s has ended and left nothing behind.", run.run_id)
                close_run(settings.slug, run.run_id, left=False)
        for trouble in troubles:
            self.log.error("%s", trouble)
        if dead:
            return dead
        if troubles:
            raise AirflowFailException(" ".join(troubles))
        raise AirflowSkipException(f"No dead run has left anything on {settings.name}.")


class MakeSafeOperator(ConcludeOperator):
    """Ends one dead run as its own last task would have: reads the cluster, undoes what that run left, releases its lock."""

    template_fields: Sequence[str] = ("node", "dead_run")

    def __init__(self, *, dead_run: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dead_run = dead_run

    def execute(self, context: Mapping[str, Any]) -> Any:
        """End the run, unless somebody has ended it, or brought it back to life, since it was found dead."""
        found = open_runs(cluster_settings(self.cluster).slug)
        run = next((run for run in found if run.run_id == self.dead_run), None)
        if run is None or is_alive(run):
            raise AirflowSkipException(
                f"Run {self.dead_run} {'has ended' if run is None else 'is under way again'}: it is left alone."
            )
        return super().execute(context)

    def run_of(self, context: Mapping[str, Any]) -> str:
        """Return the dead run's id: the record, the lock and the report are that run's."""
        return self.dead_run

    def options_of(self, settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
        """Return the options with which the dead run was started."""
        return options_begun_with(settings, open_record(settings.slug, self.dead_run))

    def verdict(self, report: RunReport, end: Ended) -> str:
        """Return what was undone; raises when something is left for a person."""
        if end.details.get("left"):
            raise AirflowFailException(f"{report.headline} {end.why}")
        return end.why


def _changed(facts: RunFacts) -> str:
    """Return what a run has changed and not taken back yet, by name; empty: nothing."""
    locks = (f"lock on {node}" for node in facts.lock_nodes)
    return ", ".join(
        dict.fromkeys((*facts.paused, *facts.in_maintenance, *locks, *(one.subject for one in facts.changes)))
    )


def is_paused(run: OpenRun) -> bool:
    """Return whether the DAG of ``run`` is paused: Airflow then begins no further task of it, those that undo included."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    try:
        return bool(RuntimeTaskInstance.get_dag(run.dag_id).is_paused)
    except Exception as error:
        # The dead runs are to be found all the same.
        _log.warning("Airflow does not tell whether %s is paused: %s", run.dag_id, error)
        return False


def is_alive(run: OpenRun) -> bool:
    """Return whether Airflow still works on ``run``; one that was deleted is dead."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    return RuntimeTaskInstance.get_dr_count(dag_id=run.dag_id, run_ids=[run.run_id], states=list(ALIVE)) > 0
