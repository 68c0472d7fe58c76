"""The gate before a downtime: everything is as it was approved, the storage is whole, and there is time enough."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState
from include.hci.cluster.nodes import ClusterNode, get_cluster_resources
from include.hci.cluster.virtual_machines import VirtualMachine, get_virtual_machines
from include.hci.cluster.vm_power import ClusteredVm, clustered_vms
from include.hci.policy.deadlines import run_deadlines
from include.hci.policy.gates import StorageFacts, nodes_out, storage_reasons
from include.hci.policy.resync import resync_progress
from include.hci.policy.windows import GateAnswer, may_begin
from include.hci.powershell.errors import CommandNotAvailable
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.offline_events import OfflinePlanned
from include.hci.report.values import Problem
from include.hci.steps.base import BaseStep, read_lock, read_members, read_storage
from include.hci.steps.decisions import Decision, Done, Stop, Wait
from include.hci.steps.gates import PARKED, lock_decision
from include.hci.steps.offline_plan import offline_plan

#: States of a machine in which nothing of it is lost when its server goes down.
_AT_REST = ("Off", "Saved", "FastSaved")


@dataclass(frozen=True, slots=True)
class GateFacts:
    """The cluster as it is now, beside what was approved; ``machines`` are those that the servers' Hyper-V shows."""

    nodes: tuple[ClusterNode, ...]
    storage: StorageFacts
    lock: LockState
    vms: tuple[ClusteredVm, ...]
    machines: tuple[VirtualMachine, ...]
    planned: OfflinePlanned | None
    began_at: datetime | None = None


class DowntimeGate(BaseStep[GateFacts]):
    """Ends 'clear', or 'parked' when the calendar does not leave enough time."""

    name: ev.StepName = "downtime_gate"

    def observe(self, cluster: Cluster) -> GateFacts:
        """Read nodes, storage, lock and virtual machines."""
        shell, members = read_members(cluster)
        vms = clustered_vms(get_cluster_resources(shell))
        machines = [
            machine
            for node in members.nodes
            if node.is_up
            for machine in _machines(cluster.on(node.name), node.name, needed=bool(vms))
        ]
        began = self.context.record.last(ev.RunStarted)
        return GateFacts(
            nodes=members.nodes,
            storage=read_storage(shell),
            lock=read_lock(cluster, self.context, members),
            vms=vms,
            machines=tuple(machines),
            planned=offline_plan(self.context.record),
            began_at=began.at if began else None,
        )

    def decide(self, facts: GateFacts, now: datetime) -> Decision:
        """Let the downtime begin when nothing speaks against it."""
        planned = facts.planned
        if planned is None:
            return Stop(_problem("nothing was planned, so nobody knows what would go down", "Start a new run."))
        if changed := _differences(facts, planned):
            return Stop(_problem(f"the cluster is not as it was approved: {'; '.join(changed)}", "Start a new run."))
        if out := nodes_out(facts.nodes):
            listed = ", ".join(f"{node.name} is {node.state}" for node in out)
            advice = "Bring it back (Resume-ClusterNode): all servers are updated at once. Then clear this task."
            return Stop(_problem(f"not every server is Up: {listed}", advice))
        if hindrances := _hindrances(facts.machines):
            return Stop(_problem("; ".join(hindrances), "Shut these machines down, then clear this task."))
        if gate := lock_decision(facts.lock, self.name):
            return gate
        if reasons := storage_reasons(facts.storage):
            said = f"the storage is not whole: {'; '.join(reasons)}"
            return Wait(said, resync_progress(facts.storage.open_jobs))
        calendar = self._calendar(facts, planned, now)
        if not calendar.allowed:
            return Done(PARKED, calendar.why, {"next_opening": calendar.next_opening})
        count = len(planned.running)
        return Done("clear", f"every server is Up, the storage is whole, {count} virtual machines are to be stopped")

    def may_cancel(self, facts: GateFacts, decision: Decision) -> bool:
        """Nothing has been touched."""
        return True

    def events(self, facts: GateFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the clearance, or why there is none, on record."""
        if not isinstance(decision, Done):
            return ()
        if decision.outcome == PARKED:
            opening = decision.details.get("next_opening")
            known = opening if isinstance(opening, datetime) else None
            return (ev.Parked(step=self.name, why=decision.why, next_opening=known),)
        return (ev.DowntimeCleared(why=decision.why),)

    def _calendar(self, facts: GateFacts, planned: OfflinePlanned, now: datetime) -> GateAnswer:
        options = self.context.options
        stop_at = run_deadlines(facts.began_at or now, None, options.stop_after).stop_at
        needed = timedelta(minutes=planned.window_minutes)
        return may_begin(
            now, options.windows, options.blackouts, needed, stop_at=stop_at, what="the whole cluster takes"
        )


def _machines(shell: Shell, node: str, *, needed: bool) -> tuple[VirtualMachine, ...]:
    try:
        return get_virtual_machines(shell, node)
    except CommandNotAvailable:
        if needed:
            raise
        return ()  # a cluster that hosts no virtual machines need not have Hyper-V


def _differences(facts: GateFacts, planned: OfflinePlanned) -> list[str]:
    then, now = {name.lower() for name in planned.nodes}, {node.name.lower() for node in facts.nodes}
    found = [f"{name} {'was added' if name in now else 'is gone'}" for name in sorted(now ^ then)]
    approved = {vm.name.lower() for vm in planned.running}
    return found + [
        f"{vm.name} runs, and nobody has approved to stop it"
        for vm in facts.vms
        if vm.is_running and vm.name.lower() not in approved
    ]


def _hindrances(machines: tuple[VirtualMachine, ...]) -> list[str]:
    """Return which machines could not be brought back as they were found."""
    found = []
    for machine in machines:
        if not machine.clustered and not machine.state.startswith(_AT_REST):
            found.append(f"{machine.name} on {machine.node} is {machine.state} and no role of the cluster")
        elif machine.clustered and machine.state == "Paused":
            found.append(f"{machine.name} on {machine.node} is Paused and would run after the update")
    return found


def _problem(reason: str, advice: str) -> Problem:
    return Problem(
        title=f"The downtime is not begun: {reason}.",
        meaning="No virtual machine was stopped.",
        next_action=advice,
        retry_is_safe=True,
    )
