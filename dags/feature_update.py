"""One DAG per cluster of the fleet file: a feature update, from readiness to raised versions and the proof, by hand only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, chain

from include.hci.airflow.each_cluster import dag_of_each
from include.hci.airflow.feature import (
    ApproveFeatureOperator,
    ConcludeFeatureOperator,
    FeatureNodeStepOperator,
    FeaturePreviewOperator,
    FeatureReadinessOperator,
    FeatureStepOperator,
    RestartForPreviewOperator,
    RollingUpdateOperator,
)
from include.hci.airflow.feature_approval import ASKS, ApprovePostStepOperator, PostStepOperator
from include.hci.airflow.feature_params import feature_params
from include.hci.airflow.names import feature_update_dag_id
from include.hci.airflow.retry import node_retries
from include.hci.settings import ClusterSettings, fleet_path, load_fleet

DOC = """
### Feature update of cluster {name}

Brings **{name}** ({nodes}) to its next version: every server gets the same feature update, one after the other, by
Cluster-Aware Updating; then further updates, and what can only be raised once all have it.

`readiness → remoting[each server] → cau_setup → validate → preview_channel → restart_for_preview → prepare → preview → approve →
run_cau → collect → builds → further_updates → take_lock → functional_level → pool_version → vm_versions → move_role →
validate_after → conclude`, and before each of the three that raise something the question whether they may.

* **Nothing is begun** unless every server that is not upgraded yet is offered one and the same feature update. The task `preview`
  names who is offered what.
* **What cannot be taken back** (functional level, storage pool, virtual machines) is asked for when it comes to that: *Required
  actions*. A no, or no answer, leaves it as it is and the run ends well; trigger this DAG with `post_steps_only` to do it later.
* **It failed:** remove the cause, then trigger it again. It goes on from what the cluster shows: servers that are upgraded,
  levels that are raised and a channel that is joined are left as they are.
* **It was interrupted:** CAU's run goes on without Airflow. Clear `run_cau` **with downstream tasks**: that run is found again,
  and so is a rolling update that `restart_for_preview` or `further_updates` has begun.
* **To stop it:** the button *Cancel* of the tab *Update report*. CAU brings its present server to an end and begins no other one.

{description}
"""


def feature_update(cluster: ClusterSettings) -> DAG:
    """Return the DAG that brings ``cluster`` to its next version."""
    retry_seconds = cluster.pacing.poll_seconds
    # A step that has nothing to do says why by itself, so that what is skipped before it does not skip it in silence.
    name = {"cluster": cluster.name, "trigger_rule": "none_failed"}
    step: dict[str, Any] = {**name, "retries": 2, "retry_delay": timedelta(seconds=retry_seconds)}
    node_step: dict[str, Any] = {
        **name,
        **node_retries(retry_seconds),
        "map_index_template": "{{ task.node }}",
        "look_first": False,
    }

    with DAG(
        feature_update_dag_id(cluster.slug),
        dag_display_name=f"Feature update of {cluster.name}",
        description=f"Brings {cluster.name} to its next version, one server at a time",
        doc_md=DOC.format(name=cluster.name, nodes=", ".join(cluster.node_names), description=cluster.description),
        schedule=None,
        catchup=False,
        auto_register=False,
        max_active_runs=1,
        allowed_run_types=["manual"],
        # Further updates can follow where the cluster has a rolling update.
        params=feature_params(cluster, has_rolling_update=cluster.name in rolling),
        tags=["cluster update", "CAU", "feature update", *cluster.tags],
        default_args={"owner": cluster.owner or "airflow"},
        fail_fast=False,
    ) as dag:
        readiness = FeatureReadinessOperator(task_id="readiness", look_first=False, **step)
        remoting = FeatureNodeStepOperator.partial(task_id="remoting", step="remoting", **node_step).expand(
            node=list(cluster.node_names)
        )
        cau_setup, validate, preview_channel = (
            FeatureStepOperator(task_id=task, step=task, look_first=False, **step)
            for task in ("cau_setup", "validate", "preview_channel")
        )
        restart = RestartForPreviewOperator(task_id="restart_for_preview", **step)
        prepare = FeatureStepOperator(task_id="prepare", step="prepare", **step)
        preview = FeaturePreviewOperator(task_id="preview", **step)
        approve = ApproveFeatureOperator(task_id="approve", **step)
        run_cau = FeatureStepOperator(task_id="run_cau", step="run_cau", **step)
        # Whatever became of the task before it: what CAU did is in CAU's report.
        collect = FeatureStepOperator(task_id="collect", step="collect", **{**step, "trigger_rule": "all_done"})
        builds = FeatureStepOperator(task_id="builds", step="builds", **step)
        further_updates = RollingUpdateOperator(task_id="further_updates", **step)
        take_lock = FeatureStepOperator(task_id="take_lock", step="take_lock", **step)
        # Each with the question before it: a no skips what it is about, and the run goes on.
        raised = [
            (
                ApprovePostStepOperator(task_id=asks, step=asks, **step),
                PostStepOperator(task_id=does, step=does, **step),
            )
            for asks, does in ASKS.items()
        ]
        move_role = PostStepOperator(task_id="move_role", step="move_role", **step)
        validate_after = FeatureStepOperator(task_id="validate_after", step="validate_after", look_first=False, **step)
        conclude = ConcludeFeatureOperator(task_id="conclude", **step)
        readiness >> remoting >> cau_setup >> validate >> preview_channel >> restart >> prepare >> preview >> approve
        approve >> run_cau >> collect >> builds >> further_updates >> take_lock
        # What follows waits for CAU's run itself as well: it is collected even where that failed.
        run_cau >> builds
        chain(take_lock, *(task for pair in raised for task in pair), move_role, validate_after)
        # Without a setup of its own it runs on every way out, a run included that somebody marks as failed.
        validate_after >> conclude.as_teardown(on_failure_fail_dagrun=True)
    return dag


fleet = load_fleet(fleet_path())
rolling = {settings.name for settings in fleet.rolling}
globals().update(dag_of_each(fleet.clusters.values(), feature_update_dag_id, feature_update))
