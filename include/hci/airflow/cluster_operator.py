"""What every task about a cluster has."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.param import ParamsDict


class ClusterOperator(BaseOperator):
    """A task about ``cluster``, a name of the fleet file."""

    def __init__(self, *, cluster: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cluster = cluster
        # Airflow lays the DAG's whole form into each of its tasks, and the DAG processor checks and stores it with every one:
        # a fleet of fifty clusters would take it minutes. What a task is given when it runs comes from the DAG and the run.
        self.params = ParamsDict()
