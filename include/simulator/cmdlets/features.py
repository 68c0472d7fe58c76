"""Get-, Install- and Uninstall-WindowsFeature (windows-powershell-docs, ServerManager)."""

from __future__ import annotations

from datetime import timedelta

from include.simulator.cmdlets import second_hop
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet, fail
from include.simulator.objects import SimEnum, SimError, SimObject, TerminatingError
from include.simulator.world.features import FEATURES, Feature
from include.simulator.world.machines import Machine, Node

_SPACE = "Microsoft.Windows.ServerManager.Commands."
_TAKES = timedelta(seconds=50)
_EXIT_CODES = {"Success": 0, "NoChangeNeeded": 1003, "SuccessRestartRequired": 3010}


@cmdlet("Get-WindowsFeature")
async def get_windows_feature(call: Call) -> None:
    """Write the features that were named, or all."""
    host = _target(call)
    names = call.texts("Name")
    for name in names:
        if "*" not in name and name.lower() not in FEATURES:
            call.sink.error(_unknown(call, name))
    for feature in FEATURES.values():
        if not names or any(matching(name, [feature.name]) for name in names):
            call.sink.output(_object(call, host, feature))


@cmdlet("Install-WindowsFeature")
async def install_windows_feature(call: Call) -> None:
    """Install features and write one result that says whether a restart is needed."""
    await _change(call, install=True)


@cmdlet("Uninstall-WindowsFeature")
async def uninstall_windows_feature(call: Call) -> None:
    """Remove features and write one result that says whether a restart is needed."""
    await _change(call, install=False)


async def _change(call: Call, *, install: bool) -> None:
    if call.has("Vhd") or call.has("ConfigurationFilePath"):
        raise fail(
            "This simulated machine installs features on itself only.", "ParameterNotSimulated", "NotImplemented"
        )
    host = _target(call)
    chosen = _chosen(call)
    if call.has("IncludeManagementTools"):
        chosen += [FEATURES[tool.lower()] for each in list(chosen) for tool in each.tools]
    if call.has("IncludeAllSubFeature"):
        chosen += [child for each in list(chosen) for child in FEATURES.values() if child.parent == each.name]
    if any(call.world.features.installed(host, each.name) is not install for each in chosen):
        await call.clock.sleep(call.world.spread(_TAKES))
        call.world.advance()
    changed = call.world.features.change(host, chosen, install=install)
    restart = any(each.restart for each in changed)
    code = "SuccessRestartRequired" if restart else "Success" if changed else "NoChangeNeeded"
    if restart and not call.has("Restart"):
        what = "installation" if install else "removal"
        call.sink.warning(f"You must restart this server to finish the {what} process.")
    properties: dict[str, object] = {
        "ExitCode": SimEnum(
            "Microsoft.Windows.ServerManager.Commands.FeatureOperationExitCode", _EXIT_CODES[code], code
        ),
        "FeatureResult": [_result(each, restart=each.restart) for each in changed],
        "RestartNeeded": SimEnum(_SPACE + "RestartState", 1 if restart else 0, "Yes" if restart else "No"),
        "Success": True,
    }
    call.sink.output(SimObject((_SPACE + "FeatureOperationResult", "System.Object"), properties, to_string=code))
    if restart and call.has("Restart") and isinstance(host, Node):
        call.world.power.restart(host, call.session.user)


def _chosen(call: Call) -> list[Feature]:
    """Return the features that were asked for; an unknown name ends the command before anything is changed."""
    piped = [item.source for item in call.input if isinstance(item, SimObject) and isinstance(item.source, Feature)]
    given = call.parameters.get("Name")
    asked = list(given) if isinstance(given, list | tuple) else [] if given is None else [given]
    chosen = list(piped)
    for each in asked:
        if isinstance(each, SimObject) and isinstance(each.source, Feature):
            chosen += [] if each.source in chosen else [each.source]
            continue
        name = str(each)
        if name.lower() not in FEATURES:
            raise TerminatingError(_unknown(call, name))
        chosen.append(FEATURES[name.lower()])
    return chosen


def _target(call: Call) -> Machine:
    name = call.text("ComputerName") or call.host.name
    try:
        return second_hop.machine(call, name)
    except second_hop.HopRefusedError as why:
        raise fail(
            f"The target of the specified cmdlet cannot be a machine that this session cannot act on ({name}): {why}",
            f"DISMAPI_Error__Failed_To_Enable_Updates,{_SPACE}{_class(call)}",
            "PermissionDenied",
            reason="Exception",
            target=name,
            target_type="String",
            activity=call.name,
        ) from None


def _object(call: Call, host: Machine, feature: Feature) -> SimObject:
    installed = call.world.features.installed(host, feature.name)
    state = (1, "Installed") if installed else (0, "Available")
    properties: dict[str, object] = {
        "Name": feature.name,
        "DisplayName": feature.display_name,
        "Installed": installed,
        "InstallState": SimEnum(_SPACE + "InstallState", *state),
        "FeatureType": feature.kind,
        "Depth": feature.depth,
        "Parent": feature.parent or None,
        "SubFeatures": [each.name for each in FEATURES.values() if each.parent == feature.name],
        "Path": feature.display_name,
    }
    types = (_SPACE + "Feature", "System.Object")
    return SimObject(types, properties, to_string=feature.name, source=feature)


def _result(feature: Feature, *, restart: bool) -> SimObject:
    properties: dict[str, object] = {
        "Id": sorted(FEATURES).index(feature.name.lower()) + 1,
        "Name": feature.name,
        "DisplayName": feature.display_name,
        "RestartNeeded": restart,
        "Success": True,
    }
    return SimObject((_SPACE + "FeatureItem", "System.Object"), properties, to_string=feature.display_name)


def _unknown(call: Call, name: str) -> SimError:
    return SimError(
        f"ArgumentNotValid: The role, role service, or feature name is not valid: '{name}'. The name was not found.",
        f"NameDoesNotExist,{_SPACE}{_class(call)}",
        "InvalidArgument",
        ("System.Exception",),
        reason="Exception",
        target=name,
        target_type="String",
        activity=call.name,
    )


def _class(call: Call) -> str:
    return {
        "Install-WindowsFeature": "AddWindowsFeatureCommand",
        "Uninstall-WindowsFeature": "RemoveWindowsFeatureCommand",
    }.get(call.name, "GetWindowsFeatureCommand")
