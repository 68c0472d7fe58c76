"""What every step of a run shares, and how long each step may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from include.hci.policy.plan import Plan
from include.hci.report.events import RunKind, RunStarted, StepName
from include.hci.report.record import RunRecord
from include.hci.settings import RunOptions, Schedule
from include.hci.steps.first_seen import FirstSeen, FirstSeenInMemory

#: The name space of run locks: the same cluster and run id give the same GUID on every try, so a retry knows its own lock.
LOCK_NAMESPACE = UUID("6f3a2a58-8a43-5d0e-9c39-0b8f1f3d7c11")


def orchestrator_guid(cluster: str, run_id: str) -> UUID:
    """Return the OrchestratorGuid under which the run ``run_id`` locks ``cluster``."""
    return uuid5(LOCK_NAMESPACE, f"{cluster.lower()}/{run_id}")


@dataclass(frozen=True, slots=True)
class StepContext:
    """What every step of one run knows.

    ``plan`` is None until the run has been planned. ``first_seen`` remembers since when the cluster is offered what. ``schedule``
    is the cluster's in the fleet file, whoever begins its runs.
    """

    cluster: str
    run_id: str
    options: RunOptions
    record: RunRecord
    plan: Plan | None = None
    first_seen: FirstSeen = field(default_factory=FirstSeenInMemory)
    schedule: Schedule | None = None

    @property
    def guid(self) -> UUID:
        """The run's OrchestratorGuid."""
        return orchestrator_guid(self.cluster, self.run_id)

    @property
    def kind(self) -> RunKind:
        """What the run is for."""
        started = self.record.last(RunStarted)
        return "rolling-update" if started is None else started.event.run_kind

    @property
    def request(self) -> Mapping[str, Any]:
        """What runs of this kind are told beyond the options, as it was when the run began."""
        started = self.record.last(RunStarted)
        return {} if started is None else started.event.request

    def require_plan(self) -> Plan:
        """Return the plan; raises ValueError when the run has none yet."""
        if self.plan is None:
            raise ValueError(f"Run {self.run_id} of {self.cluster} has no plan yet. Plan it before a node is touched.")
        return self.plan


#: Steps that only read or make safe, in minutes; the others have an option of their own.
_MINUTES = {
    "readiness": 15,
    "scan": 60,
    "take_lock": 10,
    "resume": 60,
    "verify": 120,
    "conclude": 30,
    "preview_channel": 30,
    "remoting": 20,
    "validate": 150,
    "validate_after": 150,
}
#: What a restart step may need beside the restarts themselves: reading, waiting for servicing, one more order.
_SLACK = timedelta(minutes=10)


def deadline_for(name: StepName, options: RunOptions) -> timedelta:
    """Return how long the step ``name`` may take before it gives up, all its rounds together."""
    match name:
        case "drain":
            before = options.script_timeout_minutes if options.pre_update_script else 0
            return timedelta(minutes=options.drain_timeout_minutes + before) + _telling(options)
        case "resume":
            after = options.script_timeout_minutes if options.post_update_script else 0
            return timedelta(minutes=_MINUTES[name] + after) + _telling(options)
        case "take_lock":
            return timedelta(minutes=_MINUTES[name]) + _telling(options)
        case "conclude":
            # A server that still restarts or installs is waited for before its cluster service is started.
            busy = options.reboot_timeout_minutes + options.install_timeout_minutes
            return timedelta(minutes=_MINUTES[name] + busy) + _telling(options)
        case "stage":
            return timedelta(minutes=options.install_timeout_minutes)
        case "install" | "install_before" | "install_offline":
            return options.max_passes_per_node * timedelta(minutes=options.install_timeout_minutes)
        case "restart" | "restart_offline":
            one_pass = timedelta(minutes=options.reboot_timeout_minutes + options.install_timeout_minutes)
            return options.max_passes_per_node * (one_pass + _SLACK)
        case "run_cau":
            # CAU itself knows no end without StopAfter; told to stop it brings its present node to an end first.
            return (options.stop_after or timedelta(days=7)) + timedelta(days=1)
        case "prepare":
            # Only after a recovery of CAU: the storage has to be whole again then.
            return timedelta(minutes=60 + options.resync_timeout_minutes)
        case "builds":
            # The storage makes up for the last node, as after every node of a rolling update.
            return timedelta(minutes=60 + options.resync_timeout_minutes)
        case "resync":
            return timedelta(minutes=options.resync_timeout_minutes)
        case "turn":
            # What a turn waits for is mostly another node on its way back; it is not waited for much longer than a restart.
            return 4 * timedelta(minutes=options.reboot_timeout_minutes)
        case "vm_versions":
            # One machine after the other shuts down and starts where that is wanted.
            return timedelta(hours=12)
        case "move_role":
            # Away and home, each with its patience, and broken off where it does not end.
            return timedelta(minutes=90)
        case "readiness":
            tests = 30 * options.check_cau_setup + 120 * options.validate_cluster
            return timedelta(minutes=_MINUTES[name] + tests)
    return timedelta(minutes=_MINUTES.get(name, 60))


def _telling(options: RunOptions) -> timedelta:
    """Return how long the commands of the run's hooks may take together."""
    return timedelta(seconds=sum(hook.timeout_seconds for hook in options.hooks))


def poll_for(name: StepName) -> timedelta:
    """Return the time between two reads of the step ``name`` in production."""
    return timedelta(seconds={"resync": 30, "builds": 30, "move_role": 5}.get(name, 10))
