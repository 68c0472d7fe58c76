"""What a run writes down to prove that nobody interfered with it and that it has left nothing behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from include.hci.report.event import RunEvent, StepName
from include.hci.report.values import Frozen


class ClusterCompared(RunEvent):
    """The cluster was compared with how the plan found it, before ``node`` was begun.

    ``changed`` is what somebody else has changed since, ``unread`` what could not be compared, and why.
    """

    kind = "outcome"
    event: Literal["cluster_compared"] = "cluster_compared"
    step: StepName = "turn"
    node: str
    changed: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


class NodeFound(Frozen):
    """A node as it was found; what was not read is None or left out, and ``unread`` says why by its name.

    ``services`` maps names to start types, ``firewall`` groups to whether their rules are enabled, ``locks`` lock classes to the
    id of who holds them.
    """

    name: str
    state: str = ""
    in_maintenance: bool | None = None
    credssp_server: bool | None = None
    credssp_client: bool | None = None
    services: Mapping[str, str] = Field(default_factory=dict)
    firewall: Mapping[str, bool] = Field(default_factory=dict)
    locks: Mapping[str, str] = Field(default_factory=dict)
    tasks: tuple[str, ...] | None = None
    endpoints: tuple[str, ...] | None = None
    unread: Mapping[str, str] = Field(default_factory=dict)


class SnapshotTaken(RunEvent):
    """What the run might touch, before it touched anything or after it has undone everything.

    ``role_enabled``: the self-updating role; None: there is none, or it was not read.
    """

    kind = "outcome"
    event: Literal["snapshot_taken"] = "snapshot_taken"
    step: StepName = "take_lock"
    moment: Literal["before", "after"]
    nodes: tuple[NodeFound, ...] = ()
    role_enabled: bool | None = None


class NotAsFound(Frozen):
    """Something that is not as it was found, the ``command`` that mends it, and whether it was this run (``by_run``)."""

    node: str
    what: str
    command: str
    by_run: bool


class HygieneProved(RunEvent):
    """Both snapshots were compared; ``remainders`` is everything that differs, whoever it was. ``unproven``: why nothing was."""

    kind = "outcome"
    event: Literal["hygiene_proved"] = "hygiene_proved"
    step: StepName = "conclude"
    remainders: tuple[NotAsFound, ...] = ()
    unproven: str = ""
