"""The objects of the ClusterAwareUpdating module (NodeResult Class, UpdateInfoBase Class, SummaryStatus Enumeration)."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum

from include.simulator.cmdlets.cau_common import SPACE
from include.simulator.objects import SimEnum, SimObject
from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.cau_plugins import ROLLING_UPGRADE, Plugin
from include.simulator.world.cau_run import CauRun, ErrorData, Installed, NodeResult, NodeStatus
from include.simulator.world.updates import SUCCEEDED
from include.simulator.world.world import World

#: OperationResultCode (win32, Wua_Sdk), which CAU's ResultCode is taken to mirror.
_RESULT_CODES = ("NotStarted", "InProgress", "Succeeded", "SucceededWithErrors", "Failed", "Aborted")


def thing(
    kind: str,
    properties: dict[str, object],
    *,
    base: str = "",
    text: str | None = None,
    source: object = None,
) -> SimObject:
    """Return an object of the module's class ``kind``."""
    bases = (SPACE + base,) if base else ()
    return SimObject((SPACE + kind, *bases, "System.Object"), properties, to_string=text or SPACE + kind, source=source)


def enum(kind: str, value: IntEnum | None) -> SimEnum | None:
    """Return a value of one of the module's enumerations."""
    return None if value is None else SimEnum(SPACE + kind, int(value), value.name)


def activity_ids(world: World, call_id: str) -> SimObject:
    """Return what stands first in the output of scans and runs; it belongs to no node."""
    return thing("ActivityIdMap", {"ActivityId": world.guid(call_id), "NodeName": None})


def node(name: str) -> SimObject:
    """Return what results and statuses name their node by."""
    return thing("Node", {"NodeName": name}, text=name)


def status(value: NodeStatus) -> SimObject:
    """Return what a node is doing."""
    properties: dict[str, object] = {"Node": node(value.node), "Status": value.name, "Timestamp": value.at}
    return thing("NodeStatusNotification", properties)


def error_data(value: ErrorData | None) -> SimObject | None:
    """Return why something failed, which its ExceptionData says (AzureLocal-Supportability, TSG/Update).

    What it prints as is not documented: the name of its class, as of any class that says nothing else.
    """
    if value is None:
        return None
    return thing("ErrorRecordData", {"FullyQualifiedErrorId": value.id, "ExceptionData": value.text})


def update_info(node_name: str, update: UpdateSpec, plugin: str) -> SimObject:
    """Return an update that a scan found."""
    return thing("UpdateInfo", _about(node_name, update, plugin), base="UpdateInfoBase", text=update.title)


def upgrade_info(node_name: str, updates: list[UpdateSpec], plugin: str, media: str) -> SimObject:
    """Return what a rolling upgrade would install on a node, from Windows Update or from the setup ``media`` at that path."""
    infos = [
        thing(
            "WuUpdateInfo",
            {key: value for key, value in _about(node_name, each, plugin).items() if key != "SourcePlugin"},
        )
        for each in updates
    ]
    properties = _install_properties(infos, media)
    found: dict[str, object] = {"NodeName": node_name, "SourcePlugin": plugin, "UpgradeInstallProperties": properties}
    return thing("UpgradeSetupInfo", found)


def _install_properties(infos: list[SimObject], media: str) -> SimObject:
    """Return where a rolling upgrade comes from; setup media have no updates of Windows Update's to list."""
    properties: dict[str, object] = {"WuConnected": not media, "WuUpdatesInfo": [] if media else infos}
    if media:
        properties["PathToSetupMedia"] = media
    return thing("UpgradeInstallProperties", properties)


def install_result(node_name: str, each: Installed) -> SimObject:
    """Return the result of an installation."""
    done = each.result.code == SUCCEEDED
    more: dict[str, object] = {
        "RebootRequired": each.result.update.needs_restart and done,
        "LongRebootHint": each.result.update.long_reboot_hint,
    }
    return _result("UpdateInstallResult", node_name, each, more)


def staging_result(node_name: str, each: Installed) -> SimObject:
    """Return the result of a download."""
    return _result("UpdateStagingResult", node_name, each, {})


def node_result(result: NodeResult) -> SimObject:
    """Return what became of a node."""
    properties: dict[str, object] = {
        "Node": node(result.node),
        "Status": enum("SummaryStatus", result.status),
        "ErrorRecordData": error_data(result.error),
        "InstallResults": [install_result(result.node, each) for each in result.installs],
        "NumberOfSucceededUpdates": len(result.succeeded),
        "NumberOfFailedUpdates": len(result.failed),
        "TransientInstallErrors": [install_result(result.node, each) for each in result.transient],
        "NodeSuspendedTimestamp": result.suspended_at,
        "NodeSuspendedDuration": result.suspended_for,
    }
    upgrades = [each for each in result.installs if each.plugin == ROLLING_UPGRADE]
    properties["UpgradingOs"] = bool(upgrades)
    properties["UpgradeResult"] = _upgrade_result(result.node, upgrades[-1]) if upgrades else None
    return thing("NodeResult", properties)


