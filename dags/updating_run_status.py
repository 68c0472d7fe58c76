"""One DAG per cluster of the fleet file: who is updating the cluster now, and what is scheduled next. Nothing is changed."""

from __future__ import annotations

from airflow.sdk import DAG

from include.hci.airflow.each_cluster import dag_of_each
from include.hci.airflow.names import updating_status_dag_id
from include.hci.airflow.status import UpdatingStatusOperator
from include.hci.settings import ClusterSettings, fleet_path, load_fleet

DOC = """
### Who is updating {name}?

Trigger it to see, in the log of `read_status` and as its XCom (JSON): whether **{name}** is being updated, by whom (a run of this
Airflow, Cluster-Aware Updating, Windows Admin Center, another coordinator's lock), on which server and since when; which servers
are out of service and whose doing that is; and when either side begins the next time by its own schedule.

It only reads, and what it cannot read it says. The last answer also stands on the page *Cluster updates*.
"""


def updating_run_status(cluster: ClusterSettings) -> DAG:
    """Return the DAG that tells who is updating ``cluster``."""
    with DAG(
        updating_status_dag_id(cluster.slug),
        dag_display_name=f"Who is updating {cluster.name}",
        description=f"Reads who is updating {cluster.name} now; changes nothing",
        doc_md=DOC.format(name=cluster.name),
        schedule=None,
        catchup=False,
        auto_register=False,
        is_paused_upon_creation=False,
        tags=["cluster update", "status", *cluster.tags],
        default_args={"owner": cluster.owner or "airflow"},
    ) as dag:
        UpdatingStatusOperator(task_id="read_status", cluster=cluster.name)
    return dag


globals().update(dag_of_each(load_fleet(fleet_path()).clusters.values(), updating_status_dag_id, updating_run_status))
