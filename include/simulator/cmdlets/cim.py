"""The CIM cmdlets over the classes that a simulated machine has."""

from __future__ import annotations

from include.simulator.cmdlets import cim_cau
from include.simulator.cmdlets.cim_objects import cim_error, instance, matches_filter, mi_error
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimObject, UInt32, UInt64
from include.simulator.world.locks import CLASSES, LockHeldError, LockMissingError
from include.simulator.world.machines import Node

_CIMV2 = "root/cimv2"


def _class(call: Call) -> tuple[str, str]:
    """Return namespace and canonical class name; raises the CIM errors for what this machine does not have."""
    namespace = (call.text("Namespace") or _CIMV2).replace("\\", "/").strip("/").lower()
    name = call.text("ClassName") or ""
    classes = {_CIMV2: ["Win32_OperatingSystem"]}
    if isinstance(call.host, Node):
        classes[cim_cau.NAMESPACE] = list(CLASSES)
    if namespace not in classes:
        raise cim_error(call, "Invalid namespace ", 0x8004100E, "MetadataError", namespace)
    for known in classes[namespace]:
        if known.lower() == name.lower():
            return namespace, known
    raise cim_error(call, "Invalid class ", 0x80041010, "MetadataError", f"{namespace}:{name}")


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
    _, cls = _class(call)
    wanted = call.text("Filter")
    if cls == "Win32_OperatingSystem":
        found = operating_system(call)
        if wanted is None or matches_filter(call, wanted, found.properties):
            call.sink.output(found)
        return
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


@cmdlet("Get-CimClass")
async def get_cim_class(call: Call) -> None:
    """Write a class with its methods and their parameters."""
    namespace, cls = _class(call)
    space = "Microsoft.Management.Infrastructure."
    declared: list[object] = []
    for name, parameters in cim_cau.methods(cls, call.host.os).items():
        kinds: list[object] = [
            SimObject(
                (space + "CimMethodParameterDeclaration", "System.Object"),
                {"Name": each, "CimType": kind},
                to_string=each,
            )
            for each, kind in parameters.items()
        ]
        properties: dict[str, object] = {"Name": name, "ReturnType": "UInt32", "Parameters": kinds}
        declared.append(SimObject((space + "CimMethodDeclaration", "System.Object"), properties, to_string=name))
    keys = ["OrchestratorGuid"] if cls in CLASSES else list(operating_system(call).properties)
    described: dict[str, object] = {
        "CimClassName": cls,
        "CimSuperClassName": None,
        "CimClassMethods": declared,
        "CimClassProperties": [
            SimObject((space + "CimPropertyDeclaration", "System.Object"), {"Name": key}, to_string=key) for key in keys
        ],
    }
    types = (f"{space}CimClass#{namespace}/{cls}", space + "CimClass", "System.Object")
    call.sink.output(SimObject(types, described, to_string=f"{namespace}:{cls}"))


@cmdlet("Invoke-CimMethod")
async def invoke_cim_method(call: Call) -> None:
    """Run a method on the instances that come down the pipeline; the update methods belong to an instance, never to the class."""
    given = call.parameters.get("Arguments")
    arguments = {str(name): value for name, value in given.items()} if isinstance(given, dict) else {}
    items = _inputs(call)
    if not items:
        _, cls = _class(call)
        raise mi_error(call, "Invalid parameter : the method needs an instance.", 4, "InvalidArgument", cls)
    for item in items:
        await cim_cau.invoke(call, _lock_of(call, item), call.text("MethodName") or "", arguments)


def _inputs(call: Call) -> list[SimObject]:
    return [item for item in (*call.input, call.parameters.get("InputObject")) if isinstance(item, SimObject)]


def _lock_of(call: Call, item: SimObject) -> cim_cau.LockInstance:
    if isinstance(item.source, cim_cau.LockInstance) and item.source.node is call.host:
        return item.source
    raise mi_error(call, "Not supported ", 7, "NotImplemented", item.to_string or "")


def _require(call: Call, target: cim_cau.LockInstance) -> None:
    try:
        call.world.locks.require(target.node, target.cls, target.guid)
    except LockMissingError:
        raise mi_error(
            call, "No instance found with given property values. ", 6, "ObjectNotFound", target.cls
        ) from None


def operating_system(call: Call) -> SimObject:
    """Return the Win32_OperatingSystem of the machine the command runs on."""
    host = call.host
    total = int(host.memory_gib * 1024 * 1024)
    free = int(call.world.groups.free_memory(host) * 1024 * 1024) if isinstance(host, Node) else total // 2
    properties: dict[str, object] = {
        "BootDevice": "\\Device\\HarddiskVolume1",
        "BuildNumber": str(host.build),
        "Caption": host.os.caption,
        "CSName": host.name,
        "FreePhysicalMemory": UInt64(max(0, free)),
        "InstallDate": host.boot_time.replace(year=host.boot_time.year - 1, month=1, day=15),
        "LastBootUpTime": host.boot_time,
        "LocalDateTime": call.world.now,
        "Name": f"{host.os.caption}|C:\\Windows|\\Device\\Harddisk0\\Partition4",
        "NumberOfProcesses": UInt32(120),
        "OSArchitecture": "64-bit",
        "OSLanguage": UInt32(1033),
        "Status": "OK",
        "SystemDirectory": "C:\\Windows\\system32",
        "TotalVisibleMemorySize": UInt64(total),
        "Version": f"10.0.{host.build}",
    }
    classes = ("Win32_OperatingSystem", "CIM_OperatingSystem", "CIM_LogicalElement", "CIM_ManagedSystemElement")
    return instance(
        "root/cimv2", classes, properties, host=host.name, to_string=f"Win32_OperatingSystem: {host.os.caption}"
    )