def _upgrade_result(node_name: str, each: Installed) -> SimObject:
    """Return what became of the operating system's upgrade: its HRESULT is what setup ended with."""
    hresult = each.result.hresult
    update = each.result.update
    about = thing("WuUpdateInfo", {key: value for key, value in _about(node_name, update, "").items() if value != ""})
    properties: dict[str, object] = {
        "NodeName": node_name,
        "SourcePlugin": each.plugin,
        "UpgradeTimestamp": each.result.at,
        "UpgradeInstallResultCode": SimEnum(SPACE + "ResultCode", each.result.code, _RESULT_CODES[each.result.code]),
        "SetupExitCode": hresult - (1 << 32) if hresult >= 1 << 31 else hresult,
        "UpgradeInstallProperties": thing(
            "UpgradeInstallProperties",
            {
                "WuConnected": update.on_windows_update,
                "WuUpdatesInfo": [about] if update.on_windows_update else [],
            },
        ),
    }
    return thing("UpgradeResult", properties)


def cluster_result(world: World, run: CauRun) -> SimObject:
    """Return what became of a run that is over."""
    properties: dict[str, object] = {
        "Name": world.spec.cluster,
        "RunId": thing("RunId", {"Guid": str(run.id)}, text=str(run.id)),
        "StartTimestamp": run.started,
        "RunDuration": (run.ended or world.now) - run.started,
        "Status": enum("SummaryStatus", run.status),
        "ErrorRecordData": error_data(run.error),
        "NodeResults": [node_result(result) for result in run.results.values() if result.status is not None],
    }
    return thing("ClusterResult", properties)


def lock_state(node_name: str, guid: str | None) -> SimObject:
    """Return the state of the WMI object on a node by which CAU locks it; the properties of this class are not documented."""
    return thing("ClusterNodeState", {"NodeName": node_name, "OrchestratorGuid": guid})


def run(value: CauRun) -> SimObject:
    """Return a run that is on."""
    properties: dict[str, object] = {
        "RunId": value.id,
        "RunStartTime": value.started,
        "CurrentOrchestrator": value.coordinator,
        "CancelPending": value.cancel_pending,
        "NodeStatusNotifications": [status(each) for each in value.statuses.values()],
        "NodeResults": [node_result(each) for each in value.results.values() if each.status is not None],
    }
    return thing("CauRun", properties)


def report(world: World, value: CauRun) -> SimObject:
    """Return the full report of a run."""
    result = cluster_result(world, value)
    plugins = ", ".join(use.name for use in value.options.plugins)
    properties: dict[str, object] = {
        "ClusterResult": result,
        "OrchestratorMachine": value.coordinator,
        "OrchestratorUser": value.user,
        "OrchestratorUpdateAccount": "NT AUTHORITY\\SYSTEM",
        "Plugin": plugins,
        "TimingBreakdownUTC": [f"{each.at:%Y-%m-%d %H:%M:%S} {each.node} {each.name}" for each in value.history],
    }
    return thing("CauReport", properties, source=value)


def report_summary(world: World, value: CauRun) -> SimObject:
    """Return a report as a list shows it."""
    properties: dict[str, object] = {
        "ClusterName": world.spec.cluster,
        "RunId": value.id,
        "StartTimestamp": value.started,
        "RunDuration": (value.ended or world.now) - value.started,
        "Status": enum("SummaryStatus", value.status),
    }
    return thing("CauReportSummary", properties, source=value)


def plugin(value: Plugin) -> SimObject:
    """Return a registered plug-in."""
    return thing("CauPlugin", {"Name": value.name, "Path": value.path}, text=value.name)


def pair(name: str, value: object) -> SimObject:
    """Return one setting of the CAU role."""
    return thing("CauParameter", {"Name": name, "Value": value})


def moment(value: object) -> datetime | None:
    """Return a parameter's value where it is a date."""
    return value if isinstance(value, datetime) else None


def _about(node_name: str, update: UpdateSpec, plugin_name: str) -> dict[str, object]:
    return {
        "NodeName": node_name,
        "UpdateId": update.update_id,
        "UpdateTitle": update.title,
        "UpdateDescription": update.description,
        "SourcePlugin": plugin_name,
    }


def _result(kind: str, node_name: str, each: Installed, more: dict[str, object]) -> SimObject:
    hresult = each.result.hresult
    properties = _about(node_name, each.result.update, each.plugin) | {
        "UpdateResultCode": SimEnum(SPACE + "ResultCode", each.result.code, _RESULT_CODES[each.result.code]),
        "ErrorCode": hresult - (1 << 32) if hresult >= 1 << 31 else hresult,
        "UpdateTimestamp": each.result.at,
    }
    return thing(kind, properties | more, base="UpdateInfoBase", text=each.result.update.title)
