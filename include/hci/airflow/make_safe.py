"""Undoing what a dead run left: found by the runs' own records, whatever happened to their tasks in Airflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hci.airflow.events import Ended
from include.hci.airflow.names import run_type_name
from include.hci.airflow.open_runs import OpenRun, close_run, open_runs
from include.hci.airflow.run_tasks import ConcludeOperator
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings
from include.hci.report import events as ev
from include.hci.report.model import RunReport
from include.hci.settings import ClusterSettings, RunOptions

#: Run states in which Airflow still works on a run, or is going to.
ALIVE = ("queued", "running")


class FindDeadRunsOperator(BaseOperator):
    """Finds the runs of a cluster that ended in Airflow, or are gone from it, without having undone what they changed."""

    def __init__(self, *, cluster: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cluster = cluster

    def execute(self, context: Mapping[str, Any]) -> list[str]:
        """Return the ids of the dead runs; skips the rest when there are none.

        A run that has ended and named what it leaves to a person is taken up again only when a person asks for it.
        """
        settings = cluster_settings(self.cluster)
        by_hand = run_type_name(context["dag_run"].run_type) == "manual"
        dead = []
        for run in open_runs(settings.slug):
            if run.left and not by_hand:
                continue
            if is_alive(run):
                self.log.info("Run %s is under way; it is left alone.", run.run_id)
                continue
            facts = open_record(settings.slug, run.run_id).facts
            if not (facts.lock_nodes or facts.paused or facts.in_maintenance or facts.changes):
                self.log.info("Run %s has ended and left nothing behind.", run.run_id)
                close_run(settings.slug, run.run_id, left=False)
                continue
            locks = (f"lock on {node}" for node in facts.lock_nodes)
            others = (change.subject for change in facts.changes)
            changed = ", ".join((*facts.paused, *locks, *others))
            self.log.warning("Run %s is dead and may have left: %s.", run.run_id, changed)
            dead.append(run.run_id)
        if not dead:
            raise AirflowSkipException(f"No dead run has left anything on {settings.name}.")
        return dead


class MakeSafeOperator(ConcludeOperator):
    """Ends one dead run as its own last task would have: reads the cluster, undoes what that run left, releases its lock."""

    template_fields: Sequence[str] = ("node", "dead_run")

    def __init__(self, *, dead_run: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dead_run = dead_run

    def run_of(self, context: Mapping[str, Any]) -> str:
        """Return the dead run's id: the record, the lock and the report are that run's."""
        return self.dead_run

    def options_of(self, settings: ClusterSettings, context: Mapping[str, Any]) -> RunOptions:
        """Return the options with which the dead run was started."""
        started = open_record(settings.slug, self.dead_run).last(ev.RunStarted)
        return RunOptions.as_given(settings) if started is None else RunOptions.from_json(started.event.options)

    def verdict(self, report: RunReport, end: Ended) -> str:
        """Return what was undone; raises when something is left for a person."""
        if end.details.get("left"):
            raise AirflowFailException(f"{report.headline} {end.why}")
        return end.why


def is_alive(run: OpenRun) -> bool:
    """Return whether Airflow still works on ``run``; one that was deleted is dead."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    return RuntimeTaskInstance.get_dr_count(dag_id=run.dag_id, run_ids=[run.run_id], states=list(ALIVE)) > 0
