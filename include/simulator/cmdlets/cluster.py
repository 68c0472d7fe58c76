"""The FailoverClusters cmdlets."""

from __future__ import annotations

from include.simulator.cmdlets import cluster_objects as shape
from include.simulator.cmdlets.cluster_errors import check_service, cluster_error, find_node, matching, not_found
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimEnum, SimObject
from include.simulator.world.groups import GroupState
from include.simulator.world.machines import DrainStatus, Node, NodeState

#: Win32 error codes (win32, system error codes).
NODE_DOWN = 5050
NODE_NOT_PAUSED = 5058
NODE_DRAIN_IN_PROGRESS = 5962
SPACE_DEGRADED = 5987


@cmdlet("Get-Cluster")
async def get_cluster(call: Call) -> None:
    """Write the cluster."""
    check_service(call)
    name = call.text("Name")
    if name and name.split(".")[0].lower() not in (".", call.world.spec.cluster.lower()):
        raise cluster_error(call, f"The cluster {name} could not be found.", 1722, "ConnectionError")
    call.sink.output(shape.cluster(call.world))


@cmdlet("Get-ClusterNode")
async def get_cluster_node(call: Call) -> None:
    """Write all nodes, or those that were named."""
    check_service(call)
    names = call.texts("Name")
    for name in names:
        if not matching(name, [node.name for node in call.world.nodes]):
            call.sink.error(not_found(call, "node", name))
    for node in call.world.nodes:
        if not names or any(matching(name, [node.name]) for name in names):
            call.sink.output(shape.node(call.world, node))


@cmdlet("Get-ClusterGroup")
async def get_cluster_group(call: Call) -> None:
    """Write all roles, those that were named, or those of the nodes that come down the pipeline."""
    check_service(call)
    names = call.texts("Name")
    owners = [item.source for item in call.input if isinstance(item, SimObject) and isinstance(item.source, Node)]
    for name in names:
        if not matching(name, [group.name for group in call.world.groups.all]):
            call.sink.error(not_found(call, "group", name))
    for group in call.world.groups.all:
        if (not names or any(matching(name, [group.name]) for name in names)) and (not owners or group.owner in owners):
            call.sink.output(shape.group(call.world, group))


@cmdlet("Get-ClusterResource")
async def get_cluster_resource(call: Call) -> None:
    """Write the resources of every role, the virtual disks, the pool, the witness and the Health Service."""
    check_service(call)
    world, names = call.world, call.texts("Name")
    found: list[SimObject] = []
    core = world.groups.core
    for name, kind in (
        ("Cluster Name", "Network Name"),
        ("Cluster IP Address", "IP Address"),
        ("Health", "Health Service"),
        *([(world.spec.witness, "Cloud Witness")] if world.spec.witness else []),
    ):
        found.append(shape.resource(world, name, kind, core.owner, core.name, core.state, core))
    for group in world.groups.all:
        if group.vm:
            found += [
                shape.resource(
                    world,
                    f"Virtual Machine {group.name}",
                    "Virtual Machine",
                    group.owner,
                    group.name,
                    group.state,
                    group,
                ),
                shape.resource(
                    world,
                    f"Virtual Machine Configuration {group.name}",
                    "Virtual Machine Configuration",
                    group.owner,
                    group.name,
                    GroupState.Online if group.owner.member else group.state,
                    group,
                ),
            ]
        elif group is world.cau.role_group:
            found.append(
                shape.resource(
                    world,
                    f"{group.name}Resource",
                    "ClusterAwareUpdatingResource",
                    group.owner,
                    group.name,
                    group.state,
                    group,
                )
            )
        elif not group.is_core:
            found.append(
                shape.resource(world, "SDDC Management", "SDDC Management", group.owner, group.name, group.state, group)
            )
    for disk in world.storage.virtual_disks:
        state = GroupState.Online if disk.attached else GroupState.Failed
        name = f"Cluster Virtual Disk ({disk.name})"
        found.append(shape.resource(world, name, "Physical Disk", disk.owner, str(disk.id), state, disk))
    pool = world.storage.virtual_disks[0].owner if world.storage.virtual_disks else world.nodes[0]
    found.append(
        shape.resource(
            world,
            "Cluster Pool 1",
            "Storage Pool",
            pool,
            str(world.guid("pool group")),
            GroupState.Online,
            world.storage,
        )
    )
    for name in names:
        if not any(matching(name, [str(each)]) for each in (item.to_string for item in found)):
            call.sink.error(not_found(call, "resource", name))
    for item in found:
        if not names or any(matching(name, [str(item.to_string)]) for name in names):
            call.sink.output(item)


