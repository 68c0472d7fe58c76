"""The CIM cmdlets over the classes that a simulated machine has."""

from __future__ import annotations

import re
from dataclasses import replace

from include.simulator.cmdlets import cim_cau, cim_cluster, cim_inventory, cim_updates, second_hop
from include.simulator.cmdlets.cim_objects import cim_error, matches_filter, mi_error
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimObject
from include.simulator.world.locks import CLASSES, LockHeldError, LockMissingError
from include.simulator.world.machines import Node

#: What can simply be read, by namespace and class.
_READERS = {cim_inventory.NAMESPACE: cim_inventory.READERS, cim_cluster.NAMESPACE: cim_cluster.READERS}
_QUERY = re.compile(r"\s*select\s+\*\s+from\s+(?P<cls>\w+)(?:\s+where\s+(?P<filter>.+))?\s*", re.IGNORECASE | re.DOTALL)


def _class(call: Call) -> tuple[str, str]:
    """Return namespace and canonical class name; raises the CIM errors for what this machine does not have."""
    namespace = (call.text("Namespace") or cim_inventory.NAMESPACE).replace("\\", "/").strip("/").lower()
    name = call.text("ClassName") or ""
    classes = {cim_inventory.NAMESPACE: list(cim_inventory.READERS)}
    if isinstance(call.host, Node):
        classes[cim_cau.NAMESPACE] = list(CLASSES)
        classes[cim_cluster.NAMESPACE] = list(cim_cluster.READERS) if call.host.member else []
        if cim_updates.available(call.world, call.host):
            classes[cim_updates.NAMESPACE] = list(cim_updates.METHODS)
    if namespace not in classes:
        raise cim_error(call, "Invalid namespace ", 0x8004100E, "MetadataError", namespace)
    for known in classes[namespace]:
        if known.lower() == name.lower():
            return namespace, known
    raise cim_error(call, "Invalid class ", 0x80041010, "MetadataError", f"{namespace}:{name}")


def _there(call: Call) -> list[Call]:
    """Return the command as it runs on every machine it was sent to: the own one unless -ComputerName names others."""
    sent: list[Call] = []
    for name in call.texts("ComputerName") or [call.host.name]:
        try:
            sent.append(replace(call, host=second_hop.machine(call, name)))
        except second_hop.HopRefusedError as why:
            refused = why.code == second_hop.ACCESS_DENIED
            code, category = (0x80070005, "PermissionDenied") if refused else (0x80338012, "ConnectionError")
            raise cim_error(call, str(why), code, category, name) from None
    return sent


def _node(call: Call) -> Node:
    if not isinstance(call.host, Node):
        raise cim_error(call, "Invalid namespace ", 0x8004100E, "MetadataError", cim_cau.NAMESPACE)
    return call.host


@cmdlet("Get-CimInstance")
async def get_cim_instance(call: Call) -> None:
    """Write the instances of a class, those that a filter lets through, or fresh copies of piped instances."""
    piped = [item for item in call.input if isinstance(item, SimObject)]
    if piped:
        for item in piped:
            target = _lock_of(call, item)
            _require(call, target)
            call.sink.output(cim_cau.lock_instance(call, target.node, target.cls, target.guid))
        return
    for each in _there(call):
        _read(each)


def _read(call: Call) -> None:
    wanted = call.text("Filter")
    if query := call.text("Query"):
        match = _QUERY.fullmatch(query)
        if match is None:
            raise cim_error(call, "Invalid query ", 0x80041017, "InvalidArgument")
        call = replace(call, parameters={**call.parameters, "ClassName": match["cls"]})
        wanted = match["filter"]
    namespace, cls = _class(call)
    if namespace == cim_cau.NAMESPACE:
        _read_lock(call, cls, wanted)
    elif namespace in _READERS:
        for found in _READERS[namespace][cls](call):
            if wanted is None or matches_filter(call, wanted, found.properties):
                call.sink.output(found)


def _read_lock(call: Call, cls: str, wanted: str | None) -> None:
    node = _node(call)
    lock = call.world.locks.get(node, cls)
    matched = lock is not None and (wanted is None or matches_filter(call, wanted, {"OrchestratorGuid": lock.guid}))
    if lock is None or not matched:
        if wanted is not None:
            matches_filter(call, wanted, {"OrchestratorGuid": ""})
        return
    if wanted is not None:
        call.world.locks.get(node, cls, lock.guid)
    call.sink.output(cim_cau.lock_instance(call, node, cls, lock.guid))


@cmdlet("New-CimInstance")
async def new_cim_instance(call: Call) -> None:
    """Create a lock instance; refused while the class has one on this machine."""
    for each in _there(call):
        _create(each)


