"""The classes of root/Microsoft/Windows/WindowsUpdate (class dump of Windows Server 2019; MSLab uses them up to 22H2)."""

from __future__ import annotations

from datetime import UTC, datetime

from include.simulator.cmdlets.cim_objects import instance, mi_error
from include.simulator.cmdlets.registry import Call
from include.simulator.objects import SimObject, UInt32
from include.simulator.world.agent import AgentError, Logon, UpdateAgent
from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.criteria import INVALID_CRITERIA, InvalidCriteriaError, parse
from include.simulator.world.machines import Machine, Node
from include.simulator.world.updates import SUCCEEDED
from include.simulator.world.world import World

NAMESPACE = "root/microsoft/windows/windowsupdate"
#: From this build on the class dumps lack the namespace.
_GONE_FROM = 25398
#: What GetLast...Date answers on Server Core, whatever was installed (MSLab, Windows Update).
NO_DATE = datetime(1601, 1, 1, tzinfo=UTC)
METHODS: dict[str, dict[str, dict[str, str]]] = {
    "MSFT_WUOperations": {
        "ScanForUpdates": {"SearchCriteria": "String"},
        "InstallUpdates": {"Updates": "InstanceArray", "DownloadOnly": "Boolean"},
    },
    "MSFT_WUSettings": {
        "IsPendingReboot": {},
        "GetWUAVersion": {},
        "GetLastUpdateInstallationDate": {},
        "GetLastScanSuccessDate": {},
    },
    "MSFT_WUUpdate": {},
}
PROPERTIES = ("Description", "KBArticleID", "MsrcSeverity", "RevisionNumber", "Title", "UpdateID")
_TYPES = (
    "Microsoft.Management.Infrastructure.CimMethodResult",
    "System.Management.Automation.PSCustomObject",
    "System.Object",
)


def available(world: World, machine: Machine) -> bool:
    """Tell whether ``machine`` has the namespace."""
    return machine.build < _GONE_FROM or world.variant("windows-update-classes-on-23h2")


async def invoke(call: Call, cls: str, method: str, arguments: dict[str, object]) -> None:
    """Run a static method of one of the classes; it works as SYSTEM, so the agent refuses it nothing."""
    known = {name.lower(): name for name in METHODS[cls]}
    name = known.get(method.lower())
    if name is None or not isinstance(call.host, Node):
        raise mi_error(call, f"Method {method} was not found.", 17, "NotSpecified", cls)
    given = {key.lower(): value for key, value in arguments.items()}
    unknown = set(given) - {each.lower() for each in METHODS[cls][name]}
    if unknown:
        raise mi_error(call, "Invalid parameter ", 4, "InvalidArgument", min(unknown))
    if name == "ScanForUpdates":
        await _scan(call, call.host, str(given.get("searchcriteria") or ""))
    elif name == "InstallUpdates":
        await _install(call, call.host, given)
    elif name == "IsPendingReboot":
        _answer(call, {"PendingReboot": call.world.servicing.restart_pending(call.host)})
    elif name == "GetWUAVersion":
        _answer(call, {"WUAVersion": f"10.0.{call.host.build}.{call.host.ubr}"})
    else:
        key = "LastUpdateInstallationDate" if name == "GetLastUpdateInstallationDate" else "LastScanSuccessDate"
        _answer(call, {key: NO_DATE})


async def _scan(call: Call, node: Node, text: str) -> None:
    await call.clock.sleep(call.world.spread(call.world.spec.timings.scan))
    call.world.advance()
    condition = call.world.rig.take("scan-fails", node.name)
    if condition:
        _answer(call, {"Updates": []}, int(condition.text("hresult"), 0))
        return
    try:
        found = UpdateAgent(call.world, node, Logon.SYSTEM).search(parse(text))
    except InvalidCriteriaError:
        _answer(call, {"Updates": []}, INVALID_CRITERIA)
        return
    _answer(call, {"Updates": [_update(call, each) for each in found]})


async def _install(call: Call, node: Node, given: dict[str, object]) -> None:
    """Download and install the very instances that a scan gave; copies that came over the wire are no instances any more."""
    listed = given.get("updates")
    items = listed if isinstance(listed, list | tuple) else [listed]
    updates = [item.source for item in items if isinstance(item, SimObject) and isinstance(item.source, UpdateSpec)]
    if len(updates) != len(items):
        raise mi_error(call, "Type mismatch for parameter Updates ", 13, "InvalidType", "Updates")
    agent = UpdateAgent(call.world, node, Logon.SYSTEM, "MSFT_WUOperations")
    try:
        operation = agent.download(updates)
        await call.world.until(lambda: operation.over, call.clock)
        if not given.get("downloadonly"):
            operation = agent.install(updates)
            await call.world.until(lambda: operation.over, call.clock)
    except AgentError as why:
        _answer(call, {"RebootRequired": False}, why.hresult)
        return
    failed = next((each.hresult for each in operation.results if each.code != SUCCEEDED), 0)
    _answer(call, {"RebootRequired": call.world.updates.awaiting_restart(node)}, failed)


def _update(call: Call, update: UpdateSpec) -> SimObject:
    properties: dict[str, object] = {
        "Description": update.description or update.title,
        "KBArticleID": update.kb.removeprefix("KB"),
        "MsrcSeverity": update.severity or None,
        "RevisionNumber": UInt32(200),
        "Title": update.title,
        "UpdateID": update.update_id,
    }
    return instance(NAMESPACE, ("MSFT_WUUpdate",), properties, host=call.host.name, source=update)


def _answer(call: Call, out: dict[str, object], code: int = 0) -> None:
    notes = {**out, "ReturnValue": UInt32(code), "PSComputerName": call.host.name}
    call.sink.output(SimObject(_TYPES, {}, notes, to_string=""))
