"""The classes of root/MSCluster that tell and do more than the FailoverClusters cmdlets (class dumps of 2019 and 23H2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from include.simulator.cmdlets import cluster_objects
from include.simulator.cmdlets.cim_objects import cim_error, instance, mi_error
from include.simulator.cmdlets.registry import Call
from include.simulator.objects import SimEnum, SimObject, UInt32
from include.simulator.world.levels import version_of
from include.simulator.world.machines import DrainStatus, Node, NodeState
from include.simulator.world.world import World

NAMESPACE = "root/mscluster"
_SPACE = "root/MSCluster"
_DRAIN_TYPES, _FAILBACK_TYPES = {0: False, 1: True}, {0: "NoFailback", 1: "Immediate", 2: "Policy"}

#: Methods by class, with their parameters and CIM types.
METHODS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "MSCluster_Node": {
        "Pause": {"DrainType": "UInt32", "TargetNode": "String"},
        "Resume": {"FailbackType": "UInt32"},
        "WillOfflineLoseQuorum": {},
        "WillEvictLoseQuorum": {},
    },
    "MSCluster_Cluster": {},
    "MSCluster_ClusterService": {"ClusterIsReadyForUpgrade": {}, "UpdateFunctionalLevel": {"WhatIf": "Boolean"}},
}


def _flat(found: SimObject, leave_out: tuple[str, ...] = ()) -> dict[str, object]:
    """Return the properties of a cluster object as WMI has them: numbers where the module has enumerations."""
    return {
        name: UInt32(value.value) if isinstance(value, SimEnum) and value.value >= 0 else value
        for name, value in found.properties.items()
        if name not in leave_out
    }


def has_drain_error(world: World, node: Node) -> bool:
    """Tell whether the class has DrainErrorCode on the version of ``node``; nothing is known between 2019 and 23H2."""
    version = version_of(node)
    newer = version.docset != "2019" and world.variant("drain-error-code-of-2022")
    return version.unique_node_id or newer


def _nodes(call: Call) -> list[SimObject]:
    found = []
    for node in call.world.nodes:
        properties = _flat(cluster_objects.node(call.world, node), ("Cluster", "Type"))
        properties |= {"NodeDrainStatus": UInt32(node.drain_status), "NodeDrainTarget": UInt32(node.drain_target)}
        if has_drain_error(call.world, node):
            properties |= {"DrainErrorCode": UInt32(node.drain_error), "NodeFailbackStatus": UInt32(0)}
        found.append(_instance(call, "MSCluster_Node", properties, node.name, node))
    return found


def _cluster(call: Call) -> list[SimObject]:
    found = cluster_objects.cluster(call.world)
    return [_instance(call, "MSCluster_Cluster", _flat(found), call.world.spec.cluster, call.world)]


def _service(call: Call) -> list[SimObject]:
    return [_instance(call, "MSCluster_ClusterService", {"Name": "ClusSvc"}, "ClusSvc", call.world.levels)]


READERS: Mapping[str, Callable[[Call], list[SimObject]]] = {
    "MSCluster_Node": _nodes,
    "MSCluster_Cluster": _cluster,
    "MSCluster_ClusterService": _service,
}


def _instance(call: Call, cls: str, properties: dict[str, object], name: str, source: object) -> SimObject:
    return instance(_SPACE, (cls,), properties, host=call.host.name, to_string=name, source=source)


def owns(item: SimObject) -> bool:
    """Tell whether an object is an instance of one of these classes."""
    return f"#{_SPACE}/" in item.type_names[0]


def invoke(call: Call, item: SimObject, method: str, arguments: Mapping[str, object]) -> None:
    """Run a method on an instance; an unknown one raises the CIM error."""
    cls = item.type_names[0].rpartition("/")[2]
    known = next((each for each in METHODS[cls] if each.lower() == method.lower()), None)
    if known is None:
        raise cim_error(call, "Invalid method ", 0x80041055, "MetadataError", cls)
    answer = _on_node(call, item.source, known, arguments) if isinstance(item.source, Node) else None
    if answer is None:
        answer = _on_service(call, known, arguments)
    call.sink.output(
        SimObject(
            ("Microsoft.Management.Infrastructure.CimMethodResult", "System.Object"),
            {**answer, "PSComputerName": call.host.name},
            to_string="Microsoft.Management.Infrastructure.CimMethodResult",
        )
    )


def _on_node(call: Call, node: Node, method: str, arguments: Mapping[str, object]) -> dict[str, object]:
    world = call.world
    if method in ("WillOfflineLoseQuorum", "WillEvictLoseQuorum"):
        return {"ReturnValue": node.member and not world.quorum.would_survive_without(node.name)}
    if not node.member:
        raise mi_error(call, f"The cluster node {node.name} is not available. ", 1, "ResourceUnavailable", node.name)
    if method == "Pause":
        return _pause(call, node, arguments)
    if node.state is not NodeState.Paused:
        raise mi_error(call, f"The cluster node {node.name} is not paused. ", 1, "InvalidOperation", node.name)
    world.drains.abort(node)
    world.membership.unpause(node)
    if version_of(node).auto_maintenance:
        world.storage.leave_maintenance(node, "resume")
    if _FAILBACK_TYPES.get(_number(arguments, "FailbackType")) == "Immediate":
        world.drains.fail_back(node)
    else:
        world.drains.forget_home(node)
    return {"ReturnValue": UInt32(0)}


def _pause(call: Call, node: Node, arguments: Mapping[str, object]) -> dict[str, object]:
    world, name = call.world, str(arguments.get("TargetNode") or "")
    if not _DRAIN_TYPES.get(_number(arguments, "DrainType"), False):
        world.membership.pause(node)
    elif node.drain_status is DrainStatus.InProgress or not world.storage.healthy():
        raise mi_error(call, f"The cluster node {node.name} cannot be drained. ", 1, "InvalidOperation", node.name)
    else:
        world.drains.start(node, world.node(name) if name else None)
    return {"ReturnValue": UInt32(0)}


def _on_service(call: Call, method: str, arguments: Mapping[str, object]) -> dict[str, object]:
    levels = call.world.levels
    refusal = levels.refusal()
    if method == "ClusterIsReadyForUpgrade":
        return {"isReady": refusal is None and levels.pending, "ReturnValue": UInt32(0)}
    if refusal is not None:
        raise mi_error(call, f"{refusal.reason} ", 1, "InvalidOperation", call.world.spec.cluster)
    if not arguments.get("WhatIf"):
        levels.update()
    return {"ReturnValue": UInt32(0)}


def _number(arguments: Mapping[str, object], name: str) -> int:
    value = arguments.get(name, 0)
    return value if isinstance(value, int) else 0