@cmdlet("Get-ClusterQuorum")
async def get_cluster_quorum(call: Call) -> None:
    """Write the quorum settings."""
    check_service(call)
    properties: dict[str, object] = {
        "Cluster": call.world.spec.cluster,
        "QuorumResource": call.world.spec.witness or None,
        "QuorumType": SimEnum("Microsoft.FailoverClusters.PowerShell.ClusterQuorumType", 1, "Majority"),
    }
    types = ("Microsoft.FailoverClusters.PowerShell.ClusterQuorumSettings", "System.Object")
    call.sink.output(SimObject(types, properties, to_string=types[0]))


@cmdlet("Get-ClusterSharedVolume")
async def get_cluster_shared_volume(call: Call) -> None:
    """Write the cluster shared volumes."""
    check_service(call)
    names = call.texts("Name")
    for disk in call.world.storage.virtual_disks:
        volume = shape.shared_volume(call.world, disk)
        if not names or any(matching(name, [str(volume.to_string)]) for name in names):
            call.sink.output(volume)


@cmdlet("Suspend-ClusterNode")
async def suspend_cluster_node(call: Call) -> None:
    """Pause nodes; with -Drain start moving their roles away, with -Wait return when that is over.

    Refuses a drain with ERROR_CLUSTER_SPACE_DEGRADED while storage is not healthy (windows-powershell-docs, Invoke-CauRun:
    SuspendClusterNodeTimeoutMinutes).
    """
    check_service(call)
    world = call.world
    target = find_node(call, str(call.parameters["TargetNode"])) if call.has("TargetNode") else None
    for node in _nodes(call):
        if node.state not in (NodeState.Up, NodeState.Paused):
            raise cluster_error(
                call, f"The cluster node {node.name} is not available.", NODE_DOWN, "ResourceUnavailable"
            )
        if node.drain_status is DrainStatus.InProgress:
            raise cluster_error(
                call, f"A drain of node {node.name} is in progress.", NODE_DRAIN_IN_PROGRESS, "InvalidOperation"
            )
        if not (call.has("Drain") or call.has("ForceDrain")):
            world.membership.pause(node)
        elif not call.has("ForceDrain") and not world.storage.healthy():
            text = (
                f"The cluster node {node.name} could not be drained because clustered storage is in a degraded state."
            )
            raise cluster_error(call, text, SPACE_DEGRADED, "NotSpecified")
        else:
            world.drains.start(node, target, force=call.has("ForceDrain"))
            if call.has("Wait"):
                await world.until(lambda node=node: node.drain_status is not DrainStatus.InProgress, call.clock)  # type: ignore[misc]
                if node.drain_status is DrainStatus.Failed:
                    raise cluster_error(call, f"The drain of node {node.name} failed.", 5005, "OperationStopped")
        call.sink.output(shape.node(world, node))


@cmdlet("Resume-ClusterNode")
async def resume_cluster_node(call: Call) -> None:
    """Let roles onto paused nodes again; -Failback Immediate brings back those that a drain took away.

    From 21H2 on the node's disks leave storage maintenance mode with it (azure-stack-docs, maintain-servers).
    """
    check_service(call)
    world = call.world
    failback = (call.text("Failback") or "NoFailback").lower()
    for node in _nodes(call):
        if not node.member:
            raise cluster_error(
                call, f"The cluster node {node.name} is not available.", NODE_DOWN, "ResourceUnavailable"
            )
        if not node.paused:
            raise cluster_error(
                call, f"The cluster node {node.name} is not paused.", NODE_NOT_PAUSED, "InvalidOperation"
            )
        world.drains.abort(node)
        world.membership.unpause(node)
        if world.spec.os.auto_maintenance:
            world.storage.leave_maintenance(node, "resume")
        if failback == "immediate":
            world.drains.fail_back(node)
        elif failback == "nofailback":
            world.drains.forget_home(node)
        call.sink.output(shape.node(world, node))


def _nodes(call: Call) -> list[Node]:
    piped = [item.source for item in call.input if isinstance(item, SimObject) and isinstance(item.source, Node)]
    named = [find_node(call, name) for name in call.texts("Name")]
    if piped or named:
        return [*piped, *named]
    if isinstance(call.host, Node):
        return [call.host]
    raise not_found_error(call)


def not_found_error(call: Call) -> Exception:
    """Return the error of a cmdlet that needs a node's name and got none."""
    return cluster_error(call, "The cluster node could not be found: name one.", 5042, "ObjectNotFound")
