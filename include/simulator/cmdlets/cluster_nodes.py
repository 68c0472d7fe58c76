"""The FailoverClusters cmdlets that pause, resume, start and stop nodes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from include.simulator.cmdlets import cluster_objects as shape
from include.simulator.cmdlets.cluster_errors import (
    check_service,
    cluster_error,
    find_node,
    not_available,
    require_delegation,
)
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimObject
from include.simulator.world.cluster_service import ServiceDisabledError
from include.simulator.world.levels import version_of
from include.simulator.world.machines import DrainStatus, Node, NodeState, Power

#: Win32 error codes (win32, system error codes).
NODE_NOT_PAUSED = 5058
NODE_DRAIN_IN_PROGRESS = 5962
NODE_NOT_FOUND = 5042
SPACE_DEGRADED = 5987
SERVICE_DISABLED = 1058
LAST_QUORUM_NODE = 5925


@cmdlet("Suspend-ClusterNode")
async def suspend_cluster_node(call: Call) -> None:
    """Pause nodes; with -Drain start moving their roles away, with -Wait return when that is over.

    Refuses a drain with ERROR_CLUSTER_SPACE_DEGRADED while storage is not healthy (windows-powershell-docs, Invoke-CauRun:
    SuspendClusterNodeTimeoutMinutes); -ForceDrain goes ahead and takes down what cannot move.
    """
    check_service(call)
    world = call.world
    target = find_node(call, str(call.parameters["TargetNode"])) if call.has("TargetNode") else None
    for node in nodes(call):
        if node.state not in (NodeState.Up, NodeState.Paused) or node.power is Power.SHUTTING_DOWN:
            raise not_available(call, node)
        if node.drain_status is DrainStatus.InProgress:
            raise cluster_error(
                call, f"A drain of node {node.name} is in progress.", NODE_DRAIN_IN_PROGRESS, "InvalidOperation"
            )
        if target is not None and not target.can_host:
            raise not_available(call, target)
        drains = call.has("Drain") or call.has("ForceDrain")
        if not drains:
            world.membership.pause(node)
        elif not call.has("ForceDrain") and not world.storage.healthy():
            text = (
                f"The cluster node {node.name} could not be drained because clustered storage is in a degraded state."
            )
            raise cluster_error(call, text, SPACE_DEGRADED, "NotSpecified")
        else:
            world.drains.start(node, target, force=call.has("ForceDrain"))
        if drains and call.has("Wait"):
            await world.until(lambda node=node: node.drain_status is not DrainStatus.InProgress, call.clock)  # type: ignore[misc]
            if node.drain_status is DrainStatus.Failed and not world.variant("failed-drain-with-wait-returns"):
                code = node.drain_error or 5005
                raise cluster_error(call, f"The drain of node {node.name} failed.", code, "OperationStopped")
        call.sink.output(shape.node(world, node))


@cmdlet("Resume-ClusterNode")
async def resume_cluster_node(call: Call) -> None:
    """Let roles onto paused nodes again; -Failback Immediate brings back those that a drain took away.

    From 21H2 on the node's disks leave storage maintenance mode with it (azure-stack-docs, maintain-servers). Policy follows
    the failback settings of each role, which prevent it by default.
    """
    check_service(call)
    world = call.world
    failback = (call.text("Failback") or "NoFailback").lower()
    for node in nodes(call):
        if not node.member or node.power is Power.SHUTTING_DOWN:
            raise not_available(call, node)
        if not node.paused:
            raise cluster_error(
                call, f"The cluster node {node.name} is not paused.", NODE_NOT_PAUSED, "InvalidOperation"
            )
        world.drains.abort(node)
        world.membership.unpause(node)
        if version_of(node).auto_maintenance:
            world.storage.leave_maintenance(node, "resume")
        if failback == "immediate":
            world.drains.fail_back(node)
        else:
            world.drains.forget_home(node)
        call.sink.output(shape.node(world, node))


@cmdlet("Stop-ClusterNode")
async def stop_cluster_node(call: Call) -> None:
    """Stop the cluster service of nodes; refused where nobody would be left to have quorum."""
    require_delegation(call)
    check_service(call)
    for node in nodes(call):
        if not node.member and not node.joining:
            raise not_available(call, node)
        if call.world.cluster_service.would_lose_quorum(node):
            text = f"The cluster node {node.name} cannot be stopped because the cluster would lose quorum."
            raise cluster_error(call, text, LAST_QUORUM_NODE, "InvalidOperation")
        call.world.cluster_service.stop(node)
        call.sink.output(shape.node(call.world, node))


@cmdlet("Start-ClusterNode")
async def start_cluster_node(call: Call) -> None:
    """Start the cluster service of nodes and wait until they have joined.

    A quarantined node stays out unless -ClearQuarantine is given; -ForceQuorum forms the cluster with too few votes,
    -PreventQuorum only ever joins one that others have formed (windows-powershell-docs, Start-ClusterNode).
    """
    require_delegation(call)
    world = call.world
    for node in nodes(call):
        if node.power is not Power.ON:
            raise not_available(call, node)
        if node.quarantined and not call.has("ClearQuarantine"):
            raise not_available(call, node)
        if call.has("PreventQuorum") and not any(each.member for each in world.nodes):
            continue
        try:
            if call.has("ForceQuorum"):
                world.cluster_service.force_quorum(node)
            else:
                world.membership.clear_quarantine(node)
                world.cluster_service.start(node)
        except ServiceDisabledError as why:
            raise cluster_error(call, str(why), SERVICE_DISABLED, "ResourceUnavailable") from None
        await until(call, lambda node=node: node.member or not node.up)  # type: ignore[misc]
        call.sink.output(shape.node(world, node))


async def until(call: Call, condition: Callable[[], bool]) -> bool:
    """Wait for ``condition`` as long as -Wait says (seconds; for ever where it is not given, not at all for 0)."""
    seconds = call.parameters.get("Wait")
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        await call.world.until(condition, call.clock)
        return True
    limit = call.clock.now() + timedelta(seconds=seconds)
    if seconds:
        call.world.at(limit, lambda: None)
        await call.world.until(lambda: condition() or call.clock.now() >= limit, call.clock)
    return bool(condition())


def nodes(call: Call) -> list[Node]:
    """Return the nodes that were piped or named, else the one that the session is on."""
    given = call.parameters.get("InputObject")
    piped = [each for each in (*call.input, given) if isinstance(each, SimObject)]
    found = [each.source for each in piped if isinstance(each.source, Node)]
    found += [find_node(call, name) for name in call.texts("Name")]
    if found:
        return found
    if isinstance(call.host, Node):
        return [call.host]
    raise cluster_error(call, "The cluster node could not be found: name one.", NODE_NOT_FOUND, "ObjectNotFound")
