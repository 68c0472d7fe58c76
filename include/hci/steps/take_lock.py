"""Taking the run lock: ours on every node that runs, or on none."""

from __future__ import annotations

from datetime import datetime

from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import BaseStep, read_lock, read_members
from include.hci.steps.decisions import Decision, Done, Stop
from include.hci.steps.gates import lock_decision


class TakeLock(BaseStep[LockState]):
    """Reads who holds the lock and takes it where nobody does."""

    name: ev.StepName = "take_lock"

    def observe(self, cluster: Cluster) -> LockState:
        """Read the lock on every node that can hold it."""
        return read_lock(cluster, self.context, read_members(cluster)[1])

    def decide(self, facts: LockState, now: datetime) -> Decision:
        """Refuse a foreign lock, take a free one."""
        if not facts.asked:
            advice = "Start the cluster service on the nodes, then start again."
            return Stop(
                Problem(title="No node of the cluster is running: there is nothing to lock.", next_action=advice)
            )
        return lock_decision(facts, self.name) or Done(
            "taken",
            f"the run lock is ours on {', '.join(facts.ours)}",
            {"guid": str(facts.guid), "nodes": list(facts.ours)},
        )
