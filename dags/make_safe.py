"""One DAG per cluster of the fleet file: undoes what a dead run left, by reading the cluster."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from include.hci.airflow.each_cluster import dag_of_each
from include.hci.airflow.make_safe import FindDeadRunsOperator, MakeSafeOperator
from include.hci.airflow.names import make_safe_dag_id
from include.hci.settings import ClusterSettings, fleet_path, load_fleet

#: A lock without an owner disappears by itself after an hour, a paused node never; this is well before both matter.
EVERY = timedelta(minutes=10)

DOC = """
### Make {name} safe

Looks every ten minutes for updating runs of **{name}** that have ended in Airflow, or were deleted from it, without having undone
what they changed: tasks that a person marked or cleared, a database that was restored. For each of them the cluster is read,
nodes that the run paused are resumed, its lock is released, and its report is written.

A run that is under way is left alone. A run that has named what it leaves to a person is taken up again only when this DAG is
triggered by hand: do that after mending what the report names. One whose cluster did not answer at all is tried again by itself.
"""


def make_safe(cluster: ClusterSettings) -> DAG:
    """Return the DAG that undoes what dead runs left on ``cluster``."""
    retry = {"retries": 2, "retry_delay": timedelta(seconds=cluster.pacing.poll_seconds)}
    with DAG(
        make_safe_dag_id(cluster.slug),
        dag_display_name=f"Make {cluster.name} safe",
        description=f"Undoes what a dead updating run left on {cluster.name}",
        doc_md=DOC.format(name=cluster.name),
        schedule=EVERY,
        catchup=False,
        auto_register=False,
        max_active_runs=1,
        # It touches nothing unless a run has died, and nobody thinks of switching it on before one has.
        is_paused_upon_creation=False,
        tags=["cluster update", "safety", *cluster.tags],
        default_args={"owner": cluster.owner or "airflow"},
    ) as dag:
        found = FindDeadRunsOperator(task_id="find_dead_runs", cluster=cluster.name, **retry)
        MakeSafeOperator.partial(
            task_id="make_safe", cluster=cluster.name, map_index_template="{{ task.dead_run }}", **retry
        ).expand(dead_run=found.output)
    return dag


globals().update(dag_of_each(load_fleet(fleet_path()).clusters.values(), make_safe_dag_id, make_safe))
