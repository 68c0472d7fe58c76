"""What a feature update writes down beyond every run that is left to CAU: the versions of the nodes, and the runs it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from include.hci.report.event import RunEvent, StepName


class VersionsRead(RunEvent):
    """Which build each node runs once CAU is through; ``settled``: all are up and on one version."""

    kind = "outcome"
    event: Literal["versions_read"] = "versions_read"
    step: StepName = "builds"
    builds: Mapping[str, str] = Field(default_factory=dict)
    states: Mapping[str, str] = Field(default_factory=dict)
    settled: bool


class UpdatingBegun(RunEvent):
    """A rolling update of the same cluster is about to be begun under this id, or was found to have been."""

    kind = "intent"
    event: Literal["updating_begun"] = "updating_begun"
    dag_id: str
    started_run: str


class UpdatingEnded(RunEvent):
    """That rolling update has ended: Airflow's ``state`` of it, and what its own report says; ``good``: this run goes on.

    ``builds`` are those that the nodes have after it, where it knows.
    """

    kind = "outcome"
    event: Literal["updating_ended"] = "updating_ended"
    dag_id: str
    started_run: str
    state: str
    outcome: str = ""
    headline: str = ""
    builds: Mapping[str, str] = Field(default_factory=dict)
    good: bool
