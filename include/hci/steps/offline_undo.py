"""How a fast offline update is taken back: start types, cluster services, virtual disks, virtual machines, in that order.

Nothing is done on a server in the midst of servicing or of a restart: the vendor starts the cluster service only after the
servers were restarted and checked (azure-stack-docs, offline updates). What waits for one server does not hold up the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.cluster_power import SHARED_VOLUME, get_disk_resources, show_starting
from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import Service, get_services
from include.hci.cluster.nodes import ClusterNode, get_cluster_resources
from include.hci.cluster.services import CLUSTER_SERVICE, SERVICING
from include.hci.cluster.storage import get_storage_pools
from include.hci.cluster.values import NodeState
from include.hci.cluster.vm_power import ClusteredVm, clustered_vms
from include.hci.cluster.witness import read_from_witness
from include.hci.policy.gates import find_node
from include.hci.powershell.errors import RemotingError
from include.hci.powershell.quoting import quoted
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.facts import Change
from include.hci.steps.answer import open_orders, read_answer
from include.hci.steps.context import StepContext
from include.hci.steps.offline_actions import BringDiskOnline, SetStartType, StartClusterService, StartVms
from include.hci.steps.undo import Standing

#: How long a cluster whose services were started may take to form, and its pool to become healthy.
FORMING = timedelta(minutes=15)


def busy_until(context: StepContext, node: str) -> datetime | None:
    """Return until when ``node`` may be restarting or installing by this run's order; None: it was told neither, or is done."""
    options, facts = context.options, context.record.facts
    moments = []
    if orders := open_orders(context.record, node):
        moments.append(orders[-1].ordered_at + timedelta(minutes=options.reboot_timeout_minutes))
    if node in facts.installing:
        started = context.record.last(ev.InstallStarted, node)
        if started is not None:
            moments.append(started.at + timedelta(minutes=options.install_timeout_minutes))
    return max(moments, default=None)


def forming_until(context: StepContext) -> datetime | None:
    """Return until when the cluster may be forming: some time after its last service was seen to run."""
    seen = [entry.at for entry in context.record.all_of(ev.ChangeTakenBack) if entry.event.change == "cluster-stopped"]
    return seen[-1] + FORMING if seen else None


@dataclass(frozen=True, slots=True)
class StartType:
    """When a service starts."""

    def describe(self, change: Change) -> tuple[str, str]:
        """Return what the change is and the command that undoes it."""
        what = f"the start type of {change.subject} on {change.node}, {change.after} by this run"
        return what, f"On {change.node}: Set-Service {change.subject} -StartupType {change.before}"

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return how the start type is; a server that does not answer holds up nobody else."""
        what = self.describe(change)
        try:
            found = get_services(cluster.on(change.node), (change.subject,))
        except RemotingError as error:
            return Standing(change, *what, wait=error.detail, holds_up=False, until=busy_until(context, change.node))
        if any(service.start_type == change.before for service in found):
            return Standing(change, *what)
        return Standing(change, *what, SetStartType(change.node, change.subject, change.before))


@dataclass(frozen=True, slots=True)
class StoppedService:
    """The cluster service of one node, which went down with the whole cluster."""

    def describe(self, change: Change) -> tuple[str, str]:
        """Return what the change is and the command that undoes it."""
        what = f"the service {change.subject} of {change.node}, stopped with the cluster by this run"
        return what, f"On {change.node}: Start-Service {change.subject}"

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return whether it runs; while its server restarts or servicing works there it is not started."""
        node, until = change.node, busy_until(context, change.node)
        what = self.describe(change)
        try:
            found = get_services(cluster.on(node), (CLUSTER_SERVICE, SERVICING))
        except RemotingError as error:
            return Standing(change, *what, wait=error.detail, holds_up=False, until=until)
        service = _service(found, CLUSTER_SERVICE)
        start = StartClusterService(node)
        if service is None:
            return Standing(change, *what)
        if service.is_running:
            return Standing(change, *what, wait=_not_joined(cluster, node), holds_up=False, stage="joining")
        if service.status != "Stopped":
            return Standing(change, *what, wait=f"it is {service.status}", holds_up=False, stage="starting")
        if service.start_type == "Disabled":
            return Standing(change, *what, wait="it is still disabled", holds_up=False, until=until)
        servicing = _service(found, SERVICING)
        if servicing is not None and servicing.is_running:
            # Its service stays up for a while after the last piece of work. Windows itself starts the cluster service beside it
            # after every restart, and a cluster that stays down is worse.
            said = "servicing is at work on the server"
            return Standing(change, *what, start, wait=said, holds_up=False, until=until)
        orders = open_orders(context.record, node)
        if orders and not read_answer(cluster, node).shows_restart(orders[-1]):
            said = "the server was told to restart and has not gone down yet"
            return Standing(change, *what, start, wait=said, holds_up=False, until=until)
        return Standing(change, *what, start)


