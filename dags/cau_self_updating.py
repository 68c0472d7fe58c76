"""One DAG per cluster of the fleet file: looks after the self-updating role of Cluster-Aware Updating."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from include.hci.airflow.cau_self import (
    BeginRoleRunOperator,
    ConcludeRoleRunOperator,
    RoleStepOperator,
    cau_self_params,
)
from include.hci.airflow.each_cluster import dag_of_each
from include.hci.airflow.names import cau_self_dag_id
from include.hci.settings import ClusterSettings, fleet_path, load_fleet

DOC = """
### Self-updating role of cluster {name}

Sets up, compares, switches and starts the role with which Cluster-Aware Updating updates **{name}** ({nodes}) by itself, without
Airflow. Triggered by hand; `action` in the form says what for.

`begin → prepare → firewall → cau_setup → configure_role → verify_role → conclude`

* **configure** (default) makes the role what the fleet file asks for: the line of the cluster's `schedule`, the options of its
  profile. It is refused unless the schedule says `run_by: cau`: while Airflow runs the cadence, the role must be off.
* **check** changes nothing. It fails where the role is not what the fleet file asks for, and names every difference, the third
  Tuesday at 03:00 included that `Set-CauClusterRole` leaves behind.
* **disable**, **remove**, **enable**: what they say. **update_now** lets the role begin its run at once and ends when that run is
  seen to go on.
* **Nothing is taken back at the end:** features, firewall rules and role are meant to stay. Every change is in the report.
* **What was asked for is read back:** the run succeeds only when the role itself says so.

There is one such DAG per cluster, as there is for every kind of run: each cluster has its own permissions, its own form with its
own names, and its own history of what was changed by whom.

{description}
"""


def cau_self_updating(cluster: ClusterSettings) -> DAG:
    """Return the DAG that looks after the role of ``cluster``."""
    task = {"cluster": cluster.name, "retries": 2, "retry_delay": timedelta(seconds=cluster.pacing.poll_seconds)}
    with DAG(
        cau_self_dag_id(cluster.slug),
        dag_display_name=f"Self-updating role of {cluster.name}",
        description=f"Looks after the self-updating role of Cluster-Aware Updating on {cluster.name}",
        doc_md=DOC.format(name=cluster.name, nodes=", ".join(cluster.node_names), description=cluster.description),
        schedule=None,
        catchup=False,
        auto_register=False,
        max_active_runs=1,
        allowed_run_types=["manual"],
        params=cau_self_params(cluster),
        tags=["cluster update", "CAU", *cluster.tags],
        default_args={"owner": cluster.owner or "airflow"},
        fail_fast=False,
    ) as dag:
        begin = BeginRoleRunOperator(task_id="begin", **task)
        prepare = RoleStepOperator(task_id="prepare", step="prepare", **task)
        firewall = RoleStepOperator(task_id="firewall", step="firewall", **task)
        # Test-CauSetup takes minutes, for which no worker should be held.
        cau_setup = RoleStepOperator(task_id="cau_setup", step="cau_setup", look_first=False, **task)
        configure_role = RoleStepOperator(task_id="configure_role", step="configure_role", **task)
        verify_role = RoleStepOperator(task_id="verify_role", step="verify_role", **task)
        conclude = ConcludeRoleRunOperator(task_id="conclude", **task)
        begin >> prepare >> firewall >> cau_setup >> configure_role >> verify_role
        # Without a setup of its own it runs on every way out, a run included that somebody marks as failed.
        verify_role >> conclude.as_teardown(on_failure_fail_dagrun=True)
    return dag


globals().update(dag_of_each(load_fleet(fleet_path()).clusters.values(), cau_self_dag_id, cau_self_updating))
