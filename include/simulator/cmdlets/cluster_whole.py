"""The FailoverClusters cmdlets about the cluster as a whole: stopping, starting, raising its level, its private properties."""

from __future__ import annotations

from include.simulator.cmdlets import cluster_objects as shape
from include.simulator.cmdlets.cluster_errors import (
    check_service,
    cluster_error,
    find_node,
    not_available,
    require_delegation,
)
from include.simulator.cmdlets.cluster_nodes import until
from include.simulator.cmdlets.cluster_roles import piped
from include.simulator.cmdlets.registry import Call, ask, cmdlet, say_what_if
from include.simulator.objects import Int64, SimEnum, SimObject, TerminatingError
from include.simulator.world.cluster_service import ServiceDisabledError
from include.simulator.world.groups import Group
from include.simulator.world.machines import Node, Power
from include.simulator.world.world import World

_SPACE = "Microsoft.FailoverClusters.PowerShell."
_TYPES: tuple[tuple[type, str], ...] = ((bool, "UInt32"), (int, "UInt32"), (str, "String"))


@cmdlet("Update-ClusterFunctionalLevel", answers_what_if=True)
async def update_cluster_functional_level(call: Call) -> None:
    """Raise the functional level, for good; refused while nodes are away or run different versions.

    -WhatIf really tests whether it would work; without -Force it asks (windows-powershell-docs, Update-ClusterFunctionalLevel).
    """
    check_service(call)
    world = call.world
    refusal = world.levels.refusal()
    if refusal is not None:
        text = f"The functional level of cluster '{world.spec.cluster}' could not be updated. {refusal.reason}"
        raise cluster_error(call, text, refusal.code, "NotSpecified")
    if call.has("WhatIf"):
        say_what_if(f'Updating the functional level of cluster "{world.spec.cluster}".')
        return
    if not call.has("Force"):
        ask(call)
    world.levels.update()
    call.sink.output(shape.cluster(world))


@cmdlet("Stop-Cluster")
async def stop_cluster(call: Call) -> None:
    """Stop the cluster service of every node; it asks unless -Force is given."""
    check_service(call)
    ask(call)
    call.world.cluster_service.stop_cluster()


@cmdlet("Start-Cluster")
async def start_cluster(call: Call) -> None:
    """Start the cluster service of every node and wait until the cluster is there.

    While every node is stopped it must be given the name of a node (windows-powershell-docs, Start-Cluster).
    """
    require_delegation(call)
    world, name = call.world, call.text("Name")
    running = any(node.member for node in world.nodes)
    is_cluster = name is not None and name.split(".")[0].lower() == world.spec.cluster.lower()
    if is_cluster and not running:
        raise cluster_error(call, f"The cluster {name} could not be found.", 1722, "ConnectionError")
    first = find_node(call, name) if name and name != "." and not is_cluster else call.host
    if not isinstance(first, Node) or first.power is not Power.ON:
        raise not_available(call, first) if isinstance(first, Node) else _nowhere(call)
    ready = [node for node in world.nodes if node.power is Power.ON and not node.member]
    try:
        if first in ready and first.services["ClusSvc"].start_type == "Disabled":
            raise ServiceDisabledError(f"The service ClusSvc of {first.name} is disabled.")
        startable = [node for node in ready if node.services["ClusSvc"].start_type != "Disabled"]
        world.cluster_service.start_cluster(startable, ignore_persistent_state=call.has("IgnorePersistentState"))
    except ServiceDisabledError as why:
        raise cluster_error(call, str(why), 1058, "ResourceUnavailable") from None
    await until(call, lambda: any(node.member for node in world.nodes))
    call.sink.output(shape.cluster(world))


def _nowhere(call: Call) -> TerminatingError:
    return cluster_error(call, "There is no cluster on this computer.", 1722, "ConnectionError")


@cmdlet("Get-ClusterParameter")
async def get_cluster_parameter(call: Call) -> None:
    """Write the private properties of the cluster, or of the cluster object that is piped."""
    check_service(call)
    names = [name.lower() for name in call.texts("Name")]
    for key in _keys(call):
        for name, value in _parameters(call.world, key).items():
            if not names or name.lower() in names:
                call.sink.output(_parameter(key, name, value))


@cmdlet("Set-ClusterParameter")
async def set_cluster_parameter(call: Call) -> None:
    """Change, create (-Create) or delete (-Delete) private properties.

    Cluster-Aware Updating reads CauEnableSoftReboot from the cluster's (azure-stack-docs, kernel-soft-reboot).
    """
    check_service(call)
    several = call.parameters.get("Multiple")
    wanted = dict(several) if isinstance(several, dict) else {call.text("Name") or "": call.parameters.get("Value")}
    for key in _keys(call):
        for name, value in wanted.items():
            have = _parameters(call.world, key)
            known = next((each for each in have if each.lower() == str(name).lower()), None)
            if known is None and not call.has("Create"):
                text = f"Parameter '{name}' does not exist on the cluster object '{key}'. Use -Create to create it."
                raise cluster_error(call, text, 2, "NotSpecified")
            own = call.world.cluster_parameters.setdefault(key, {})
            if call.has("Delete"):
                own.pop(str(known), None)
            else:
                own[known or str(name)] = value


def _keys(call: Call) -> list[str]:
    objects = [str(item.to_string) for item in piped(call) if isinstance(item.source, Group | Node | World)]
    return objects or [call.world.spec.cluster]


def _parameters(world: World, key: str) -> dict[str, object]:
    found: dict[str, object] = {}
    vm = next((group.vm for group in world.groups.all if group.vm and key == f"Virtual Machine {group.name}"), None)
    if vm:
        found |= {"OfflineAction": 1, "VmID": str(vm.id)}
    return found | world.cluster_parameters.get(key, {})


def _parameter(key: str, name: str, value: object) -> SimObject:
    kind = next((text for cls, text in _TYPES if isinstance(value, cls)), "String")
    properties: dict[str, object] = {
        "ClusterObject": key,
        "IsReadOnly": False,
        "Name": name,
        "ParameterType": kind,
        "Value": value,
    }
    return SimObject((_SPACE + "ClusterParameter", "System.Object"), properties, to_string=_SPACE + "ClusterParameter")


@cmdlet("Get-ClusterLog")
async def get_cluster_log(call: Call) -> None:
    """Write the log files that the nodes make, in -Destination or in their reports folder."""
    require_delegation(call)
    check_service(call)
    folder = call.text("Destination")
    nodes = [find_node(call, name) for name in call.texts("Node")] or [node for node in call.world.nodes if node.member]
    for node in nodes:
        name = f"{node.name}_cluster.log" if folder else "Cluster.log"
        call.sink.output(file_info(folder or f"\\\\{node.name}\\C$\\Windows\\Cluster\\Reports", name, call.world))


def file_info(folder: str, name: str, world: World, length: int = 0) -> SimObject:
    """Return the System.IO.FileInfo of a file of ``length`` bytes that a cmdlet has just written."""
    properties: dict[str, object] = {
        "Attributes": SimEnum("System.IO.FileAttributes", 32, "Archive"),
        "DirectoryName": folder,
        "Exists": True,
        "Extension": "." + name.rpartition(".")[2],
        "FullName": f"{folder}\\{name}",
        "IsReadOnly": False,
        "LastWriteTime": world.now,
        "Length": Int64(length),
        "Name": name,
    }
    types = ("System.IO.FileInfo", "System.IO.FileSystemInfo", "System.MarshalByRefObject", "System.Object")
    return SimObject(types, properties, to_string=f"{folder}\\{name}")
