"""Registry keys and values through the item cmdlets (PowerShell-Docs, Microsoft.PowerShell.Management)."""

from __future__ import annotations

from include.simulator.cmdlets import wsman
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimError, SimObject
from include.simulator.world.registry import NoKeyError, Value, normal

_CUSTOM = ("System.Management.Automation.PSCustomObject", "System.Object")
_PROVIDER = "Microsoft.PowerShell.Core\\Registry"


@cmdlet("Get-ItemProperty")
async def get_item_property(call: Call) -> None:
    """Write the values of registry keys as one object a key."""
    for path in _paths(call):
        values = call.world.registry.values(call.host, path)
        if values is None:
            call.sink.error(_no_path(call, path))
            continue
        names = call.texts("Name")
        for name in names:
            if "*" not in name and not any(matching(name, [key]) for key in values):
                call.sink.error(_no_property(call, name, path))
        kept: dict[str, object] = {
            key: value for key, value in values.items() if not names or any(matching(each, [key]) for each in names)
        }
        if kept:
            call.sink.output(SimObject(_CUSTOM, {}, {**kept, **_location(path)}, to_string=""))


@cmdlet("Get-ItemPropertyValue")
async def get_item_property_value(call: Call) -> None:
    """Write the bare values that were named."""
    for path in _paths(call):
        if call.world.registry.values(call.host, path) is None:
            call.sink.error(_no_path(call, path))
            continue
        for name in call.texts("Name"):
            value = call.world.registry.value(call.host, path, name)
            if value is None:
                call.sink.error(_no_property(call, name, path))
            else:
                call.sink.output(value)


@cmdlet("Set-ItemProperty")
async def set_item_property(call: Call) -> None:
    """Write a value into keys that exist."""
    for path in _paths(call):
        _write(call, path, call.parameters.get("Value"))


@cmdlet("New-ItemProperty")
async def new_item_property(call: Call) -> None:
    """Write a value that must not be there yet unless -Force was given."""
    for path in _paths(call):
        name = call.text("Name") or ""
        if call.world.registry.value(call.host, path, name) is not None and not call.has("Force"):
            call.sink.error(
                _record(
                    call, "The property already exists.", "System.IO.IOException", "ResourceExists", path, "IOException"
                )
            )
            continue
        default: Value = "" if (call.text("PropertyType") or "String").lower() in ("string", "expandstring") else 0
        given = call.parameters.get("Value")
        if _write(call, path, default if given is None else given):
            call.sink.output(
                SimObject(
                    _CUSTOM,
                    {},
                    {name: call.world.registry.value(call.host, path, name), **_location(path)},
                    to_string="",
                )
            )


@cmdlet("Remove-ItemProperty")
async def remove_item_property(call: Call) -> None:
    """Delete values."""
    for path in _paths(call):
        if call.world.registry.values(call.host, path) is None:
            call.sink.error(_no_path(call, path))
            continue
        for name in call.texts("Name"):
            try:
                call.world.registry.remove(call.host, path, name)
            except NoKeyError:
                call.sink.error(_no_property(call, name, path))


@cmdlet("Test-Path")
async def test_path(call: Call) -> None:
    """Write for every path whether there is something."""
    for path in _paths(call):
        if normal(path).startswith("hklm:"):
            found = call.world.registry.values(call.host, path) is not None
            call.sink.output(found and (call.text("PathType") or "Any") != "Leaf")
        else:
            script = call.world.cau.scripts.find(call.host.name, path)
            call.sink.output(_on_disk(call, path) or script is not None or wsman.setting(call, path) is not None)


@cmdlet("Get-Item")
async def get_item(call: Call) -> None:
    """Write registry keys, and the WSMan settings that tell whether CredSSP is on."""
    for path in _paths(call):
        found = wsman.setting(call, path)
        values = call.world.registry.values(call.host, path)
        if found is None and values is None:
            call.sink.error(_no_path(call, path))
            continue
        call.sink.output(found or _key(path, values or {}))


def _on_disk(call: Call, path: str) -> bool:
    kind, files = call.text("PathType") or "Any", call.world.files
    if kind == "Any":
        return files.exists(call.host, path)
    return files.exists(call.host, path) and files.is_folder(call.host, path) is (kind == "Container")


def _paths(call: Call) -> list[str]:
    return [*call.texts("LiteralPath"), *call.texts("Path")]


def _write(call: Call, path: str, value: object) -> bool:
    written: Value = value if isinstance(value, int | str | list) else str(value)
    try:
        call.world.registry.set(call.host, path, call.text("Name") or "", written)
    except NoKeyError:
        call.sink.error(_no_path(call, path))
        return False
    return True


def _location(path: str) -> dict[str, object]:
    parent, _, child = path.rstrip("\\").rpartition("\\")

    def full(text: str) -> str:
        return f"{_PROVIDER}::{text.replace('HKLM:', 'HKEY_LOCAL_MACHINE')}"

    return {
        "PSPath": full(path),
        "PSParentPath": full(parent),
        "PSChildName": child,
        "PSDrive": "HKLM",
        "PSProvider": _PROVIDER,
    }


def _key(path: str, values: dict[str, Value]) -> SimObject:
    name = path.replace("HKLM:", "HKEY_LOCAL_MACHINE").rstrip("\\")
    properties: dict[str, object] = {
        "Name": name,
        "Property": list(values),
        "ValueCount": len(values),
    }
    return SimObject(("Microsoft.Win32.RegistryKey", "System.Object"), properties, _location(path), to_string=name)


def _no_path(call: Call, path: str) -> SimError:
    text = f"Cannot find path '{path}' because it does not exist."
    return _record(call, text, "PathNotFound", "ObjectNotFound", path, "ItemNotFoundException")


def _no_property(call: Call, name: str, path: str) -> SimError:
    text = f"Property {name} does not exist at path {path}."
    error_id = "System.Management.Automation.PSArgumentException"
    return _record(call, text, error_id, "InvalidArgument", name, "PSArgumentException")


def _record(call: Call, text: str, error_id: str, category: str, target: str, reason: str) -> SimError:
    types = {
        "ItemNotFoundException": (
            "System.Management.Automation.ItemNotFoundException",
            "System.Management.Automation.SessionStateException",
        ),
        "PSArgumentException": ("System.Management.Automation.PSArgumentException", "System.ArgumentException"),
        "IOException": ("System.IO.IOException", "System.SystemException"),
    }.get(reason, (f"System.{reason}", "System.SystemException"))
    verb, _, noun = call.name.partition("-")
    return SimError(
        text,
        f"{error_id},Microsoft.PowerShell.Commands.{verb}{noun}Command",
        category,
        (*types, "System.Exception"),
        reason=reason,
        target=target,
        target_type="String",
        activity=call.name,
    )