def _create(call: Call) -> None:
    _, cls = _class(call)
    if cls not in CLASSES:
        raise mi_error(call, "Not supported ", 7, "NotImplemented", cls)
    given = call.parameters.get("Property")
    properties = {str(name).lower(): value for name, value in given.items()} if isinstance(given, dict) else {}
    guid = str(properties.get("orchestratorguid") or "")
    if not guid or set(properties) != {"orchestratorguid"}:
        raise mi_error(call, "Invalid parameter ", 4, "InvalidArgument", cls)
    node = _node(call)
    try:
        call.world.locks.create(node, cls, guid)
    except LockHeldError:
        raise mi_error(call, "An instance of the class already exists. ", 11, "ResourceExists", cls) from None
    call.sink.output(cim_cau.lock_instance(call, node, cls, guid))


@cmdlet("Remove-CimInstance")
async def remove_cim_instance(call: Call) -> None:
    """Delete the lock instances that come down the pipeline."""
    for item in _inputs(call):
        target = _lock_of(call, item)
        try:
            call.world.locks.remove(target.node, target.cls, target.guid)
        except LockMissingError:
            raise mi_error(
                call, "No instance found with given property values. ", 6, "ObjectNotFound", target.cls
            ) from None


#: It has no ToString of its own: inside another object it crosses the wire as this name (PowerShell/MMI, of that name).
_PARAMETER = "Microsoft.Management.Infrastructure.Internal.Data.CimMethodParameterDeclarationOfMethod"


@cmdlet("Get-CimClass")
async def get_cim_class(call: Call) -> None:
    """Write a class with its methods and their parameters."""
    for each in _there(call):
        call.sink.output(_described(each))


def _described(call: Call) -> SimObject:
    namespace, cls = _class(call)
    space = "Microsoft.Management.Infrastructure."
    methods = cim_updates.METHODS.get(cls) or cim_cluster.METHODS.get(cls)
    declared: list[object] = []
    for name, parameters in (cim_cau.methods(call, cls) if methods is None else methods).items():
        kinds: list[object] = [
            SimObject(
                (_PARAMETER, space + "CimMethodParameterDeclaration", "System.Object"),
                {"Name": each, "CimType": kind},
                to_string=_PARAMETER,
            )
            for each, kind in parameters.items()
        ]
        properties: dict[str, object] = {"Name": name, "ReturnType": "UInt32", "Parameters": kinds}
        declared.append(SimObject((space + "CimMethodDeclaration", "System.Object"), properties, to_string=name))
    described: dict[str, object] = {
        "CimClassName": cls,
        "CimSuperClassName": None,
        "CimClassMethods": declared,
        "CimClassProperties": [
            SimObject((space + "CimPropertyDeclaration", "System.Object"), {"Name": key}, to_string=key)
            for key in _properties(call, namespace, cls)
        ],
    }
    types = (f"{space}CimClass#{namespace}/{cls}", space + "CimClass", "System.Object")
    return SimObject(types, described, to_string=f"{namespace}:{cls}")


def _properties(call: Call, namespace: str, cls: str) -> list[str]:
    if namespace == cim_cau.NAMESPACE:
        return ["OrchestratorGuid"]
    if namespace == cim_updates.NAMESPACE:
        return list(cim_updates.PROPERTIES) if cls == "MSFT_WUUpdate" else []
    return list(dict.fromkeys(key for each in _READERS[namespace][cls](call) for key in each.properties))


@cmdlet("Invoke-CimMethod")
async def invoke_cim_method(call: Call) -> None:
    """Run a method on the instances that come down the pipeline, or a static one on its class.

    The update methods of the CAU provider belong to an instance, never to the class.
    """
    given = call.parameters.get("Arguments")
    arguments = {str(name): value for name, value in given.items()} if isinstance(given, dict) else {}
    method, items = call.text("MethodName") or "", _inputs(call)
    for item in items:
        if cim_cluster.owns(item):
            cim_cluster.invoke(call, item, method, arguments)
            continue
        await cim_cau.invoke(call, _lock_of(call, item), method, arguments)
    if items:
        return
    for each in _there(call):
        namespace, cls = _class(each)
        if namespace != cim_updates.NAMESPACE:
            raise mi_error(call, "Invalid parameter : the method needs an instance.", 4, "InvalidArgument", cls)
        await cim_updates.invoke(each, cls, method, arguments)


def _inputs(call: Call) -> list[SimObject]:
    return [item for item in (*call.input, call.parameters.get("InputObject")) if isinstance(item, SimObject)]


def _lock_of(call: Call, item: SimObject) -> cim_cau.LockInstance:
    if isinstance(item.source, cim_cau.LockInstance) and (item.source.node is call.host or call.session.delegated):
        return item.source
    raise mi_error(call, "Not supported ", 7, "NotImplemented", item.to_string or "")


def _require(call: Call, target: cim_cau.LockInstance) -> None:
    try:
        call.world.locks.require(target.node, target.cls, target.guid)
    except LockMissingError:
        raise mi_error(
            call, "No instance found with given property values. ", 6, "ObjectNotFound", target.cls
        ) from None
