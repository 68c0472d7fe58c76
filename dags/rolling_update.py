"""One DAG per cluster of the fleet file: a rolling update, one server at a time, with its VMs staying up."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task_group

from include.hci.airflow.approval import ApprovePlanOperator
from include.hci.airflow.each_cluster import dag_of_each
from include.hci.airflow.late import warning_of
from include.hci.airflow.names import NODE_GROUP, rolling_update_dag_id
from include.hci.airflow.operators import NodeStepOperator, StepOperator
from include.hci.airflow.params import run_params
from include.hci.airflow.retry import node_retries
from include.hci.airflow.run_tasks import ConcludeOperator, PlanOperator, ReadinessOperator, ReportOperator
from include.hci.airflow.schedule import timetable_of
from include.hci.settings import ClusterSettings, fleet_path, load_fleet

DOC = """
### Rolling update of cluster {name}

Updates the servers of **{name}** ({nodes}) one at a time. A server is drained, updated, restarted and resumed, and the next one
begins only when the storage has resynchronised.

`readiness → scan → plan → approve → take_lock → stage → update_node[each server] → verify → report, conclude`

* **It failed on one server:** the server was resumed if that was possible; `conclude` lists what is left to do, with commands.
  To try that server again, clear its `turn` task **with downstream tasks**.
* **It waits:** the task's log and its XCom `progress` say for what, how far it is and when it gives up.
* **Everything was skipped:** it began too long after its time (`start_within` of the schedule) and missed its window; the tab
  *Update report* says why. Trigger the DAG by hand to update now.
* **To hold it, let it go on, or cancel it:** the buttons of the tab *Update report* of the run. Cancelling brings the server that
  is being worked on to a safe end and begins no other one. Do not pause this DAG for it: Airflow then begins no further task, and
  the server that is out of service stays out.
* **In an emergency** mark the run as failed: `conclude` still resumes the server that this run paused and releases the lock. What
  a run left whose tasks were all marked, cleared or deleted is undone by the DAG *Make {name} safe*.

{description}
"""


def rolling_update(cluster: ClusterSettings) -> DAG:
    """Return the DAG that updates ``cluster``."""
    retry_seconds = cluster.pacing.poll_seconds
    name = {"cluster": cluster.name}
    cluster_step = {**name, "retries": 2, "retry_delay": timedelta(seconds=retry_seconds)}
    node_step = {**name, **node_retries(retry_seconds), "map_index_template": "{{ task.node }}"}

    @task_group(group_id=NODE_GROUP, tooltip="One server's turn")
    def update_node(node: str) -> None:
        turn = NodeStepOperator(task_id="turn", step="turn", node=node, trigger_rule="all_done", **node_step)
        # The three that work on the server look at the record first: when the turn was skipped, they say why as well. At the
        # cluster they look in the triggerer, which keeps its sessions: a worker would open one to each server for a single look.
        drain, install, restart = (
            NodeStepOperator(
                task_id=step, step=step, node=node, trigger_rule="none_failed", look_first=False, **node_step
            )
            for step in ("drain", "install", "restart")
        )
        resume = NodeStepOperator(task_id="resume", step="resume", node=node, trigger_rule="all_done", **node_step)
        resync = NodeStepOperator(task_id="resync", step="resync", node=node, **node_step)
        turn >> drain >> install >> restart >> resume >> resync

    with DAG(
        rolling_update_dag_id(cluster.slug),
        dag_display_name=f"Rolling update of {cluster.name}",
        description=cluster.description or f"Updates {cluster.name}, one server at a time",
        doc_md=DOC.format(name=cluster.name, nodes=", ".join(cluster.node_names), description=cluster.description),
        schedule=timetable_of(cluster),
        catchup=False,
        auto_register=False,
        max_active_runs=1,
        # No backfill: an update of last month cannot be made up for, and each of its runs would begin at once. A feature update
        # lets it run in between (operator_triggered).
        allowed_run_types=["scheduled", "manual", "operator_triggered"],
        params=run_params(cluster),
        deadline=warning_of(cluster),
        tags=["cluster update", *cluster.tags],
        default_args={"owner": cluster.owner or "airflow"},
        fail_fast=False,
    ) as dag:
        readiness = ReadinessOperator(task_id="readiness", **cluster_step)
        scan = NodeStepOperator.partial(task_id="scan", step="scan", look_first=False, **node_step).expand(
            node=list(cluster.node_names)
        )
        plan = PlanOperator(task_id="plan", trigger_rule="all_done", **cluster_step)
        approve = ApprovePlanOperator(task_id="approve", **cluster_step)
        take_lock = StepOperator(task_id="take_lock", step="take_lock", **cluster_step)
        stage = NodeStepOperator.partial(task_id="stage", step="stage", look_first=False, **node_step).expand(
            node=plan.output
        )
        nodes = update_node.expand(node=plan.output)
        verify = StepOperator(task_id="verify", step="verify", trigger_rule="all_done", **cluster_step)
        report = ReportOperator(task_id="report", trigger_rule="all_done", **cluster_step)
        conclude = ConcludeOperator(task_id="conclude", **cluster_step)
        readiness >> scan >> plan >> approve >> take_lock >> stage >> nodes >> verify
        verify >> conclude.as_teardown(setups=take_lock.as_setup(), on_failure_fail_dagrun=True)
        # Not between take_lock and conclude: Airflow fails everything between a setup and its teardown when the setup did not
        # run, and a run that is refused before it takes the lock must be reported as well. conclude writes the report again.
        verify >> report
    return dag


globals().update(dag_of_each(load_fleet(fleet_path()).rolling, rolling_update_dag_id, rolling_update))
