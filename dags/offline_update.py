"""One DAG per cluster of the fleet file: a fast offline update of all servers at once, with downtime, by hand only."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task_group

from include.hci.airflow.each_cluster import dag_of_each
from include.hci.airflow.late import warning_of
from include.hci.airflow.names import OFFLINE_GROUP, offline_update_dag_id
from include.hci.airflow.offline import (
    ApproveDowntimeOperator,
    OfflineNodeStepOperator,
    OfflinePlanOperator,
    OfflineReadinessOperator,
    OfflineStepOperator,
    offline_params,
)
from include.hci.airflow.operators import NodeStepOperator
from include.hci.airflow.retry import node_retries
from include.hci.airflow.run_tasks import ConcludeOperator, ReportOperator
from include.hci.settings import ClusterSettings, fleet_path, load_fleet

DOC = """
### Offline update of cluster {name}: with downtime

Updates **all servers of {name} at once** ({nodes}). **Every virtual machine of the cluster is down meanwhile.** For a maintenance
window with downtime; a rolling update takes longer and keeps them up.

`readiness → scan → plan → approve → take_lock → stage → downtime_gate → install_before → stop_vms → stop_cluster →
install_offline, restart_offline[each server] → start_cluster → start_vms → verify → report, conclude`

* **A person must approve it**, always: what is approved are the machines that go down, how, and what is installed.
* **It ends early:** whatever happens, `start_cluster`, `start_vms` and `conclude` bring back what can be brought back: start
  types, cluster service, virtual disks, machines. `conclude` lists what is still down, with commands.
* **One server does not come back:** the others are started without it; the run fails and says so. When it answers again, trigger
  the DAG *Make {name} safe* by hand.
* **To cancel it:** the button of the tab *Update report*. What was installed is finished with its restart, then everything is
  brought back. It cannot be held: the machines would only be down for longer. Do not pause this DAG while a run goes on: Airflow
  then begins no further task, and everything stays down.

{description}
"""


def offline_update(cluster: ClusterSettings) -> DAG:
    """Return the DAG that updates all servers of ``cluster`` at once."""
    retry_seconds = cluster.pacing.poll_seconds
    name = {"cluster": cluster.name}
    cluster_step = {**name, "retries": 2, "retry_delay": timedelta(seconds=retry_seconds)}
    node_step = {**name, **node_retries(retry_seconds), "map_index_template": "{{ task.node }}"}

    @task_group(group_id=OFFLINE_GROUP, tooltip="One server, side by side with the others")
    def update_offline(node: str) -> None:
        install = OfflineNodeStepOperator(
            task_id="install_offline", step="install_offline", node=node, look_first=False, **node_step
        )
        # A server on which an install has failed may still have a restart to make up for.
        restart = OfflineNodeStepOperator(
            task_id="restart_offline",
            step="restart_offline",
            node=node,
            look_first=False,
            trigger_rule="all_done",
            **node_step,
        )
        install >> restart

    with DAG(
        offline_update_dag_id(cluster.slug),
        dag_display_name=f"Offline update of {cluster.name} (with downtime)",
        description=f"Updates all servers of {cluster.name} at once, while the whole cluster is down",
        doc_md=DOC.format(name=cluster.name, nodes=", ".join(cluster.node_names), description=cluster.description),
        schedule=None,
        catchup=False,
        auto_register=False,
        max_active_runs=1,
        allowed_run_types=["manual"],
        params=offline_params(cluster),
        deadline=warning_of(cluster),
        tags=["cluster update", "downtime", *cluster.tags],
        default_args={"owner": cluster.owner or "airflow"},
        fail_fast=False,
    ) as dag:
        readiness = OfflineReadinessOperator(task_id="readiness", **cluster_step)
        scan = NodeStepOperator.partial(task_id="scan", step="scan", look_first=False, **node_step).expand(
            node=list(cluster.node_names)
        )
        plan = OfflinePlanOperator(task_id="plan", trigger_rule="all_done", **cluster_step)
        approve = ApproveDowntimeOperator(task_id="approve", **cluster_step)
        take_lock = OfflineStepOperator(task_id="take_lock", step="take_lock", **cluster_step)
        stage, install_before, stop_vms = (
            OfflineNodeStepOperator.partial(
                task_id=step, step=step, look_first=False, trigger_rule=rule, **node_step
            ).expand(node=plan.output)
            for step, rule in (("stage", "all_success"), ("install_before", "all_success"), ("stop_vms", "none_failed"))
        )
        # What concerns every server is done from the triggerer, which keeps its sessions: a worker would open one to each of them
        # for its first look, while everything is down.
        all_servers = {**cluster_step, "look_first": False}
        gate = OfflineStepOperator(
            task_id="downtime_gate", step="downtime_gate", trigger_rule="none_failed", **all_servers
        )
        stop_cluster = OfflineStepOperator(task_id="stop_cluster", step="stop_cluster", **all_servers)
        servers = update_offline.expand(node=plan.output)
        # Whatever has failed or was skipped before, what is down is brought back.
        start_cluster, start_vms, verify = (
            OfflineStepOperator(task_id=step, step=step, trigger_rule="all_done", **all_servers)
            for step in ("start_cluster", "start_vms", "verify")
        )
        report = ReportOperator(task_id="report", trigger_rule="all_done", **cluster_step)
        conclude = ConcludeOperator(task_id="conclude", **cluster_step)
        readiness >> scan >> plan >> approve >> take_lock >> stage >> gate >> install_before >> stop_vms
        stop_vms >> stop_cluster >> servers >> start_cluster >> start_vms >> verify
        verify >> conclude.as_teardown(setups=take_lock.as_setup(), on_failure_fail_dagrun=True)
        # Not between take_lock and conclude: a run that is refused before it takes the lock must be reported as well.
        verify >> report
    return dag


globals().update(dag_of_each(load_fleet(fleet_path()).rolling, offline_update_dag_id, offline_update))
