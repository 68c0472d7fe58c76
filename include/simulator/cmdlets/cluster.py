"""The FailoverClusters cmdlets that tell about the cluster, its nodes, roles and resources."""

from __future__ import annotations

from include.simulator.cmdlets import cluster_objects as shape
from include.simulator.cmdlets.cim_objects import instance
from include.simulator.cmdlets.cluster_errors import check_service, cluster_error, matching, not_found
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimEnum, SimObject
from include.simulator.world.groups import Group
from include.simulator.world.machines import Node
from include.simulator.world.resources import Resource
from include.simulator.world.storage import VirtualDisk


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
    names, vm_id = call.texts("Name"), (call.text("VMId") or "").lower()
    owners = [item.source for item in call.input if isinstance(item, SimObject) and isinstance(item.source, Node)]
    for name in names:
        if not matching(name, [group.name for group in call.world.groups.all]):
            call.sink.error(not_found(call, "group", name))
    for group in call.world.groups.all:
        named = not names or any(matching(name, [group.name]) for name in names)
        asked = not vm_id or (group.vm is not None and str(group.vm.id) == vm_id)
        if named and asked and (not owners or group.owner in owners):
            call.sink.output(shape.group(call.world, group))


@cmdlet("Get-ClusterResource")
async def get_cluster_resource(call: Call) -> None:
    """Write the resources of every role, the pool, the witness, the Health Service and disks that are no shared volumes.

    Shared volumes are not among them: only Get-ClusterSharedVolume gives those (zenoss/ZenPacks.zenoss.Microsoft.Windows, pull
    request 1057; microsoft/MSLab, "S2D and Emergency Patching", takes each kind from its own cmdlet).
    """
    check_service(call)
    names, vm_id = call.texts("Name"), (call.text("VMId") or "").lower()
    found = [each for each in call.world.resources.all() if not _is_shared_volume(each)]
    for name in names:
        if not matching(name, [each.name for each in found]):
            call.sink.error(not_found(call, "resource", name))
    owners = [item.source for item in call.input if isinstance(item, SimObject)]
    for each in found:
        named = not names or any(matching(name, [each.name]) for name in names)
        mine = not owners or each.owner in owners or each.source in owners
        vm = each.source.vm if isinstance(each.source, Group) else None
        if named and mine and (not vm_id or (vm is not None and str(vm.id) == vm_id)):
            call.sink.output(shape.resource(call.world, each))


def _is_shared_volume(each: Resource) -> bool:
    return isinstance(each.source, VirtualDisk) and each.source.shared


def _quorum_type(call: Call) -> tuple[int, str]:
    if not call.world.variant("quorum-type-by-witness"):
        return 1, "Majority"
    kinds = {"": (2, "NodeMajority"), "File Share Witness": (4, "NodeAndFileShareMajority")}
    return kinds.get(call.world.spec.witness, (5, "NodeAndCloudWitness"))


@cmdlet("Get-ClusterQuorum")
async def get_cluster_quorum(call: Call) -> None:
    """Write the quorum settings."""
    check_service(call)
    properties: dict[str, object] = {
        "Cluster": call.world.spec.cluster,
        "QuorumResource": call.world.spec.witness or None,
        "QuorumType": SimEnum("Microsoft.FailoverClusters.PowerShell.ClusterQuorumType", *_quorum_type(call)),
    }
    types = ("Microsoft.FailoverClusters.PowerShell.ClusterQuorumSettings", "System.Object")
    call.sink.output(SimObject(types, properties, to_string=types[0]))


@cmdlet("Get-ClusterNodeSupportedVersion")
async def get_cluster_node_supported_version(call: Call) -> None:
    """Write which cluster versions each node supports (azure-stack-docs, cluster migration; there is no page of the cmdlet)."""
    check_service(call)
    names = call.texts("Name")
    for node in call.world.nodes:
        if names and not any(matching(name, [node.name]) for name in names):
            continue
        level, upgrade = call.world.levels.node_pair(node)
        properties: dict[str, object] = {
            "ClusterHighestVersion": level << 16 | upgrade,
            "ClusterLowestVersion": call.world.levels.functional_level << 16 | call.world.levels.upgrade_version,
            "FunctionalLevel": level,
            "Name": node.name,
            "UpgradeVersion": upgrade,
        }
        types = ("Microsoft.FailoverClusters.PowerShell.ClusterNodeSupportedVersion", "System.Object")
        call.sink.output(SimObject(types, properties, to_string=node.name, source=node))


@cmdlet("Get-ClusterFaultDomain")
async def get_cluster_fault_domain(call: Call) -> None:
    """Write the fault domains: the nodes, as no racks or sites are defined."""
    check_service(call)
    names, ids = call.texts("Name"), {each.lower() for each in call.texts("Id")}
    kinds = {each.lower() for each in call.texts("Type")}
    for node in call.world.nodes:
        if (kinds and "node" not in kinds) or (ids and str(node.instance_id) not in ids):
            continue
        if names and not any(matching(name, [node.name]) for name in names):
            continue
        properties: dict[str, object] = {
            "ChildrenNames": [],
            "Description": "",
            "Id": str(node.instance_id),
            "Location": "",
            "Name": node.name,
            "ParentName": "",
            "Type": 4,
        }
        texts = {"Type": "Node"}
        call.sink.output(
            instance("ROOT/MSCluster", ("MSCluster_FaultDomain",), properties, host=call.host.name, texts=texts)
        )
