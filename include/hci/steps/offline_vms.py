"""Stopping the virtual machines of one node: shut down or saved, each one's intent on record before."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState, RunLock
from include.hci.cluster.nodes import ClusterNode, get_cluster_resources
from include.hci.cluster.vm_power import ClusteredVm, clustered_vms
from include.hci.policy.gates import StorageFacts, nodes_out, storage_reasons
from include.hci.policy.progress import Progress
from include.hci.powershell.errors import CommandFailed
from include.hci.report import events as ev
from include.hci.report.offline_events import OfflinePlanned
from include.hci.report.values import Problem
from include.hci.settings.offline import OfflineRequest
from include.hci.steps.base import NodeStep, read_members, read_storage
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Decision, Done, Scene, Stop, Wait
from include.hci.steps.gates import lock_decision
from include.hci.steps.offline_actions import StopVm
from include.hci.steps.offline_plan import is_cleared, offline_plan

#: How often a machine is told to save itself.
MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class StopVmsFacts:
    """The virtual machines that the plan found on the node, as they are now, wherever they are.

    ``asked``: since when this run wants each of them down. ``tries``: how often this step has told a machine, by (machine, how).
    ``begun``: this run has stopped machines already, so that ``nodes`` and ``storage`` are not asked about any more.
    """

    cleared: bool
    lock: LockState
    nodes: tuple[ClusterNode, ...]
    storage: StorageFacts | None
    vms: tuple[ClusteredVm, ...]
    asked: dict[str, datetime] = field(default_factory=dict)
    tries: dict[tuple[str, str], int] = field(default_factory=dict)
    begun: bool = False


class StopVms(NodeStep[StopVmsFacts]):
    """Ends 'stopped' when no virtual machine that the plan found on the node runs any more."""

    name: ev.StepName = "stop_vms"

    def __init__(self, context: StepContext, node: str) -> None:
        super().__init__(context, node)
        self.tries: Counter[tuple[str, str]] = Counter()

    def observe(self, cluster: Cluster) -> StopVmsFacts:
        """Read the virtual machines, and before the first one is stopped the storage as well."""
        shell, members = read_members(cluster)
        planned, open_ones = offline_plan(self.context.record), self.changes.open_changes("vm-stopped")
        mine = _mine(planned, self.node)
        return StopVmsFacts(
            cleared=is_cleared(self.context.record),
            lock=RunLock(cluster, self.context.guid).read((self.node,)),
            nodes=members.nodes,
            storage=None if open_ones else read_storage(shell),
            vms=tuple(vm for vm in clustered_vms(get_cluster_resources(shell)) if vm.name in mine),
            asked={change.subject: change.at for change in open_ones},
            tries=dict(self.tries),
            begun=bool(open_ones),
        )

    def decide(self, facts: StopVmsFacts, now: datetime) -> Decision:
        """Tell every machine once, then look after those that do not heed it."""
        if not facts.cleared:
            return Stop(_problem(self.node, "the gate before the downtime was not passed", "Clear 'downtime_gate'."))
        if gate := lock_decision(facts.lock, self.name):
            return gate
        if not facts.begun and (unwell := self._still_well(facts)):
            return unwell
        request = OfflineRequest.from_parameters(self.context.request)
        patience = timedelta(minutes=request.vm_patience_minutes)
        running = [vm for vm in facts.vms if vm.is_running]
        for vm in running:
            if not facts.tries.get((vm.name, request.vm_action)) and not self._is_late(facts, vm, patience, now):
                return self._tell(
                    vm, request.vm_action, patience, f"{vm.name} must not run while its storage goes away"
                )
        for vm in running:
            if request.vm_action == "shutdown" and not self._is_late(facts, vm, patience, now):
                continue
            if request.vm_action == "shutdown" and request.vm_fallback == "stop_run":
                return Stop(_stubborn(vm, patience))
            if facts.tries.get((vm.name, "save"), 0) >= MOST_TRIES:
                return Stop(_problem(vm.name, f"it was told {MOST_TRIES} times to save itself and runs on", _BY_HAND))
            return self._tell(vm, "save", patience, f"{vm.name} did not stop when it was told to")
        if running:
            names = ", ".join(vm.name for vm in running)
            done = len(facts.vms) - len(running)
            return Wait(f"{names} shuts down", Progress("stopped", done, len(facts.vms), "virtual machines"))
        return Done("stopped", f"none of the {len(facts.vms)} virtual machines of {self.node} runs")

    def refused(self, action: Action, error: CommandFailed, facts: StopVmsFacts, now: datetime) -> Decision | None:
        """A guest that does not shut down is given its time; what becomes of it then was decided beforehand."""
        return Wait(f"'{action.describe()}' was refused: {error.detail}")

    def may_cancel(self, facts: StopVmsFacts, decision: Decision) -> bool:
        """What was stopped is started again at the end."""
        return True

    def _still_well(self, facts: StopVmsFacts) -> Decision | None:
        if out := nodes_out(facts.nodes):
            listed = ", ".join(f"{node.name} is {node.state}" for node in out)
            return Stop(
                _problem(self.node, f"not every server is Up: {listed}", "Bring it back, then clear this task.")
            )
        if facts.storage is not None and (reasons := storage_reasons(facts.storage)):
            return Wait(f"the storage is not whole: {'; '.join(reasons)}")
        return None

    def _is_late(self, facts: StopVmsFacts, vm: ClusteredVm, patience: timedelta, now: datetime) -> bool:
        asked = facts.asked.get(vm.name)
        return asked is not None and now - asked >= patience

    def _tell(self, vm: ClusteredVm, how: str, patience: timedelta, why: str) -> Act:
        return Act(_Tell(self, StopVm(vm, how, patience)), why)


@dataclass(frozen=True, slots=True)
class _Tell:
    """Counts that a machine was told, then tells it."""

    step: StopVms
    action: StopVm

    def describe(self) -> str:
        return self.action.describe()

    def perform(self, scene: Scene) -> None:
        self.step.tries[self.action.vm.name, self.action.how] += 1
        self.action.perform(scene)


_BY_HAND = "Stop it by hand, then clear this task."


def _mine(planned: OfflinePlanned | None, node: str) -> frozenset[str]:
    running = planned.running if planned else ()
    return frozenset(vm.name for vm in running if vm.node.lower() == node.lower())


def _problem(who: str, reason: str, advice: str) -> Problem:
    return Problem(
        title=f"Stopping the virtual machines ended at {who}: {reason}.", next_action=advice, retry_is_safe=True
    )


def _stubborn(vm: ClusteredVm, patience: timedelta) -> Problem:
    minutes = round(patience.total_seconds() / 60)
    return Problem(
        title=f"The guest of {vm.name} on {vm.node} did not shut down within {minutes} min.",
        meaning="The run was asked to end in that case (vm_fallback); what it has stopped is started again.",
        next_action="Look at the guest's console; start again, or with vm_fallback 'save'.",
        retry_is_safe=False,
    )