@dataclass(frozen=True, slots=True)
class OfflineDisk:
    """A virtual disk that was taken offline by its cluster resource, and stays so until it is started."""

    def describe(self, change: Change) -> tuple[str, str]:
        """Return what the change is and the command that undoes it."""
        return f"{change.subject}, taken offline by this run", show_starting(change.subject)

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return how the disk is; it is brought online when the nodes have joined and the pool is healthy."""
        what, until = self.describe(change), forming_until(context)
        try:
            shell, nodes = read_from_witness(cluster)
            disks = get_disk_resources(shell, get_cluster_resources(shell))
        except RemotingError as error:
            return Standing(change, *what, wait=f"the cluster does not answer: {error.detail}", until=until)
        found = next((item for item in disks if item.name == change.subject), None)
        if found is None:
            return Standing(change, *what, wait="the cluster has no such resource any more", until=until)
        if found.state == "Online":
            return Standing(change, *what)
        if found.state.endswith("Pending"):
            return Standing(change, *what, wait=f"it is {found.state}", until=until, stage="starting")
        online = BringDiskOnline(change.subject, shared=found.kind == SHARED_VOLUME)
        joining = [
            node.name for node in nodes if node.state is NodeState.JOINING or _started(context, node.name, node.state)
        ]
        if joining:
            return Standing(change, *what, online, wait=f"{', '.join(joining)} is joining the cluster", until=until)
        return Standing(change, *what, online, wait=_pool_reason(shell, nodes), until=until)


@dataclass(frozen=True, slots=True)
class StoppedVm:
    """A virtual machine that was shut down or saved."""

    def describe(self, change: Change) -> tuple[str, str]:
        """Return what the change is and the command that undoes it."""
        return (
            f"the virtual machine {change.subject}, stopped by this run",
            f"Start-ClusterGroup -Name {quoted(change.subject)}",
        )

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return whether it runs; all that do not are started at once."""
        what, until = self.describe(change), forming_until(context)
        try:
            shell, _ = read_from_witness(cluster)
            vms = {vm.name: vm for vm in clustered_vms(get_cluster_resources(shell))}
        except RemotingError as error:
            return Standing(change, *what, wait=f"the cluster does not answer: {error.detail}", until=until)
        vm = vms.get(change.subject)
        if vm is None:
            gone = "the cluster has no such virtual machine any more"
            return Standing(change, *what, wait=gone, holds_up=False)
        if vm.state == "Online":
            return Standing(change, *what)
        if vm.is_running or vm.state == "Pending":
            return Standing(change, *what, wait=f"it is {vm.state}", holds_up=False, stage="starting")
        return Standing(change, *what, StartVms(_down(context, vms)))


def _down(context: StepContext, vms: dict[str, ClusteredVm]) -> tuple[str, ...]:
    ours = (change.subject for change in context.record.facts.open_changes("vm-stopped"))
    return tuple(name for name in ours if name in vms and vms[name].state in ("Offline", "Failed"))


def _service(services: tuple[Service, ...], name: str) -> Service | None:
    return next((service for service in services if service.name.lower() == name.lower()), None)


def _not_joined(cluster: Cluster, node: str) -> str:
    """Return why a node whose cluster service runs is not back yet; a cluster that is only forming says nothing of it."""
    try:
        _, nodes = read_from_witness(cluster)
    except RemotingError:
        return ""
    found = find_node(nodes, node)
    is_coming = found is not None and not found.kept_out and found.state in (NodeState.JOINING, NodeState.DOWN)
    return f"the node is {found.state}" if found is not None and is_coming else ""


def _started(context: StepContext, node: str, state: NodeState) -> bool:
    """Tell whether the cluster service of ``node`` was started again and the cluster still calls it Down."""
    if state is not NodeState.DOWN:
        return False
    taken_back = context.record.all_of(ev.ChangeTakenBack, node)
    return any(entry.event.change == "cluster-stopped" for entry in taken_back)


def _pool_reason(shell: Shell, nodes: Sequence[ClusterNode]) -> str:
    """Return why the virtual disks are better not brought online yet; without a node its pool is never Healthy."""
    pools = get_storage_pools(shell)
    expected = ("Healthy",) if all(node.state is NodeState.UP for node in nodes) else ("Healthy", "Warning")
    ill = [f"{pool.name} is {pool.health}" for pool in pools if pool.health not in expected]
    ill += [f"{pool.name} is read-only" for pool in pools if pool.read_only]
    return "; ".join(ill)
