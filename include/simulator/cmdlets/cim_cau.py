"""The CAU provider's classes MSFT_CAURun and MSFT_CAUNode (MSFT_CAUNode class; class dumps of server 2019 and 23H2)."""

from __future__ import annotations

from dataclasses import dataclass

from include.simulator.cmdlets.cim_objects import instance, mi_error
from include.simulator.cmdlets.registry import Call
from include.simulator.objects import SimObject, UInt32
from include.simulator.world.agent import E_ACCESSDENIED
from include.simulator.world.criteria import INVALID_CRITERIA, InvalidCriteriaError, parse
from include.simulator.world.locks import NODE, LockMissingError
from include.simulator.world.machines import Node
from include.simulator.world.updates import ANOTHER_INSTALL, SUCCEEDED, UpdateResult

NAMESPACE = "root/microsoft/windows/clusterupdate"
_DEFAULT_QUERY = "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1"


@dataclass(frozen=True, slots=True)
class LockInstance:
    """What a CIM instance of one of the classes refers to."""

    node: Node
    cls: str
    guid: str


def methods(call: Call, cls: str) -> dict[str, dict[str, str]]:
    """Return the methods of ``cls`` on the machine with their in parameters and CIM types."""
    if cls != NODE:
        return {}
    search = {"QueryString": "String", "IncludeRecommendedUpdates": "Boolean"}
    if call.world.updates.takes_feature_flag(call.host):
        search["FeatureUpdatesOnly"] = "Boolean"
    installer = {
        "InstallerProgramPath": "String",
        "Parameters": "String",
        "UpdatePath": "String",
        "RequireSmbEncryption": "Boolean",
    }
    found: dict[str, dict[str, str]] = {
        "ScanUpdates": search,
        "DownloadUpdates": search,
        "InstallUpdates": search,
        "RebootRequired": {},
        "RunUpdateInstaller": installer,
    }
    if call.world.updates.has_newer_methods(call.host):
        media = {"PathToSetup": "String", "UpdateId": "String", "PathToDeploymentCab": "String"}
        found |= {
            "CommitFUpdatesWua": {"QueryString": "String"},
            "RunUpgradeLegacyMediaInterface": {"PathToSetup": "String", "CmdLineArgs": "String"},
            "RunUpgradeInstallAudiInterface": {"PathToSetup": "String", "PathToDeploymentCab": "String"},
            "RunUpgradeCommitAudiInterface": media,
            "GetPostRebootResult": media,
            "GenerateDeviceInfoFilesFU": {"PathToFiles": "String", "PathToDeploymentCab": "String"},
        }
    return found


def lock_instance(call: Call, node: Node, cls: str, guid: str) -> SimObject:
    """Return the CIM instance of a lock."""
    source = LockInstance(node, cls, guid)
    return instance(
        NAMESPACE,
        (cls,),
        {"OrchestratorGuid": guid},
        host=call.host.name,
        source=source,
        to_string=f'{cls} (OrchestratorGuid = "{guid}")',
    )


async def invoke(call: Call, target: LockInstance, method: str, arguments: dict[str, object]) -> None:
    """Run a method of MSFT_CAUNode; the instance must still be there."""
    known = {name.lower(): name for name in methods(call, target.cls)}
    name = known.get(method.lower())
    if name is None:
        raise mi_error(call, f"Method {method} was not found.", 17, "NotSpecified", target.cls)
    _check_arguments(call, methods(call, target.cls)[name], arguments)
    world, node = call.world, target.node
    try:
        lock = world.locks.begin(node, target.cls, target.guid)
    except LockMissingError as missing:
        raise mi_error(
            call, f"No instance found with given property values. {missing}", 6, "ObjectNotFound", target.cls
        ) from None
    try:
        if name == "RebootRequired":
            call.sink.output(_result(call, {}, bool(node.pending_restart)))
        elif name == "CommitFUpdatesWua":
            world.updates.commit(node)
            call.sink.output(_result(call, {"WuaCommitHResult": UInt32(0)}, UInt32(0)))
        elif name in ("ScanUpdates", "DownloadUpdates", "InstallUpdates"):
            await _updates(call, target, name, arguments)
        else:
            raise mi_error(call, "Not supported ", 7, "NotImplemented", target.cls)
    finally:
        world.locks.end(node, target.cls, lock)


