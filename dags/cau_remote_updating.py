"""One DAG per cluster of the fleet file: Cluster-Aware Updating's remote-updating mode, begun by hand and watched to its end."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from include.hci.airflow.cau_remote import (
    ApprovePreviewOperator,
    CauReadinessOperator,
    CauStepOperator,
    ConcludeCauOperator,
    PreviewOperator,
)
from include.hci.airflow.cau_remote_params import cau_remote_params
from include.hci.airflow.each_cluster import dag_of_each
from include.hci.airflow.names import cau_remote_dag_id
from include.hci.settings import ClusterSettings, fleet_path, load_fleet

DOC = """
### Remote updating of cluster {name} by Cluster-Aware Updating

Leaves the updating of **{name}** ({nodes}) to CAU: `Invoke-CauRun` on the cluster's management host, with every option of the
form. This DAG checks the cluster and that host, shows what would be installed, begins CAU's run, watches it and reports on it.

`readiness → prepare → preview → approve → run_cau → collect → conclude`

* **What CAU does now:** the log of `run_cau` and its XCom `progress`, in CAU's own words; the tab *Update report* of the run.
* **To stop it:** the button *Cancel* of the tab *Update report*. CAU is told to stop (`Stop-CauRun`); it brings its present node
  to an end and begins no other one.
* **It was interrupted:** CAU's run lives in a session of its own on the management host and goes on without Airflow. Clear
  `run_cau` **with downstream tasks**: it finds that run and goes on watching it; it never begins a second one.
* **An earlier run left CAU locked:** trigger it with `force_recovery: allow`. The lock is overridden only when everything says
  that no coordinator is alive.

{description}
"""


def cau_remote_updating(cluster: ClusterSettings) -> DAG:
    """Return the DAG that lets CAU update ``cluster``."""
    step = {"cluster": cluster.name, "retries": 2, "retry_delay": timedelta(seconds=cluster.pacing.poll_seconds)}
    with DAG(
        cau_remote_dag_id(cluster.slug),
        dag_display_name=f"Remote updating of {cluster.name} by CAU",
        description=f"Lets Cluster-Aware Updating update {cluster.name} from its management host",
        doc_md=DOC.format(name=cluster.name, nodes=", ".join(cluster.node_names), description=cluster.description),
        schedule=None,
        catchup=False,
        auto_register=False,
        max_active_runs=1,
        allowed_run_types=["manual"],
        params=cau_remote_params(cluster),
        tags=["cluster update", "CAU", *cluster.tags],
        default_args={"owner": cluster.owner or "airflow"},
        fail_fast=False,
    ) as dag:
        readiness = CauReadinessOperator(task_id="readiness", **step)
        prepare = CauStepOperator(task_id="prepare", step="prepare", **step)
        preview = PreviewOperator(task_id="preview", **step)
        approve = ApprovePreviewOperator(task_id="approve", **step)
        run_cau = CauStepOperator(task_id="run_cau", step="run_cau", **step)
        # Whatever became of the task before it: what CAU did is in CAU's report.
        collect = CauStepOperator(task_id="collect", step="collect", trigger_rule="all_done", **step)
        conclude = ConcludeCauOperator(task_id="conclude", **step)
        readiness >> prepare >> preview >> approve >> run_cau >> collect
        # Without a setup of its own it runs on every way out, a run included that somebody marks as failed.
        collect >> conclude.as_teardown(on_failure_fail_dagrun=True)
    return dag


globals().update(dag_of_each(load_fleet(fleet_path()).clusters.values(), cau_remote_dag_id, cau_remote_updating))
