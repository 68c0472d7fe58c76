"""Stopping the cluster: virtual disks offline, the cluster service stopped on every node and kept from starting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.hci.cluster.cluster_power import SHARED_VOLUME, get_disk_resources
from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState
from include.hci.cluster.machine import Service, get_services
from include.hci.cluster.nodes import ClusterNode, ClusterResource, get_cluster_resources
from include.hci.cluster.services import CLUSTER_SERVICE
from include.hci.cluster.vm_power import ClusteredVm, clustered_vms
from include.hci.policy.gates import nodes_out
from include.hci.powershell.errors import NodeUnreachable, RemotingError
from include.hci.report import events as ev
from include.hci.report.offline_events import OfflinePlanned
from include.hci.report.values import Problem
from include.hci.steps.base import BaseStep, read_lock, read_members
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Clock, Decision, Done, Stop, Wait
from include.hci.steps.gates import lock_decision
from include.hci.steps.offline_actions import DisableService, StopWholeCluster, TakeDiskOffline
from include.hci.steps.offline_plan import is_cleared, offline_plan

#: How long a server that does not answer, or a service that is stopping, is waited for.
PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class StopClusterFacts:
    """The cluster as long as it runs, and the cluster services of its nodes.

    ``ordered``: this run has told the cluster to stop. ``silent``: servers that do not answer. ``disks``: resources of virtual
    disks. ``lock`` and what follows it are read while the cluster answers.
    """

    began: datetime
    ordered: bool
    cleared: bool
    services: Mapping[str, Service] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    lock: LockState | None = None
    nodes: tuple[ClusterNode, ...] = ()
    vms: tuple[ClusteredVm, ...] = ()
    disks: tuple[ClusterResource, ...] = ()


class StopCluster(BaseStep[StopClusterFacts]):
    """Ends 'stopped' when the cluster service is stopped and disabled on every node."""

    name: ev.StepName = "stop_cluster"

    def __init__(self, context: StepContext, clock: Clock) -> None:
        super().__init__(context)
        self._clock = clock
        self._began: datetime | None = None

    def observe(self, cluster: Cluster) -> StopClusterFacts:
        """Read the cluster, or once it was told to stop the services of its servers, each on its own."""
        self._began = self._began or self._clock()
        cleared = is_cleared(self.context.record)
        if self.changes.open_changes("cluster-stopped"):
            services, silent = read_cluster_services(cluster, offline_plan(self.context.record))
            return StopClusterFacts(self._began, True, cleared, services, silent)
        shell, members = read_members(cluster)
        resources = get_cluster_resources(shell)
        return StopClusterFacts(
            began=self._began,
            ordered=False,
            cleared=cleared,
            lock=read_lock(cluster, self.context, members),
            nodes=members.nodes,
            vms=clustered_vms(resources),
            disks=get_disk_resources(shell, resources),
        )

    def decide(self, facts: StopClusterFacts, now: datetime) -> Decision:
        """Disks first, so that nothing is written any more; then the cluster; then no service starts by itself."""
        return self._after(facts) if facts.ordered else self._before(facts)

    def may_cancel(self, facts: StopClusterFacts, decision: Decision) -> bool:
        """What was stopped is started again at the end."""
        return True

    def events(self, facts: StopClusterFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record that the servers may be worked on."""
        return (ev.ClusterDown(),) if isinstance(decision, Done) and decision.outcome == "stopped" else ()

    def _before(self, facts: StopClusterFacts) -> Decision:
        if not facts.cleared:
            return Stop(
                _problem("the gate before the downtime was not passed", "Clear 'downtime_gate' with downstream.")
            )
        if facts.lock is not None and (gate := lock_decision(facts.lock, self.name)):
            return gate
        if out := nodes_out(facts.nodes):
            listed = ", ".join(f"{node.name} is {node.state}" for node in out)
            return Stop(_problem(f"not every server is Up: {listed}", "Bring it back, then start again."))
        if running := [vm.name for vm in facts.vms if vm.is_running]:
            return Stop(_problem(f"{', '.join(running)} still runs", "Clear 'stop_vms' with downstream tasks."))
        limit = facts.began + PATIENCE
        for disk in facts.disks:
            if disk.state.endswith("Pending"):
                return Wait(f"{disk.name} is {disk.state}", None, limit)
            if disk.state == "Online":
                offline = TakeDiskOffline(disk.name, shared=disk.kind == SHARED_VOLUME)
                return Act(offline, "a disk that is offline loses nothing when its servers go down")
        nodes = tuple(node.name for node in facts.nodes)
        return Act(StopWholeCluster(nodes), "every virtual machine is stopped and every virtual disk offline")

    def _after(self, facts: StopClusterFacts) -> Decision:
        limit = facts.began + PATIENCE
        if facts.silent:
            said = "; ".join(f"{node} does not answer: {why}" for node, why in facts.silent.items())
            return Wait(said, None, limit)
        running = tuple(node for node, service in facts.services.items() if service.is_running)
        if running:
            return Act(StopWholeCluster(running), "the cluster service still runs there")
        for node, service in facts.services.items():
            if service.status != "Stopped":
                return Wait(f"the cluster service of {node} is {service.status}", None, limit)
        for node, service in facts.services.items():
            if service.start_type != "Disabled":
                return Act(
                    DisableService(node, service.start_type), "no server may start the cluster while others restart"
                )
        return Done("stopped", f"the cluster service is stopped and disabled on {', '.join(facts.services)}")


def read_cluster_services(
    cluster: Cluster, planned: OfflinePlanned | None
) -> tuple[dict[str, Service], dict[str, str]]:
    """Return the cluster service of every node that the plan keeps, and why the others do not answer."""
    services: dict[str, Service] = {}
    silent: dict[str, str] = {}
    for node in planned.nodes if planned else cluster.nodes:
        try:
            found = get_services(cluster.on(node), (CLUSTER_SERVICE,))
        except (RemotingError, ValueError) as error:
            silent[node] = error.detail if isinstance(error, RemotingError) else str(error)
            continue
        if not found:
            raise NodeUnreachable(f"{node} has no cluster service", node=node)
        services[node] = found[0]
    return services, silent


def _problem(reason: str, advice: str) -> Problem:
    return Problem(title=f"The cluster is not stopped: {reason}.", next_action=advice, retry_is_safe=True)