async def _updates(call: Call, target: LockInstance, name: str, arguments: dict[str, object]) -> None:
    world, node = call.world, target.node
    values = {key.lower(): value for key, value in arguments.items()}
    if world.policies.blocks_wmi_processes(node):
        call.sink.output(_result(call, {"Info": []}, UInt32(E_ACCESSDENIED)))
        return
    recommended, features = bool(values.get("includerecommendedupdates")), bool(values.get("featureupdatesonly"))
    try:
        criteria = parse(str(values.get("querystring") or _DEFAULT_QUERY))
    except InvalidCriteriaError:
        call.sink.output(_result(call, {"Info": []}, UInt32(INVALID_CRITERIA)))
        return
    failed = await _search_time(call, node)
    if failed:
        call.sink.output(_result(call, {"Info": []}, UInt32(failed)))
        return
    found = world.updates.search(node, criteria, recommended=recommended, features_only=features)
    if found and world.rig.take("scan-empty", node.name):
        found = []
    if name == "ScanUpdates":
        there = world.updates.record(node).installed
        offered = [each.update_id for each in found if each.update_id not in there]
        world.emit("update.offered", node, {"node": node.name, "orchestrator": target.guid, "update_ids": offered})
        infos = [_info(call, "MSFT_CAU_ScanUpdateInfo", each.update_id, each.title, each.description) for each in found]
        call.sink.output(_result(call, {"Info": infos}, UInt32(0)))
        return
    kind = "install" if name == "InstallUpdates" else "download"
    if kind == "install" and (world.updates.installing(node) or world.servicing.busy(node)):
        call.sink.output(_result(call, {"Info": []}, UInt32(ANOTHER_INSTALL)))
        return
    operation = world.updates.start(node, kind, found, target.guid)
    await world.until(lambda: operation.over, call.clock)
    call.sink.output(_result(call, {"Info": [_outcome(call, kind, each) for each in operation.results]}, UInt32(0)))


async def _search_time(call: Call, node: Node) -> int:
    """Let the search take its time; return the HRESULT where a fault lets it fail."""
    await call.clock.sleep(call.world.spread(call.world.spec.timings.scan))
    call.world.advance()
    condition = call.world.rig.take("scan-fails", node.name)
    return int(condition.text("hresult"), 0) if condition else 0


def _outcome(call: Call, kind: str, result: UpdateResult) -> SimObject:
    update = result.update
    signed = result.hresult - (1 << 32) if result.hresult >= 1 << 31 else result.hresult
    more: dict[str, object] = {
        "UpdateResultCode": UInt32(result.code),
        "UpdateErrorCode": signed,
        "UpdateTimestamp": result.at,
    }
    if kind == "install":
        more["RebootRequired"] = update.needs_restart and result.code == SUCCEEDED
        more["LongRebootHint"] = update.long_reboot_hint
        if call.world.updates.has_newer_methods(call.host):
            more["CommitRequired"] = update.is_feature_update and result.code == SUCCEEDED
    cls = "MSFT_CAU_InstallUpdateInfo" if kind == "install" else "MSFT_CAU_DownloadUpdateInfo"
    return _info(call, cls, update.update_id, update.title, update.description, more)


def _info(
    call: Call, cls: str, update_id: str, title: str, description: str, more: dict[str, object] | None = None
) -> SimObject:
    properties: dict[str, object] = {
        "UpdateId": update_id,
        "UpdateTitle": title,
        "UpdateDesc": description,
        **(more or {}),
    }
    return instance(NAMESPACE, (cls,), properties, host=call.host.name)


def _result(call: Call, out: dict[str, object], value: object) -> SimObject:
    types = (
        "Microsoft.Management.Infrastructure.CimMethodResult",
        "System.Management.Automation.PSCustomObject",
        "System.Object",
    )
    return SimObject(types, {}, {**out, "ReturnValue": value, "PSComputerName": call.host.name}, to_string="")


def _check_arguments(call: Call, expected: dict[str, str], arguments: dict[str, object]) -> None:
    known = {name.lower(): kind for name, kind in expected.items()}
    for name, value in arguments.items():
        kind = known.get(name.lower())
        if kind is None or not isinstance(value, bool if kind == "Boolean" else str):
            raise mi_error(call, "Invalid parameter ", 4, "InvalidArgument", name)
